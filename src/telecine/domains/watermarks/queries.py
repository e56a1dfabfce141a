"""Reads of watermarks: those that the API shows, of one project."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from telecine.db.engine import Transaction
from telecine.domains.watermarks.models import Watermark
from telecine.http.pagination import Page


def _listed(project_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return (
        Watermark.project_id == project_id,
        Watermark.stored_at.is_not(None),
        Watermark.deleted_at.is_(None),
    )


async def watermark(
    tx: Transaction, project_id: UUID, public_id: str, *, keep: bool = False
) -> Watermark | None:
    """Return a watermark of a project; `keep`: it cannot be removed in this transaction."""
    rows = select(Watermark).where(*_listed(project_id), Watermark.public_id == public_id)
    if keep:
        rows = rows.with_for_update(read=True, key_share=True)
    return (await tx.scalars(rows)).one_or_none()


async def page(
    tx: Transaction, project_id: UUID, *, descending: bool, wanted: Page
) -> tuple[int, Sequence[Watermark]]:
    """Return the number of all watermarks of a project, and those of one page."""
    listed = _listed(project_id)
    total = await tx.scalar(select(func.count()).select_from(Watermark).where(*listed))
    keys = (Watermark.created_at, Watermark.id)
    rows = (
        select(Watermark)
        .where(*listed)
        .order_by(*(key.desc() if descending else key.asc() for key in keys))
        .offset(wanted.bounded_offset)
        .limit(wanted.size)
    )
    return total or 0, (await tx.scalars(rows)).all()
