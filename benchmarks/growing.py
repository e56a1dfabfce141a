"""First ten seconds of media received → first segment, while the upload goes on.

Sends the part of a file that has its first ten seconds by tus, stops there, and asks for
the master, a variant and its first segment until they are there; then sends the rest. An
MP4 with its index in front gives its own frames, the others a segment that is encoded for
this viewer. Beside it: how long ffmpeg alone takes to encode the same two seconds.
"""

import argparse
import re
import subprocess
import tempfile
import time
from pathlib import Path

import httpx

from measure import make_source, percentile
from serving import folder, machine, serving
from telecine.ffmpeg.binary import find_ffmpeg

RECEIVED_S, LENGTH_S = 10, 60
TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
KINDS = {
    "MP4, index in front": ("mp4", "-movflags", "+faststart"),
    "fragmented MP4": ("mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof"),
    "Matroska": ("mkv",),
    "MPEG-TS": ("ts",),
}


def remuxed(path: Path, into: Path, kind: tuple[str, ...], seconds: int | None = None) -> Path:
    """Return the source in another container, or its first seconds."""
    made = into / f"source-{abs(hash(kind))}-{seconds}.{kind[0]}"
    cut = [] if seconds is None else ["-t", str(seconds)]
    command = [str(find_ffmpeg(None)), "-v", "error", "-nostdin", "-y", "-i", str(path), *cut]
    subprocess.run([*command, "-c", "copy", *kind[1:], str(made)], check=True)
    return made


def run(client: httpx.Client, content: bytes, received: int, rung: int) -> float:
    """Upload once; return seconds from the answer to the first bytes to a segment's last."""
    length = {"Upload-Length": str(len(content))}
    made = client.post("/tus/", headers={**TUS, **length}).raise_for_status()
    video_id = made.headers["location"].rpartition("/")[2]
    url, base = f"/tus/{video_id}", f"/vod/{video_id}/hls/"
    first = {**TUS, "Upload-Offset": "0"}
    client.patch(url, content=content[:received], headers=first).raise_for_status()
    begun_s = time.perf_counter()
    while (master := client.get(base + "manifest.m3u8")).status_code == 202:
        time.sleep(0.005)
    variants = re.findall(r"^\d+p/manifest\.m3u8$", master.text, re.MULTILINE)
    variant = sorted(variants, key=lambda uri: int(uri.partition("p")[0]))[rung]
    playlist = client.get(base + variant).raise_for_status().text
    if "#EXT-X-ENDLIST" in playlist:
        raise SystemExit("the upload has ended")
    init, segment = (
        re.search(r'URI="([^"]+)"', playlist),
        re.search(r"^.*\.m4s", playlist, re.MULTILINE),
    )
    if init is None or segment is None:
        raise SystemExit("a playlist without segments")
    place = base + variant.rpartition("/")[0] + "/"
    for name in (init[1], segment[0]):
        while (answer := client.get(place + name)).status_code == 503:
            time.sleep(0.05)
        answer.raise_for_status()
    elapsed_s = time.perf_counter() - begun_s
    rest = {**TUS, "Upload-Offset": str(received)}
    client.patch(url, content=content[received:], headers=rest).raise_for_status()
    client.delete(f"/videos/{video_id}").raise_for_status()
    return elapsed_s


def alone_s(path: Path) -> float:
    """Return how long ffmpeg takes to encode the first two seconds at 240p."""
    command = [str(find_ffmpeg(None)), "-v", "error", "-nostdin", "-y", "-i", str(path), "-t", "2"]
    command += ["-vf", "scale=-2:240", "-an", "-c:v", "libx264", "-preset", "veryfast"]
    begun_s = time.perf_counter()
    subprocess.run([*command, "-threads", "2", "-f", "mp4", "-movflags", "frag_keyframe+empty_moov",
                    "/dev/null"], check=True)  # fmt: skip
    return time.perf_counter() - begun_s


def main() -> None:
    """Measure each kind of container."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=8)
    chosen = options.parse_args()
    source = make_source(LENGTH_S, "1280x720", gop=60, bit_rate="2500k")
    print(machine())
    with (
        tempfile.TemporaryDirectory() as made,
        folder() as data,
        serving(data) as telecine,
        httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""), timeout=120) as client,
    ):
        for name, kind in KINDS.items():
            path = remuxed(source, Path(made), kind)
            content = path.read_bytes()
            # What is in front of the media comes on top of its share.
            received = len(content) * RECEIVED_S // LENGTH_S
            if kind[0] == "mp4" and "+faststart" in kind:
                received += content.index(b"mdat")
            rung = -1 if "+faststart" in kind else 0
            run(client, content, received, rung)
            times_s = [run(client, content, received, rung) for _ in range(chosen.runs)]
            raw_s = sorted(alone_s(path) for _ in range(5))[2]
            print(
                f"{name}: p50 {percentile(times_s, 0.5):.3f} s, p95 "
                f"{percentile(times_s, 0.95):.3f} s, max {max(times_s):.3f} s; ffmpeg alone "
                f"encodes the first segment at 240p in {raw_s:.3f} s"
            )
    print(machine())


if __name__ == "__main__":
    main()
