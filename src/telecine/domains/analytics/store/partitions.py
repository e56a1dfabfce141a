"""The weekly partitions of `playback` and `play_event`: made ahead, dropped when they are old.

A playback lies in the week in which it was closed, its events in the one in which it was
opened. Weeks are those of ISO 8601, in UTC; the name of a partition has its Monday.
"""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import text

from telecine.db.engine import Transaction

TABLES = ("playback", "play_event")
WEEK = timedelta(days=7)
AHEAD = 2
"""Weeks for which there are partitions before they begin."""

# One number per purpose in the database's space of advisory locks.
_ALONE = text("SELECT pg_advisory_xact_lock(7351846002)")
# Whoever asks for numbers must not wait behind a sweep that waits for others.
_PATIENCE = text("SET LOCAL lock_timeout = '2s'")
_EXISTS = text("SELECT to_regclass(:name) IS NOT NULL")
_NAMES = text(
    """
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = CAST(:parent AS regclass) AND c.relname ~ '_[0-9]{8}$'
     ORDER BY c.relname
    """
)


def monday_of(moment: datetime) -> date:
    """Return the day on which the week of a moment began."""
    day = moment.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())


async def make(tx: Transaction, now: datetime) -> int:
    """Make the partitions of this week and of those to come; return how many were missing."""
    made, locked = 0, False
    for table in TABLES:
        for number in range(AHEAD + 1):
            monday = monday_of(now) + number * WEEK
            name = f"{table}_{monday:%Y%m%d}"
            if await tx.scalar(_EXISTS, {"name": name}):
                continue
            if not locked:
                await tx.execute(_ALONE)
                locked = True
                if await tx.scalar(_EXISTS, {"name": name}):
                    return made + await make(tx, now)
            await _attach(tx, table, name, monday)
            made += 1
    return made


async def _attach(tx: Transaction, table: str, name: str, monday: date) -> None:
    # To attach a table does not wait for those who read the others; to make it a part at
    # once would.
    await tx.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"))
    bounds = f"FROM ('{monday} UTC') TO ('{monday + WEEK} UTC')"
    await tx.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {bounds}"))
    if table == "playback":  # for those that go on although they were closed
        await tx.execute(text(f"CREATE INDEX ON {name} (key)"))


async def drop(tx: Transaction, table: str, before: datetime) -> int:
    """Drop what was over before a moment; return how many rows went."""
    removed = 0
    for (name,) in (await tx.execute(_NAMES, {"parent": table})).all():
        monday = datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC)
        if monday + WEEK > before:
            break
        await tx.execute(_PATIENCE)
        removed += await tx.scalar(text(f"SELECT count(*) FROM {name}")) or 0  # noqa: S608
        await tx.execute(text(f"DROP TABLE {name}"))
    return removed
