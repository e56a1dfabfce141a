"""Sheets are made of key pictures alone, and broken ones leave no hole."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import MediaError, Runner
from telecine.formats.mp4.fragment import Init
from telecine.pipeline.probe import probe
from telecine.pipeline.storyboard import KeyPicture, sheet
from tests.fixtures.media import barcode_mp4, read_numbers
from tests.integration.pipeline.test_encode import index_of, local

pytestmark = pytest.mark.anyio

EVERY = 15
TILE_PX = (160, 90)


@pytest.fixture
def runner() -> Runner:
    return Runner(find_ffmpeg(None), "required")


async def key_pictures(runner: Runner, clip: Path) -> tuple[Init, list[KeyPicture]]:
    """Return the key pictures of a clip, which are what pieces of ours begin with."""
    samples = index_of(await probe(runner, local(clip), clip.name))
    assert samples is not None
    assert samples.video is not None
    track, data = samples.video, clip.read_bytes()
    keys = np.flatnonzero(track.keyframes).tolist()
    pictures = [
        KeyPicture(EVERY * n, data[track.offsets[key] :][: track.sizes[key]])
        for n, key in enumerate(keys)
    ]
    return Init(track.stsd, track.timescale, track.width_px, track.height_px), pictures


def tiles(jpeg: bytes, count: int) -> list[int]:
    with Image.open(BytesIO(jpeg)) as image:
        luma = np.asarray(image.convert("L"))
    columns = min(count, 5)
    assert luma.shape == (-(-count // columns) * TILE_PX[1], columns * TILE_PX[0])
    grid = luma.reshape(-1, TILE_PX[1], columns, TILE_PX[0]).swapaxes(1, 2)
    return read_numbers(grid.reshape(-1, TILE_PX[1], TILE_PX[0])[:count])


@pytest.mark.parametrize("count", [1, 4, 5, 17, 25])
async def test_every_tile_shows_its_picture(runner: Runner, count: int) -> None:
    clip = barcode_mp4(frames=25 * EVERY, keyframe_interval=EVERY, audio=False)
    init, pictures = await key_pictures(runner, clip)
    made = await sheet(runner, init, pictures[:count], TILE_PX)
    assert tiles(made, count) == [picture.frame for picture in pictures[:count]]
    assert made == await sheet(runner, init, pictures[:count], TILE_PX)


async def test_a_broken_picture_is_replaced_by_the_one_before(runner: Runner) -> None:
    clip = barcode_mp4(frames=25 * EVERY, keyframe_interval=EVERY, audio=False)
    init, pictures = await key_pictures(runner, clip)
    for broken in (2, 6):
        pictures[broken] = KeyPicture(0, bytes(len(pictures[broken].data)))
    found = tiles(await sheet(runner, init, pictures[:7], TILE_PX), 7)
    assert found == [0, 15, 15, 45, 60, 75, 75]


async def test_without_any_picture_there_is_a_reason(runner: Runner) -> None:
    clip = barcode_mp4(frames=25 * EVERY, keyframe_interval=EVERY, audio=False)
    init, pictures = await key_pictures(runner, clip)
    broken = [KeyPicture(0, bytes(len(picture.data))) for picture in pictures[:3]]
    with pytest.raises(MediaError):
        await sheet(runner, init, broken, TILE_PX)
