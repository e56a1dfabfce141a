"""Viewers' analytics: events stored in a second, and how long numbers take.

Batches of 20 events, each of another viewer, go over a few connections to a running server
until the time is over; what counts is what the database has afterwards. Then a project is
filled with playbacks by one INSERT and asked for every kind of number; DuckDB is asked the same
of the same rows, in memory and without HTTP.
"""

import argparse
import asyncio
import json
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import duckdb
import httpx
import psycopg

from measure import percentile
from serving import Telecine, cpu_s, folder, machine, serving
from telecine import clock
from telecine.db.engine import Database
from telecine.domains.analytics.store import quality_rollups, rollups

EVENTS = 20
_TYPES = (2, 3, 4, 7)

PARTITION = """
DO $$
DECLARE
    monday date := date_trunc('week', now() - {week} * interval '7 days');
    name text := 'playback_' || to_char(monday, 'YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF playback FOR VALUES FROM (%L) TO (%L)',
                       name, monday || ' UTC', monday + 7 || ' UTC');
    END IF;
END $$
"""
FILL = """
INSERT INTO playback (id, project_id, key, opened_at, closed_at, session_id, generation, media_id,
       media_type, loaded_at, last_at, impression_at, started_at, ended_at, load_ms, watched,
       watched_ms, skew_ms, startup_ms, stall_count, stall_ms, viewer, referrer, country,
       device_type, os, browser)
SELECT gen_random_uuid(), %(project)s, decode(md5(n::text), 'hex'), t,
       t + watched + interval '30 minutes', 'ps' || n, 2,
       'vi' || n %% 5000, 'video', t, t + watched, t + interval '1 second',
       CASE WHEN n %% 4 > 0 THEN t + interval '2 seconds' END,
       CASE WHEN n %% 8 = 1 THEN t + watched END, n %% 900,
       tstzmultirange(tstzrange(t, t + watched)), extract(epoch FROM watched) * 1000,
       0, n %% 3000, (n %% 9 = 0)::int, CASE WHEN n %% 9 = 0 THEN n %% 4000 ELSE 0 END,
       decode(md5((n %% 300000)::text), 'hex'), 'https://example.com/' || n %% 50,
       (ARRAY['FR', 'DE', 'US', 'BR', 'IN'])[1 + n %% 5],
       (ARRAY['computer', 'phone', 'tablet'])[1 + n %% 3],
       (ARRAY['windows', 'ios', 'android', 'linux'])[1 + n %% 4],
       (ARRAY['chrome', 'safari', 'firefox'])[1 + n %% 3]
  FROM (SELECT n, now() - n * interval '30 days' / %(sessions)s AS t,
               (10 + n %% 600) * interval '1 second' AS watched
          FROM generate_series(1, %(sessions)s) AS n) AS made
 ORDER BY t
"""
FORGET_QUALITY = """
DO $$ BEGIN
    PERFORM pg_advisory_xact_lock(7351846004);  -- that of `quality_rollups`
    DELETE FROM play_quality_rolled;
    DELETE FROM play_quality;
END $$
"""
_WITHIN = "INTERVAL 20 SECOND"
_NEAR = f"last_at >= $begin - {_WITHIN} AND loaded_at < $until"
_CHANGES = f"""
    SELECT {{g}} AS g, greatest(low, $begin) AS m, 1 AS c FROM span WHERE {_NEAR}
     UNION ALL SELECT {{g}}, least(high, $until), -1 FROM span WHERE {_NEAR}
"""
_PEAK = f"""
    SELECT g, max(n) FROM (SELECT g, sum(c) OVER (PARTITION BY g ORDER BY m) AS n
      FROM (SELECT g, m, sum(c) AS c FROM ({_CHANGES}) GROUP BY ALL)) GROUP BY g
"""
_PLAYED = "started_at >= $begin AND started_at < $until"
_BUCKET = f"SELECT {{g}}, count(*) AS v FROM p WHERE {_PLAYED} GROUP BY 1 ORDER BY v DESC LIMIT 25"
_EACH = """, unnest(generate_series(time_bucket($step, greatest(low, $begin)), least(high, $until),
            $step)) AS t"""
_WATCHED_MS = "epoch_ms(least(last_at, $until)) - epoch_ms(greatest(loaded_at, $begin))"
QUESTIONS = {
    "metrics/play/count": f"SELECT count(*) FROM p WHERE {_PLAYED}",
    "metrics/play/rate": f"""SELECT count(*) FILTER (WHERE {_PLAYED})
        / count(*) FILTER (WHERE impression_at >= $begin AND impression_at < $until) FROM p""",
    "metrics/watch-time/sum": f"""SELECT sum({_WATCHED_MS}) / 1000 FROM p
        WHERE last_at >= $begin AND loaded_at < $until""",
    "metrics/view/count?unique=true": """SELECT count(DISTINCT viewer) FROM p
        WHERE watched_ms >= 5000 AND last_at > $begin AND loaded_at < $until""",
    "metrics/ccv/peak": _PEAK.format(g="''"),
    "metrics/ccv/live": "",
    "buckets/play/media-id": _BUCKET.format(g="media_id"),
    "buckets/play/device-type": _BUCKET.format(g="device_type"),
    "buckets/ccv-peak/browser": _PEAK.format(g="browser"),
    "timeseries/play": f"""SELECT time_bucket($step, started_at) AS t, count(*) FROM p
        WHERE {_PLAYED} GROUP BY 1 ORDER BY 1""",
    "timeseries/view": f"""SELECT t, count(*) FROM (SELECT * {_EACH} FROM span
        WHERE watched_ms >= 5000 AND {_NEAR}) GROUP BY 1 ORDER BY 1""",
    "timeseries/ccv-average": f"""SELECT t, sum(epoch_ms(least(high, t + $step, $until))
        - epoch_ms(greatest(low, t, $begin))) / epoch_ms($step) FROM (SELECT * {_EACH} FROM span
        WHERE {_NEAR}) WHERE low < t + $step AND high > t GROUP BY 1 ORDER BY 1""",
    "metrics/quality-score/average": "",
    "buckets/startup-time/country": """SELECT country, avg(startup_ms) FROM p
        WHERE startup_ms >= 0 AND started_at >= $begin AND started_at < $until GROUP BY 1""",
}
"""What is asked for, and how DuckDB is asked the same; "": it is not."""
LOAD = """
COPY (SELECT media_id, started_at, impression_at, loaded_at, last_at, watched_ms, device_type,
             browser, country, startup_ms, encode(viewer, 'hex') AS viewer, lower(r) AS low,
             upper(r) + CASE WHEN upper_inc(r) THEN interval '20 s' ELSE interval '0' END AS high,
             row_number() OVER (PARTITION BY id) AS part
        FROM playback LEFT JOIN LATERAL unnest(watched) AS r ON true
       WHERE project_id = {project}) TO STDOUT (FORMAT csv, HEADER)
"""


def batch(video_id: str, tab: str, number: int) -> bytes:
    """Return five seconds of a player."""
    sent_ms = time.time_ns() // 1_000_000
    events = [
        {"eat": sent_ms - 5000 + each * 250, "typ": _TYPES[each % 4], "vti": number * 5 + each / 4}
        for each in range(EVENTS)
    ]
    about = {"sat": sent_ms, "sid": tab, "pid": f"{tab}-{number}", "mid": video_id, "ref": ""}
    return json.dumps({**about, "ver": "0.1.0", "eve": events}).encode()


def load(base_url: str, video_id: str, seconds_s: float, worker: int) -> None:
    """Send batches, one after the other."""
    parts = urlsplit(base_url)
    until_s = time.perf_counter() + seconds_s
    with socket.create_connection((parts.hostname or "", parts.port or 80)) as line:
        number = 0
        while time.perf_counter() < until_s:
            number += 1
            body = batch(video_id, f"tab{worker}", number)
            head = f"POST /watch HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            line.sendall(head.encode() + body)
            if not line.recv(65536).startswith(b"HTTP/1.1 204"):
                raise SystemExit("refused")


def run_load(base_url: str, video_id: str, seconds_s: float, connections: int) -> None:
    """Load the server from processes of their own."""
    workers = [
        multiprocessing.Process(target=load, args=(base_url, video_id, seconds_s, each))
        for each in range(connections)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def stored(telecine: Telecine) -> int:
    """Return how many events the database has."""
    with psycopg.connect(telecine.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM play_event").fetchone()
        return int(row[0]) if row else 0


def collect(telecine: Telecine, seconds_s: float, connections: int) -> None:
    """Print how many events are stored in a second, and what a batch costs."""
    auth = (telecine.key, "")
    made = httpx.post(f"{telecine.base_url}/videos", json={"title": "watched"}, auth=auth)
    video_id = made.raise_for_status().json()["videoId"]
    run_load(telecine.base_url, video_id, 2, connections)  # the rules of agents are read
    time.sleep(2)
    pids, before, begun_s = telecine.api_processes(), stored(telecine), time.perf_counter()
    used_s = cpu_s(pids)
    run_load(telecine.base_url, video_id, seconds_s, connections)
    time.sleep(1)
    took_s, used_s = time.perf_counter() - begun_s - 1, cpu_s(pids) - used_s
    found = stored(telecine) - before
    told = found * 4 // 3  # every fourth one is a moment, which is kept in the playback alone
    batches = told / EVENTS
    print(f"{told / took_s:,.0f} events/s, {batches / took_s:,.0f} batches/s;", end=" ")
    print(f"API: {used_s / max(batches, 1) * 1e6:,.0f} us of CPU a batch")


async def roll_up(url: str) -> int:
    """Do what a worker does from time to time."""
    db = Database(url)
    try:
        now = clock.now()
        since = now - timedelta(days=30)
        begun_s = time.perf_counter()
        while await quality_rollups.roll_up(db, now, since):
            pass  # where a worker was at it as well, go on
        print(f"quality summed up in {time.perf_counter() - begun_s:.0f} s")
        return await rollups.roll_up(db, now, since)
    finally:
        await db.close()


def fill(telecine: Telecine, sessions: int) -> UUID:
    """Give a project what was watched in 30 days; return it."""
    with psycopg.connect(telecine.database_url, autocommit=True) as connection:
        query = "SELECT project_id FROM api_key WHERE last_characters = %s"
        row = connection.execute(query, (telecine.key[-4:],)).fetchone()
        if row is None:
            raise SystemExit("no such key")
        for week in range(6):
            connection.execute(PARTITION.format(week=week))
        connection.execute(FILL, {"project": row[0], "sessions": sessions})
        connection.execute("VACUUM ANALYZE playback")
        # Not before: a worker of this Telecine would roll up what is not there yet.
        connection.execute("DELETE FROM play_rolled")
        connection.execute(FORGET_QUALITY)
        connection.execute("UPDATE project SET created_at = now() - interval '31 days'")
    rolling_s = time.perf_counter()
    rolled = asyncio.run(roll_up(telecine.database_url))
    took_s = time.perf_counter() - rolling_s
    print(f"{rolled} hours and days of {sessions:,} playbacks rolled up in {took_s:.0f} s")
    return UUID(str(row[0]))


def loaded(telecine: Telecine, project: UUID) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB that has the same rows, in memory."""
    database = duckdb.connect(config={"threads": 2})
    database.execute("SET timezone = 'UTC'")
    with (
        tempfile.NamedTemporaryFile(suffix=".csv") as file,
        psycopg.connect(telecine.database_url) as connection,
        connection.cursor() as cursor,
    ):
        with cursor.copy(LOAD.format(project=f"'{project}'")) as rows:
            for data in rows:
                file.write(data)
        file.flush()
        database.execute("CREATE TABLE every AS SELECT * FROM read_csv(?)", [file.name])
    database.execute("CREATE VIEW p AS FROM every WHERE part = 1")
    database.execute("CREATE VIEW span AS FROM every WHERE low < high")
    return database


def p95_ms(times: int, act: Callable[[], object]) -> float:
    """Return how long something takes, in milliseconds; the first time does not count."""
    act()
    latencies_ms = []
    for _ in range(times):
        started_s = time.perf_counter()
        act()
        latencies_ms.append((time.perf_counter() - started_s) * 1000)
    return percentile(latencies_ms, 0.95)


def ask(telecine: Telecine, project: UUID, times: int) -> None:
    """Print how long each kind of number takes over 30 days and over the last one."""
    database = loaded(telecine, project)
    with httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""), timeout=120) as client:
        for question, query in QUESTIONS.items():
            for name, begin in (("a day", ""), ("30 days", "from=2000-01-01T00:00:00Z")):
                url = f"/data/{question}{'&' if '?' in question else '?'}{begin}"
                frame = client.get(url).raise_for_status().json()["context"]["timeframe"]

                def own(url: str = url) -> object:
                    return client.get(url).raise_for_status()

                ours_ms = p95_ms(times, own)
                line = f"{question:32} {name:8} {ours_ms:8.1f} ms p95"
                if query:
                    values = {
                        "begin": datetime.fromisoformat(frame["from"]),
                        "until": datetime.fromisoformat(frame["to"]),
                        "step": timedelta(hours=1) if name == "a day" else timedelta(days=1),
                    }
                    given = {each: value for each, value in values.items() if f"${each}" in query}

                    def other(query: str = query, given: dict[str, object] = given) -> object:
                        return database.execute(query, given).fetchall()

                    theirs_ms = p95_ms(times, other)
                    line += f"; DuckDB {theirs_ms:8.1f} ms, {ours_ms / theirs_ms:5.2f} times"
                print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    print(machine())
    with folder() as data, serving(data) as telecine:
        if options.seconds:
            collect(telecine, options.seconds, options.connections)
        if options.sessions:
            ask(telecine, fill(telecine, options.sessions), options.times)


if __name__ == "__main__":
    main()
