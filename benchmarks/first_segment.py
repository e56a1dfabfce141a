"""Last byte of an upload → first segment served, through a running server.

Uploads with one request (the last byte is the last of its body), or in parts, then asks for the
master, a variant and its first segment until they are there.
"""

import argparse
import contextlib
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from measure import make_source, percentile
from serving import cpu_s, family, folder, machine, name_of, pss_mib, serving

_PAUSE_S = 1.0
"""Uploads of people do not follow each other without a pause."""

BOUNDARY = "----measured"


WHOLE_BYTES, PART_BYTES = 200 << 20, 100 << 20
"""The largest file that comes in one request; a larger one comes in parts of this size."""


class Body:
    """A multipart body of a part of a file; remembers when its last byte was given away."""

    def __init__(self, path: Path, offset: int = 0, most_bytes: int = WHOLE_BYTES) -> None:
        self.path, self.offset = path, offset
        self.length = min(most_bytes, path.stat().st_size - offset)
        self.ended_s = 0.0
        self.head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{path.name}"\r\nContent-Type: video/mp4\r\n\r\n'
        ).encode()
        self.tail = f"\r\n--{BOUNDARY}--\r\n".encode()
        self.size = len(self.head) + self.length + len(self.tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        with self.path.open("rb") as file:
            file.seek(self.offset)
            left = self.length
            while piece := file.read(min(left, 1 << 20)):
                left -= len(piece)
                yield piece
        yield self.tail
        self.ended_s = time.perf_counter()


def run(client: httpx.Client, path: Path) -> float:
    """Upload one file; return seconds from the last byte to the first segment's last."""
    video = client.post("/videos", json={"title": path.name}).raise_for_status().json()
    size = path.stat().st_size
    step = WHOLE_BYTES if size <= WHOLE_BYTES else PART_BYTES
    bodies = [Body(path, offset, step) for offset in range(0, size, step)]
    for number, body in enumerate(bodies, 1):
        headers = {
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Content-Length": str(body.size),
        }
        if len(bodies) > 1:
            headers["Content-Range"] = f"part {number}/{len(bodies)}"
        url = f"/videos/{video['videoId']}/source"
        client.post(url, content=iter(body), headers=headers).raise_for_status()
    base = f"/vod/{video['videoId']}/hls/"
    while (master := client.get(base + "manifest.m3u8")).status_code == 202:
        time.sleep(0.005)
    variant = next(line for line in master.text.splitlines() if line.endswith("/manifest.m3u8"))
    folder = base + variant.rpartition("/")[0] + "/"
    playlist = client.get(base + variant).raise_for_status().text
    init = re.search(r'URI="([^"]+)"', playlist)
    first = next(line for line in playlist.splitlines() if line.endswith(".m4s"))
    if init is None:
        raise SystemExit("the playlist has no init segment")
    client.get(folder + init[1]).raise_for_status()
    client.get(folder + first).raise_for_status()
    elapsed_s = time.perf_counter() - bodies[-1].ended_s
    client.delete(f"/videos/{video['videoId']}").raise_for_status()
    return elapsed_s


class Peaks:
    """The most memory that each process had while a block ran, in MiB.

    Pages that processes share are counted by their share. Looking costs time: nothing is
    timed meanwhile.
    """

    def __init__(self, root: int) -> None:
        self.mib: dict[str, float] = {}
        self._root = root
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Peaks":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            for pid in family(self._root):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    name = "probe" if "probe_program" in name_of(pid) else name_of(pid)
                    if name.partition("-")[0] in ("api", "worker", "probe"):
                        self.mib[name] = max(self.mib.get(name, 0), pss_mib(pid))


def main() -> None:
    """Measure a minute, and two hours at a low rate: key frames every 2 s, and every 10 s.

    By option two hours at a usual rate instead.
    """
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=20)
    options.add_argument("--film", action="store_true", help="2 h of 1080p, 4.6 GB, instead")
    chosen = options.parse_args()
    if chosen.film:
        sources = {"2 h 1080p": make_source(7200, "1920x1080", gop=60, bit_rate="5M")}
    else:
        sources = {
            "1 min 720p": make_source(60, "1280x720", gop=60, bit_rate="2500k"),
            "1 min 720p, key frames 10 s": make_source(60, "1280x720", gop=300, bit_rate="2500k"),
            "2 h 426x240": make_source(7200, "426x240", gop=60, bit_rate="40k"),
            "2 h 426x240, key frames 10 s": make_source(7200, "426x240", gop=300, bit_rate="40k"),
        }
    print(machine())
    with folder() as data, serving(data) as telecine:
        client = httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""), timeout=120)
        for name, path in sources.items():
            for _ in range(2):
                run(client, path)
            before_s = cpu_s(family(telecine.pid))
            times_s = []
            for _ in range(chosen.runs):
                times_s.append(run(client, path))
                time.sleep(_PAUSE_S)
            used_s = (cpu_s(family(telecine.pid)) - before_s) / chosen.runs
            print(
                f"{name} ({path.stat().st_size / 1e6:.0f} MB): p50 "
                f"{percentile(times_s, 0.5):.3f} s, p95 {percentile(times_s, 0.95):.3f} s, max "
                f"{max(times_s):.3f} s, at least {used_s:.2f} s of CPU"
            )
            with Peaks(telecine.pid) as peaks:
                run(client, path)
            told = ", ".join(f"{kind} {mib:.0f} MiB" for kind, mib in sorted(peaks.mib.items()))
            print(f"  memory at most: {told}", flush=True)
    print(machine())


if __name__ == "__main__":
    main()
