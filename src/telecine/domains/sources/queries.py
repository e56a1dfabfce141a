"""Reads of sources and of what has arrived of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, func, select
from sqlalchemy import cast as sql_cast

from telecine.db.engine import Transaction
from telecine.domains.sources.models import Mode, Part, Source, SourceState
from telecine.storage.extents import Extent, join

_SIZE = sql_cast(func.coalesce(Part.size_bytes, 0), BigInteger)

# What every part of an upload asks is built once: to build it costs as much as to run it.
_SOURCE_OF = select(Source).where(Source.video_id == bindparam("video_id"))
_LOCKED_SOURCE_OF = _SOURCE_OF.with_for_update(key_share=True).execution_options(
    populate_existing=True
)


def _held(last: ColumnElement[int]) -> Select[int, int | None, int, bool | None]:
    size = func.coalesce(func.sum(Part.size_bytes), 0)
    repeated = func.bool_or(Part.number == bindparam("number"))
    return select(func.count(), func.max(last), size, repeated).where(
        Part.source_id == bindparam("source_id"), Part.stored_at.is_not(None)
    )


_HELD_BYTES = _held(Part.number + _SIZE - 1)
_HELD_PARTS = _held(Part.number.expression)


@dataclass(frozen=True, slots=True)
class Held:
    """What is stored of a source. `highest`: greatest part number, or last byte.

    `repeated`: a part is stored under the number that was asked about.
    """

    mode: Mode | None = None
    total: int | None = None
    parts: int = 0
    highest: int = -1
    size_bytes: int = 0
    repeated: bool = False

    def plus(self, mode: Mode, total: int | None, size_bytes: int) -> "Held":
        """Return this with one more part of `size_bytes`, as far as completion depends on it."""
        return replace(
            self,
            mode=mode,
            total=total,
            parts=self.parts + 1,
            size_bytes=self.size_bytes + size_bytes,
        )

    @property
    def complete(self) -> bool:
        """Tell whether every byte is stored."""
        if self.mode == Mode.WHOLE:
            return self.parts == 1
        if self.total is None or self.mode is None:
            return False
        return self.total == (self.parts if self.mode == Mode.PARTS else self.size_bytes)


@dataclass(frozen=True, slots=True)
class Ingest:
    """What has arrived of a source, as the API tells it.

    `received_bytes` are (first, last, total); `received_parts` is None outside part mode.
    """

    state: str
    size_bytes: int | None
    received_bytes: Sequence[tuple[int, int, int | None]] = ()
    received_parts: Sequence[int] | None = None
    total_parts: int | None = None


async def source_of(tx: Transaction, video_id: UUID, *, lock: bool = False) -> Source | None:
    """Return the source of a video, if it has one; `lock` keeps others from changing it."""
    found = _LOCKED_SOURCE_OF if lock else _SOURCE_OF
    return (await tx.scalars(found, {"video_id": video_id})).one_or_none()


async def locked(tx: Transaction, source_id: UUID) -> Source | None:
    """Return a source that nobody else changes until the transaction ends."""
    found = select(Source).where(Source.id == source_id).with_for_update(key_share=True)
    return (await tx.scalars(found.execution_options(populate_existing=True))).one_or_none()


async def held(tx: Transaction, source: Source, number: int = -1) -> Held:
    """Return what is stored of a source, and whether a part is under `number`."""
    statement = _HELD_BYTES if source.mode == Mode.BYTES else _HELD_PARTS
    row = await tx.execute(statement, {"source_id": source.id, "number": number})
    parts, highest, size_bytes, repeated = row.one()
    if parts == 0:
        return Held()
    mode = Mode(source.mode) if source.mode else None
    return Held(mode, source.total, parts, int(highest or 0), int(size_bytes or 0), bool(repeated))


async def stored_part(tx: Transaction, source_id: UUID, number: int) -> Part | None:
    """Return a part that is stored."""
    found = select(Part).where(
        Part.source_id == source_id, Part.number == number, Part.stored_at.is_not(None)
    )
    return (await tx.scalars(found)).one_or_none()


async def overlapping(tx: Transaction, source_id: UUID, first: int, last: int) -> Part | None:
    """Return a stored part of a source in byte mode that has one of [first, last]."""
    found = (
        select(Part)
        .where(Part.source_id == source_id, Part.stored_at.is_not(None))
        .where(Part.number <= last, Part.number + _SIZE > first)
        .order_by(Part.number)
        .limit(1)
    )
    return (await tx.scalars(found)).one_or_none()


async def parts_of(tx: Transaction, source_id: UUID) -> Sequence[Part]:
    """Return the stored parts of a source, in file order."""
    rows = select(Part).where(Part.source_id == source_id, Part.stored_at.is_not(None))
    return (await tx.scalars(rows.order_by(Part.number))).all()


async def ingest_of(tx: Transaction, source: Source) -> Ingest:
    """Return what the API tells of a source."""
    if source.mode not in {Mode.PARTS, Mode.BYTES}:
        return Ingest(source.state, source.size_bytes or source.total)
    rows = await tx.execute(
        select(Part.number, Part.size_bytes)
        .where(Part.source_id == source.id, Part.stored_at.is_not(None))
        .order_by(Part.number)
    )
    parts = rows.all()
    if source.mode == Mode.PARTS:
        numbers = [number for number, _ in parts]
        return Ingest(
            source.state, source.size_bytes, received_parts=numbers, total_parts=source.total
        )
    if source.state in {SourceState.INGESTING, SourceState.INGESTED}:
        # What we fetch ourselves arrives in order; its pieces are nobody's business.
        received = sum(size or 0 for _, size in parts)
        whole = [(0, received - 1, source.total)] if received else []
        return Ingest(source.state, source.size_bytes or source.total, received_bytes=whole)
    ranges = [(number, number + (size or 0) - 1, source.total) for number, size in parts]
    return Ingest(source.state, source.size_bytes, received_bytes=ranges)


async def stored_bytes(tx: Transaction, project_id: UUID) -> int:
    """Return the bytes of all sources of a project, unfinished ones too."""
    complete = select(func.coalesce(func.sum(Source.size_bytes), 0)).where(
        Source.project_id == project_id, Source.completed_at.is_not(None)
    )
    arriving = (
        select(func.coalesce(func.sum(Part.size_bytes), 0))
        .join(Source, Source.id == Part.source_id)
        .where(Source.project_id == project_id, Source.completed_at.is_(None))
        .where(Part.stored_at.is_not(None))
    )
    return int(await tx.scalar(complete) or 0) + int(await tx.scalar(arriving) or 0)


async def prefix_bytes(tx: Transaction, source: Source) -> int:
    """Return how many bytes from the beginning on are stored without a gap.

    In part mode: the bytes of the parts from the first on.
    """
    expected, size_bytes = (0 if source.mode == Mode.BYTES else 1), 0
    for part in await parts_of(tx, source.id):
        if part.number != expected:
            break
        length = part.size_bytes or 0
        size_bytes += length
        expected += length if source.mode == Mode.BYTES else 1
    return size_bytes


async def arrived_extents(tx: Transaction, source: Source) -> list[dict[str, Any]]:
    """Return where the bytes of a source lie, from the first to the first missing one."""
    if source.completed_at is not None:
        return source.extents
    rows = await tx.execute(
        select(Part.number, Part.size_bytes, Part.extents)
        .where(Part.source_id == source.id, Part.stored_at.is_not(None))
        .order_by(Part.number)
    )
    in_bytes = source.mode == Mode.BYTES
    expected, found = (0 if in_bytes else 1), []
    for number, size_bytes, extents in rows:
        if number != expected:
            break
        expected += (size_bytes or 0) if in_bytes else 1
        found += [Extent.from_json(extent) for extent in extents]
    return [extent.as_json() for extent in join(found)]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of a source without a gap: where they begin in the file, and where they lie."""

    start: int
    extents: Sequence[Extent]

    @property
    def end(self) -> int:
        """Return the first byte of the file behind them."""
        return self.start + sum(extent.size_bytes for extent in self.extents)


async def stretches(tx: Transaction, source: Source) -> list[Stretch]:
    """Return what is stored of an unfinished source, as far as its place is known.

    In part mode all parts but the last are taken to be of one size; where that turns out
    to be wrong, nothing behind the first such part counts.
    """
    rows = await tx.execute(
        select(Part.number, Part.size_bytes, Part.extents)
        .where(Part.source_id == source.id, Part.stored_at.is_not(None))
        .order_by(Part.number)
    )
    found: list[Stretch] = []
    for number, size_bytes, extents in rows:
        stored = [Extent.from_json(extent) for extent in extents]
        start = number
        if source.mode != Mode.BYTES:
            last = number == source.total
            if number > 1 and source.unit_bytes is None:
                break
            start = (number - 1) * (source.unit_bytes or 0)
            if source.unit_bytes not in {None, size_bytes} and not last:
                break
        if found and found[-1].end == start:
            found[-1] = Stretch(found[-1].start, join([*found[-1].extents, *stored]))
        else:
            found.append(Stretch(start, join(stored)))
    return found
