"""Changes of live streams. Each tells whoever broadcasts or delivers in its transaction."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.live_streams import queries, restreams
from telecine.domains.live_streams.models import LiveStream
from telecine.domains.live_streams.restreams import Restream
from telecine.domains.players import operations as players
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
    tx: Transaction,
    project_id: UUID,
    sealer: Sealer,
    values: Mapping[str, Any],
    targets: Sequence[Restream] = (),
) -> LiveStream:
    """Create a live stream with a key of its own; `values` are columns."""
    if values.get("player_id") is not None:
        await players.check_reference(tx, project_id, values["player_id"])
    key, public_id = ids.stream_key(), ids.public_id("li")
    now = clock.now()
    row = LiveStream(
        project_id=project_id,
        public_id=public_id,
        key_digest=ids.digest(key),
        sealed_key=sealer.seal(key, public_id),
        sealed_restreams=restreams.sealed(sealer, public_id, targets),
        created_at=now,
        updated_at=now,
        **values,
    )
    tx.add(row)
    await tx.flush()
    return row


async def update(
    tx: Transaction,
    project_id: UUID,
    public_id: str,
    changes: Mapping[str, Any],
    *,
    sealer: Sealer,
    targets: Sequence[Restream] | None = None,
) -> LiveStream:
    """Change columns of a live stream, and all its targets. Raises Problem 404."""
    row = await found(tx, project_id, public_id, lock=True)
    if changes.get("player_id") not in {None, row.player_id}:
        await players.check_reference(tx, project_id, changes["player_id"])
    for name, value in changes.items():
        setattr(row, name, value)
    if targets is not None:
        row.sealed_restreams = restreams.sealed(sealer, public_id, targets)
    row.updated_at = clock.now()
    await notify(tx, LIVE_CHANGED, row.public_id)
    return row


async def set_thumbnail(
    tx: Transaction, project_id: UUID, public_id: str, key: str | None
) -> tuple[LiveStream, str | None]:
    """Show an uploaded picture, or none; return also the key of the one before."""
    row = await found(tx, project_id, public_id, lock=True)
    replaced, row.thumbnail_key = row.thumbnail_key, key
    row.updated_at = clock.now()
    await notify(tx, LIVE_CHANGED, row.public_id)
    return row, replaced


async def delete(tx: Transaction, project_id: UUID, public_id: str) -> str | None:
    """Delete a live stream; return the key of its picture, which nobody needs any more.

    What runs on it ends, its recordings stay. Raises Problem 404.
    """
    row = await found(tx, project_id, public_id, lock=True)
    row.deleted_at = row.updated_at = clock.now()
    picture, row.thumbnail_key = row.thumbnail_key, None
    await _ask_for_the_end(tx, row)
    return picture


async def complete(tx: Transaction, project_id: UUID, public_id: str) -> None:
    """Ask for the end of the event that runs, if one does. Raises Problem 404."""
    await _ask_for_the_end(tx, await found(tx, project_id, public_id, lock=True))


async def _ask_for_the_end(tx: Transaction, row: LiveStream) -> None:
    event = await queries.running(tx, row.project_id, row.id)
    if event is not None and event.completed_at is None:
        event.completed_at = clock.now()
    await notify(tx, LIVE_CHANGED, row.public_id)
