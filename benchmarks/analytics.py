"""Viewers' analytics: events stored in a second, and how long numbers take.

Batches of 20 events, each of another viewer, go over a few connections to a running server
until the time is over; what counts is what the database has afterwards. Then a project is
filled with playbacks by one INSERT and asked for every kind of number.
"""

import argparse
import json
import multiprocessing
import socket
import time
from urllib.parse import urlsplit

import httpx
import psycopg

from measure import percentile
from serving import Telecine, cpu_s, folder, machine, serving

EVENTS = 20
_TYPES = (2, 3, 4, 7)

FILL = """
INSERT INTO playback (id, project_id, key, session_id, generation, media_id, media_type,
       loaded_at, last_at, impression_at, started_at, ended_at, load_ms, watched, watched_ms,
       skew_ms, viewer, referrer, device_type, os, browser)
SELECT gen_random_uuid(), %(project)s, decode(md5(n::text), 'hex'), 'ps' || n, 2,
       'vi' || n %% 5000, 'video', t, t + watched, t + interval '1 second',
       CASE WHEN n %% 4 > 0 THEN t + interval '2 seconds' END,
       CASE WHEN n %% 8 = 1 THEN t + watched END, n %% 900,
       tstzmultirange(tstzrange(t, t + watched)), extract(epoch FROM watched) * 1000,
       0, decode(md5((n %% 300000)::text), 'hex'), 'https://example.com/' || n %% 50,
       (ARRAY['computer', 'phone', 'tablet'])[1 + n %% 3],
       (ARRAY['windows', 'ios', 'android', 'linux'])[1 + n %% 4],
       (ARRAY['chrome', 'safari', 'firefox'])[1 + n %% 3]
  FROM (SELECT n, now() - n * interval '30 days' / %(sessions)s AS t,
               (10 + n %% 600) * interval '1 second' AS watched
          FROM generate_series(1, %(sessions)s) AS n) AS made
 ORDER BY t
"""
QUESTIONS = (
    "metrics/play/count",
    "metrics/play/rate",
    "metrics/watch-time/sum",
    "metrics/view/count?unique=true",
    "metrics/ccv/peak",
    "metrics/ccv/live",
    "buckets/play/media-id",
    "buckets/play/device-type",
    "buckets/ccv-peak/browser",
    "timeseries/play",
    "timeseries/view",
    "timeseries/ccv-average",
)


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


def ask(telecine: Telecine, sessions: int, times: int) -> None:
    """Print how long each kind of number takes over 30 days and over the last one."""
    with psycopg.connect(telecine.database_url, autocommit=True) as connection:
        query = "SELECT project_id FROM api_key WHERE last_characters = %s"
        row = connection.execute(query, (telecine.key[-4:],)).fetchone()
        if row is None:
            raise SystemExit("no such key")
        connection.execute(FILL, {"project": row[0], "sessions": sessions})
        connection.execute("VACUUM ANALYZE playback")
    with httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""), timeout=120) as client:
        for question in QUESTIONS:
            for name, begin in (("a day", ""), ("30 days", "from=2000-01-01T00:00:00Z")):
                url = f"/data/{question}{'&' if '?' in question else '?'}{begin}"
                client.get(url).raise_for_status()
                latencies_ms = []
                for _ in range(times):
                    started_s = time.perf_counter()
                    client.get(url).raise_for_status()
                    latencies_ms.append((time.perf_counter() - started_s) * 1000)
                p95_ms = percentile(latencies_ms, 0.95)
                print(f"{question:32} {name:8} {p95_ms:8.1f} ms p95")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    print(machine())
    with folder() as data, serving(data) as telecine:
        collect(telecine, options.seconds, options.connections)
        ask(telecine, options.sessions, options.times)


if __name__ == "__main__":
    main()
