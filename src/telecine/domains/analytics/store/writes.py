"""Writes of viewers' analytics: a ping changes a playback and adds events to it."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from telecine import clock, ids
from telecine.db.engine import Database, Transaction
from telecine.domains.analytics import folding
from telecine.domains.analytics.agents import Agent
from telecine.domains.analytics.models import OPEN
from telecine.domains.analytics.reports import Report
from telecine.domains.analytics.store import partitions, quality_rollups, rollups
from telecine.domains.analytics.store.rows import CHANGING, RECORD, Changed, Row

REOPENED_WITHIN = timedelta(days=1)
"""A playback that was closed so long ago, and is heard of again, goes on."""

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
_LOCK = text(
    """
    SELECT key, id, opened_at, skew_ms, loaded_at, last_at, impression_at, started_at, ended_at,
           load_ms, position_s, event_count, spans, startup_ms, stall_count, stall_ms,
           switch_count, error_count, bitrate_kbps, throughput_kbps, rendition, heard
      FROM playback_open WHERE key = ANY (:keys) ORDER BY key FOR UPDATE
    """
)
# Whoever pauses for long goes on with the same row: it is moved back.
_CLOSED = text(
    f"""
    SELECT key FROM playback
     WHERE key = ANY (:keys) AND closed_at >= :since AND closed_at < {OPEN}
     ORDER BY key FOR UPDATE
    """  # noqa: S608  (no values inside)
)
_REOPEN = text(
    f"""
    UPDATE playback SET closed_at = {OPEN}
     WHERE key = ANY (:keys) AND closed_at >= :since AND closed_at < {OPEN}
    """  # noqa: S608  (no values inside)
)
_OPEN = text(
    f"""
    INSERT INTO playback_open (id, project_id, key, opened_at, session_id, generation, media_id,
           media_type, skew_ms, viewer, referrer, labels, country, continent, city, device_type,
           device_vendor, device_model, os, os_version, browser, browser_version,
           {", ".join(CHANGING)})
    SELECT id, project_id, decode(key, 'hex'), to_timestamp(opened_ms / 1000.0), session_id,
           generation, media_id, media_type, skew_ms, decode(viewer, 'hex'), referrer, labels,
           country, continent, city, device_type, device_vendor, device_model, os, os_version,
           browser, browser_version, {", ".join(CHANGING.values())}
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
           id uuid, project_id uuid, key text, opened_ms bigint, session_id text,
           generation smallint, media_id text, media_type text, skew_ms bigint, viewer text,
           referrer text, labels jsonb, country text, continent text, city text,
           device_type text, device_vendor text, device_model text, os text, os_version text,
           browser text, browser_version text, {RECORD})
     ORDER BY key
    ON CONFLICT (key) DO NOTHING
    RETURNING key
    """  # noqa: S608  (no values inside)
)
_UPDATE = text(
    f"""
    UPDATE playback_open p SET {", ".join(f"{name} = {new}" for name, new in CHANGING.items())}
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (key text, {RECORD})
     WHERE p.key = decode(r.key, 'hex')
    """  # noqa: S608  (no values inside)
)
_EVENTS = text(
    """
    INSERT INTO play_event (playback_id, opened_at, emitted_ms, type, at_s, from_s, place)
    SELECT playback_id, to_timestamp(opened_ms / 1000.0), emitted_ms, type, at_s, from_s, place
      FROM unnest(CAST(:playbacks AS uuid[]), CAST(:opened AS bigint[]),
                  CAST(:emitted AS bigint[]), CAST(:types AS text[]), CAST(:at AS float8[]),
                  CAST(:origins AS float8[]), CAST(:places AS smallint[]))
        AS r (playback_id, opened_ms, emitted_ms, type, at_s, from_s, place)
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
        self._week: date | None = None

    async def add(self, arrivals: Sequence[Arrival]) -> tuple[int, int]:
        """Store pings; return how many events that was, and how many nobody has media for."""
        now = clock.now()
        await self._have_partitions(now)
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
                await _fold(tx, known, media, now)
        stored = sum(len(each.report.events) for group in known.values() for each in group)
        return stored, unknown

    async def _have_partitions(self, now: datetime) -> None:
        """Make sure of this week's; sweeps have made them before, where any worker runs."""
        week = partitions.monday_of(now)
        if week != self._week:
            async with self._db.transaction() as tx:
                await partitions.make(tx, now)
            self._week = week


async def _media(tx: Transaction, wanted: set[str]) -> dict[str, _Media]:
    rows = await tx.execute(_MEDIA, {"wanted": list(wanted)})
    return {public_id: _Media(project_id, kind) for public_id, project_id, kind in rows}


async def _fold(
    tx: Transaction, known: dict[bytes, list[Arrival]], media: dict[str, _Media], now: datetime
) -> None:
    held = await _held(tx, list(known))
    if fresh := known.keys() - held.keys():
        since = now - REOPENED_WITHIN
        values: dict[str, Any] = {"keys": list(fresh), "since": since}
        if again := list(await tx.scalars(_CLOSED, values)):
            await quality_rollups.take_out(tx, again, since)
            await tx.execute(_REOPEN, values | {"keys": again})
            held |= await _held(tx, again)
    opened_ms = int(now.timestamp() * 1000)
    made = {key: _made(opened_ms, known[key]) for key in known.keys() - held.keys()}
    if made:
        rows = [_opening(key, each, known[key][0], media) for key, each in made.items()]
        inserted = set(await tx.scalars(_OPEN, {"rows": json.dumps(rows)}))
        if others := made.keys() - inserted:  # another process was first
            held |= await _held(tx, list(others))
            made = {key: each for key, each in made.items() if key in inserted}
    changed = {key: row.after(known[key]) for key, row in held.items()}
    if changed:
        updates = [{"key": key.hex(), **each.columns()} for key, each in changed.items()]
        await tx.execute(_UPDATE, {"rows": json.dumps(updates)})
    everything = made | changed
    await _take_back(tx, everything.values(), now)
    if events := _events(everything.values()):
        await tx.execute(_EVENTS, events)
    started = Counter(
        known[key][0].report.media_id for key, each in everything.items() if each.folded.starts
    )
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


async def _take_back(tx: Transaction, changed: Iterable[Changed], now: datetime) -> None:
    """Have rollups made again for what is told late: hours or days afterwards."""
    hour = rollups.floor(now - rollups.OLD_AFTER, timedelta(hours=1))
    hour_ms = int(hour.timestamp() * 1000)
    old_ms = [
        from_ms
        for each in changed
        if each.folded.playback.loaded_ms + each.folded.playback.skew_ms < hour_ms
        and (from_ms := each.from_ms()) < hour_ms
    ]
    if old_ms:
        await rollups.take_back(tx, datetime.fromtimestamp(min(old_ms) / 1000, UTC))


async def _held(tx: Transaction, keys: list[bytes]) -> dict[bytes, Row]:
    return {row.key: Row(row) for row in await tx.execute(_LOCK, {"keys": keys})}


def _made(opened_ms: int, arrivals: Sequence[Arrival]) -> Changed:
    reports = [each.report for each in arrivals]
    return Changed(ids.row_key(), opened_ms, folding.fold(folding.new(reports[0]), reports))


def _key(report: Report) -> bytes:
    return ids.digest("\0".join(report.key))[:16]


def _opening(
    key: bytes, made: Changed, arrival: Arrival, media: dict[str, _Media]
) -> dict[str, Any]:
    report, agent = arrival.report, arrival.agent
    found = media[report.media_id]
    return {
        "id": str(made.id),
        "project_id": str(found.project_id),
        "key": key.hex(),
        "opened_ms": made.opened_ms,
        "session_id": report.session_id,
        "generation": report.generation,
        "media_id": report.media_id,
        "media_type": found.media_type,
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
        **made.columns(),
    }


def _events(changed: Iterable[Changed]) -> dict[str, str] | None:
    """Return the columns of all events as literals of arrays, None if there are none.

    All are numbers or words of ours, so nothing has to be quoted.
    """
    rows = [
        (row_id, each.opened_ms, event.at_ms, event.type, event.at_s, event.from_s, place)
        for each in changed
        for row_id in [str(each.id)]
        for place, event in enumerate(each.folded.events)
    ]
    if not rows:
        return None
    names = ("playbacks", "opened", "emitted", "types", "at", "origins", "places")
    columns = zip(*rows, strict=True)
    return {
        name: "{" + ",".join(["NULL" if each is None else str(each) for each in column]) + "}"
        for name, column in zip(names, columns, strict=True)
    }
