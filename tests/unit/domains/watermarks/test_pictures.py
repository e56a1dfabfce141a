import io

import pytest
from PIL import Image, PngImagePlugin

from telecine.domains.watermarks import pictures
from telecine.domains.watermarks.pictures import normalised
from telecine.formats.pictures import BrokenPicture, NotAPicture


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize(
    ("mode", "colour", "pixel"),
    [
        ("RGBA", (255, 0, 0, 100), (255, 0, 0, 100)),
        ("RGB", (0, 255, 0), (0, 255, 0, 255)),
        ("L", 77, (77, 77, 77, 255)),
        ("LA", (77, 5), (77, 77, 77, 5)),
        ("1", 1, (255, 255, 255, 255)),
        ("P", 0, (0, 0, 0, 255)),
        ("I;16", 0x8000, (128, 128, 128, 255)),
    ],
)
def test_every_kind_of_png_becomes_one(
    mode: str, colour: int | tuple[int, ...], pixel: tuple[int, ...]
) -> None:
    made = normalised(encoded(Image.new(mode, (30, 20), colour), "PNG"))
    image = decoded(made.png)
    assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (30, 20))
    assert image.getpixel((5, 5)) == pixel
    assert (made.width_px, made.height_px) == (30, 20)


def test_a_transparent_palette_stays_transparent() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    made = normalised(encoded(image, "PNG", transparency=1))
    pixel = decoded(made.png).getpixel((1, 1))
    assert isinstance(pixel, tuple)
    assert pixel[3] == 0


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_is_opaque(mode: str) -> None:
    image = decoded(normalised(encoded(Image.new(mode, (16, 16)), "JPEG")).png)
    assert image.mode == "RGBA"
    pixel = image.getpixel((3, 3))
    assert isinstance(pixel, tuple)
    assert pixel[3] == 255


def test_it_stands_upright_and_tells_nothing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = "where I live"
    made = normalised(encoded(Image.new("RGB", (40, 20)), "JPEG", exif=exif))
    assert (made.width_px, made.height_px) == (20, 40)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "where I live")
    other = normalised(encoded(Image.new("RGB", (4, 4)), "PNG", pnginfo=texts, icc_profile=b"x"))
    for png in (made.png, other.png):
        assert b"where I live" not in png
        assert b"iCCP" not in png
        assert decoded(png).info == {}


def test_a_huge_one_is_kept_smaller_but_its_size_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "_MAX_SIDE_PX", 100)
    made = normalised(encoded(Image.new("RGB", (400, 200)), "PNG"))
    assert (made.width_px, made.height_px) == (400, 200)
    assert decoded(made.png).size == (100, 50)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"<svg/>", b"\0" * 99])
def test_other_kinds_are_none(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        normalised(data)


def test_a_webp_is_none() -> None:
    with pytest.raises(NotAPicture):
        normalised(encoded(Image.new("RGB", (4, 4)), "WEBP"))


def test_what_is_broken_is_told() -> None:
    png = encoded(Image.effect_noise((64, 64), 50), "PNG")
    for data in (png[:60], png[: len(png) // 2], b"\xff\xd8\xff" + b"\0" * 100):
        with pytest.raises(BrokenPicture, match="cannot be decoded"):
            normalised(data)


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_PIXELS", 99)
    with pytest.raises(BrokenPicture, match="too many pixels"):
        normalised(encoded(Image.new("RGB", (10, 10)), "PNG"))
