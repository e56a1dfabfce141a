"""Last byte of an upload → first segment of a rung that has to be encoded for it.

Sources of which nothing can be copied, at 1080p; then one that is copied, with a key frame every
8 s, and a rung beside it that nobody has encoded in advance. The ladder is at work meanwhile, as
it always is behind an upload; the next upload waits until it has gone.
"""

import argparse
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

from first_segment import BOUNDARY, Body
from measure import CACHE, RawFfmpeg, make_source, percentile
from serving import Telecine, folder, machine, serving
from telecine.ffmpeg.binary import find_ffmpeg

SECONDS = 24
SOURCES = {
    "H.264 4:2:2": ("mp4", ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv422p")),
    "HEVC": ("mp4", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")),
    "VP9": ("webm", ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8",
                     "-row-mt", "1", "-b:v", "6M", "-c:a", "libopus")),
    "ProRes": ("mov", ("-c:v", "prores_ks", "-profile:v", "0", "-c:a", "pcm_s16le")),
}  # fmt: skip


@dataclass
class Times:
    """Seconds from the last byte of an upload to the first and the last byte of a segment."""

    first_s: list[float] = field(default_factory=list)
    last_s: list[float] = field(default_factory=list)

    def show(self, name: str) -> None:
        """Print one line."""
        p50, p95 = (percentile(self.last_s, share) for share in (0.5, 0.95))
        first = percentile(self.first_s, 0.95)
        print(f"{name:28} p50 {p50:5.2f} s  p95 {p95:5.2f} s  (first byte p95 {first:5.2f} s)")


def made_of(name: str) -> Path:
    """Return the same film in another codec; made once."""
    suffix, codecs = SOURCES[name]
    film = make_source(SECONDS, "1920x1080", gop=60, bit_rate="6M")
    path = CACHE / f"rung-{SECONDS}s-{name.partition(' ')[0].lower()}.{suffix}"
    if not path.exists():
        partial = path.with_stem(path.stem + ".part")
        command = [str(find_ffmpeg(None)), "-v", "error", "-nostdin", "-y", "-i", str(film)]
        subprocess.run([*command, *codecs, "-g", "60", str(partial)], check=True)
        partial.replace(path)
    return path


def run(client: httpx.Client, path: Path, quality: str, times: Times) -> None:
    """Upload once, and fetch the first segment of a quality as soon as it is listed."""
    video = client.post("/videos", json={"title": path.name}).raise_for_status().json()
    body = Body(path)
    headers = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(body.size),
    }
    url = f"/videos/{video['videoId']}/source"
    client.post(url, content=iter(body), headers=headers).raise_for_status()
    base = f"/vod/{video['videoId']}/hls/"
    while client.get(base + "manifest.m3u8").status_code == 202:
        time.sleep(0.005)
    playlist = client.get(f"{base}{quality}/manifest.m3u8").raise_for_status().text
    segment = next(line for line in playlist.splitlines() if line.endswith(".m4s"))
    while True:
        with client.stream("GET", f"{base}{quality}/{segment}") as reply:
            if reply.status_code == 503:
                time.sleep(float(reply.headers["retry-after"]))
                continue
            reply.raise_for_status()
            first_s = None
            for _ in reply.iter_bytes():
                first_s = first_s or time.perf_counter() - body.ended_s
        break
    times.first_s.append(first_s or 0.0)
    times.last_s.append(time.perf_counter() - body.ended_s)
    client.delete(f"/videos/{video['videoId']}").raise_for_status()


def rest(telecine: Telecine) -> None:
    """Wait until no ladder is at work: that of a deleted video notices soon."""
    with psycopg.connect(telecine.database_url, autocommit=True) as connection:
        running = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"
        while connection.execute(running).fetchone() != (0,):
            time.sleep(0.1)


def main() -> None:
    """Measure every source at 480p and 720p, and 360p beside a copied one."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=8)
    options.add_argument("--only", default="", help="of the sources, by a part of the name")
    chosen = options.parse_args()
    copied = make_source(SECONDS, "1920x1080", gop=240, bit_rate="6M")
    films = [(name, made_of(name), quality) for name in SOURCES for quality in ("480p", "720p")]
    films.append(("copied, key frames of 8 s", copied, "360p"))
    films = [film for film in films if chosen.only in film[0]]
    print(machine())
    with folder() as data, serving(data) as telecine:
        auth = (telecine.key, "")
        with httpx.Client(base_url=telecine.base_url, auth=auth, timeout=120) as client:
            for name, path, quality in films:
                run(client, path, quality, Times())
                times, raw, bare = Times(), RawFfmpeg(path, quality), list[float]()
                for _ in range(chosen.runs):
                    rest(telecine)
                    bare.append(raw.run(0, 8 if path == copied else 2))
                    run(client, path, quality, times)
                times.show(f"{name}, {quality}")
                p50, p95 = (percentile(bare, share) for share in (0.5, 0.95))
                print(f"{'raw ffmpeg, the segment alone':28} p50 {p50:5.2f} s  p95 {p95:5.2f} s")
    print(machine())


if __name__ == "__main__":
    main()
