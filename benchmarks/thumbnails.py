"""Pictures far behind a key frame: out of the source against out of a stored piece.

Processor time decides how long the picture that somebody asked for takes. The source is
1080p with a key frame every 250 frames; the piece is of its 720p rendition.
"""

import asyncio
import platform
from fractions import Fraction

from measure import make_source, median, used_cpu_s
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from telecine.pipeline.sample_index import SampleIndex
from telecine.pipeline.thumbnail import decoding_pixels, still, still_of_piece
from telecine.storage.spool import LocalFile


async def main() -> None:
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


if __name__ == "__main__":
    asyncio.run(main())
