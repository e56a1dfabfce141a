"""What a project may store, asked before each piece of what we fetch for it."""

from uuid import UUID

from sqlalchemy import select

from telecine.db.engine import Transaction
from telecine.domains.accounts.models import Project
from telecine.domains.sources import queries
from telecine.net.errors import TooMuch

SETTING = "storage_quota_bytes"


async def check_quota(tx: Transaction, project_id: UUID, wanted_bytes: int) -> None:
    """Raise TooMuch if the sources of a project would have more than its quota together."""
    settings = await tx.scalar(select(Project.settings).where(Project.id == project_id))
    quota_bytes = (settings or {}).get(SETTING)
    if quota_bytes is None:
        return
    if await queries.stored_bytes(tx, project_id) + wanted_bytes > quota_bytes:
        msg = f"the storage quota of the project is used up: {quota_bytes} bytes"
        raise TooMuch(msg)
