"""Last byte of an upload → first segment served, through a running server.

Uploads with one request (the last byte is the last of the body), then asks for the
master, a variant and its first segment until they are there.
"""

import argparse
import os
import platform
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from measure import make_source, percentile

BOUNDARY = "----measured"


class Body:
    """A multipart body that remembers when its last byte was given away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ended_s = 0.0
        self.head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{path.name}"\r\nContent-Type: video/mp4\r\n\r\n'
        ).encode()
        self.tail = f"\r\n--{BOUNDARY}--\r\n".encode()
        self.size = len(self.head) + path.stat().st_size + len(self.tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        with self.path.open("rb") as file:
            while piece := file.read(1 << 20):
                yield piece
        yield self.tail
        self.ended_s = time.perf_counter()


def run(client: httpx.Client, path: Path) -> float:
    """Upload once; return seconds from the last byte to the first segment's last."""
    video = client.post("/videos", json={"title": path.name}).raise_for_status().json()
    body = Body(path)
    headers = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(body.size),
    }
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
    elapsed_s = time.perf_counter() - body.ended_s
    client.delete(f"/videos/{video['videoId']}").raise_for_status()
    return elapsed_s


def main() -> None:
    """Measure a minute, and two hours at a low rate."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--base-url", default="http://127.0.0.1:8080")
    options.add_argument("--key", required=True)
    options.add_argument("--runs", type=int, default=10)
    chosen = options.parse_args()
    client = httpx.Client(base_url=chosen.base_url, auth=(chosen.key, ""), timeout=120)
    print(platform.machine(), os.cpu_count(), "cores")
    sources = {
        "1 min 720p": make_source(60, "1280x720"),
        "2 h 426x240, 170 kbit/s": make_source(7200, "426x240", bit_rate="40k"),
    }
    for name, path in sources.items():
        times_s = [run(client, path) for _ in range(chosen.runs)]
        print(
            f"{name} ({path.stat().st_size / 1e6:.0f} MB): p50 {percentile(times_s, 0.5):.3f} s, "
            f"p95 {percentile(times_s, 0.95):.3f} s, max {max(times_s):.3f} s"
        )


if __name__ == "__main__":
    main()
