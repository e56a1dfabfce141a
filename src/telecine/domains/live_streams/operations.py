"""Changes of live streams. Each tells whoever broadcasts or delivers in its transaction."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.live_streams import queries
from telecine.domains.live_streams.models import LiveStream
from telecine.problems import not_found
from telecine.sealing import Sealer

LIVE_CHANGED = "telecine_live"
"""NOTIFY channel: the public id of a live stream that has changed in whatever way."""


async def found(
    tx: Transaction, project_id: UUID, public_id: str, *, lock: bool = False
) -> LiveStream:
    """Return a live stream. Raises Problem 404."""
    row = await queries.live_stream(tx, project_id, public_id, lock=lock)
    if row is None:
        raise not_found("liveStreamId")
    return row


async def create(
    tx: Transaction, project_id: UUID, sealer: Sealer, values: Mapping[str, Any]
) -> LiveStream:
    """Create a live stream with a key of its own; `values` are columns."""
    key, public_id = ids.stream_key(), ids.public_id("li")
    now = clock.now()
    row = LiveStream(
        project_id=project_id,
        public_id=public_id,
        key_digest=ids.digest(key),
        sealed_key=sealer.seal(key, public_id),
        created_at=now,
        updated_at=now,
        **values,
    )
    tx.add(row)
    await tx.flush()
    return row


async def update(
    tx: Transaction, project_id: UUID, public_id: str, changes: Mapping[str, Any]
) -> LiveStream:
    """Change columns of a live stream. Raises Problem 404."""
    row = await found(tx, project_id, public_id, lock=True)
    for name, value in changes.items():
        setattr(row, name, value)
    row.updated_at = clock.now()
    await notify(tx, LIVE_CHANGED, row.public_id)
    return row


async def delete(tx: Transaction, project_id: UUID, public_id: str) -> None:
    """Delete a live stream; what runs on it ends, its recordings stay. Raises Problem 404."""
    row = await found(tx, project_id, public_id, lock=True)
    row.deleted_at = row.updated_at = clock.now()
    await _ask_for_the_end(tx, row)


async def complete(tx: Transaction, project_id: UUID, public_id: str) -> None:
    """Ask for the end of the event that runs, if one does. Raises Problem 404."""
    await _ask_for_the_end(tx, await found(tx, project_id, public_id, lock=True))


async def _ask_for_the_end(tx: Transaction, row: LiveStream) -> None:
    event = await queries.running(tx, row.project_id, row.id)
    if event is not None and event.completed_at is None:
        event.completed_at = clock.now()
    await notify(tx, LIVE_CHANGED, row.public_id)
