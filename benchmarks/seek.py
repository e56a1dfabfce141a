"""Seeks into parts of a film that nobody has encoded: what a viewer waits for.

A 1080p film is uploaded to a running Telecine whose ladder has just begun, and is held back.
Viewers then ask for segments at random places, each for another one; each answer is timed to
its last byte, and so is raw ffmpeg, which encodes as long a piece with the same settings. With
several viewers the time is compared with one viewer's, times viewers per core. At last the
ladder goes on beside four of them.
"""

import argparse
import random
import threading
import time
from dataclasses import dataclass, field

import httpx
import psycopg

from measure import RawFfmpeg, make_source, percentile
from serving import Telecine, folder, machine, serving

PART_BYTES = 64 << 20


@dataclass
class Times:
    """Seconds from the request to the last byte, and refusals."""

    last_s: list[float] = field(default_factory=list)
    refused: int = 0

    def show(self, name: str) -> None:
        """Print one line."""
        p50, p95 = (percentile(self.last_s, share) for share in (0.5, 0.95))
        print(f"{name:24} p50 {p50:5.2f} s  p95 {p95:5.2f} s  "
              f"{len(self.last_s)} segments, {self.refused} refused")  # fmt: skip


class Film:
    """An uploaded film and the segments that were asked for already."""

    def __init__(self, telecine: Telecine, seconds: int, seed: int) -> None:
        self._auth = (telecine.key, "")
        self._base_url = telecine.base_url
        self._random = random.Random(seed)
        self.path = make_source(seconds, "1920x1080", gop=60, bit_rate="2800k")
        with self.client() as client, self.path.open("rb") as file:
            video = client.post("/videos", json={"title": self.path.name}).raise_for_status().json()
            self.id = video["videoId"]
            url, parts = f"/videos/{self.id}/source", -(-self.path.stat().st_size // PART_BYTES)
            for part in range(1, parts + 1):  # a film of hours is more than one request may have
                told = {"Content-Range": f"part {part}/{parts}"}
                files = {"file": (self.path.name, file.read(PART_BYTES))}
                client.post(url, files=files, headers=told).raise_for_status()
            while client.get(f"/vod/{self.id}/hls/manifest.m3u8").status_code == 202:
                time.sleep(0.05)
            playlist = client.get(f"/vod/{self.id}/hls/720p/manifest.m3u8").raise_for_status().text
        names = [line for line in playlist.splitlines() if line.endswith(".m4s")]
        # Not the beginning: the ladder is at work there.
        self._left = names[len(names) // 5 :]

    def client(self) -> httpx.Client:
        """Return a client that may do everything."""
        return httpx.Client(base_url=self._base_url, auth=self._auth, timeout=120)

    def seek(self, client: httpx.Client, quality: str, times: Times) -> None:
        """Ask for a segment that nobody has asked for."""
        name = self._left.pop(self._random.randrange(len(self._left)))
        url = f"/vod/{self.id}/hls/{quality}/{name}"
        begun_s = time.perf_counter()
        while True:
            with client.stream("GET", url) as reply:
                if reply.status_code == 503:
                    times.refused += 1
                    time.sleep(float(reply.headers["retry-after"]))
                    continue
                reply.raise_for_status()
                reply.read()
            times.last_s.append(time.perf_counter() - begun_s)
            return


def hold_ladder(telecine: Telecine) -> None:
    """Put off all background encodes, and wait until none runs."""
    held = "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 day'"
    waiting = " WHERE queue_name = 'ladder' AND status = 'todo'"
    running = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'ladder'"
    with psycopg.connect(telecine.database_url, autocommit=True) as connection:
        while True:
            connection.execute(held + waiting)  # each that ends puts another one there
            row = connection.execute(running + " AND status = 'doing'").fetchone()
            if row == (0,):
                return
            time.sleep(0.05)


def release_ladder(telecine: Telecine) -> None:
    """Let background encodes go on, and wait until one runs."""
    with psycopg.connect(telecine.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = NULL"
            " WHERE queue_name = 'ladder' AND status = 'todo'"
        )
        running = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"
        while connection.execute(running + " AND queue_name = 'ladder'").fetchone() == (0,):
            time.sleep(0.05)


def watch(film: Film, quality: str, viewers: int, seeks: int) -> Times:
    """Let viewers seek at the same time, each `seeks` times."""
    times = Times()

    def viewer() -> None:
        with film.client() as client:
            for _ in range(seeks):
                film.seek(client, quality, times)

    threads = [threading.Thread(target=viewer) for _ in range(viewers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def main() -> None:
    """Measure one viewer at two qualities, several at the lowest, and those beside a ladder."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=600)
    options.add_argument("--seeks", type=int, default=15)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    print(machine())
    with folder() as data, serving(data) as telecine:
        film = Film(telecine, chosen.seconds, chosen.seed)
        hold_ladder(telecine)
        for quality in ("720p", "240p"):
            alone = watch(film, quality, 1, chosen.seeks)
            alone.show(f"{quality}, 1 viewer")
            raw, every_s = RawFfmpeg(film.path, quality), chosen.seconds / (chosen.seeks + 1)
            bare = Times()
            for number in range(1, chosen.seeks + 1):
                bare.last_s.append(raw.run(number * every_s // 4 * 4, 4))
            bare.show("raw ffmpeg, four seconds")
            shares = [percentile(alone.last_s, p) / percentile(bare.last_s, p) for p in (0.5, 0.95)]
            print(f"viewer / raw ffmpeg: p50 {shares[0]:.2f}, p95 {shares[1]:.2f}")
        seeks = max(4, chosen.seeks // 2)
        for viewers in (2, 4):
            idle = watch(film, "240p", viewers, seeks)
            idle.show(f"240p, {viewers} viewers")
        release_ladder(telecine)
        busy = watch(film, "240p", 4, seeks)
        busy.show("the same beside a ladder")
        ratio = percentile(busy.last_s, 0.95) / percentile(idle.last_s, 0.95)
        print(f"beside a ladder / alone: {ratio:.2f}")
    print(machine())


if __name__ == "__main__":
    main()
