"""Writes of viewers' analytics. Only this module and `queries` know their SQL."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from telecine import ids
from telecine.db.engine import Database, Transaction
from telecine.domains.analytics import folding
from telecine.domains.analytics.agents import Agent
from telecine.domains.analytics.folding import Folded
from telecine.domains.analytics.reports import Report
from telecine.domains.analytics.timeline import Span

_MEDIA = text(
    """
    SELECT public_id, project_id, 'video' FROM video
     WHERE public_id = ANY (:wanted) AND deleted_at IS NULL AND discarded_at IS NULL
    UNION ALL
    SELECT public_id, project_id, 'live-stream' FROM live_stream
     WHERE public_id = ANY (:wanted) AND deleted_at IS NULL
    """
)
# All statements take their rows in the order of the keys: nobody waits in a circle.
_OPEN = text(
    """
    INSERT INTO playback (id, project_id, key, session_id, generation, media_id, media_type,
           loaded_at, last_at, skew_ms, viewer, referrer, labels, country, continent, city,
           device_type, device_vendor, device_model, os, os_version, browser, browser_version)
    SELECT id, project_id, decode(key, 'hex'), session_id, generation, media_id, media_type,
           loaded_at, loaded_at, skew_ms, decode(viewer, 'hex'), referrer, labels, country,
           continent, city, device_type, device_vendor, device_model, os, os_version, browser,
           browser_version
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
           id uuid, project_id uuid, key text, session_id text, generation smallint,
           media_id text, media_type text, loaded_at timestamptz, skew_ms bigint, viewer text,
           referrer text, labels jsonb, country text, continent text, city text,
           device_type text, device_vendor text, device_model text, os text, os_version text,
           browser text, browser_version text)
     ORDER BY key
    ON CONFLICT (key) DO NOTHING
    """
)
_LOCK = text(
    """
    SELECT key, id, skew_ms, loaded_at, last_at, impression_at, started_at, ended_at, load_ms,
           position_s, event_count, spans
      FROM playback WHERE key = ANY (:keys) ORDER BY key FOR UPDATE
    """
)
_UPDATE = text(
    """
    UPDATE playback p
       SET loaded_at = r.loaded_at, last_at = r.last_at, impression_at = r.impression_at,
           started_at = r.started_at, ended_at = r.ended_at, load_ms = r.load_ms,
           position_s = r.position_s, event_count = r.event_count, spans = r.spans,
           watched = CAST(r.watched AS tstzmultirange), watched_ms = r.watched_ms
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
           id uuid, loaded_at timestamptz, last_at timestamptz, impression_at timestamptz,
           started_at timestamptz, ended_at timestamptz, load_ms int, position_s float8,
           event_count int, spans jsonb, watched text, watched_ms bigint)
     WHERE p.id = r.id
    """
)
_EVENTS = text(
    """
    INSERT INTO play_event (playback_id, emitted_ms, type, at_s, from_s, place)
    SELECT playback_id, emitted_ms, type, at_s, from_s, place
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
           playback_id uuid, emitted_ms bigint, type text, at_s float8, from_s float8,
           place smallint)
    ON CONFLICT DO NOTHING
    """
)
_TOTALS = text(
    """
    INSERT INTO play_total AS t (project_id, media_id, media_type, plays)
    SELECT project_id, media_id, media_type, plays
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
           project_id uuid, media_id text, media_type text, plays bigint)
     ORDER BY project_id, media_id
    ON CONFLICT (project_id, media_id) DO UPDATE SET plays = t.plays + excluded.plays
    """
)
# A power cut may take the last half second, as a killed process does; see the docs.
_ASYNCHRONOUS = text("SET LOCAL synchronous_commit = off")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A ping, and what is known of its sender."""

    report: Report
    viewer: bytes
    agent: Agent
    country: str | None
    continent: str | None
    city: str | None


@dataclass(frozen=True, slots=True)
class _Media:
    project_id: UUID
    media_type: str


class AnalyticsStore:
    """Keeps what players tell."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, arrivals: Sequence[Arrival]) -> tuple[int, int]:
        """Store pings; return how many events that was, and how many nobody has media for."""
        async with self._db.transaction() as tx:
            await tx.execute(_ASYNCHRONOUS)
            media = await _media(tx, {each.report.media_id for each in arrivals})
            known: dict[bytes, list[Arrival]] = defaultdict(list)
            unknown = 0
            for arrival in arrivals:
                report = arrival.report
                found = media.get(report.media_id)
                if found is None or report.media_type not in (None, found.media_type):
                    unknown += len(report.events)
                else:
                    known[_key(report)].append(arrival)
            if known:
                await _fold(tx, known, media)
        stored = sum(len(each.report.events) for group in known.values() for each in group)
        return stored, unknown


async def _media(tx: Transaction, wanted: set[str]) -> dict[str, _Media]:
    rows = await tx.execute(_MEDIA, {"wanted": list(wanted)})
    return {public_id: _Media(project_id, kind) for public_id, project_id, kind in rows}


async def _fold(
    tx: Transaction, known: dict[bytes, list[Arrival]], media: dict[str, _Media]
) -> None:
    locked = [*await tx.execute(_LOCK, {"keys": list(known)})]
    fresh = known.keys() - {row.key for row in locked}
    if fresh:
        rows = [_opening(key, known[key][0], media) for key in fresh]
        await tx.execute(_OPEN, {"rows": json.dumps(rows)})
        locked += await tx.execute(_LOCK, {"keys": list(fresh)})
    folded = {
        row.id: folding.fold(_playback(row), [each.report for each in known[row.key]])
        for row in locked
    }
    updates = [_update(row_id, each) for row_id, each in folded.items()]
    await tx.execute(_UPDATE, {"rows": json.dumps(updates)})
    events = list(_event_rows(folded))
    if events:
        await tx.execute(_EVENTS, {"rows": json.dumps(events)})
    started = Counter(known[row.key][0].report.media_id for row in locked if folded[row.id].starts)
    if started:
        totals = [
            {
                "project_id": str(media[media_id].project_id),
                "media_id": media_id,
                "media_type": media[media_id].media_type,
                "plays": plays,
            }
            for media_id, plays in started.items()
        ]
        await tx.execute(_TOTALS, {"rows": json.dumps(totals)})


def _key(report: Report) -> bytes:
    return ids.digest("\0".join(report.key))[:16]


def _opening(key: bytes, arrival: Arrival, media: dict[str, _Media]) -> dict[str, Any]:
    report, agent = arrival.report, arrival.agent
    found = media[report.media_id]
    return {
        "id": str(ids.row_key()),
        "project_id": str(found.project_id),
        "key": key.hex(),
        "session_id": report.session_id,
        "generation": report.generation,
        "media_id": report.media_id,
        "media_type": found.media_type,
        "loaded_at": _time(report.loaded_ms + report.skew_ms),
        "skew_ms": report.skew_ms,
        "viewer": arrival.viewer.hex(),
        "referrer": report.referrer,
        "labels": dict(report.labels),
        "country": arrival.country,
        "continent": arrival.continent,
        "city": arrival.city,
        "device_type": agent.device_type,
        "device_vendor": agent.device_vendor,
        "device_model": agent.device_model,
        "os": agent.os,
        "os_version": agent.os_version,
        "browser": agent.browser,
        "browser_version": agent.browser_version,
    }


def _playback(row: Row[Any]) -> folding.Playback:
    def client_ms(moment: datetime | None) -> int | None:
        return None if moment is None else round(moment.timestamp() * 1000) - row.skew_ms

    return folding.Playback(
        skew_ms=row.skew_ms,
        loaded_ms=client_ms(row.loaded_at) or 0,
        last_ms=client_ms(row.last_at) or 0,
        impression_ms=client_ms(row.impression_at),
        started_ms=client_ms(row.started_at),
        ended_ms=client_ms(row.ended_at),
        load_ms=row.load_ms,
        position_s=row.position_s,
        event_count=row.event_count,
        spans=tuple(Span(start, end, bool(b), bool(e)) for start, end, b, e in row.spans),
    )


def _update(row_id: UUID, folded: Folded) -> dict[str, Any]:
    playback = folded.playback

    def our_time(client_ms: int | None) -> str | None:
        return None if client_ms is None else _time(client_ms + playback.skew_ms)

    return {
        "id": str(row_id),
        "loaded_at": our_time(playback.loaded_ms),
        "last_at": our_time(playback.last_ms),
        "impression_at": our_time(playback.impression_ms),
        "started_at": our_time(playback.started_ms),
        "ended_at": our_time(playback.ended_ms),
        "load_ms": playback.load_ms,
        "position_s": playback.position_s,
        "event_count": playback.event_count,
        "spans": [
            [each.start_ms, each.end_ms, int(each.begins), int(each.ends)]
            for each in playback.spans
        ],
        "watched": _multirange(folded.watched),
        "watched_ms": folded.watched_ms,
    }


def _multirange(spans: Iterable[Span]) -> str:
    """Return spans as PostgreSQL reads them; one that was not ended has its end inside."""
    ranges = (
        f'["{_time(each.start_ms)}","{_time(each.end_ms)}"{")" if each.ends else "]"}'
        for each in spans
    )
    return "{" + ",".join(ranges) + "}"


def _event_rows(folded: dict[UUID, Folded]) -> Iterable[dict[str, Any]]:
    for row_id, each in folded.items():
        for place, event in enumerate(each.events):
            yield {
                "playback_id": str(row_id),
                "emitted_ms": event.at_ms,
                "type": event.type,
                "at_s": event.at_s,
                "from_s": event.from_s,
                "place": place,
            }


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
