"""Viewers of LL-HLS per core, through the HTTP port, against nginx with the same bytes as files.

Each viewer has two connections, as players have: a playlist that is reloaded blocking, with
gzip, and the part that it hints at. nginx is asked for a file of each kind as often. Only the
CPU of the servers counts. The stream is 5 Mbps, its publisher a process of its own.
"""

import argparse
import asyncio
import gzip
import multiprocessing
import re
import time
from urllib.parse import urlsplit

import httpx
import uvloop

from delivery import nginx_serving
from live_ingest import publish_to
from measure import median
from serving import Telecine, cpu_s, folder, free_port, machine, serving

HINT = re.compile(r'PRELOAD-HINT:TYPE=PART,URI="([\w-]+-(\d+)\.(\d+)\.m4s)"')
RECEIVE_BYTES = 1 << 20


class Connection:
    """A connection that is kept alive."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, headers: str = "") -> tuple[int, bytes]:
        """Return the status and the bytes of an answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self._host, self._port, limit=RECEIVE_BYTES
            )
        reader, writer = self._streams
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n{headers}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"content-length: (\d+)", head)
        return int(head.split()[1]), await reader.readexactly(int(length[1]) if length else 0)


async def watch(base: str, folder_path: str, counts: list[int]) -> None:
    """Follow a stream part by part; count parts and their bytes."""
    parts = urlsplit(base)
    host, port = parts.hostname or "", parts.port or 80
    playlists, media = Connection(host, port), Connection(host, port)
    packed = "Accept-Encoding: gzip\r\n"
    _, body = await playlists.get(f"{folder_path}/index.m3u8", packed)
    while True:
        hint = HINT.search(gzip.decompress(body).decode())
        assert hint is not None
        name, msn, part = hint.groups()
        asked = f"{folder_path}/index.m3u8?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES"
        (_, body), (status, data) = await asyncio.gather(
            playlists.get(asked, packed), media.get(f"{folder_path}/{name}")
        )
        if status == 200:  # the hint of a segment's last part comes to nothing
            counts[0] += 1
            counts[1] += len(data)


async def _viewers(base: str, path: str, count: int, told: "multiprocessing.Queue[int]") -> None:
    counts = [0, 0]
    tasks = [asyncio.ensure_future(watch(base, path, counts)) for _ in range(count)]
    while True:
        await asyncio.wait(tasks, timeout=1, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
        told.put(counts[0])
        told.put(counts[1])


def viewers(base: str, path: str, count: int, told: "multiprocessing.Queue[int]") -> None:
    """Run viewers; every second tell how many parts they have, and how many bytes."""
    uvloop.run(_viewers(base, path, count, told))


async def _fetch(base: str, paths: list[str], count: int, hz: float) -> None:
    parts = urlsplit(base)

    async def one(path: str, delay_s: float) -> None:
        connection = Connection(parts.hostname or "", parts.port or 80)
        await asyncio.sleep(delay_s)
        while True:
            await connection.get(path)
            await asyncio.sleep(1 / hz)

    each = ((path, n / count / hz) for n in range(count) for path in paths)
    await asyncio.gather(*(one(path, delay_s) for path, delay_s in each))


def fetch(
    base: str, paths: list[str], count: int, hz: float, told: "multiprocessing.Queue[int]"
) -> None:
    """Ask for each path `hz` times a second, `count` times over; tell when it begins."""
    told.put(-1)
    uvloop.run(_fetch(base, paths, count, hz))


def drained(told: "multiprocessing.Queue[int]") -> tuple[int, int]:
    """Return what was told last."""
    found = told.get(), told.get()
    while not told.empty():
        found = told.get(), told.get()
    return found


def measure(
    telecine: Telecine,
    path: str,
    nginx: tuple[str, list[int], list[str]],
    given: argparse.Namespace,
) -> tuple[float, float]:
    """Return the CPU of Telecine's process and of nginx, in cores."""
    told: multiprocessing.Queue[int] = multiprocessing.Queue()
    arguments = (telecine.base_url, path, given.viewers, told)
    watching = multiprocessing.Process(target=viewers, args=arguments, daemon=True)
    watching.start()
    drained(told)
    time.sleep(3)
    parts, received = drained(told)
    ours = cores(telecine.api_processes(), given.seconds)
    after = drained(told)
    watching.terminate()
    rate = (after[0] - parts) / given.seconds / given.viewers
    mbps = (after[1] - received) * 8e-6 / given.seconds / given.viewers
    url, pids, paths = nginx
    asking = multiprocessing.Process(
        target=fetch, args=(url, paths, given.viewers, rate, told), daemon=True
    )
    asking.start()
    while told.get() >= 0:
        pass
    theirs = cores(pids, given.seconds)
    asking.terminate()
    print(f"{given.viewers} viewers, {rate:.1f} parts/s and {mbps:.1f} Mbps each:", end=" ")
    print(f"{100 * ours:.1f} % of a core, {given.viewers / ours:.0f} per core;", end=" ")
    print(f"nginx {100 * theirs:.1f} %")
    return ours, theirs


def cores(pids: list[int], seconds: float) -> float:
    """Return how many cores processes use while so much time goes by."""
    before_s, begun_s = cpu_s(pids), time.monotonic()
    time.sleep(seconds)
    return (cpu_s(pids) - before_s) / (time.monotonic() - begun_s)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(machine())
    rtmp_port, port = free_port(), free_port()
    settings = {
        "TELECINE_RTMP_PORT": str(rtmp_port),
        "TELECINE_LIVE_LADDER": "off",
        "TELECINE_API_PROCESSES": "1",
    }
    with folder() as data, serving(data, **settings) as telecine:
        with httpx.Client(base_url=telecine.base_url, auth=(telecine.key, "")) as client:
            made = client.post("/live-streams", json={"name": "Many"}).raise_for_status().json()
            keys, path = [made["streamKey"]], f"/live/{made['liveStreamId']}_source"
            sending = multiprocessing.Process(
                target=publish_to, args=(rtmp_port, keys), daemon=True
            )
            sending.start()
            while client.get(f"{path}/index.m3u8").status_code != 200:
                time.sleep(0.2)
            text = client.get(f"{path}/index.m3u8").text
            name = re.findall(r'EXT-X-PART:DURATION=[\d.]+,URI="([^"]+)"', text)[0]
            bodies = {
                "/part.m4s": client.get(f"{path}/{name}").raise_for_status().content,
                "/index.m3u8": gzip.compress(text.encode(), 1),
            }
        with nginx_serving(bodies, port) as pids:
            nginx = f"http://127.0.0.1:{port}", pids, list(bodies)
            found = [measure(telecine, path, nginx, given) for _ in range(given.rounds)]
        sending.terminate()
    print(
        f"median {given.viewers / median([ours for ours, _ in found]):.0f} viewers per core;",
        end=" ",
    )
    print(f"CPU ours/nginx {median([ours / theirs for ours, theirs in found]):.1f}")
    print(machine())


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
