"""Reads of sessions and of what happened in them."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from telecine.db.engine import Transaction
from telecine.domains.analytics.periods import Bounds
from telecine.http.pagination import Page

_SESSIONS = """
    SELECT session_id, min(loaded_at) AS loaded_at, max(last_at) AS ended_at,
           (array_agg(id ORDER BY loaded_at DESC, id))[1] AS newest
      FROM playback
     WHERE project_id = :project_id AND media_id = :media_id AND media_type = :media_type
       AND generation < 3
     GROUP BY session_id
    HAVING min(loaded_at) >= :begin AND min(loaded_at) < :end
       AND bool_or(labels @> CAST(:labels AS jsonb))
"""
_COUNT = text(f"SELECT count(*) FROM ({_SESSIONS}) AS s")  # noqa: S608  (no values inside)
_PAGE = text(
    f"""
    SELECT s.session_id, s.loaded_at, s.ended_at, p.labels, p.country, p.city, p.referrer,
           p.device_type, p.device_vendor, p.device_model, p.os, p.os_version, p.browser,
           p.browser_version
      FROM ({_SESSIONS}) AS s JOIN playback p ON p.id = s.newest
     ORDER BY s.loaded_at DESC, s.session_id OFFSET :offset LIMIT :limit
    """  # noqa: S608  (no values inside)
)
_HAS_SESSION = text(
    """
    SELECT EXISTS (SELECT 1 FROM playback
                    WHERE project_id = :project_id AND session_id = :session_id
                      AND generation < 3)
    """
)
_COUNT_EVENTS = text(
    """
    SELECT count(*) FROM playback p
      JOIN play_event e ON e.playback_id = p.id AND e.opened_at = p.opened_at
     WHERE p.project_id = :project_id AND p.session_id = :session_id
    """
)
# The second generation of players calls every start `play`: it is one of a video that has
# not been played, or has ended since; else it goes on behind a pause.
_EVENTS = text(
    """
    SELECT CASE WHEN generation = 2 AND type = 'play' AND before % 2 = 1 THEN 'resume'
                ELSE type END AS type,
           to_timestamp((emitted_ms + skew_ms) / 1000.0) AS emitted_at, at_s, from_s
      FROM (
        SELECT p.generation, p.skew_ms, e.*,
               max(CASE e.type WHEN 'play' THEN e.emitted_ms * 2 + 1
                               WHEN 'end' THEN e.emitted_ms * 2 END)
                 OVER (PARTITION BY p.id ORDER BY e.emitted_ms, e.place
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
          FROM playback p
          JOIN play_event e ON e.playback_id = p.id AND e.opened_at = p.opened_at
         WHERE p.project_id = :project_id AND p.session_id = :session_id) AS event
     ORDER BY emitted_ms + skew_ms, type = 'ready' DESC, place
    OFFSET :offset LIMIT :limit
    """
)
ALWAYS: Bounds = (
    datetime.fromisoformat("0001-01-02T00:00Z"),
    datetime.fromisoformat("9999-12-30T00:00Z"),
)


async def sessions(
    tx: Transaction,
    project_id: UUID,
    media: tuple[str, str],
    within: Bounds,
    labels: Mapping[str, str],
    wanted: Page,
) -> tuple[int, Sequence[Row[Any]]]:
    """Return how many sessions of a media (its type and id) there are, and those of a page.

    Only those that were loaded `within` a period and have all `labels`; newest first.
    """
    values = {
        "project_id": project_id,
        "media_type": media[0],
        "media_id": media[1],
        "begin": within[0],
        "end": within[1],
        "labels": json.dumps(dict(labels)),
    }
    total = await tx.scalar(_COUNT, values)
    of_page = {"offset": wanted.bounded_offset, "limit": wanted.size}
    return total or 0, (await tx.execute(_PAGE, values | of_page)).all()


async def events(
    tx: Transaction, project_id: UUID, session_id: str, wanted: Page
) -> tuple[int, Sequence[Row[Any]]] | None:
    """Return how many events a session has, and those of a page, oldest first.

    None: there is no such session.
    """
    values = {"project_id": project_id, "session_id": session_id}
    if not await tx.scalar(_HAS_SESSION, values):
        return None
    total = await tx.scalar(_COUNT_EVENTS, values)
    of_page = {"offset": wanted.bounded_offset, "limit": wanted.size}
    return total or 0, (await tx.execute(_EVENTS, values | of_page)).all()
