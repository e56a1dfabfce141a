"""An event tells where other nodes get its media, and when its owner was heard of last."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
release = 1


def upgrade() -> None:
    op.add_column("broadcast", sa.Column("address", sa.String(), nullable=True))
    op.add_column("broadcast", sa.Column("alive_at", sa.DateTime(timezone=True), nullable=True))
