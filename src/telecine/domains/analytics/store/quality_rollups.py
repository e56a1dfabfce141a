"""Rollups of the quality of experience: sums by the hour, or day, in which playbacks began.

A playback's quality changes until it is closed, and then no more. So what is summed up are
playbacks in the order in which they were closed, up to one moment (`PlayQualityRolled`); those
that were closed since, or are open, are read by whoever asks. One that goes on although it was
closed is taken out of the sums first.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text

from telecine.db.engine import Database, Transaction
from telecine.domains.analytics.models import OPEN
from telecine.domains.analytics.store import quality

_STEP = timedelta(hours=1)
"""What was closed within it is summed up by one transaction."""

# Whoever closes or opens a playback, and whoever sums up, wait for each other.
_SUMMING = text("SELECT pg_advisory_xact_lock(7351846004)")
_CHANGING = text("SELECT pg_advisory_xact_lock_shared(7351846004)")
_UNTIL = text("SELECT until_at FROM play_quality_rolled")
_FIRST = text(f"SELECT min(closed_at) FROM playback WHERE closed_at < {OPEN}")  # noqa: S608
_MARK = text(
    """
    INSERT INTO play_quality_rolled (is_one, until_at) VALUES (true, :until)
    ON CONFLICT (is_one) DO UPDATE SET until_at = excluded.until_at
    """
)
_FORGET = text("DELETE FROM play_quality WHERE start_at < :before")
_CELLS = ", ".join(
    f"(CAST({number} AS smallint), '{'day' if daily else 'hour'}', {column})"
    for number, daily, column in quality.ROLLED.values()
)


def _add(sign: str, where: str) -> str:
    """Return the statement that adds playbacks to the sums, or takes them out.

    All take the rows in one order: nobody waits in a circle.
    """
    sums = ", ".join(f"{sign}({each})" for each in quality.SUMS.values())
    added = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in quality.SUMS)
    return f"""
        INSERT INTO play_quality AS r (project_id, dimension, start_at, value,
                                       {", ".join(quality.SUMS)})
        SELECT p.project_id, c.d, date_trunc(c.size, p.started_at, 'UTC'), c.v, {sums}
          FROM playback p CROSS JOIN LATERAL (VALUES {_CELLS}) AS c (d, size, v)
         WHERE {where} AND p.started_at IS NOT NULL AND c.v IS NOT NULL AND {quality.TELLS}
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (project_id, dimension, start_at, value) DO UPDATE SET {added}
    """  # noqa: S608  (no values inside)


_SUM_UP = text(_add("", "p.closed_at >= :begin AND p.closed_at < :end"))
_TAKE_OUT = text(
    _add(
        "-",
        f"p.key = ANY (:keys) AND p.closed_at >= :since AND p.closed_at < least({OPEN}, :until)",
    )
)


async def roll_up(db: Database, now: datetime, since: datetime) -> int:
    """Sum up the playbacks that were closed from `since` until now; return in how many steps."""
    async with db.transaction() as tx:
        until = await tx.scalar(_UNTIL)
        begin = until or await tx.scalar(_FIRST) or now
    steps = 0
    begin = max(begin, since)
    while begin < now:
        end = min(begin + _STEP, now)
        async with db.transaction() as tx:
            await tx.execute(_SUMMING)
            if await tx.scalar(_UNTIL) != until:
                return steps  # another worker is at it
            await tx.execute(_SUM_UP, {"begin": begin, "end": end})
            await tx.execute(_MARK, {"until": end})
        begin, until, steps = end, end, steps + 1
    return steps


async def closing_time(tx: Transaction, now: datetime) -> datetime:
    """Return when playbacks are closed that this transaction closes: behind what is summed up."""
    await tx.execute(_CHANGING)
    until: datetime | None = await tx.scalar(_UNTIL)
    return now if until is None else max(now, until)


async def take_out(tx: Transaction, keys: Sequence[bytes], since: datetime) -> None:
    """Take playbacks that were closed from `since` on out of the sums: they go on."""
    await tx.execute(_CHANGING)
    until = await tx.scalar(_UNTIL)
    if until is not None:
        await tx.execute(_TAKE_OUT, {"keys": list(keys), "since": since, "until": until})


async def summed_until(tx: Transaction) -> datetime | None:
    """Return until when playbacks that were closed are in the sums; it only grows."""
    until: datetime | None = await tx.scalar(_UNTIL)
    return until


async def forget(db: Database, before: datetime) -> None:
    """Remove the sums of a time before a moment."""
    async with db.transaction() as tx:
        await tx.execute(_FORGET, {"before": before})
