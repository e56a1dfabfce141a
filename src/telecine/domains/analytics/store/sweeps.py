"""Playbacks that are over are closed; old ones go, with their events; plays of all time stay."""

from datetime import datetime, timedelta

from sqlalchemy import text

from telecine.db.engine import Database
from telecine.domains.analytics.models import OPEN
from telecine.domains.analytics.store import partitions, quality, quality_rollups

CLOSED_AFTER = timedelta(minutes=30)
"""Who was not heard of for so long has gone."""

_BATCH = 5000
_CLOSE = text(
    f"""
    UPDATE playback p SET closed_at = :closed_at, told_twice = {quality.TOLD_TWICE}
     WHERE closed_at = {OPEN} AND id = ANY (ARRAY(
           SELECT id FROM playback_open WHERE last_at < :before
            ORDER BY key LIMIT :batch FOR UPDATE SKIP LOCKED))
    """  # noqa: S608  (no values inside)
)
# Of the sandbox, row by row: its day is shorter than a partition's week.
_FORGET = text(
    """
    WITH gone AS (
        DELETE FROM playback p USING project
         WHERE project.id = p.project_id AND project.environment = 'sandbox'
           AND p.last_at < :before
        RETURNING p.id, p.opened_at),
    told AS (
        DELETE FROM play_event e USING gone
         WHERE e.playback_id = gone.id AND e.opened_at = gone.opened_at)
    SELECT count(*) FROM gone
    """
)


async def close(db: Database, now: datetime) -> int:
    """Move playbacks that nobody continues to the week of now; return how many."""
    async with db.transaction() as tx:
        await partitions.make(tx, now)
    closed = 0
    while True:
        async with db.transaction() as tx:
            closed_at = await quality_rollups.closing_time(tx, now)
            values = {"closed_at": closed_at, "before": now - CLOSED_AFTER, "batch": _BATCH}
            result = await tx.execute(_CLOSE, values)
            count: int = result.rowcount  # type: ignore[attr-defined]  # of an UPDATE
        closed += count
        if count < _BATCH:
            return closed


async def forget(db: Database, before: datetime, sandbox_before: datetime) -> int:
    """Remove the weeks of playbacks that were over before a time; return how many playbacks.

    Their events lie in the week in which they were opened, which may be the one before, and
    go a week later. Playbacks of the sandbox go one by one.
    """
    async with db.transaction() as tx:
        await partitions.drop(tx, "play_event", before - partitions.WEEK)
        removed = await partitions.drop(tx, "playback", before)
        of_sandbox: int = await tx.scalar(_FORGET, {"before": sandbox_before})
    return removed + of_sandbox
