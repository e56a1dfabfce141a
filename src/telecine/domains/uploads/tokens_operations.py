"""Changes of upload tokens."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.domains.uploads import tokens_queries
from telecine.domains.uploads.models import UploadToken
from telecine.problems import not_found

KEPT_AFTER_EXPIRY = timedelta(days=7)
"""How long an upload may take: one that began in time needs its token to its end."""


async def create_token(tx: Transaction, project_id: UUID, ttl_s: int) -> UploadToken:
    """Create a token that works for `ttl_s` seconds, for ever if that is 0."""
    now = clock.now()
    # Here and not in a sweep: who makes tokens removes what they leave behind.
    await tx.execute(
        delete(UploadToken).where(
            UploadToken.project_id == project_id,
            UploadToken.expires_at < now - KEPT_AFTER_EXPIRY,
        )
    )
    created = UploadToken(
        public_id=ids.public_id("to"),
        project_id=project_id,
        ttl_s=ttl_s,
        created_at=now,
        expires_at=now + timedelta(seconds=ttl_s) if ttl_s else None,
    )
    tx.add(created)
    await tx.flush()
    return created


async def found(tx: Transaction, project_id: UUID, public_id: str) -> UploadToken:
    """Return a token that works. Raises Problem 404."""
    row = await tokens_queries.token(tx, project_id, public_id, clock.now())
    if row is None:
        raise not_found("uploadToken")
    return row


async def delete_token(tx: Transaction, project_id: UUID, public_id: str) -> None:
    """Delete a token: nothing more is accepted with it. Raises Problem 404."""
    await tx.delete(await found(tx, project_id, public_id))
