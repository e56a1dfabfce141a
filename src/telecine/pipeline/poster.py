"""The picture of a source without pictures: its cover, or the shape of its sound."""

from telecine.ffmpeg.errors import MediaError
from telecine.ffmpeg.runner import Limits, Runner, input_url, output_url
from telecine.ffmpeg.safety import INPUT_FLAGS
from telecine.pipeline.model import Probe
from telecine.pipeline.reader import SourceReader

WIDTH_PX, HEIGHT_PX = 1280, 720
_QUALITY = 3  # of mjpeg, 2 (best) to 31
_HEARD_S = 600
"""Of longer sound the start has to stand for all of it."""

_LIMITS = Limits(cpu_s=120, memory_bytes=2 << 30, wall_s=240.0)
_JPEG = "scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p"


async def poster(runner: Runner, source: SourceReader, probe: Probe) -> bytes:
    """Return a JPEG that stands for sound alone. `source` must be a local file.

    Raises:
        MediaError: nothing of the sound can be decoded.
        RunnerError: the run was ended from outside, or by a limit on time.
    """
    if probe.audio is None or source.local_path is None:
        msg = "sound and a local source are needed"
        raise ValueError(msg)
    box = f"scale={WIDTH_PX}:{HEIGHT_PX}:force_original_aspect_ratio=decrease"
    cover = f"[0:v:0]{box},pad={WIDTH_PX}:{HEIGHT_PX}:-1:-1,setsar=1,{_JPEG}[o]"
    wave = (
        f"[0:a:{probe.audio.ordinal}]atrim=duration={_HEARD_S},aformat=channel_layouts=mono,"
        f"showwavespic=s={WIDTH_PX}x{HEIGHT_PX}:colors=white:draw=full,{_JPEG}[o]"
    )
    failure = MediaError("no-picture", "nothing was drawn")
    for graph in (cover, wave):
        picture = bytearray()
        try:
            await runner.run(
                _argv(graph),
                limits=_LIMITS,
                input_file=source.local_path,
                outputs=[picture.extend],
            )
        except MediaError as error:  # most sound has no cover
            failure = MediaError("no-picture", str(error))
        if picture:
            return bytes(picture)
    raise failure


def _argv(graph: str) -> list[str]:
    return [
        "-v", "error",
        *INPUT_FLAGS,
        *input_url(),
        "-filter_complex_threads", "1",
        "-filter_complex", graph,
        "-map", "[o]",
        "-frames:v", "1",
        "-c:v", "mjpeg",
        "-q:v", str(_QUALITY),
        "-map_metadata", "-1",
        "-f", "image2pipe",
        output_url(0),
    ]  # fmt: skip
