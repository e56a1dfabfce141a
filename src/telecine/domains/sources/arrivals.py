"""How the source of a video comes along, for the operator."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.sql import column, table

from telecine.db.engine import Transaction
from telecine.domains.sources.models import Fetch, Part, Source

# The row belongs to a domain above this one.
_VIDEO = table("video", column("id"), column("project_id"), column("public_id"))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A source, what is stored of it, and the work of getting it if it is no upload."""

    source: Source
    fetch: Fetch | None
    stored_bytes: int


async def arrival_of(tx: Transaction, public_id: str) -> Arrival | None:
    """Return the arrival of a video's source, of whatever project; None if there is none."""
    found = await tx.execute(
        select(Source, Fetch)
        .join(_VIDEO, (_VIDEO.c.id == Source.video_id) & (_VIDEO.c.project_id == Source.project_id))
        .outerjoin(Fetch, Fetch.source_id == Source.id)
        .where(_VIDEO.c.public_id == public_id)
    )
    row = found.one_or_none()
    if row is None:
        return None
    source, fetch = row
    stored = await tx.scalar(
        select(func.coalesce(func.sum(Part.size_bytes), 0)).where(
            Part.project_id == source.project_id,
            Part.source_id == source.id,
            Part.stored_at.is_not(None),
        )
    )
    return Arrival(source, fetch, int(stored or 0))
