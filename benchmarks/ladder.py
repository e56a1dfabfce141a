"""CPU and bytes of our ladder against ONE ffmpeg that decodes once.

Both use the same decoder, cascade and encoder settings. Ours encodes exact chunks in
the sandbox, feeds ffmpeg from its own index, and reads, checks and re-times every
fragment; the peer writes files.
"""

import argparse
import asyncio
import itertools
import platform
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from measure import make_source, median, used_cpu_s
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.pipeline import encoders
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.model import Plan
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import Probed, probe
from telecine.pipeline.sample_index import SampleIndex
from telecine.storage.spool import LocalFile


async def ours(runner: Runner, source: LocalFile, probed: Probed, wanted: Plan) -> dict[str, int]:
    """Encode every chunk; return bytes by quality."""
    index = probed.sample_index
    samples = None if index is None else SampleIndex.from_bytes(memoryview(index))
    names = [rendition.name for rendition in wanted.renditions if not rendition.passthrough]
    sizes = dict.fromkeys(names, 0)
    edges = wanted.chunk_segments
    for first, end in itertools.pairwise(edges):
        encoded = await encode_chunk(
            runner, source, samples, probed.probe, wanted, names, first, end
        )
        for rendition in encoded:
            sizes[rendition.name] += sum(map(len, rendition.pieces))
    return sizes


def raw(ffmpeg: Path, path: Path, wanted: Plan, folder: Path) -> dict[str, int]:
    """What an expert would type: one process, a cascade of scalers, 4 s closed GOPs."""
    renditions = list(reversed(wanted.renditions))
    graph, label = "", "0:v"
    for number, rendition in enumerate(renditions):
        size = f"{rendition.width_px}:{rendition.height_px}"
        graph += f"[{label}]scale={size}:flags=bicubic,format=yuv420p"
        label = f"n{number}"
        last = number == len(renditions) - 1
        graph += f"[o{number}]" if last else f",split=2[o{number}][{label}];"
    command = [str(ffmpeg), "-v", "error", "-nostdin", "-y", "-threads", "2", "-i", str(path)]
    command += ["-filter_complex_threads", "1", "-filter_complex", graph]
    gop = str(round(4 * wanted.frame_rate))
    for number, rendition in enumerate(renditions):
        command += ["-map", f"[o{number}]", *encoders.settings(rendition), "-threads", "2"]
        command += ["-g", gop, "-keyint_min", gop, "-sc_threshold", "0"]
        command += ["-f", "mp4", str(folder / f"{rendition.name}.mp4")]
    subprocess.run(command, check=True)
    return {r.name: (folder / f"{r.name}.mp4").stat().st_size for r in renditions}


async def main() -> None:
    """Alternate the three, print medians and ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=32)
    options.add_argument("--pairs", type=int, default=3)
    chosen = options.parse_args()
    path = make_source(chosen.seconds, "1920x1080", gop=120, bit_rate="5M")
    ffmpeg = find_ffmpeg(None)
    runner = Runner(ffmpeg, "required")
    source = LocalFile(path, path.stat().st_size)
    probed = await probe(runner, source, path.name)
    whole = plan(probed.probe, PlanOptions(passthrough=False))
    copied = plan(replace(probed.probe), PlanOptions())
    times: dict[str, list[float]] = {"raw": [], "ours": [], "copied top": []}
    raw_sizes: dict[str, int] = {}
    our_sizes: dict[str, int] = {}
    for _ in range(chosen.pairs):
        with tempfile.TemporaryDirectory() as folder:
            before = used_cpu_s()
            raw_sizes = raw(ffmpeg, path, whole, Path(folder))
            times["raw"].append(used_cpu_s() - before)
        before = used_cpu_s()
        our_sizes = await ours(runner, source, probed, whole)
        times["ours"].append(used_cpu_s() - before)
        before = used_cpu_s()
        await ours(runner, source, probed, copied)
        times["copied top"].append(used_cpu_s() - before)
    print(f"{platform.processor() or platform.machine()}, {chosen.seconds} s of 1080p30")
    base = median(times["raw"])
    for name, values in times.items():
        ratios = [value / other for value, other in zip(values, times["raw"], strict=True)]
        print(f"{name:12} CPU {median(values):7.2f} s, ratio {median(values) / base:.3f}", end=" ")
        print("pairs", " ".join(f"{ratio:.3f}" for ratio in ratios))
    print("bytes", {name: round(our_sizes[name] / raw_sizes[name], 3) for name in our_sizes})
    copied_top = [rendition.name for rendition in copied.renditions if rendition.passthrough]
    print("passthrough:", copied_top or "none (the ratio above is meaningless)")


asyncio.run(main())
