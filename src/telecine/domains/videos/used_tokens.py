"""Which one-time tokens were used up, and by whom. Using one up is one insert."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from telecine import ids
from telecine.db.engine import Database, Transaction
from telecine.domains.videos import sessions, tokens
from telecine.domains.videos.models import UsedToken

log = structlog.get_logger()

IDLE = timedelta(minutes=10)
"""How long the viewer who used a token up may pause between requests without a session."""

_NOTED_EVERY = timedelta(minutes=1)
_KEPT = tokens.LIFETIME + sessions.LIFETIME + timedelta(hours=2)
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Use:
    """When a token was used up; `fresh`: by this very call."""

    used_at: datetime
    fresh: bool


async def use(tx: Transaction, token: str, viewer: bytes | None, now: datetime) -> Use | None:
    """Use a token up for a viewer, None if that was done for somebody else.

    The viewer who did may come back while no more than `IDLE` has passed since the last
    time. A `viewer` of None asks for a session: nobody comes back without it.
    """
    digest = ids.digest(token)
    values = {"digest": digest, "viewer": viewer, "used_at": now, "seen_at": now}
    statement = insert(UsedToken).values(values).on_conflict_do_nothing()
    if await tx.scalar(statement.returning(UsedToken.used_at)) is not None:
        return Use(now, fresh=True)
    return await again(tx, token, viewer, now)


async def again(tx: Transaction, token: str, viewer: bytes | None, now: datetime) -> Use | None:
    """Return the use of a token by the viewer who comes back, else None."""
    digest = ids.digest(token)
    row = (await tx.scalars(select(UsedToken).where(UsedToken.digest == digest))).one_or_none()
    if row is None or row.viewer is None or viewer is None or not ids.same(row.viewer, viewer):
        return None
    if now - row.seen_at > IDLE or now - row.used_at > sessions.LIFETIME:
        return None
    if now - row.seen_at > _NOTED_EVERY:
        noted = update(UsedToken).where(UsedToken.digest == digest, UsedToken.seen_at < now)
        await tx.execute(noted.values(seen_at=now))
    return Use(row.used_at, fresh=False)


async def is_used(tx: Transaction, token: str) -> bool:
    """Tell whether a token was used up, by whomever."""
    rows = select(UsedToken.digest).where(UsedToken.digest == ids.digest(token))
    return await tx.scalar(rows) is not None


async def forget(db: Database, now: datetime) -> int:
    """Delete the uses of tokens that prove nothing any more; return how many."""
    forgotten = 0
    while True:
        old = select(UsedToken.digest).where(UsedToken.used_at < now - _KEPT)
        some = old.limit(_BATCH).with_for_update(skip_locked=True)
        async with db.transaction() as tx:
            gone = await tx.scalars(
                delete(UsedToken)
                .where(UsedToken.digest.in_(some.scalar_subquery()))
                .returning(UsedToken.digest)
            )
            digests = [digest.hex()[:16] for digest in gone]
        if digests:
            log.info("used tokens forgotten", tokens=len(digests), digests=digests[:20])
        forgotten += len(digests)
        if len(digests) < _BATCH:
            return forgotten
