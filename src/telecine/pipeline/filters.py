"""ffmpeg's filter graph: from decoded pictures to every rendition, scaled in a cascade."""

from collections.abc import Sequence
from dataclasses import dataclass

from telecine.pipeline.colours import HIGH_DYNAMIC_RANGE
from telecine.pipeline.model import Plan, VideoRendition, VideoTrack
from telecine.pipeline.sandbox_mark import mark
from telecine.pipeline.watermark import place

_TRANSPOSE = {90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}

_HD_HEIGHT_PX = 720
_HD, _SD = "bt709", "smpte170m"

# Diffuse white of HDR is 203 cd/m² (ITU-R BT.2408). The order is: linear light, gamut,
# roll-off of highlights, gamma. Float planes between, or dark areas show bands.
_TONEMAP = (
    "zscale=tin={transfer}:pin=bt2020:min=bt2020nc:rin={range}:t=linear:npl=203,format=gbrpf32le,"
    "zscale=p=bt709,tonemap=mobius:desat=0,zscale=t=bt709:m=bt709:r=tv"
)


@dataclass(frozen=True, slots=True)
class Source:
    """What enters the graph: a stream, and the expression that gives our time.

    Pictures are laid on the grid from `start_frame` on, which lies before the wanted
    ones: where those cannot be decoded, the last good picture is held.
    """

    video: VideoTrack
    stream: str
    shift: str
    start_frame: int


def filter_graph(
    source: Source,
    plan: Plan,
    renditions: Sequence[VideoRendition],
    first_frame: int,
    end_frame: int,
) -> str:
    """Return the graph for frames [first, end); rendition n comes out of `[on]`.

    The renditions must be given largest first: each is scaled from the one before.
    """
    chains = []
    chain = f"[{source.stream}]" + ",".join(grid(source, plan, first_frame, end_frame))
    halved = False
    for number, rendition in enumerate(renditions):
        steps = []
        if rendition.rate_divisor == 2 and not halved:
            halved = True
            steps += _every_second(first_frame)
        if number == 0:
            chain = ",".join((chain, *steps, *conversion(source.video, rendition.size_px)))
            *finished, chain = burnt_in(chain, source.video, plan, rendition.size_px)
            chains += finished
            steps = mark(*rendition.size_px) if plan.watermarked else []
        else:
            # Sizes are rounded to even: `scale` would make up for it in the pixels' shape,
            # by another amount below each size, and one rendition had many headers.
            steps += [_scale(rendition.width_px, rendition.height_px), "setsar=1"]
        link = "," if number == 0 and steps else ""
        chain += link + ",".join(steps)
        if number < len(renditions) - 1:
            chains.append(f"{chain},split=2[o{number}][n{number}]")
            chain = f"[n{number}]"
        else:
            chains.append(f"{chain}[o{number}]")
    return ";".join(chains)


def burnt_in(chain: str, video: VideoTrack, plan: Plan, size_px: tuple[int, int]) -> list[str]:
    """Return `chain` and what draws the plan's watermarks on it; the last one goes on.

    Watermark n is the only picture of input n + 1, with straight alpha.
    """
    chains = []
    for number, watermark in enumerate(plan.watermarks):
        at = place(watermark, (plan.width_px, plan.height_px), size_px)
        if at is None:
            continue
        steps = [
            # Scaled with the colours that are seen, not with those below transparency.
            "format=gbrap",
            "premultiply=inplace=1",
            _scale(at.width_px, at.height_px),
            "unpremultiply=inplace=1",
            f"colorchannelmixer=aa={float(watermark.opacity_percent / 100):.4f}",
            f"scale=out_color_matrix={_matrix(video)}:out_range=tv",
            "format=yuva420p",
            _labelled(video),
        ]
        chains += [f"{chain}[v{number}]", f"[{number + 1}:v:0]{','.join(steps)}[w{number}]"]
        # One picture without an end: the last is repeated.
        chain = f"[v{number}][w{number}]overlay=x={at.x}:y={at.y}:eof_action=repeat:format=yuv420"
    return [*chains, chain]


def _matrix(video: VideoTrack) -> str:
    matrix = shown_colour(video)[2]
    return "bt2020nc" if matrix == "bt2020c" else matrix


def grid(source: Source, plan: Plan, first_frame: int, end_frame: int) -> list[str]:
    """Lay pictures on the plan's grid and keep frames [first, end)."""
    rate = plan.frame_rate
    steps = [f"setpts='{source.shift}'"]
    if source.video.interlaced:
        # One picture a frame; frames that are marked progressive pass untouched.
        steps.append("bwdif=mode=send_frame:deint=interlaced")
    start_s = float(source.start_frame / rate)
    options = f"round=near:start_time={start_s:.6f}:eof_action=pass"
    return [
        *steps,
        f"fps={rate.numerator}/{rate.denominator}:{options}",
        "tpad=stop=-1:stop_mode=clone",
        f"trim=start_pts={first_frame}:end_pts={end_frame}",
        f"setpts=PTS-{first_frame}",
    ]


def _every_second(first_frame: int) -> list[str]:
    """Keep the even frames: a half-rate rendition has the same ones whatever the cut."""
    skip = ["trim=start_frame=1"] if first_frame % 2 else []
    return [*skip, "framestep=2"]


def conversion(video: VideoTrack, size_px: tuple[int, int]) -> list[str]:
    """Bring pictures to a size as shown, and to the kind of picture that we encode."""
    width, height = size_px
    turn = _TRANSPOSE.get(video.rotation_deg)
    if video.rotation_deg in (90, 270):
        width, height = height, width  # smaller pictures turn faster: scale first
    options = ""
    if video.transfer in HIGH_DYNAMIC_RANGE:
        tonemap = _TONEMAP.format(transfer=video.transfer, range="pc" if video.full_range else "tv")
        steps = [_scale(width, height), tonemap]
    else:
        if video.matrix == "gbr":
            options = f":out_color_matrix={_matrix(video)}"
        steps = [_scale(width, height) + ":out_range=tv" + options]
    steps.append("format=yuv420p")
    if video.mirrored:
        steps.append("hflip")
    if turn is not None:
        steps.append(turn)
    # All renditions say the same, or colours change at a switch.
    return [*steps, "setsar=1", _labelled(video)]


def _labelled(video: VideoTrack) -> str:
    primaries, transfer, matrix = shown_colour(video)
    return (
        f"setparams=range=tv:color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}"
    )


def _scale(width_px: int, height_px: int) -> str:
    return f"scale={width_px}:{height_px}:flags=bicubic"


def shown_colour(video: VideoTrack) -> tuple[str, str, str]:
    """Return (primaries, transfer, matrix) of all transcoded renditions.

    What the source says, BT.709 for HDR, and where it says nothing what players would
    guess from its size.
    """
    if video.transfer in HIGH_DYNAMIC_RANGE:
        return _HD, _HD, _HD
    guess = _HD if min(video.width_px, video.height_px) >= _HD_HEIGHT_PX else _SD
    matrix = video.matrix if video.matrix not in (None, "gbr", "ycgco") else guess
    return video.primaries or guess, video.transfer or guess, matrix
