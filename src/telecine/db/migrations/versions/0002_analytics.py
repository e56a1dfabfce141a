"""Playbacks in weekly partitions, those that may go on in a table of their own."""

from datetime import UTC, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
release = 1

OPEN = "TIMESTAMPTZ '9999-12-31 UTC'"

_PLAYBACK = f"""
CREATE TABLE playback (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    key bytea NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz DEFAULT {OPEN} NOT NULL,
    session_id varchar NOT NULL,
    generation smallint NOT NULL,
    media_id varchar NOT NULL,
    media_type varchar NOT NULL,
    loaded_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    impression_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    load_ms integer,
    watched tstzmultirange DEFAULT '{{}}' NOT NULL,
    watched_ms bigint DEFAULT 0 NOT NULL,
    spans jsonb DEFAULT '[]' NOT NULL,
    skew_ms bigint NOT NULL,
    position_s float8,
    event_count integer DEFAULT 0 NOT NULL,
    startup_ms integer,
    stall_count integer DEFAULT 0 NOT NULL,
    stall_ms bigint DEFAULT 0 NOT NULL,
    switch_count integer DEFAULT 0 NOT NULL,
    error_count integer DEFAULT 0 NOT NULL,
    bitrate_kbps integer,
    viewer bytea NOT NULL,
    referrer varchar NOT NULL,
    labels jsonb DEFAULT '{{}}' NOT NULL,
    country varchar,
    continent varchar,
    city varchar,
    device_type varchar NOT NULL,
    device_vendor varchar,
    device_model varchar,
    os varchar NOT NULL,
    os_version varchar,
    browser varchar NOT NULL,
    browser_version varchar,
    CONSTRAINT pk_playback PRIMARY KEY (id, closed_at)
) PARTITION BY RANGE (closed_at)
"""
_PLAY_EVENT = """
CREATE TABLE play_event (
    opened_at timestamptz NOT NULL,
    playback_id uuid NOT NULL,
    emitted_ms bigint NOT NULL,
    type varchar NOT NULL,
    at_s float8 NOT NULL,
    from_s float8,
    place smallint NOT NULL,
    CONSTRAINT pk_play_event PRIMARY KEY (playback_id, emitted_ms, type, at_s, opened_at)
) PARTITION BY RANGE (opened_at)
"""
_ROLLUPS = (
    """
    CREATE TABLE play_rollup (
        project_id uuid NOT NULL,
        dimension smallint NOT NULL,
        start_at timestamptz NOT NULL,
        value varchar NOT NULL,
        plays bigint NOT NULL,
        ends bigint NOT NULL,
        impressions bigint NOT NULL,
        loads bigint NOT NULL,
        load_ms bigint NOT NULL,
        watched_us bigint NOT NULL,
        present_us bigint NOT NULL,
        viewers_us bigint NOT NULL,
        peak integer NOT NULL,
        viewers_peak integer NOT NULL,
        CONSTRAINT pk_play_rollup PRIMARY KEY (project_id, dimension, start_at, value)
    )
    """,
    """
    CREATE TABLE play_presence (
        project_id uuid NOT NULL,
        dimension smallint NOT NULL,
        start_at timestamptz NOT NULL,
        since_at timestamptz NOT NULL,
        value varchar NOT NULL,
        watched bigint NOT NULL,
        view_3 bigint NOT NULL,
        view_5 bigint NOT NULL,
        view_10 bigint NOT NULL,
        view_30 bigint NOT NULL,
        viewers_3 bigint NOT NULL,
        viewers_5 bigint NOT NULL,
        viewers_10 bigint NOT NULL,
        viewers_30 bigint NOT NULL,
        CONSTRAINT pk_play_presence
            PRIMARY KEY (project_id, dimension, start_at, since_at, value)
    )
    """,
    """
    CREATE TABLE play_rolled (
        daily boolean NOT NULL,
        start_at timestamptz NOT NULL,
        CONSTRAINT pk_play_rolled PRIMARY KEY (daily, start_at)
    )
    """,
)
_KEPT = (
    "id, project_id, key, session_id, generation, media_id, media_type, loaded_at, last_at,"
    " impression_at, started_at, ended_at, load_ms, watched, watched_ms, spans, skew_ms,"
    " position_s, event_count, viewer, referrer, labels, country, continent, city, device_type,"
    " device_vendor, device_model, os, os_version, browser, browser_version"
)


def upgrade() -> None:
    op.execute("ALTER TABLE play_event RENAME TO play_event_before")
    op.execute("ALTER TABLE play_event_before DROP CONSTRAINT pk_play_event")
    op.execute("ALTER TABLE play_event_before DROP CONSTRAINT fk_play_event_playback_id_playback")
    op.execute("ALTER TABLE playback RENAME TO playback_before")
    for name in ("pk_playback", "uq_playback_key", "fk_playback_project_id_project"):
        op.execute(f"ALTER TABLE playback_before DROP CONSTRAINT {name}")
    for name in ("ix_playback_media", "ix_playback_session_id", "ix_playback_last_at"):
        op.execute(f"DROP INDEX {name}")
    op.execute(_PLAYBACK)
    op.create_index("ix_playback_media", "playback", ["project_id", "media_id", "loaded_at"])
    op.create_index("ix_playback_session_id", "playback", ["project_id", "session_id"])
    op.create_index(
        "ix_playback_times", "playback", ["last_at", "loaded_at"], postgresql_using="brin"
    )
    op.create_index("ix_playback_viewer", "playback", ["viewer"])
    # Rewritten every few seconds while somebody watches: a row's next version stays beside it.
    op.execute(
        "CREATE TABLE playback_open PARTITION OF playback"
        f" FOR VALUES FROM ({OPEN}) TO (MAXVALUE) WITH (fillfactor = 50)"
    )
    op.execute("CREATE UNIQUE INDEX uq_playback_open_key ON playback_open (key)")
    op.execute(_PLAY_EVENT)
    for statement in _ROLLUPS:
        op.execute(statement)
    _weeks()
    _move()


def _weeks() -> None:
    """Make partitions for what there is, and for the weeks to come."""
    times = sa.text("SELECT now(), (SELECT min(last_at) FROM playback_before)")
    now, oldest = op.get_bind().execute(times).one()
    first = min(now, max(oldest, now - timedelta(days=400)) if oldest else now)
    day, last = (moment.astimezone(UTC).date() for moment in (first, now))
    monday = day - timedelta(days=day.weekday())
    while monday <= last + timedelta(days=14):
        following = monday + timedelta(days=7)
        for table in ("playback", "play_event"):
            name = f"{table}_{monday:%Y%m%d}"
            op.execute(
                f"CREATE TABLE {name} PARTITION OF {table}"
                f" FOR VALUES FROM ('{monday} UTC') TO ('{following} UTC')"
            )
        op.execute(f"CREATE INDEX ON playback_{monday:%Y%m%d} (key)")
        monday = following


def _move() -> None:
    oldest = "now() - interval '400 days'"
    last = f"date_trunc('milliseconds', least(greatest(last_at, {oldest}), now()))"
    # Who was heard of in the last half hour may go on.
    closed = f"CASE WHEN last_at > now() - interval '30 minutes' THEN {OPEN} ELSE {last} END"
    playbacks = f"""
        INSERT INTO playback ({_KEPT}, opened_at, closed_at)
        SELECT {_KEPT}, {last}, {closed} FROM playback_before
    """  # noqa: S608  (no values inside)
    events = f"""
        INSERT INTO play_event (opened_at, playback_id, emitted_ms, type, at_s, from_s, place)
        SELECT {last}, e.playback_id, e.emitted_ms, e.type, e.at_s, e.from_s, e.place
          FROM play_event_before e JOIN playback_before p ON p.id = e.playback_id
    """  # noqa: S608  (no values inside)
    op.execute(playbacks)
    op.execute(events)
    op.execute("DROP TABLE play_event_before")
    op.execute("DROP TABLE playback_before")
