"""The tags of a project's videos, counted."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, func, literal, literal_column, select, true

from telecine.db.engine import Transaction
from telecine.domains.videos.models import Video
from telecine.http.pagination import Page

_ACCENTS = "[\\u0300-\\u036f]"


@dataclass(frozen=True, slots=True)
class TagListing:
    """What is asked of the tags: a part of their value, and an order."""

    part: str = ""
    by_count: bool = False
    descending: bool = False


async def page(
    tx: Transaction, project_id: UUID, listing: TagListing, wanted: Page
) -> tuple[int, list[tuple[str, int]]]:
    """Return the number of all matching tags, and those of one page with their videos."""
    found = _found(project_id, listing.part)
    first = [found.c.videos] if listing.by_count else [found.c.folded, found.c.value]
    order = [key.desc() if listing.descending else key.asc() for key in first]
    rows = (
        select(found.c.value, found.c.videos, func.count().over())
        .order_by(*order, found.c.folded, found.c.value)
        .offset(wanted.bounded_offset)
        .limit(wanted.size)
    )
    tags = (await tx.execute(rows)).all()
    if tags:
        return tags[0][2], [(value, videos) for value, videos, _ in tags]
    return await tx.scalar(select(func.count()).select_from(found)) or 0, []


def _found(project_id: UUID, part: str) -> CTE:
    # Of each video by itself; a tag that it has twice counts once.
    own = select(func.unnest(Video.tags).label("value")).distinct()
    tagged = own.correlate(Video).lateral("tagged")
    counted = (
        select(tagged.c.value, func.count().label("videos"))
        .select_from(Video)
        .join(tagged, true())
        .where(
            Video.project_id == project_id,
            Video.discarded_at.is_(None),
            Video.deleted_at.is_(None),
        )
        .group_by(tagged.c.value)
        .subquery()
    )
    # Kept apart, so that a tag is folded once.
    folded = select(counted, _folded(counted.c.value).label("folded")).cte("folded")
    return select(folded).where(func.strpos(folded.c.folded, _folded(literal(part))) > 0).cte()


def _folded(value: ColumnElement[str]) -> ColumnElement[str]:
    """Fold case, and take accents off: normalised text has them as characters of their own."""
    apart = func.normalize(value, literal_column("NFKD"))
    return func.lower(func.regexp_replace(apart, _ACCENTS, "", "g"))
