"""Reads of themes, of one project; viewers, who know only ids, read `shown` and `logo`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from telecine.db.engine import Transaction
from telecine.domains.players.models import PlayerTheme
from telecine.http.pagination import Page

SORT_COLUMNS = {"name": "name", "createdAt": "created_at", "updatedAt": "updated_at"}


@dataclass(frozen=True, slots=True)
class ShownTheme:
    """What a viewer's page needs of a theme."""

    choices: dict[str, Any]
    logo_tag: str | None
    logo_link: str | None


async def theme(
    tx: Transaction, project_id: UUID, public_id: str, *, lock: bool = False
) -> PlayerTheme | None:
    """Return a theme of a project; `lock` keeps others from changing it."""
    rows = select(PlayerTheme).where(
        PlayerTheme.project_id == project_id, PlayerTheme.public_id == public_id
    )
    return (await tx.scalars(rows.with_for_update() if lock else rows)).one_or_none()


async def page(
    tx: Transaction, project_id: UUID, *, sort_by: str, descending: bool, wanted: Page
) -> tuple[int, Sequence[PlayerTheme]]:
    """Return the number of all themes of a project, and those of one page.

    Sorted by name, those without one come last.
    """
    mine = PlayerTheme.project_id == project_id
    total = await tx.scalar(select(func.count()).select_from(PlayerTheme).where(mine))
    column = getattr(PlayerTheme, SORT_COLUMNS[sort_by])
    keys = (column, PlayerTheme.id)
    order = [(key.desc() if descending else key.asc()).nulls_last() for key in keys]
    rows = (
        select(PlayerTheme)
        .where(mine)
        .order_by(*order)
        .offset(wanted.bounded_offset)
        .limit(wanted.size)
    )
    return total or 0, (await tx.scalars(rows)).all()


async def shown(tx: Transaction, project_id: UUID, public_id: str) -> ShownTheme | None:
    """Return the theme that a video of the project names, None if it is gone."""
    row = await theme(tx, project_id, public_id)
    return None if row is None else ShownTheme(row.choices, row.logo_tag, row.logo_link)


async def logo(tx: Transaction, public_id: str) -> tuple[str, bytes] | None:
    """Return tag and PNG of a theme's logo, of whatever project: it is on public pages."""
    columns = select(PlayerTheme.logo_tag, PlayerTheme.logo)
    row = (await tx.execute(columns.where(PlayerTheme.public_id == public_id))).one_or_none()
    return None if row is None or row.logo is None else (row.logo_tag, row.logo)
