"""`GET /videos` with a million videos, through a running server.

Fills a project of its own by one INSERT, then measures latencies and CPU per request,
against a route of the same framework that serialises 25 such objects from memory.
"""

import argparse
import os
import platform
import time
from pathlib import Path

import httpx
import psycopg

from measure import percentile

FILL = """
INSERT INTO video (id, project_id, public_id, title, description, public, panoramic,
                   mp4_support, tags, metadata, created_at, published_at, updated_at)
SELECT gen_random_uuid(), %(project)s, 'vi' || lpad(n::text, 22, '0'),
       'Video ' || n || ' ' || md5(n::text), '', true, false, true,
       ARRAY['tag' || n %% 1000],
       jsonb_build_array(jsonb_build_object('key', 'k', 'value', n::text)),
       now() - n * interval '1 second', now() - n * interval '1 second',
       now() - n * interval '1 second'
  FROM generate_series(1, %(videos)s) n
"""


def cpu_s(pids: list[int]) -> float:
    """Return the CPU time of processes, in seconds."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def api_processes() -> list[int]:
    """Return the running API processes of this machine."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            if b"telecine.processes.api" in command:
                found.append(int(entry.name))
    return found


def measure(client: httpx.Client, path: str, requests: int) -> tuple[list[float], float]:
    """Return latencies in milliseconds, and CPU milliseconds of the API a request."""
    pids = api_processes()
    before = cpu_s(pids)
    latencies = []
    for _ in range(requests):
        started = time.perf_counter()
        reply = client.get(path)
        latencies.append((time.perf_counter() - started) * 1000)
        reply.raise_for_status()
    return latencies, (cpu_s(pids) - before) * 1000 / requests


def main() -> None:
    """Fill, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--base-url", default="http://127.0.0.1:8080")
    options.add_argument("--key", required=True, help="an API key of the project to fill")
    options.add_argument("--database-url", required=True)
    options.add_argument("--videos", type=int, default=1_000_000)
    chosen = options.parse_args()
    client = httpx.Client(base_url=chosen.base_url, auth=(chosen.key, ""))
    client.get("/videos").raise_for_status()
    with psycopg.connect(chosen.database_url, autocommit=True) as connection:
        query = "SELECT project_id FROM api_key WHERE last_characters = %s"
        row = connection.execute(query, (chosen.key[-4:],)).fetchone()
        if row is None:
            raise SystemExit("no such key")
        query = "SELECT count(*) FROM video WHERE project_id = %s"
        held = connection.execute(query, row).fetchone()
        if held is not None and held[0] < chosen.videos:
            connection.execute(FILL, {"project": row[0], "videos": chosen.videos})
        connection.execute("VACUUM ANALYZE video")
    print(f"{platform.machine()}, {os.cpu_count()} cores, {chosen.videos} videos")
    cases = {
        "first page": ("/videos?pageSize=25", 400),
        "title filter": ("/videos?pageSize=25&title=c4ca4238", 100),
        "page 10 000": ("/videos?pageSize=25&currentPage=10000", 50),
        "tag": ("/videos?pageSize=25&tags[]=tag7", 50),
    }
    for name, (path, requests) in cases.items():
        latencies, cpu_ms = measure(client, path, requests)
        print(
            f"{name:14} p50 {percentile(latencies, 0.5):7.1f} ms  p95 "
            f"{percentile(latencies, 0.95):7.1f}  p99 {percentile(latencies, 0.99):7.1f}  "
            f"CPU {cpu_ms:.2f} ms a request"
        )


if __name__ == "__main__":
    main()
