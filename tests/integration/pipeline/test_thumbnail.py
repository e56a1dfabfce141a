"""Stills show the picture that viewers see at that time."""

import subprocess
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import MediaError, Runner
from telecine.pipeline import clip as clips
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import Probed, probe
from telecine.pipeline.thumbnail import still, still_of_piece
from telecine.pipeline.watermark import Length, Watermark
from tests.integration.pipeline.clips import HEIGHT_PX, WIDTH_PX, Clip, numbers
from tests.integration.pipeline.test_encode import X264, index_of, local
from tests.integration.pipeline.test_watermark import square

pytestmark = pytest.mark.anyio

CLIPS = (
    Clip(name="keys.mp4", video=(*X264, "-g", "30", "-bf", "3")),
    Clip(name="keys.mkv", video=(*X264, "-g", "30", "-bf", "3")),
    Clip(name="long.ts"),
)


@pytest.fixture
def runner() -> Runner:
    return Runner(find_ffmpeg(None), "required")


def number(jpeg: bytes) -> int:
    with Image.open(BytesIO(jpeg)) as image:
        (found,) = numbers(np.asarray(image.convert("L").resize((WIDTH_PX, HEIGHT_PX))).tobytes())
    return found


async def cut(runner: Runner, path: Path, start_ms: int = 0, end_ms: int | None = None) -> Probed:
    probed = await probe(runner, local(path), path.name)
    wanted = clips.Clip(start_ms=start_ms, end_ms=end_ms)
    part, samples = clips.clipped(probed.probe, index_of(probed), wanted)
    return Probed(part, None if samples is None else samples.to_bytes())


async def taken(runner: Runner, path: Path, probed: Probed, at_s: Fraction | None) -> int:
    made = plan(probed.probe)
    samples = index_of(probed)
    return number(await still(runner, local(path), samples, probed.probe, made, at_s))


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
async def test_a_time_is_that_of_the_part(runner: Runner, clip: Clip, tmp_path: Path) -> None:
    path = clip.make(tmp_path)
    whole = await cut(runner, path)
    part = await cut(runner, path, 3100, 6000)
    for at_s, frame in ((Fraction(0), 0), (Fraction(1), 30), (Fraction("1.999"), 59)):
        assert await taken(runner, path, whole, at_s) == frame
        assert await taken(runner, path, part, at_s) == 93 + frame
    # The last picture is shown until the end, and nothing behind it ever.
    for at_s in (Fraction("2.87"), Fraction("2.8999"), Fraction(50)):
        assert await taken(runner, path, part, at_s) == 179


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
async def test_one_that_we_choose_is_of_the_part(
    runner: Runner, clip: Clip, tmp_path: Path
) -> None:
    path = clip.make(tmp_path)
    for start_ms, end_ms in ((3100, 6000), (3100, 3400)):
        chosen = await taken(runner, path, await cut(runner, path, start_ms, end_ms), None)
        assert 93 <= chosen < end_ms * 30 // 1000
    assert 0 <= await taken(runner, path, await cut(runner, path), None) < clip.pictures


OPENINGS = {
    "black": "drawbox=t=fill:color=black:enable='lt(t,3)',format=yuv420p",
    "blank": "drawbox=t=fill:color=gray:enable='lt(t,3)',format=yuv420p",
    "blurred": "gblur=sigma=24:enable='lt(t,3)',format=yuv420p",
}
KEYS = ("-g", "30", "-bf", "3", "-sc_threshold", "0")
NO_KEYS = ("-g", "999", "-bf", "3", "-sc_threshold", "0")
ALL_KEYS = ("-g", "1", "-bf", "0")


@pytest.mark.parametrize("keys", [KEYS, NO_KEYS, ALL_KEYS], ids=["keys", "one key", "all keys"])
@pytest.mark.parametrize("opening", OPENINGS)
async def test_an_opening_without_anything_to_see_is_passed_over(
    runner: Runner, opening: str, keys: tuple[str, ...], tmp_path: Path
) -> None:
    video = (*X264, *keys)
    clip = Clip(name="opening.mp4", video=video, late=OPENINGS[opening], audio=(), pictures=180)
    path = clip.make(tmp_path)
    assert 90 <= await taken(runner, path, await cut(runner, path), None) <= 150


async def test_all_black_gives_the_first_picture(runner: Runner, tmp_path: Path) -> None:
    black = "drawbox=t=fill:color=black,format=yuv420p"
    path = Clip(name="black.mp4", video=(*X264, *KEYS), late=black, audio=()).make(tmp_path)
    assert await taken(runner, path, await cut(runner, path), None) == -1


@pytest.mark.parametrize("clip", CLIPS[:2], ids=lambda clip: clip.name)
async def test_a_piece_gives_the_same_picture_as_the_source(
    runner: Runner, clip: Clip, tmp_path: Path
) -> None:
    path = clip.make(tmp_path)
    probed = await cut(runner, path)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    name = made.renditions[-1].name
    (encoded,) = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, [name], 1, 3
    )
    for piece, data in enumerate(encoded.pieces, made.segment_pieces[1]):
        first, end = made.piece_cuts[piece], made.piece_cuts[piece + 1]
        for frame in (first, first + 1, (first + end) // 2, end - 1):
            jpeg = await still_of_piece(
                runner, encoded.init, data, frame - first, (WIDTH_PX, HEIGHT_PX)
            )
            assert number(jpeg) == frame


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
async def test_a_turned_picture_stands_upright(runner: Runner, suffix: str, tmp_path: Path) -> None:
    clip = Clip(name=f"turned.{suffix}", before=("-display_rotation", "90"), pictures=40)
    path = clip.make(tmp_path)
    probed = await cut(runner, path)
    made = plan(probed.probe)
    for at_s in (Fraction(1), None):
        jpeg = await still(runner, local(path), index_of(probed), probed.probe, made, at_s)
        with Image.open(BytesIO(jpeg)) as image:
            assert image.size == (HEIGHT_PX, WIDTH_PX)
            upright = image.rotate(-90, expand=True).convert("L")
        (found,) = numbers(np.asarray(upright).tobytes())
        assert found == 30 if at_s else found >= 0


@pytest.mark.parametrize("at_s", [Fraction(1), None])
async def test_watermarks_and_colours_are_those_of_the_video(
    runner: Runner, at_s: Fraction | None, tmp_path: Path
) -> None:
    path = tmp_path / "yellow.mp4"
    make = [str(find_ffmpeg(None)), "-v", "error", "-f", "lavfi", "-i", YELLOW, "-c:v", "libx264"]
    subprocess.run([*make, "-pix_fmt", "yuv420p", str(path)], check=True)  # noqa: ASYNC221
    zero = Length(value=Fraction(0), percent=False)
    mark = Watermark(picture_width_px=80, picture_height_px=80, top=zero, left=zero)
    probed = await cut(runner, path)
    made = plan(probed.probe, PlanOptions(watermarks=(mark,)))
    jpeg = await still(
        runner, local(path), index_of(probed), probed.probe, made, at_s,
        watermarks=(square((0, 0, 255, 255)),),
    )  # fmt: skip
    with Image.open(BytesIO(jpeg)) as image:
        assert image.size == (1280, 720)
        seen = [image.convert("RGB").getpixel(at) for at in ((40, 40), (600, 400))]
    assert np.abs(np.array(seen) - [(0, 0, 255), (220, 200, 30)]).max() <= 12


YELLOW = "color=c=0xDCC81E:s=1280x720:r=30:d=2,scale=out_color_matrix=bt709:out_range=tv"


async def test_without_a_picture_there_is_a_reason(runner: Runner, tmp_path: Path) -> None:
    path = Clip(name="garbage.mp4", pictures=30, audio=()).make(tmp_path)
    probed = await cut(runner, path)
    samples = index_of(probed)
    assert samples is not None
    assert samples.video is not None
    data = bytearray(path.read_bytes())
    for offset, size in zip(samples.video.offsets, samples.video.sizes, strict=True):
        data[offset : offset + size] = bytes(int(size))
    path.write_bytes(data)
    for at_s in (Fraction(0), None):
        with pytest.raises(MediaError) as failed:
            await taken(runner, path, probed, at_s)
        assert failed.value.reason == "no-picture"
