"""Reads of upload tokens: those that still work, of one project."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select

from telecine.db.engine import Transaction
from telecine.domains.accounts.models import Project
from telecine.domains.uploads.models import UploadToken
from telecine.http.caller import Identity
from telecine.http.pagination import Page


@dataclass(frozen=True, slots=True)
class Order:
    """What a list of tokens is sorted by."""

    column: str = "created_at"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever knows a token: for which project, and whether it has expired."""

    token_id: UUID
    identity: Identity
    expired: bool
    suspended: bool


def _active(project_id: UUID, now: datetime) -> tuple[ColumnElement[bool], ...]:
    lasting = or_(UploadToken.expires_at.is_(None), UploadToken.expires_at > now)
    return UploadToken.project_id == project_id, lasting


async def token(
    tx: Transaction, project_id: UUID, public_id: str, now: datetime
) -> UploadToken | None:
    """Return a token of a project, None if it is unknown or has expired."""
    active = _active(project_id, now)
    rows = select(UploadToken).where(*active, UploadToken.public_id == public_id)
    return (await tx.scalars(rows)).one_or_none()


async def page(
    tx: Transaction, project_id: UUID, order: Order, wanted: Page, now: datetime
) -> tuple[int, Sequence[UploadToken]]:
    """Return the number of all working tokens, and those of one page."""
    active = _active(project_id, now)
    total = await tx.scalar(select(func.count()).select_from(UploadToken).where(*active))
    columns = (getattr(UploadToken, order.column), UploadToken.id)
    rows = (
        select(UploadToken)
        .where(*active)
        .order_by(*(each.desc() if order.descending else each.asc() for each in columns))
        .offset(wanted.bounded_offset)
        .limit(wanted.size)
    )
    return total or 0, (await tx.scalars(rows)).all()


async def bearer(tx: Transaction, public_id: str, now: datetime) -> Bearer | None:
    """Return for which project a token was given out, None if it is unknown.

    Expired ones are found as well: an upload that began in time may go on.
    """
    rows = (
        select(
            UploadToken.id,
            UploadToken.expires_at,
            Project.id,
            Project.public_id,
            Project.environment,
            Project.settings,
            Project.suspended_at,
        )
        .join(Project, Project.id == UploadToken.project_id)
        .where(UploadToken.public_id == public_id)
    )
    found = (await tx.execute(rows)).one_or_none()
    if found is None:
        return None
    token_id, expires_at, project_id, project_public_id, environment, settings, suspended = found
    identity = Identity(project_id, project_public_id, environment, None, settings)
    expired = expires_at is not None and expires_at <= now
    return Bearer(token_id, identity, expired, suspended is not None)
