"""Moments at which the number of viewers changed; what was watched by each kind of viewers."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
release = 1


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE play_change (
            project_id uuid NOT NULL,
            dimension smallint NOT NULL,
            start_at timestamptz NOT NULL,
            value varchar NOT NULL,
            moments bigint[] NOT NULL,
            CONSTRAINT pk_play_change PRIMARY KEY (project_id, dimension, start_at, value)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE play_pair (
            project_id uuid NOT NULL,
            dimension smallint NOT NULL,
            start_at timestamptz NOT NULL,
            value varchar NOT NULL,
            others varchar[] NOT NULL,
            plays bigint[] NOT NULL,
            ends bigint[] NOT NULL,
            impressions bigint[] NOT NULL,
            loads bigint[] NOT NULL,
            load_ms bigint[] NOT NULL,
            CONSTRAINT pk_play_pair PRIMARY KEY (project_id, dimension, start_at, value)
        )
        """
    )
    # Made again by the sweeps, with these; until then, playbacks are counted.
    op.execute("DELETE FROM play_rolled")
