"""Sums of how well it played, and which playbacks are in them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
release = 1

_TOLD_BY_PINGS = """
    q.project_id = p.project_id AND q.media_id = p.media_id AND q.generation < 3
    AND q.startup_ms IS NOT NULL
"""
_TOLD_TWICE = f"""
    UPDATE playback p SET told_twice = true
     WHERE p.generation = 3 AND p.closed_at < TIMESTAMPTZ '9999-12-31 UTC'
       AND EXISTS (SELECT 1 FROM playback q WHERE {_TOLD_BY_PINGS}
                      AND (q.session_id = p.session_id OR (q.viewer = p.viewer
                           AND q.loaded_at <= p.last_at AND q.last_at >= p.loaded_at)))
"""  # noqa: S608  (no values inside)
_COUNTS = (
    *("playbacks", "starts", "startup_ms", "stall_count", "stall_ms", "watched_ms"),
    *("switch_count", "rated", "bitrate_kbps", "measured", "throughput_kbps", "failed", "exits"),
)


def upgrade() -> None:
    op.add_column(
        "playback",
        sa.Column("told_twice", sa.Boolean, server_default=sa.text("false"), nullable=False),
    )
    op.execute(_TOLD_TWICE)
    op.create_index("ix_playback_closed_at", "playback", ["closed_at"], postgresql_using="brin")
    op.create_table(
        "play_quality",
        sa.Column("project_id", sa.Uuid, nullable=False),
        sa.Column("dimension", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.String, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS),
        sa.Column("score", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint(
            "project_id", "dimension", "start_at", "value", name="pk_play_quality"
        ),
    )
    op.create_table(
        "play_quality_rolled",
        sa.Column("is_one", sa.Boolean, nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("is_one", name="pk_play_quality_rolled"),
    )
