"""Rollups by all that viewers are told apart by at once; sums of the quality keep some room."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
release = 1


def upgrade() -> None:
    # Made again by the sweeps, with the new ones and in the order of their keys; until then,
    # playbacks are counted.
    op.execute("DELETE FROM play_rolled")
    op.execute("DELETE FROM play_quality")
    op.execute("DELETE FROM play_quality_rolled")
    # Sums of a day change with every playback that is closed on it: without room in their pages
    # each change goes to another page, and there are six of them for one that is needed.
    op.execute("ALTER TABLE play_quality SET (fillfactor = 70)")
