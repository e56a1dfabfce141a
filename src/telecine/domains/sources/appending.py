"""Sources that grow at their end: what is stored without a gap is one part.

As everywhere in this domain, the source's row is locked by the caller's transaction.
"""

from uuid import UUID

from sqlalchemy import select

from telecine.db.engine import Transaction
from telecine.domains.sources import queries
from telecine.domains.sources.models import Mode, Part, Source
from telecine.storage.extents import Extent, join


async def count_in_bytes(tx: Transaction, source: Source) -> None:
    """Turn a source that came in parts, of which none is missing, to byte mode."""
    parts = await queries.parts_of(tx, source.id)
    for part in parts:
        part.number = -part.number  # out of the way: numbers are unique
    await tx.flush()
    offset = 0
    for part in parts:
        part.number = offset
        offset += part.size_bytes or 0
    source.mode, source.total, source.unit_bytes = Mode.BYTES, None, None
    await tx.flush()


async def merge(tx: Transaction, part_id: UUID) -> None:
    """Make a stored part of a source in byte mode one with the part that it follows.

    Only where they lie in one object one after the other: so the rows stay few, however
    many requests a file takes. Nobody can be told of the part again.
    """
    part = await tx.get_one(Part, part_id)
    part.answered = True
    before = (
        select(Part)
        .where(Part.project_id == part.project_id, Part.source_id == part.source_id)
        .where(Part.stored_at.is_not(None), Part.answered)
        .where(Part.number + Part.size_bytes == part.number)
    )
    last = (await tx.scalars(before)).one_or_none()
    if last is None or part.size_bytes is None or last.size_bytes is None:
        return
    stored = [Extent.from_json(each) for each in [*last.extents, *part.extents]]
    joined = join(stored)
    if len(joined) == len(stored):
        return
    size_bytes, place_end = part.size_bytes, part.place_end
    await tx.delete(part)
    await tx.flush()  # before the other one takes its place
    last.size_bytes += size_bytes
    last.extents = [extent.as_json() for extent in joined]
    last.place_end = place_end


async def next_held(tx: Transaction, source: Source, position: int) -> tuple[int, int] | None:
    """Return the next stretch [first, end) of bytes that is stored from `position` on."""
    rows = await tx.execute(
        select(Part.number, Part.size_bytes)
        .where(Part.project_id == source.project_id, Part.source_id == source.id)
        .where(Part.stored_at.is_not(None), Part.number >= position)
        .order_by(Part.number)
    )
    found: tuple[int, int] | None = None
    for number, size_bytes in rows:
        end = number + (size_bytes or 0)
        if found is not None and number != found[1]:
            break
        found = (number if found is None else found[0]), end
    return found
