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


_BACKLOG = text(
    "SELECT queue_name, status::text, count(*) FROM procrastinate_jobs"
    " WHERE status IN ('todo', 'doing') GROUP BY 1, 2"
)


async def backlog(tx: Transaction) -> dict[tuple[str, str], int]:
    """Return how many jobs wait ("todo") and run ("doing") in each lane."""
    rows = await tx.execute(_BACKLOG)
    return {(lane, state): count for lane, state, count in rows}
