"""Old playbacks go, with their events; plays of all time stay."""

from datetime import datetime

from sqlalchemy import text

from telecine.db.engine import Database

_BATCH = 5000
# By their place in the table: the index tells in which stretches of it old ones may be.
_FORGET = text(
    """
    DELETE FROM playback WHERE ctid = ANY (ARRAY(
        SELECT p.ctid FROM playback p
          JOIN project ON project.id = p.project_id
         WHERE p.last_at < greatest(CAST(:before AS timestamptz), CAST(:sandbox AS timestamptz))
           AND p.last_at < CASE project.environment WHEN 'sandbox'
                           THEN CAST(:sandbox AS timestamptz)
                           ELSE CAST(:before AS timestamptz) END
         LIMIT :batch))
    """
)


async def forget(db: Database, before: datetime, sandbox_before: datetime) -> int:
    """Remove playbacks that nobody has continued since a time; return how many."""
    removed = 0
    while True:
        async with db.transaction() as tx:
            values = {"before": before, "sandbox": sandbox_before, "batch": _BATCH}
            result = await tx.execute(_FORGET, values)
            count: int = result.rowcount  # type: ignore[attr-defined]  # of a DELETE
        removed += count
        if count < _BATCH:
            return removed
