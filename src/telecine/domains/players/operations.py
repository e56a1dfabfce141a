"""Changes of themes. Each tells delivery, so that it shows at once."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.players import queries, themes
from telecine.domains.players.models import PlayerTheme
from telecine.problems import bad_request, invalid_attribute, not_found

PREFIX = "pl"

PLAYER_CHANGED = "telecine_player"
"""NOTIFY channel: the public id of a theme that has changed or is gone."""


async def found(
    tx: Transaction, project_id: UUID, public_id: str, *, lock: bool = False
) -> PlayerTheme:
    """Return a theme. Raises Problem 404."""
    row = await queries.theme(tx, project_id, public_id, lock=lock)
    if row is None:
        raise not_found("playerId")
    return row


async def create_theme(
    tx: Transaction, project_id: UUID, name: str | None, choices: Mapping[str, Any]
) -> PlayerTheme:
    """Create a theme; what it does not choose stays the default."""
    now = clock.now()
    created = PlayerTheme(
        project_id=project_id,
        public_id=ids.public_id(PREFIX),
        name=name,
        choices=themes.merged({}, choices),
        created_at=now,
        updated_at=now,
    )
    tx.add(created)
    await tx.flush()
    return created


async def update_theme(
    tx: Transaction, project_id: UUID, public_id: str, changes: Mapping[str, Any]
) -> PlayerTheme:
    """Change a theme: `name` and what it chooses, None for the default. Raises Problem 404."""
    row = await found(tx, project_id, public_id, lock=True)
    if "name" in changes:
        row.name = changes["name"]
    row.choices = themes.merged(row.choices, changes)
    return await _touched(tx, row)


async def set_logo(
    tx: Transaction, project_id: UUID, public_id: str, png: bytes, link: str | None
) -> PlayerTheme:
    """Give a theme its logo, and where a click on it leads. Raises Problem 404."""
    row = await found(tx, project_id, public_id, lock=True)
    row.logo, row.logo_link = png, link
    row.logo_tag = ids.nonce()
    return await _touched(tx, row)


async def remove_logo(tx: Transaction, project_id: UUID, public_id: str) -> None:
    """Take the logo of a theme away, if it has one. Raises Problem 404."""
    row = await found(tx, project_id, public_id, lock=True)
    row.logo = row.logo_tag = row.logo_link = None
    await _touched(tx, row)


async def delete_theme(tx: Transaction, project_id: UUID, public_id: str) -> None:
    """Delete a theme; videos that name it look as if they named none. Raises Problem 404."""
    row = await found(tx, project_id, public_id, lock=True)
    await tx.delete(row)
    await notify(tx, PLAYER_CHANGED, public_id)


async def check_reference(tx: Transaction, project_id: UUID, public_id: str) -> None:
    """Raise Problem 400 unless a video may name this theme."""
    if await queries.theme(tx, project_id, public_id) is None:
        detail = "This value must refer to an existing player theme."
        raise bad_request([invalid_attribute("playerId", detail)])


async def _touched(tx: Transaction, row: PlayerTheme) -> PlayerTheme:
    row.updated_at = clock.now()
    await tx.flush()
    await notify(tx, PLAYER_CHANGED, row.public_id)
    return row
