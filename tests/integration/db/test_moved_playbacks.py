"""Playbacks of the first schema are in partitions afterwards, with their events."""

import psycopg
from alembic import command
from sqlalchemy import create_engine

from telecine.db import schema
from telecine.db.engine import driver_url

PLAYBACKS = """
INSERT INTO playback (id, project_id, key, session_id, generation, media_id, media_type,
       loaded_at, last_at, skew_ms, viewer, referrer, device_type, os, browser)
SELECT gen_random_uuid(), p.id, decode(md5(n::text), 'hex'), 'ps' || n, 2, 'vi1', 'video',
       now() - n * interval '4 days', now() - n * interval '4 days', 0, '', '', '', '', ''
  FROM project p, generate_series(0, 5) AS n
"""
EVENTS = """
INSERT INTO play_event (playback_id, emitted_ms, type, at_s, place)
SELECT id, 7, 'play', 0, 0 FROM playback
"""
FOUND = """
SELECT p.session_id, p.tableoid = 'playback_open'::regclass, e.type
  FROM playback p JOIN play_event e ON e.playback_id = p.id AND e.opened_at = p.opened_at
 ORDER BY 1
"""


def test_what_was_watched_before_is_still_there(empty_database_url: str) -> None:
    engine = create_engine(driver_url(empty_database_url))
    config = schema._config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.commit()
    engine.dispose()
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(
            "INSERT INTO project (id, public_id, environment, name, settings)"
            " VALUES (gen_random_uuid(), 'pr1', 'production', '', '{}')"
        )
        connection.execute(PLAYBACKS)
        connection.execute(EVENTS)
    schema.migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        found = connection.execute(FOUND).fetchall()
    assert found == [("ps0", True, "play"), *((f"ps{n}", False, "play") for n in range(1, 6))]
