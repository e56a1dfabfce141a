"""From events to deliveries, and from deliveries to those who try them.

Whatever dies in between, nothing is lost: a cursor moves in the transaction that writes
the deliveries, and a delivery waits until an answer of its receiver is written down.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from telecine.db.engine import Transaction
from telecine.domains.webhooks.events import DeliveryState
from telecine.domains.webhooks.operations import KEEP_TRYING

_READER = "webhooks"
_BATCH = 1000

_CURSOR = text(
    """
    SELECT xid::text, event_id FROM event_cursor WHERE reader = :reader
       FOR UPDATE SKIP LOCKED
    """
)
_BEGIN = text(
    """
    INSERT INTO event_cursor (reader, xid, event_id)
    VALUES (:reader, '0', '00000000-0000-0000-0000-000000000000')
        ON CONFLICT DO NOTHING
    """
)
_NEXT = text(
    """
    SELECT xid::text, id FROM (
        SELECT xid, id FROM event
         WHERE (xid, id) > (CAST(CAST(:xid AS text) AS xid8), CAST(:event_id AS uuid))
           AND xid < pg_snapshot_xmin(pg_current_snapshot())
         ORDER BY xid, id LIMIT :limit) AS batch
     ORDER BY xid DESC, id DESC LIMIT 1
    """
)
_FAN_OUT = text(
    """
    INSERT INTO delivery (project_id, webhook_id, event_id, media_id, host, state, give_up_at)
    SELECT e.project_id, w.id, e.id, e.media_id, w.host, 'waiting', e.emitted_at + :keep_trying
      FROM event e
      JOIN webhook w ON w.project_id = e.project_id AND e.type = ANY (w.events)
                    AND w.created_at <= e.emitted_at
     WHERE (e.xid, e.id) > (CAST(CAST(:xid AS text) AS xid8), CAST(:event_id AS uuid))
       AND (e.xid, e.id) <= (CAST(CAST(:to_xid AS text) AS xid8), CAST(:to_event_id AS uuid))
     ORDER BY e.xid, e.id, w.created_at, w.id
    ON CONFLICT DO NOTHING
    """
)
_MOVE = text(
    """
    UPDATE event_cursor SET xid = CAST(CAST(:to_xid AS text) AS xid8),
           event_id = CAST(:to_event_id AS uuid)
     WHERE reader = :reader
    """
)
_HIDDEN = text(
    "SELECT EXISTS (SELECT 1 FROM event WHERE xid >= pg_snapshot_xmin(pg_current_snapshot()))"
)

_CLAIM = text(
    """
    WITH room AS (
        SELECT * FROM unnest(CAST(:hosts AS text[]), CAST(:free AS int[])) AS room (host, free)
    ), due AS (
        SELECT d.position, d.host,
               row_number() OVER (PARTITION BY d.host ORDER BY d.next_at, d.position) AS turn
          FROM delivery d
         WHERE d.state = 'waiting' AND d.next_at <= now()
           AND (d.lease_until IS NULL OR d.lease_until < now())
           AND d.host <> ALL (SELECT host FROM room WHERE free = 0)
           AND NOT EXISTS (
               SELECT 1 FROM delivery b
                WHERE b.webhook_id = d.webhook_id AND b.media_id = d.media_id
                  AND b.state = 'waiting' AND b.position < d.position)
    ), mine AS (
        SELECT d.position FROM delivery d
          JOIN due ON due.position = d.position
          LEFT JOIN room ON room.host = due.host
         WHERE due.turn <= coalesce(room.free, :per_host)
           AND d.state = 'waiting' AND (d.lease_until IS NULL OR d.lease_until < now())
         ORDER BY due.turn, d.next_at, d.position LIMIT :limit
           FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE delivery d
       SET owner = :owner, lease_until = now() + :lease, attempts = d.attempts + 1,
           tried_at = now()
      FROM mine, webhook w, event e
     WHERE d.position = mine.position AND w.id = d.webhook_id AND e.id = d.event_id
    RETURNING d.position, d.id, d.attempts, d.give_up_at, d.host, d.webhook_id,
              w.public_id, w.url, w.secret, e.id, e.payload
    """
)
_RECORD = text(
    """
    UPDATE delivery
       SET state = :state, next_at = :next_at, owner = NULL, lease_until = NULL,
           status = :status, duration_ms = :duration_ms, answer = :answer, error = :error,
           finished_at = CASE WHEN :over THEN now() END
     WHERE position = :position AND owner = :owner AND state = 'waiting'
    """
)
_BACK = text(
    """
    UPDATE delivery SET next_at = now()
     WHERE webhook_id = :webhook_id AND state = 'waiting' AND next_at > now()
       AND lease_until IS NULL
    """
)
_NEXT_DUE = text(
    """
    SELECT extract(epoch FROM min(next_at) - now()) FROM delivery d
     WHERE state = 'waiting' AND next_at > now()
    """
)


@dataclass(frozen=True, slots=True)
class FannedOut:
    """`moved`: there may be more at once. `hidden`: more come when a transaction ends."""

    moved: bool
    hidden: bool


async def fan_out(tx: Transaction) -> FannedOut:
    """Write a delivery for every webhook that wants one of the next events.

    One process does so at a time; for all others there is nothing to do then.
    """
    cursor = (await tx.execute(_CURSOR, {"reader": _READER})).one_or_none()
    if cursor is None:
        await tx.execute(_BEGIN, {"reader": _READER})
        cursor = (await tx.execute(_CURSOR, {"reader": _READER})).one_or_none()
    if cursor is None:
        return FannedOut(moved=False, hidden=False)
    values: dict[str, Any] = {"reader": _READER, "xid": cursor[0], "event_id": cursor[1]}
    last = (await tx.execute(_NEXT, {**values, "limit": _BATCH})).one_or_none()
    if last is not None:
        values |= {"to_xid": last[0], "to_event_id": last[1], "keep_trying": KEEP_TRYING}
        await tx.execute(_FAN_OUT, values)
        await tx.execute(_MOVE, values)
    hidden = bool(await tx.scalar(_HIDDEN))
    return FannedOut(moved=last is not None, hidden=hidden)


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that this process may try now, and all that an attempt needs."""

    position: int
    delivery_id: UUID
    attempt: int
    give_up_at: datetime
    host: str
    webhook_row: UUID
    webhook_id: str
    url: str
    secret: bytes  # sealed
    event_id: UUID
    payload: Mapping[str, Any]


async def claim(
    tx: Transaction,
    owner: str,
    lease: timedelta,
    busy: Mapping[str, int],
    *,
    per_host: int,
    limit: int,
) -> list[Claim]:
    """Take deliveries that are due, at most `per_host` to each host.

    `busy`: how many attempts of this process are under way, by host.
    """
    values = {
        "owner": owner,
        "lease": lease,
        "hosts": list(busy),
        "free": [max(0, per_host - count) for count in busy.values()],
        "per_host": per_host,
        "limit": limit,
    }
    return [Claim(*row) for row in await tx.execute(_CLAIM, values)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. `state` is "waiting" where another one follows."""

    state: str
    next_at: datetime
    status: int | None
    duration_ms: int
    answer: str | None
    error: str | None


async def record(tx: Transaction, owner: str, claimed: Claim, outcome: Outcome) -> None:
    """Write an outcome down; nothing if the delivery is another worker's by now."""
    values = {
        "position": claimed.position,
        "owner": owner,
        "state": outcome.state,
        "over": outcome.state != DeliveryState.WAITING,
        "next_at": outcome.next_at,
        "status": outcome.status,
        "duration_ms": outcome.duration_ms,
        "answer": outcome.answer,
        "error": outcome.error,
    }
    await tx.execute(_RECORD, values)
    if outcome.state == DeliveryState.DELIVERED:
        # The receiver is there: nothing else for it has to wait out its pause.
        await tx.execute(_BACK, {"webhook_id": claimed.webhook_row})


async def next_due_s(tx: Transaction) -> float | None:
    """Return in how many seconds the next pause ends."""
    found = await tx.scalar(_NEXT_DUE)
    return None if found is None else float(found)
