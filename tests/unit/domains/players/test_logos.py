import io

import pytest
from PIL import Image

from telecine.domains.players.logos import HEIGHT_PX, normalised
from telecine.formats.pictures import BrokenPicture, NotAPicture


def encoded(size: tuple[int, int], kind: str = "PNG", **options: object) -> bytes:
    output = io.BytesIO()
    mode, colour = ("RGB", "red") if kind == "JPEG" else ("RGBA", (255, 0, 0, 100))
    Image.new(mode, size, colour).save(output, kind, **options)
    return output.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((200, 100), (60, 30)),
        ((100, 50), (60, 30)),
        ((1, 100), (1, 30)),
        ((200, 31), (194, 30)),
        ((200, 30), (200, 30)),
        ((200, 1), (200, 1)),
    ],
)
def test_it_is_as_high_as_it_is_shown(
    kind: str, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    with Image.open(io.BytesIO(normalised(encoded(size, kind)))) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGBA", shown)
        assert shown[1] <= HEIGHT_PX
        pixel = image.getpixel((0, 0))
        assert isinstance(pixel, tuple)
        assert abs(pixel[0] - 255) < 3
        assert pixel[3] == (100 if kind == "PNG" else 255)


def test_what_comes_along_with_a_picture_stays_behind() -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    clean = normalised(encoded((60, 30), "JPEG", exif=exif, comment=b"secret place"))
    assert b"secret" not in clean
    with Image.open(io.BytesIO(clean)) as image:
        assert not image.info


@pytest.mark.parametrize("size", [(201, 10), (10, 101), (3000, 3000)])
def test_too_large_ones_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(BrokenPicture, match="at most 200x100"):
        normalised(encoded(size))


def bomb() -> bytes:
    """A PNG of a few bytes that claims 3.6 billion pixels."""
    data = bytearray(encoded((60, 60)))
    data[16:24] = (60_000).to_bytes(4) * 2
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [bomb(), encoded((20, 20))[:40], b"\xff\xd8\xff" + bytes(100)],
    ids=["bomb", "cut", "no jpeg"],
)
def test_what_cannot_be_decoded_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenPicture):
        normalised(data)


@pytest.mark.parametrize(
    "data",
    [b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", b"GIF89a", b""],
    ids=["svg", "gif", "nothing"],
)
def test_other_kinds_are_refused(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        normalised(data)
