"""Pictures that somebody asks for: from `PATCH …/thumbnail` to the new picture, and its cost.

Processor time decides how long one takes that lies far behind a key frame: out of the source
against out of a stored piece. The source is 1080p with a key frame every 250 frames; the piece
is of its 720p rendition. Then a whole Telecine is asked over HTTP: the time from the request
until `thumbnail.jpg` has another ETag, at random times of the video; with its ladder complete,
and while the ladder is made, of times that it has not come to.
"""

import argparse
import asyncio
import platform
import random
import time
from fractions import Fraction
from pathlib import Path

import httpx

from measure import make_source, median, percentile, used_cpu_s
from serving import folder, machine, serving
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from telecine.pipeline.sample_index import SampleIndex
from telecine.pipeline.thumbnail import decoding_pixels, still, still_of_piece
from telecine.storage.spool import LocalFile

WHILE_S = 120
"""Length of what is being encoded; pictures are of its second half."""


async def costs() -> None:
    """Take the last pictures of the first segments both ways."""
    path = make_source(20, "1920x1080")
    runner, source = Runner(find_ffmpeg(None), "required"), LocalFile(path, path.stat().st_size)
    probed = await probe(runner, source, path.name)
    if probed.sample_index is None or probed.probe.video is None:
        raise SystemExit("the source has no index")
    samples = SampleIndex.from_bytes(memoryview(probed.sample_index))
    wanted = plan(probed.probe, PlanOptions(passthrough=False))
    (encoded,) = await encode_chunk(runner, source, samples, probed.probe, wanted, ["720p"], 0, 3)
    print(f"{platform.processor() or platform.machine()}, 1080p30, a key frame every 250")
    ratios = []
    for number, piece in enumerate(encoded.pieces):
        first, end = wanted.piece_cuts[number], wanted.piece_cuts[number + 1]
        before_s = used_cpu_s()
        at_s = Fraction(end - 1) / wanted.frame_rate
        await still(runner, source, samples, probed.probe, wanted, at_s)
        source_s = used_cpu_s() - before_s
        before_s = used_cpu_s()
        await still_of_piece(runner, encoded.init, piece, end - 1 - first, (1920, 1080))
        piece_s = used_cpu_s() - before_s
        ratios.append(piece_s / source_s)
        decoded = decoding_pixels(probed.probe.video, end - 1) // (1920 * 1080)
        print(f"frame {end - 1:4}: source {source_s:.2f} s ({decoded} frames), "
              f"piece {piece_s:.2f} s ({end - first} frames), ratio {ratios[-1]:.2f}")  # fmt: skip
    print(f"median {median(ratios):.2f}")


class Video:
    """An uploaded video whose picture is chosen again and again."""

    def __init__(self, client: httpx.Client, path: Path) -> None:
        self._client = client
        self._path = path
        video = client.post("/videos", json={"title": path.name}).raise_for_status().json()
        self._id = video["videoId"]

    def upload(self, *, to_the_end: bool) -> None:
        """Send the file; wait until it plays, or until its ladder is complete."""
        with self._path.open("rb") as file:
            answer = self._client.post(f"/videos/{self._id}/source", files={"file": file})
            answer.raise_for_status()
        while not self._is_ready(to_the_end=to_the_end):
            time.sleep(0.1)

    def _is_ready(self, *, to_the_end: bool) -> bool:
        encoding = self._client.get(f"/videos/{self._id}/status").json()["encoding"]
        done = self.is_complete() if to_the_end else encoding["playable"]
        return bool(done and self._etag())

    def is_complete(self) -> bool:
        """Tell whether the ladder is."""
        encoding = self._client.get(f"/videos/{self._id}/status").json()["encoding"]
        return {quality["status"] for quality in encoding["qualities"]} == {"encoded"}

    def _etag(self) -> str | None:
        answer = self._client.get(f"/vod/{self._id}/thumbnail.jpg")
        return answer.headers["etag"] if answer.status_code == 200 else None

    def pick_s(self, at_s: float) -> float:
        """Ask for the picture of a time; return the seconds until it is served."""
        before, begun_s = self._etag(), time.perf_counter()
        wish = {"timecode": f"00:{int(at_s // 60):02}:{at_s % 60:06.3f}"}
        self._client.patch(f"/videos/{self._id}/thumbnail", json=wish).raise_for_status()
        while self._etag() in (before, None):
            time.sleep(0.01)
        return time.perf_counter() - begun_s


def over_http(picks: int, seed: int) -> None:
    """Time wishes for two kinds of sources, once their ladders are complete."""
    print(f"PATCH to the new picture, {picks} times, {machine()}")
    with folder() as data, serving(data) as telecine:
        client = httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""), timeout=120)
        for gop in (60, 250):
            video = Video(client, make_source(20, "1920x1080", gop=gop))
            video.upload(to_the_end=True)
            times = random.Random(seed)
            taken_s = [video.pick_s(times.uniform(0, 20)) for _ in range(picks)]
            p50, p95 = (percentile(taken_s, share) for share in (0.5, 0.95))
            print(f"1080p, a key frame every {gop}: p50 {p50:.2f} s  p95 {p95:.2f} s  "
                  f"longest {max(taken_s):.2f} s")  # fmt: skip
            video = Video(client, make_source(WHILE_S, "1920x1080", gop=gop))
            video.upload(to_the_end=False)
            taken_s = [video.pick_s(times.uniform(WHILE_S / 2, WHILE_S)) for _ in range(picks)]
            if video.is_complete():
                raise SystemExit("the ladder was complete before the last picture")
            p50, p95 = (percentile(taken_s, share) for share in (0.5, 0.95))
            print(f"the same while the ladder is made: p50 {p50:.2f} s  p95 {p95:.2f} s  "
                  f"longest {max(taken_s):.2f} s")  # fmt: skip


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picks", type=int, default=20, help="of each video over HTTP")
    parser.add_argument("--seed", type=int, default=1, help="of the times")
    parser.add_argument("--only-http", action="store_true", help="without the costs")
    wanted = parser.parse_args()
    if not wanted.only_http:
        asyncio.run(costs())
    over_http(wanted.picks, wanted.seed)


if __name__ == "__main__":
    main()
