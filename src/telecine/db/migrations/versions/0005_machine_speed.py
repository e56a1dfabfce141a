"""How fast each machine encodes for a viewer."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
release = 1


def upgrade() -> None:
    op.create_table(
        "machine_speed",
        sa.Column("host", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("px_per_s", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("host", name="pk_machine_speed"),
    )
