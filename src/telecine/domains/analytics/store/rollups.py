"""Rollups: what was watched in an hour or a day that is over, counted once and kept.

An hour is rolled up when it has been over for a while. A ping that tells of an earlier time
takes back the rollups from there on, until the next sweep (`take_back`); so what is marked as
rolled up is what the playbacks themselves would tell.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from telecine.db.engine import Database, Transaction
from telecine.domains.analytics.store import pairs, peaks

DIMENSIONS = {
    "": (0, False, "''"),
    "media-type": (1, False, "p.media_type"),
    "continent": (2, False, "p.continent"),
    "country": (3, False, "p.country"),
    "device-type": (4, False, "p.device_type"),
    "operating-system": (5, False, "p.os"),
    "browser": (6, False, "p.browser"),
    "media-id": (7, True, "p.media_id"),
    "referrer": (8, True, "p.referrer"),
}
"""Numbers of the dimensions, whether they are rolled up by days instead of hours, their
columns. Those of many values would make as many rows by the hour as there are playbacks."""

PARTS = (
    "media-type",
    "continent",
    "country",
    "device-type",
    "operating-system",
    "browser",
)
"""What values of AUDIENCE are made of. All are rolled up by hours, and of few values."""

AUDIENCE = "audience"
"""All parts at once: for whoever asks about two of them. Nothing is told apart by it."""

_BETWEEN = "chr(31)"
_ALL_PARTS = ", ".join(f"coalesce({DIMENSIONS[each][2]}, '')" for each in PARTS)
ROLLED = {**DIMENSIONS, AUDIENCE: (10, False, f"concat_ws({_BETWEEN}, {_ALL_PARTS})")}
"""All that is rolled up, in the same form."""

CHANGED = (AUDIENCE, "media-id", "referrer")
"""Those whose moments are kept, see `peaks`. Those of any of the PARTS are the ones of AUDIENCE."""

SIZES = {False: timedelta(hours=1), True: timedelta(days=1)}
NEVER = "TIMESTAMPTZ '0001-01-01 UTC'"
LIVE_WITHIN = timedelta(seconds=20)
"""Whoever was heard playing so long ago is watching; one who stopped since is not."""

GRACE = timedelta(minutes=15)
"""How long an hour has been over when it is rolled up."""

OLD_AFTER = timedelta(minutes=10)
"""Times that are younger are in no rollup: less than GRACE by what transactions may last."""

VIEWS_S = (3, 5, 10, 30)

GONE = """
    CASE WHEN NOT upper_inc(r) THEN upper(r)
         WHEN upper(r) = upper(p.watched) THEN upper(r) + CAST(:within AS interval)
         ELSE least(upper(r) + CAST(:within AS interval),
                    lower(p.watched * tstzmultirange(tstzrange(upper(r), NULL, '()'))))
    END
"""
"""When somebody has gone who was watching in a part `r` of `p.watched`: those who were not heard
to stop are there for a while, at most until they are heard playing again."""

# A ping of an old time and a rollup of it wait for each other.
_ROLLING = text("SELECT pg_advisory_xact_lock(7351846003)")
_TELLING = text("SELECT pg_advisory_xact_lock_shared(7351846003)")
_QUICKLY = (text("SET LOCAL jit = off"), text("SET LOCAL work_mem = '64MB'"))
_TAKE_BACK = text(
    """
    DELETE FROM play_rolled
     WHERE start_at + CASE WHEN daily THEN interval '1 day' ELSE interval '1 hour' END > :from
    """
)
_MISSING = text(
    """
    SELECT t FROM generate_series(CAST(:first AS timestamptz), CAST(:last AS timestamptz),
                                  CAST(:size AS interval)) AS t
     WHERE NOT EXISTS (SELECT 1 FROM play_rolled WHERE daily = :daily AND start_at = t)
     ORDER BY t
    """
)
# Players may tell of the day before the one on which they tell it.
_FIRST = text("SELECT min(created_at) - interval '2 days' FROM project")
_CLEAR = [
    text(
        f"DELETE FROM {table} WHERE start_at = :begin AND dimension = ANY (:dimensions)"  # noqa: S608
    )
    for table in ("play_rollup", "play_presence", "play_change", "play_pair")
]
_ROLLED = text("SELECT true FROM play_rolled WHERE daily = :daily AND start_at = :begin")
_MARK = text("INSERT INTO play_rolled (daily, start_at) VALUES (:daily, :begin)")
_FORGET = [
    text(f"DELETE FROM {table} WHERE start_at < :before")  # noqa: S608
    for table in ("play_rollup", "play_presence", "play_change", "play_pair", "play_rolled")
]


_COUNTED = (
    *("p.project_id", "p.id", "p.viewer", "p.watched", "p.watched_ms", "p.load_ms"),
    *("p.started_at", "p.ended_at", "p.impression_at"),
)


def _near(*, daily: bool) -> str:
    """Return the playbacks that reach into a time, once for each dimension of a size."""
    cells = ", ".join(
        f"(CAST({number} AS smallint), {column})"
        for number, by_days, column in ROLLED.values()
        if by_days is daily
    )
    columns = sorted(
        # Days have pairs, of all parts.
        {each for _, by_days, each in DIMENSIONS.values() if daily or not by_days} - {"''"}
    )
    return f"""
        near AS MATERIALIZED (
            SELECT {", ".join([*_COUNTED, *columns])} FROM playback p
             WHERE p.closed_at >= :begin AND p.last_at >= :begin - CAST(:within AS interval)
               AND p.loaded_at < :end AND p.generation < 3),
        cell AS MATERIALIZED (
            SELECT {", ".join(_COUNTED)}, c.d, c.v
              FROM near p CROSS JOIN LATERAL (VALUES {cells}) AS c (d, v)
             WHERE c.v IS NOT NULL)
    """  # noqa: S608  (no values inside)


def _within(moment: str) -> str:
    return f"{moment} >= :begin AND {moment} < :end"


def _peak(source: str) -> str:
    return f"""
        SELECT project_id, d, v, max(n) AS peak FROM (
            SELECT project_id, d, v,
                   sum(change) OVER (PARTITION BY project_id, d, v ORDER BY moment
                                     ROWS UNBOUNDED PRECEDING) AS n
              FROM (SELECT project_id, d, v, moment, sum(change) AS change
                      FROM (SELECT project_id, d, v, lower(r) AS moment, 1 AS change FROM {source}
                            UNION ALL SELECT project_id, d, v, upper(r), -1 FROM {source}) AS change
                     GROUP BY project_id, d, v, moment) AS changed
             ) AS running
         GROUP BY project_id, d, v
    """  # noqa: S608  (no values inside)


_US = "round(extract(epoch FROM upper(r) - lower(r)) * 1000000)"


# Both insert in the order of their keys: whoever reads many rows by the index then reads each
# page once, which takes a fifth of the time.
def _sums(*, daily: bool) -> str:
    watched = f"""
        (SELECT coalesce(sum({_US}), 0)
           FROM unnest(watched * tstzmultirange(tstzrange(:begin, :end))) AS r)
    """  # noqa: S608  (no values inside)
    told = f"""
        count(*) FILTER (WHERE {_within("started_at")}) AS plays,
        count(*) FILTER (WHERE {_within("ended_at")}) AS ends,
        count(*) FILTER (WHERE {_within("impression_at")}) AS impressions,
        count(load_ms) FILTER (WHERE {_within("impression_at")}) AS loads,
        coalesce(sum(load_ms) FILTER (WHERE {_within("impression_at")}), 0) AS load_ms
    """
    changed = [ROLLED[each][0] for each in CHANGED if ROLLED[each][1] is daily]
    kept = [f"changed AS ({peaks.keep('span', changed)})"]
    if daily:
        others = {ROLLED[each][0]: ROLLED[each][2] for each in pairs.WATCHED}
        kept.append(f"paired AS ({pairs.keep('near', ROLLED[AUDIENCE][2], others, told)})")
    return f"""
        WITH {_near(daily=daily)},
        span AS MATERIALIZED (
            SELECT project_id, d, v, viewer, tstzrange(low, high) AS r FROM (
                SELECT project_id, d, v, viewer, greatest(lower(r), :begin) AS low,
                       least({GONE}, :end) AS high
                  FROM cell p CROSS JOIN LATERAL unnest(p.watched) AS r) AS s
             WHERE low < high),
        seen AS MATERIALIZED (
            SELECT project_id, d, v, unnest(range_agg(r)) AS r FROM span
             GROUP BY project_id, d, v, viewer),
        counted AS (
            SELECT project_id, d, v, {told},
                   sum({watched}) AS watched_us
              FROM cell GROUP BY project_id, d, v),
        {", ".join(kept)}
        INSERT INTO play_rollup (project_id, dimension, start_at, value, plays, ends,
               impressions, loads, load_ms, watched_us, present_us, viewers_us, peak,
               viewers_peak)
        SELECT c.project_id, c.d, :begin, c.v, plays, ends, impressions, loads, load_ms,
               watched_us, coalesce(pu.us, 0), coalesce(su.us, 0), coalesce(pp.peak, 0),
               coalesce(sp.peak, 0)
          FROM counted c
          LEFT JOIN (SELECT project_id, d, v, sum({_US}) AS us FROM span
                      GROUP BY project_id, d, v) AS pu USING (project_id, d, v)
          LEFT JOIN (SELECT project_id, d, v, sum({_US}) AS us FROM seen
                      GROUP BY project_id, d, v) AS su USING (project_id, d, v)
          LEFT JOIN ({_peak("span")}) AS pp USING (project_id, d, v)
          LEFT JOIN ({_peak("seen")}) AS sp USING (project_id, d, v)
         WHERE plays + ends + impressions > 0 OR pu.us > 0 OR su.us > 0 OR watched_us > 0
         ORDER BY project_id, d, v
    """  # noqa: S608  (no values inside)


def _before(watched: str) -> str:
    """Return the hour in which something was watched the last time before `:begin`."""
    earlier = f"({watched} * tstzmultirange(tstzrange(NULL, :begin)))"
    last = (
        f"upper({earlier}) - CASE WHEN upper_inc({earlier}) THEN interval '0'"
        " ELSE interval '1 microsecond' END"
    )
    return f"coalesce(date_trunc('hour', {last}, 'UTC'), {NEVER})"


def _presence(*, daily: bool) -> str:
    columns = {number: column for number, by_days, column in ROLLED.values() if by_days is daily}
    value_of_q = (
        "CASE here.d "
        + " ".join(
            f"WHEN {number} THEN {column.replace('p.', 'q.')}" for number, column in columns.items()
        )
        + " END"
    )
    told_apart = {
        column.replace("p.", "q.") for _, by_days, column in DIMENSIONS.values() if by_days is daily
    } - {"''"}
    others = ", ".join(("q.project_id", "q.viewer", "q.watched", "q.watched_ms", *told_apart))
    views = ", ".join(f"count(*) FILTER (WHERE watched_ms >= {s}000) AS view_{s}" for s in VIEWS_S)
    zeros = ", ".join(["0"] * len(VIEWS_S))
    by_viewer = " UNION ALL ".join(
        f"""
        SELECT project_id, d, v, max(since) AS since, 0 AS watched, {zeros},
               {", ".join("1" if each == s else "0" for each in VIEWS_S)}
          FROM earlier WHERE watched_ms >= {s}000 GROUP BY project_id, d, v, viewer
        HAVING bool_or(here)
        """  # noqa: S608  (no values inside)
        for s in VIEWS_S
    )
    names = ", ".join(f"{kind}_{s}" for kind in ("view", "viewers") for s in VIEWS_S)
    sums = ", ".join(f"sum({kind}_{s})" for kind in ("view", "viewers") for s in VIEWS_S)
    return f"""
        WITH {_near(daily=daily)},
        here AS MATERIALIZED (
            SELECT project_id, d, v, id, viewer, watched_ms, {_before("watched")} AS since
              FROM cell WHERE watched && tstzrange(:begin, :end)),
        -- What else the same viewers watched before it, and not within it.
        other AS MATERIALIZED (
            SELECT {others} FROM (SELECT DISTINCT project_id, viewer FROM here) AS here
              JOIN playback q ON q.viewer = here.viewer AND q.project_id = here.project_id
             WHERE q.loaded_at < :begin AND q.generation < 3
               AND q.watched && tstzrange(NULL, :begin)
               AND NOT q.watched && tstzrange(:begin, :end)),
        earlier AS MATERIALIZED (
            SELECT project_id, d, v, viewer, watched_ms, since, true AS here FROM here
            UNION ALL
            SELECT here.project_id, here.d, here.v, here.viewer, q.watched_ms,
                   {_before("q.watched")}, false
              FROM (SELECT DISTINCT project_id, d, v, viewer FROM here) AS here
              JOIN other q ON q.viewer = here.viewer AND q.project_id = here.project_id
               AND {value_of_q} = here.v),
        part (project_id, d, v, since, watched, {names}) AS (
            SELECT project_id, d, v, since, count(*), {views}, {zeros}
              FROM here GROUP BY project_id, d, v, since
            UNION ALL {by_viewer})
        INSERT INTO play_presence (project_id, dimension, start_at, since_at, value, watched,
               {names})
        SELECT project_id, d, :begin, since, v, sum(watched), {sums}
          FROM part GROUP BY project_id, d, since, v ORDER BY project_id, d, since, v
    """  # noqa: S608  (no values inside)


_ROLL = {daily: (text(_sums(daily=daily)), text(_presence(daily=daily))) for daily in SIZES}


async def roll_up(db: Database, now: datetime, since: datetime) -> int:
    """Roll up the hours and days behind `since` that are missing; return how many."""
    rolled = 0
    for daily, size in SIZES.items():
        async with db.transaction() as tx:
            first = await tx.scalar(_FIRST)
            if first is None:
                return rolled
            values = {
                "first": floor(max(first, since), size),
                "last": floor(now - GRACE, size) - size,
                "size": size,
                "daily": daily,
            }
            missing = list(await tx.scalars(_MISSING, values))
        for begin in missing:
            await _roll(db, begin, daily=daily)
        rolled += len(missing)
    return rolled


async def forget(db: Database, before: datetime) -> None:
    """Remove the rollups of a time before a moment."""
    async with db.transaction() as tx:
        for statement in _FORGET:
            await tx.execute(statement, {"before": before})


async def take_back(tx: Transaction, changed_from: datetime) -> None:
    """Have nothing answered by rollups from a moment on: what they were made of changes."""
    await tx.execute(_TELLING)
    await tx.execute(_TAKE_BACK, {"from": changed_from})


async def _roll(db: Database, begin: datetime, *, daily: bool) -> None:
    dimensions = [number for number, by_days, _ in ROLLED.values() if by_days is daily]
    async with db.transaction() as tx:
        await tx.execute(_ROLLING)
        if await tx.scalar(_ROLLED, {"daily": daily, "begin": begin}):
            return  # by another worker, meanwhile
        for statement in _QUICKLY:
            await tx.execute(statement)
        for statement in _CLEAR:
            await tx.execute(statement, {"begin": begin, "dimensions": dimensions})
        times = {"begin": begin, "end": begin + SIZES[daily]}
        sums, presence = _ROLL[daily]
        await tx.execute(sums, {**times, "within": LIVE_WITHIN})
        await tx.execute(presence, {**times, "within": LIVE_WITHIN})
        await tx.execute(_MARK, {"daily": daily, "begin": begin})


def part(dimension: str) -> str:
    """Return a part of the value of a rollup of AUDIENCE; "": unknown."""
    return f"split_part(value, {_BETWEEN}, {PARTS.index(dimension) + 1})"


def floor(moment: datetime, size: timedelta) -> datetime:
    """Return when the hour or day of a moment began, in UTC."""
    first = datetime(2000, 1, 1, tzinfo=UTC)
    return moment - (moment - first) % size
