"""First segments are wanted ahead of their viewers, no longer encoded by a job of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
release = 1


def upgrade() -> None:
    op.add_column(
        "jit_want",
        sa.Column("ahead", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    # Nobody would ever do them; the ladder makes what they were to make.
    op.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'encodings.WarmStart'")
