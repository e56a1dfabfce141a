"""What players tell with their requests for media."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
release = 1


def upgrade() -> None:
    op.add_column("playback", sa.Column("throughput_kbps", sa.Integer))
    op.add_column("playback", sa.Column("rendition", sa.String))
    op.add_column("playback", sa.Column("heard", postgresql.JSONB))
