"""Watermarks are where they should be, in their own colours, in every rendition."""

import subprocess
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from telecine.pipeline.watermark import Length, Watermark
from tests.integration.pipeline.clips import FFMPEG, Clip, decode
from tests.integration.pipeline.test_conformance import likeness
from tests.integration.pipeline.test_encode import check_times, index_of, local, write

pytestmark = pytest.mark.anyio

Pixels = npt.NDArray[np.int64]


@pytest.fixture
def runner() -> Runner:
    return Runner(find_ffmpeg(None), "required")


def px(value: int) -> Length:
    return Length(value=Fraction(value), percent=False)


def png(image: Image.Image) -> bytes:
    output = BytesIO()
    image.save(output, "PNG")
    return output.getvalue()


def square(colour: tuple[int, ...], side_px: int = 80) -> bytes:
    return png(Image.new("RGBA", (side_px, side_px), colour))


def corner(**wishes: Length | Fraction) -> Watermark:
    facts: dict[str, Length | Fraction] = {"top": px(100), "right": px(20), **wishes}
    return Watermark(picture_width_px=80, picture_height_px=80, **facts)  # type: ignore[arg-type]


def all_pictures(path: Path, width_px: int, height_px: int) -> Pixels:
    """Return them in RGB, converted as their tags say."""
    command = [FFMPEG, "-v", "error", "-i", str(path), "-f", "rawvideo"]
    command += ["-fps_mode", "passthrough", "-vf", "scale=in_color_matrix=auto"]
    output = subprocess.run([*command, "-pix_fmt", "rgb24", "-"], capture_output=True, check=True)
    pictures = np.frombuffer(output.stdout, np.uint8).reshape(-1, height_px, width_px, 3)
    return pictures.astype(np.int64)


def first_picture(path: Path, width_px: int, height_px: int) -> Pixels:
    """Return it in RGB, converted as its tags say."""
    command = [FFMPEG, "-v", "error", "-i", str(path), "-frames:v", "1", "-f", "rawvideo"]
    command += ["-vf", "scale=in_color_matrix=auto", "-pix_fmt", "rgb24", "-"]
    output = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(output, np.uint8).reshape(height_px, width_px, 3).astype(np.int64)


async def shown(
    runner: Runner,
    folder: Path,
    watermarks: tuple[Watermark, ...],
    images: tuple[bytes, ...],
    *,
    name: str = "source.mp4",
    size: tuple[int, int] = (640, 360),
    rate: str = "30",
    qualities: tuple[str, ...] = ("360p",),
    mark: bool = False,
) -> dict[str, Pixels]:
    path = Clip(name=name, pictures=40, size=size, audio=(), rate=rate).make(folder)
    probed = await probe(runner, local(path), name)
    made = plan(
        probed.probe, PlanOptions(watermarks=watermarks, watermarked=mark, passthrough=False)
    )
    encoded = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, qualities, 0, made.segments,
        watermarks=images,
    )  # fmt: skip
    pictures = {}
    for rendition in encoded:
        check_times(made, rendition)
        out = write(folder / f"{rendition.name}.mp4", rendition)
        divisor = made.rendition(rendition.name).rate_divisor
        numbers = decode(out, width_px=size[0], height_px=size[1])
        assert numbers == list(range(0, 40, divisor))
        pictures[rendition.name] = first_picture(out, *made.rendition(rendition.name).size_px)
    return pictures


def near(pixels: Pixels, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    mean = pixels.reshape(-1, 3).mean(axis=0)
    return bool((np.abs(mean - colour) <= tolerance).all())


def grey(pixels: Pixels) -> bool:
    """Tell whether only the source is there: it has no colours."""
    return bool((pixels.max(axis=2) - pixels.min(axis=2)).mean() < 10)


@pytest.mark.parametrize("name", ["source.mp4", "source.mkv"])
@pytest.mark.parametrize("rate", ["30", "30000/1001"])
async def test_it_is_at_its_place_in_every_rendition(
    runner: Runner, name: str, rate: str, tmp_path: Path
) -> None:
    red = square((255, 0, 0, 255))
    pictures = await shown(
        runner, tmp_path, (corner(),), (red,), name=name, rate=rate, qualities=("240p", "360p")
    )
    large, small = pictures["360p"], pictures["240p"]
    assert near(large[104:176, 544:616], (255, 0, 0))
    assert grey(large[:96])
    assert grey(large[184:])
    assert grey(large[:, :536])
    assert grey(large[:, 624:])
    third = Fraction(small.shape[0], 360)
    top, bottom, left, right = (round(edge * third) for edge in (104, 176, 544, 616))
    assert near(small[top:bottom, left:right], (255, 0, 0))
    assert grey(small[: top - 6])
    assert grey(small[bottom + 6 :])
    assert grey(small[:, : left - 6])
    assert grey(small[:, right + 6 :])


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)])
async def test_colours_are_kept_in_high_definition(
    runner: Runner, colour: tuple[int, int, int], tmp_path: Path
) -> None:
    image = square((*colour, 255))
    pictures = await shown(
        runner, tmp_path, (corner(),), (image,), size=(1280, 720), qualities=("720p",)
    )
    assert near(pictures["720p"][104:176, 1184:1256], colour)


async def test_half_opaque_is_half_of_each(runner: Runner, tmp_path: Path) -> None:
    plain = (await shown(runner, tmp_path, (), ()))["360p"][104:176, 544:616].mean()
    half = corner(opacity_percent=Fraction(50))
    for wish, alpha in ((half, 255), (corner(), 128)):
        image = square((255, 255, 255, alpha))
        picture = (await shown(runner, tmp_path, (wish,), (image,)))["360p"]
        assert abs(picture[104:176, 544:616].mean() - (plain + 255) / 2) < 8


async def test_what_is_transparent_leaves_no_edge(runner: Runner, tmp_path: Path) -> None:
    """Black below full transparency must not darken the rim of a white disc."""
    image = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((8, 8, 71, 71), fill=(255, 255, 255, 255))
    plain = (await shown(runner, tmp_path, (), ()))["360p"]
    enlarged = corner(width=px(160))
    picture = (await shown(runner, tmp_path, (enlarged,), (png(image),)))["360p"]
    region = (slice(100, 260), slice(460, 620))
    assert (picture[region] - plain[region]).min() > -25
    assert near(picture[150:210, 510:570], (255, 255, 255))


async def test_several_are_drawn_in_their_order_and_the_sandboxs_mark_above_all(
    runner: Runner, tmp_path: Path
) -> None:
    full = corner(top=px(100), left=px(0), width=px(640), height=px(260))
    images = (square((255, 0, 0, 255)), square((0, 0, 255, 255)))
    picture = (await shown(runner, tmp_path, (full, corner()), images))["360p"]
    assert near(picture[104:176, 544:616], (0, 0, 255))
    assert near(picture[200:350, 20:600], (255, 0, 0))
    marked = (await shown(runner, tmp_path, (full,), images[:1], mark=True))["360p"]
    assert marked[300:, :240, 1].max() > 100
    assert near(marked[200:280, 300:], (255, 0, 0))


async def test_one_that_reaches_over_the_edge_is_cut_off(runner: Runner, tmp_path: Path) -> None:
    wide = corner(left=px(600), width=px(9000), height=px(200))
    picture = (await shown(runner, tmp_path, (wide,), (square((0, 255, 0, 255)),)))["360p"]
    assert near(picture[104:290, 604:], (0, 255, 0))
    assert grey(picture[:, :592])


@pytest.mark.parametrize("name", ["source.mp4", "source.mkv"])
async def test_a_segment_made_alone_has_it_as_in_a_whole_run(
    runner: Runner, name: str, tmp_path: Path
) -> None:
    """As for a viewer who seeks, and as in the ladder: the same marks in the same pictures."""
    path = Clip(name=name, pictures=200, size=(640, 360), audio=()).make(tmp_path)
    probed = await probe(runner, local(path), name)
    marks, images = (corner(opacity_percent=Fraction(60)),), (square((255, 0, 0, 255)),)
    made = plan(probed.probe, PlanOptions(watermarks=marks, watermarked=True, passthrough=False))
    assert made.segments > 1

    async def pictures(first: int, end: int) -> Pixels:
        (encoded,) = await encode_chunk(
            runner, local(path), index_of(probed), probed.probe, made, ["240p"], first, end,
            watermarks=images,
        )  # fmt: skip
        out = write(tmp_path / "out.mp4", encoded)
        return all_pictures(out, *made.rendition("240p").size_px)

    whole, last = await pictures(0, made.segments), made.segments - 1
    first_frame, end_frame = made.segment_frames(last)
    alone = await pictures(last, made.segments)
    assert len(alone) == end_frame - first_frame
    differences = np.abs(whole[first_frame:end_frame] - alone)
    # Two encodes of the same pictures: rate control differs a little, nothing else.
    assert differences.mean(axis=(1, 2, 3)).max() < 3
    width_px, height_px = made.rendition("240p").size_px
    mark = (
        slice(110 * height_px // 360, 170 * height_px // 360),
        slice(550 * width_px // 640, 610 * width_px // 640),
    )
    assert differences[:, *mark].mean(axis=(1, 2, 3)).max() < 3
    for picture in alone:
        assert (picture[*mark, 0] - picture[*mark, 2]).mean() > 100


def stripes(*, upright: bool) -> bytes:
    image = Image.new("RGBA", (640, 260), (0, 0, 0, 255))
    draw = ImageDraw.Draw(image)
    for at in range(0, 640, 40):
        draw.rectangle((at, 0, at + 19, 259) if upright else (0, at, 639, at + 19), "white")
    return png(image)


async def test_what_it_is_compared_with_has_it_too(runner: Runner, tmp_path: Path) -> None:
    path = Clip(name="source.mp4", pictures=90, size=(640, 360), audio=()).make(tmp_path)
    probed = await probe(runner, local(path), path.name)
    mark = Watermark(
        picture_width_px=640, picture_height_px=260, top=px(100), left=px(0),
        opacity_percent=Fraction(60),
    )  # fmt: skip
    made = plan(probed.probe, PlanOptions(watermarks=(mark,), watermarked=True))
    right, wrong = ((stripes(upright=upright),) for upright in (True, False))
    (encoded,) = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, ["360p"], 0, made.segments,
        watermarks=right,
    )  # fmt: skip
    found = await likeness(runner, path, probed, made, encoded, right)
    other = await likeness(runner, path, probed, made, encoded, wrong)
    assert found.vmaf > 95
    assert other.vmaf < 60


async def test_one_that_nobody_sees_changes_nothing(runner: Runner, tmp_path: Path) -> None:
    outside = corner(left=Length(value=Fraction(100), percent=True))
    images = (square((0, 255, 0, 255)), square((255, 0, 0, 255)))
    picture = (await shown(runner, tmp_path, (outside, corner()), images))["360p"]
    assert near(picture[104:176, 544:616], (255, 0, 0))
