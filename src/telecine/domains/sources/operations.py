"""How a source arrives: claim a part, store it, and know when the last one is there.

Every function here wants the source's row locked by its transaction (`queries.locked`,
`queries.source_of(..., lock=True)`); so completion is decided exactly once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import BigInteger, Table, bindparam, case, delete, exists, insert, select, update
from sqlalchemy.sql.dml import ReturningInsert

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.domains.sources import queries
from telecine.domains.sources.models import COMPLETE, Mode, Owner, Part, Source, SourceState
from telecine.domains.sources.places import Place, place_of
from telecine.domains.sources.queries import Held
from telecine.storage.extents import Extent, join


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of one request to store one part.

    `place` lies in the object `key`; what does not fit there goes to `own_key`.
    """

    id: UUID
    source_id: UUID
    mode: Mode
    number: int
    key: str
    own_key: str
    place: Place | None


_NOTED_EVERY = timedelta(minutes=1)
"""How exactly a source tells when it last grew: what it is for are hours."""

# What every part of an upload does is built once: to build it costs as much as to run it.
_PARTS = cast("Table", Part.__table__)  # without the session's care for loaded objects


def _claim_part() -> ReturningInsert[int | None]:
    """Build the insertion of a part, which gets its place unless that is taken."""
    told = {
        name: bindparam(name, type_=_PARTS.c[name].type)
        for name in ("id", "project_id", "source_id", "number", "own_key", "extents")
    }
    start, end = bindparam("start", type_=BigInteger), bindparam("end", type_=BigInteger)
    taken = exists().where(
        Part.source_id == told["source_id"], Part.place_start < end, Part.place_end > start
    )
    row = select(*told.values(), case((~taken, start)), case((~taken, end)))
    names = [*told, "place_start", "place_end"]
    return insert(_PARTS).from_select(names, row).returning(Part.place_start)


_CLAIM_PART = _claim_part()
_STORE_PART = (
    update(_PARTS)
    .where(Part.id == bindparam("claim"))
    .values(
        size_bytes=bindparam("bytes"),
        stored_at=bindparam("at"),
        extents=bindparam("lie_at"),
        # What was claimed and is not needed is given back.
        place_end=case((Part.place_start.is_not(None), Part.place_start + bindparam("bytes"))),
    )
    .returning(Part.id)
)
_MARK_ANSWERED = (
    update(_PARTS)
    .where(Part.source_id == bindparam("of"), Part.number == bindparam("part"))
    .where(Part.stored_at.is_not(None))
    .values(answered=True)
)


def new_key(prefix: str) -> str:
    """Return a new key for bytes of a source below `prefix`."""
    return f"{prefix}source/{ids.nonce()}"


async def open_source(
    tx: Transaction,
    owner: Owner,
    file_name: str,
    state: SourceState = SourceState.UPLOADING,
    *,
    origin_url: str | None = None,
    origin_video: str | None = None,
) -> Source:
    """Record that a file begins to arrive. Nothing of it is stored yet.

    The caller has locked the owner's row and seen that it has no source.
    """
    source = Source(
        project_id=owner.project_id,
        video_id=owner.video_id,
        state=state,
        file_name=file_name,
        prefix=owner.prefix,
        key=new_key(owner.prefix),
        extents=[],
        origin_url=origin_url,
        origin_video=origin_video,
    )
    tx.add(source)
    await tx.flush()
    return source


async def claim(
    tx: Transaction, source: Source, mode: Mode, number: int, length_bytes: int | None = None
) -> Claim:
    """Claim a part. `length_bytes` is its length where the client has told it.

    Claims exclude nobody: two requests may bring the same part, and the first that has
    all its bytes wins. But they never write to the same place.
    """
    place = place_of(mode, number, length_bytes, source.unit_bytes) if mode != Mode.WHOLE else None
    id_, own_key = ids.row_key(), new_key(source.prefix)
    row = {
        "id": id_,
        "project_id": source.project_id,
        "source_id": source.id,
        "number": number,
        "own_key": own_key,
        "extents": [],
        "start": None if place is None else place.start,
        "end": None if place is None else place.end,
    }
    given = (await tx.execute(_CLAIM_PART, row)).scalar_one()
    return Claim(
        id_, source.id, mode, number, source.key, own_key, None if given is None else place
    )


async def store(
    tx: Transaction,
    source: Source,
    claimed: Claim,
    extents: Sequence[Extent],
    *,
    total: int | None = None,
    last: bool = False,
    held: Held | None = None,
) -> bool:
    """Record that a part is stored; tell whether the source is complete by that.

    The caller has checked the part against what is `held`, and hands it on if it has it.
    `last`: no part follows it, so its size says nothing about the others. If it completes
    the source, its extents and size are set, and the caller makes of it what it wants to.
    """
    size_bytes, now = sum(extent.size_bytes for extent in extents), clock.now()
    stored = {
        "claim": claimed.id,
        "bytes": size_bytes,
        "at": now,
        "lie_at": [extent.as_json() for extent in extents],
    }
    (await tx.execute(_STORE_PART, stored)).one()
    source.mode = claimed.mode
    source.total = total if total is not None else source.total
    if now - source.updated_at > _NOTED_EVERY:
        source.updated_at = now
    if claimed.mode == Mode.PARTS and source.unit_bytes is None and not last:
        source.unit_bytes = size_bytes
    after = None if held is None else held.plus(claimed.mode, source.total, size_bytes)
    return await conclude(tx, source, after)


async def conclude(tx: Transaction, source: Source, held: Held | None = None) -> bool:
    """Make a source complete if all its bytes are stored; tell whether that is new.

    For whoever has changed what is known of a source, such as its total. `held`: what is
    stored of it now, where that is known.
    """
    await tx.flush()
    if held is None:
        held = await queries.held(tx, source)
    if not held.complete or source.state in COMPLETE:
        return False
    await _finish(tx, source)
    return True


async def _finish(tx: Transaction, source: Source) -> None:
    parts = await queries.parts_of(tx, source.id)
    stored = (Extent.from_json(extent) for part in parts for extent in part.extents)
    extents = join(stored)
    source.extents = [extent.as_json() for extent in extents]
    source.size_bytes = sum(extent.size_bytes for extent in extents)
    source.completed_at = clock.now()
    ingested = source.state == SourceState.INGESTING
    source.state = SourceState.INGESTED if ingested else SourceState.UPLOADED
    await tx.flush()


async def release(tx: Transaction, claimed: Claim) -> list[str]:
    """Give a claim up; return the keys of objects that it may have left.

    Only once its writer has ended: its place is free for others from now on. A source
    of which nothing is held or claimed any more is gone, as if nothing had been tried.
    A part that is recorded after all (the commit's answer was lost) stays.
    """
    source = await queries.locked(tx, claimed.source_id)
    if source is None:
        return [claimed.own_key]
    row = await tx.get(Part, claimed.id)
    if row is not None and row.stored_at is not None:
        return []
    await tx.execute(delete(Part).where(Part.id == claimed.id))
    left = await tx.scalar(select(exists().where(Part.source_id == source.id)))
    if not left and source.state == SourceState.UPLOADING:
        await tx.delete(source)
        return [claimed.own_key, source.key]
    return [claimed.own_key]


async def mark_answered(tx: Transaction, source_id: UUID, number: int) -> None:
    """Record that the client knows of a stored part: a repetition is a mistake now."""
    await tx.execute(_MARK_ANSWERED, {"of": source_id, "part": number})
