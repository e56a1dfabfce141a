"""Whether anybody works."""

from sqlalchemy import text

from telecine.db.engine import Transaction

_ALIVE = text(
    "SELECT EXISTS (SELECT 1 FROM procrastinate_workers"
    " WHERE last_heartbeat > now() - make_interval(secs => :within_s))"
)


async def worker_alive(tx: Transaction, *, within_s: float = 10.0) -> bool:
    """Tell whether any worker gave a sign of life within the last seconds."""
    return bool(await tx.scalar(_ALIVE, {"within_s": within_s}))
