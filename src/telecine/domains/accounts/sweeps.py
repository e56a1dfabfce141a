"""What accounts leave behind, of all projects: any worker may run these at any time."""

from datetime import datetime

import structlog
from sqlalchemy import delete, select

from telecine.db.engine import Database
from telecine.domains.accounts.models import ANSWERS_KEPT, KeptAnswer, Token

log = structlog.get_logger()

_BATCH = 5000


async def forget_answers(db: Database, now: datetime) -> int:
    """Delete kept answers that nobody gets any more; return how many."""
    forgotten = 0
    while True:
        old = select(KeptAnswer.digest).where(KeptAnswer.created_at <= now - ANSWERS_KEPT)
        some = old.limit(_BATCH).with_for_update(skip_locked=True)
        async with db.transaction() as tx:
            gone = await tx.scalars(
                delete(KeptAnswer)
                .where(KeptAnswer.digest.in_(some.scalar_subquery()))
                .returning(KeptAnswer.digest)
            )
            digests = [digest.hex()[:16] for digest in gone]
        if digests:
            log.info("kept answers forgotten", answers=len(digests), digests=digests[:20])
        forgotten += len(digests)
        if len(digests) < _BATCH:
            return forgotten


async def forget_tokens(db: Database, now: datetime) -> int:
    """Delete access and refresh tokens whose time is over; return how many."""
    forgotten = 0
    while True:
        old = select(Token.id).where(Token.expires_at < now)
        some = old.limit(_BATCH).with_for_update(skip_locked=True)
        async with db.transaction() as tx:
            gone = await tx.scalars(
                delete(Token).where(Token.id.in_(some.scalar_subquery())).returning(Token.id)
            )
            ids = [str(each) for each in gone]
        if ids:
            log.info("expired tokens forgotten", tokens=len(ids), ids=ids[:20])
        forgotten += len(ids)
        if len(ids) < _BATCH:
            return forgotten
