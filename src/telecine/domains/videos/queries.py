"""Reads of videos: plain rows, always of one project."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    Text,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.orm import InstrumentedAttribute

from telecine.db.engine import Database, Transaction, raw_connection
from telecine.domains.videos.listing import Listing
from telecine.domains.videos.models import Video, VideoCount
from telecine.http.pagination import Page

DEEP_OFFSET = 2_000
"""From here on a page is fetched from the nearer end of its list."""

_PAIR_SEPARATOR = "\x1f"  # as in telecine_pairs()
_SHORTEST_INDEXED = 3  # characters of a trigram


class VideoRow(NamedTuple):
    """What the API needs of a video: cheaper than a mapped object."""

    id: UUID
    public_id: str
    title: str
    description: str
    public: bool
    panoramic: bool
    mp4_support: bool
    tags: list[str]
    metadata: list[dict[str, str]]
    player_id: str | None
    language: str | None
    language_origin: str | None
    live_stream_id: str | None
    published_at: datetime
    created_at: datetime
    updated_at: datetime
    discarded_at: datetime | None
    deletes_at: datetime | None
    thumbnail_key: str | None
    thumbnail_at_ms: int | None


ProjectId = UUID | BindParameter[UUID]

COLUMNS = tuple(
    getattr(Video, "metadata_" if name == "metadata" else name) for name in VideoRow._fields
)


def _listed(project_id: ProjectId, *, discarded: bool = False) -> tuple[ColumnElement[bool], ...]:
    return (
        Video.project_id == project_id,
        Video.discarded_at.is_not(None) if discarded else Video.discarded_at.is_(None),
        Video.deleted_at.is_(None),
    )


async def video(
    tx: Transaction,
    project_id: UUID,
    public_id: str,
    *,
    lock: bool = False,
    discarded: bool = False,
) -> VideoRow | None:
    """Return a video of a project; `lock` keeps others from changing it.

    Its key stays, so that whoever has locked its asset can change that meanwhile.
    """
    values = {"project_id": project_id, "public_id": public_id}
    rows = await tx.execute(_one_video(lock=lock, discarded=discarded), values)
    found = rows.one_or_none()
    return None if found is None else VideoRow(*found)


@cache
def _one_video(*, lock: bool, discarded: bool) -> Select[Any]:
    project_id = bindparam("project_id", type_=Video.project_id.type)
    listed = _listed(project_id, discarded=discarded)
    rows = select(*COLUMNS).where(*listed, Video.public_id == bindparam("public_id"))
    return rows.with_for_update(key_share=True) if lock else rows


async def page(
    db: Database, project_id: UUID, listing: Listing, wanted: Page
) -> tuple[int, list[VideoRow]]:
    """Return the number of all matching videos, and those of one page.

    The total is exact.
    """
    if wanted.offset >= DEEP_OFFSET:
        async with db.transaction() as tx:
            return await _deep_page(tx, project_id, listing, wanted)
    async with db.statement() as tx:
        if listing.filtered or listing.discarded:
            rows = _rows(project_id, listing, wanted.offset, wanted.size)
            found = (await tx.execute(rows.add_columns(_total(project_id, listing)))).all()
        else:
            found = await _plain_page(tx, project_id, listing, wanted)
        if found:
            return found[0][-1], [VideoRow(*row[:-1]) for row in found]
        return await tx.scalar(select(_total(project_id, listing))) or 0, []


async def _plain_page(
    tx: Transaction, project_id: UUID, listing: Listing, wanted: Page
) -> Sequence[Any]:
    """Run the statement that dashboards and clients repeat all day.

    Building it anew and reading its rows through SQLAlchemy costs four times as much
    processor time as the rest of the request (3 ms against 0.7).
    """
    sql, constants = _plain_sql(listing.sort_column, descending=listing.descending)
    connection = await raw_connection(tx)
    values = {"project_id": project_id, "offset": wanted.offset, "size": wanted.size}
    cursor = await connection.execute(sql, {**constants, **values})
    return await cursor.fetchall()


@cache
def _plain_sql(sort_column: str, *, descending: bool) -> tuple[str, dict[str, Any]]:
    listing = Listing(sort_column=sort_column, descending=descending)
    project_id = bindparam("project_id", type_=Video.project_id.type)
    offset, size = bindparam("offset", type_=BigInteger), bindparam("size", type_=Integer)
    rows = _rows(project_id, listing, offset, size).add_columns(_total(project_id, listing))
    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # has no annotations
    compiled = rows.compile(dialect=dialect)
    return str(compiled), dict(compiled.params)


async def _deep_page(
    tx: Transaction, project_id: UUID, listing: Listing, wanted: Page
) -> tuple[int, list[VideoRow]]:
    # Both statements must see the same list, for the distance from the end to hold.
    await tx.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    total = await tx.scalar(select(_total(project_id, listing))) or 0
    behind = total - wanted.offset - wanted.size
    if wanted.offset >= total:
        return total, []
    if behind >= wanted.offset:
        found = (await tx.execute(_rows(project_id, listing, wanted.offset, wanted.size))).all()
        return total, [VideoRow(*row) for row in found]
    size = wanted.size + min(behind, 0)
    rows = _rows(project_id, listing, max(behind, 0), size, backwards=True)
    found = (await tx.execute(rows)).all()
    return total, [VideoRow(*row) for row in reversed(found)]


def _rows(
    project_id: ProjectId,
    listing: Listing,
    offset: int | BindParameter[int],
    size: int | BindParameter[int],
    *,
    backwards: bool = False,
) -> Select[tuple[Any, ...]]:
    """Select a page by its keys first, so that only its own rows are read."""
    column = getattr(Video, listing.sort_column)
    descending = listing.descending is not backwards
    order = [key.desc() if descending else key.asc() for key in (column, Video.id)]
    keys = (
        select(Video.id)
        .where(*_listed(project_id, discarded=listing.discarded), *_conditions(listing))
        .order_by(*order)
        .offset(offset)
        .limit(size)
        .subquery()
    )
    return select(*COLUMNS).join(keys, keys.c.id == Video.id).order_by(*order)


def _total(project_id: ProjectId, listing: Listing) -> ScalarSelect[int]:
    if not listing.filtered:
        listed = VideoCount.listed.is_(not listing.discarded)
        counted = (VideoCount.project_id == project_id, listed)
        total = func.coalesce(func.sum(VideoCount.videos), 0)
        return select(func.cast(total, VideoCount.videos.type)).where(*counted).scalar_subquery()
    return (
        select(func.count())
        .select_from(Video)
        .where(*_listed(project_id, discarded=listing.discarded), *_conditions(listing))
        .scalar_subquery()
    )


def _conditions(listing: Listing) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for text, column, trigrams in (
        (listing.title, Video.title, Video.title_trigrams),
        (listing.description, Video.description, Video.description_trigrams),
    ):
        if text is not None:
            found.append(column.ilike(_pattern(text), escape="\\"))
            if len(text) >= _SHORTEST_INDEXED:
                found.append(_contains(trigrams, func.telecine_trigrams(text)))
    if listing.tags:
        found.append(_contains(Video.tags, cast(list(listing.tags), ARRAY(Text))))
    if listing.metadata:
        pairs = [key + _PAIR_SEPARATOR + value for key, value in listing.metadata]
        found.append(_contains(Video.metadata_pairs, cast(pairs, ARRAY(Text))))
        # The index cannot tell where a key with a separator of its own ends.
        exact = [{"key": key, "value": value} for key, value in listing.metadata]
        found.append(_contains(Video.metadata_, cast(exact, JSONB)))
    if listing.live_stream_id is not None:
        found.append(Video.live_stream_id == listing.live_stream_id)
    return found


def _contains(whole: InstrumentedAttribute[Any], part: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return `whole @> part`: what the GIN indexes can answer."""
    return whole.bool_op("@>")(part)


def _pattern(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
