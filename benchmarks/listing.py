"""`GET /videos` with a million videos, through a running server.

Fills a project of its own by one INSERT, then measures latencies and CPU per request,
against a route of the same framework that serialises 25 such objects from memory.
"""

import argparse
import contextlib
import multiprocessing
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from measure import percentile
from serving import Telecine, cpu_s, family, folder, machine, name_of, serving

_ROUNDS = 4

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


def fill(telecine: Telecine, videos: int) -> None:
    """Give the project of the key that many videos."""
    with psycopg.connect(telecine.database_url, autocommit=True) as connection:
        query = "SELECT project_id FROM api_key WHERE last_characters = %s"
        row = connection.execute(query, (telecine.key[-4:],)).fetchone()
        if row is None:
            raise SystemExit("no such key")
        connection.execute(FILL, {"project": row[0], "videos": videos})
        connection.execute("VACUUM ANALYZE video")


def measure(
    url: str,
    pids: list[int],
    requests: int,
    auth: tuple[str, str] | None = None,
    database: list[int] | None = None,
) -> tuple[list[float], float, float]:
    """Return latencies in milliseconds, and CPU milliseconds a request.

    The first are those of `pids`, the second those of the processes of the database.
    """
    with httpx.Client(auth=auth) as client:
        for _ in range(10):
            client.get(url).raise_for_status()
        before_s, before_database_s = cpu_s(pids), cpu_s(database or [])
        latencies = []
        for _ in range(requests):
            started_s = time.perf_counter()
            reply = client.get(url)
            latencies.append((time.perf_counter() - started_s) * 1000)
            reply.raise_for_status()
    used_ms = (cpu_s(pids) - before_s) * 1000 / requests
    return latencies, used_ms, (cpu_s(database or []) - before_database_s) * 1000 / requests


def backends(telecine: Telecine) -> list[int]:
    """Return the processes of PostgreSQL, which the figure of the API leaves out."""
    names = {pid: name_of(pid) for pid in family(telecine.pid)}
    # Those that vacuum come and go.
    return [pid for pid in names if "postgres" in names[pid] and "autovac" not in names[pid]]


def memory_route(envelope: dict[str, Any]) -> FastAPI:
    """Return an application whose one route serialises `envelope` from memory."""
    app = FastAPI()

    @app.get("/")
    async def listed() -> JSONResponse:
        return JSONResponse(envelope)

    return app


@contextlib.contextmanager
def from_memory(envelope: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Serve the same objects from memory in a process of its own: its URL and number."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        process = multiprocessing.get_context("fork").Process(
            target=_serve, args=(listener, envelope), daemon=True
        )
        process.start()
        yield url, process.pid or 0
        process.kill()


def _serve(listener: socket.socket, envelope: dict[str, Any]) -> None:
    config = uvicorn.Config(memory_route(envelope), log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


def show(name: str, latencies: list[float], cpu_ms: float, database_ms: float) -> None:
    """Print one line."""
    p50, p95, p99 = (percentile(latencies, share) for share in (0.5, 0.95, 0.99))
    print(f"{name:14} p50 {p50:7.1f} ms  p95 {p95:7.1f}  p99 {p99:7.1f}  "
          f"CPU {cpu_ms:.2f} ms a request, PostgreSQL beside it {database_ms:.2f} ms")  # fmt: skip


def main() -> None:
    """Fill, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--videos", type=int, default=1_000_000)
    chosen = options.parse_args()
    print(f"{machine()}, {chosen.videos} videos")
    with folder() as data, serving(data) as telecine:
        fill(telecine, chosen.videos)
        auth = (telecine.key, "")
        pids = telecine.api_processes()
        deep = chosen.videos // 100
        cases = {
            "first page": ("", 400),
            "title filter": ("&title=c4ca4238", 100),
            f"page {deep}": (f"&currentPage={deep}", 60),
            "by title": ("&sortBy=title", 100),
            "tag": ("&tags[]=tag7", 50),
        }
        for name, (query, requests) in cases.items():
            url = f"{telecine.base_url}/videos?pageSize=25{query}"
            show(name, *measure(url, pids, requests, auth, backends(telecine)))
        url = f"{telecine.base_url}/videos?pageSize=25"
        envelope = httpx.get(url, auth=auth).raise_for_status().json()
        with from_memory(envelope) as (bare, pid):
            for _ in range(_ROUNDS):
                memory = measure(bare, [pid], 400)
                listed = measure(url, pids, 400, auth, backends(telecine))
                show("from memory", *memory)
                show("first page", *listed)
                limit_ms = 3 * memory[1] + 1.5
                print(
                    f"allowed are {limit_ms:.2f} ms: {'kept' if listed[1] <= limit_ms else 'OVER'}"
                )
    print(machine())


if __name__ == "__main__":
    main()
