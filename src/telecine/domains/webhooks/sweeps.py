"""Old events go, with the deliveries of them that have ended."""

from datetime import datetime

from sqlalchemy import text

from telecine.db.engine import Database

_BATCH = 5000
_FORGET = text(
    """
    DELETE FROM event WHERE id IN (
        SELECT e.id FROM event e
         WHERE e.emitted_at < :before
           AND NOT EXISTS (SELECT 1 FROM delivery d
                            WHERE d.event_id = e.id AND d.state = 'waiting')
           AND EXISTS (SELECT 1 FROM event_cursor c
                        WHERE (e.xid, e.id) <= (c.xid, c.event_id))
         LIMIT :batch)
    """
)


async def forget_events(db: Database, before: datetime) -> int:
    """Remove events from before a time that no webhook waits for; return how many."""
    removed = 0
    while True:
        async with db.transaction() as tx:
            result = await tx.execute(_FORGET, {"before": before, "batch": _BATCH})
            count: int = result.rowcount  # type: ignore[attr-defined]  # of a DELETE
        removed += count
        if count < _BATCH:
            return removed
