"""What the benchmarks share: CPU times, medians, a source that looks like a camera's."""

import asyncio
import resource
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.pipeline import encoders
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from telecine.storage.spool import LocalFile

CACHE = Path(__file__).parent / ".cache"

_LOOPED_S = 20


def used_cpu_s() -> float:
    """Return user and system time of this process and its finished children, seconds."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


class RawFfmpeg:
    """What encodes a stretch of a file with the settings of a quality, and nothing else."""

    def __init__(self, path: Path, quality: str) -> None:
        runner, source = Runner(find_ffmpeg(None), "required"), LocalFile(path, path.stat().st_size)
        probed = asyncio.run(probe(runner, source, path.name))
        self._path = path
        self._rendition = plan(probed.probe, PlanOptions(passthrough=False)).rendition(quality)

    def run(self, start_s: float, seconds: float, out: str = "/dev/null") -> float:
        """Encode; return the time that took, in seconds."""
        size = f"{self._rendition.width_px}:{self._rendition.height_px}"
        begun_s = time.perf_counter()
        subprocess.run(
            [str(find_ffmpeg(None)), "-v", "error", "-nostdin", "-y", "-ss", f"{start_s:.6f}",
             "-threads", "2", "-i", str(self._path), "-t", f"{seconds:.6f}", "-an",
             "-vf", f"scale={size}:flags=bicubic,format=yuv420p", "-filter_threads", "1",
             *encoders.settings(self._rendition), "-f", "mp4", out],
            check=True,
        )  # fmt: skip
        return time.perf_counter() - begun_s


def make_source(
    seconds: int, size: str, *, rate_hz: int = 30, gop: int = 250, bit_rate: str | None = None
) -> Path:
    """Return an H.264/AAC MP4 with moving texture, noise and scene cuts; made once."""
    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"source-{seconds}s-{size}-{rate_hz}-{gop}-{bit_rate}.mp4"
    if path.exists():
        return path
    if seconds >= 3 * _LOOPED_S:
        return _looped(
            make_source(_LOOPED_S, size, rate_hz=rate_hz, gop=gop, bit_rate=bit_rate), path
        )
    noise = "noise=alls=7:allf=t"
    pictures = (
        f"mandelbrot=s=480x270:r={rate_hz}:end_pts=60:maxiter=512,scale={size.replace('x', ':')}"
        f"[a];testsrc2=s={size}:r={rate_hz}[b];"
        f"[a][b]blend=all_mode=average,{noise},format=yuv420p"
    )
    control = ["-crf", "19", "-maxrate", "9M", "-bufsize", "18M"]
    if bit_rate is not None:
        control = ["-b:v", bit_rate]
    partial = path.with_suffix(".part.mp4")
    command = [str(find_ffmpeg(None)), "-v", "error", "-nostdin", "-y"]
    command += ["-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", "anoisesrc=c=pink:a=0.2"]
    command += ["-t", str(seconds), "-c:v", "libx264", "-preset", "veryfast", "-g", str(gop)]
    command += [*control, "-c:a", "aac", "-b:a", "128k", str(partial)]
    subprocess.run(command, check=True)
    partial.rename(path)
    return path


def _looped(clip: Path, path: Path) -> Path:
    """Return `clip` repeated until it is as long as the name `path` says, without encoding.

    Its sound is repeated packet by packet: a film whose sound stumbles every 20 s would have
    to be encoded anew.
    """
    seconds = int(path.name.split("-")[1].rstrip("s"))
    partial, sound = path.with_suffix(".part.mp4"), path.with_suffix(".part.aac")
    ffmpeg = [str(find_ffmpeg(None)), "-v", "error", "-nostdin", "-y"]
    subprocess.run([*ffmpeg, "-i", str(clip), "-vn", "-c", "copy", str(sound)], check=True)
    sound.write_bytes(sound.read_bytes() * (seconds // _LOOPED_S))
    command = [*ffmpeg, "-stream_loop", str(seconds // _LOOPED_S - 1), "-i", str(clip)]
    command += ["-i", str(sound), "-map", "0:v", "-map", "1:a", "-c", "copy", str(partial)]
    subprocess.run(command, check=True)
    sound.unlink()
    partial.rename(path)
    return path
