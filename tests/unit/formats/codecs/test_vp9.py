"""The size of VP9's pictures, which nothing else of a stream tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.codecs.vp9 import key_frame_size_px

# What libvpx begins with: 4:2:0, 4:4:4 and 4:2:0 of ten bits, 320x180.
WRITTEN = (
    "824983420013f00b360438241c",
    "a249834200027e0166c0870483",
    "924983420009f8059b021c120e",
)


def header(
    width_px: int,
    height_px: int,
    *,
    profile: int = 0,
    shown_again: bool = False,
    key: bool = True,
    sync: int = 0x498342,
    colors: int = 2,
) -> bytes:
    """Write an uncompressed header (VP9 bitstream specification, 6.2), padded with ones."""
    bits = f"10{profile & 1}{profile >> 1}" + "0" * (profile == 3) + str(int(shown_again))
    bits += f"{int(not key)}10{sync:024b}" + "1" * (profile >= 2) + f"{colors:03b}"
    if colors == 7:
        bits += "0" * (profile in (1, 3))
    else:
        bits += "0" + "010" * (profile in (1, 3))
    bits += f"{width_px - 1:016b}{height_px - 1:016b}"
    bits += "1" * (-len(bits) % 8 + 8)
    return int(bits, 2).to_bytes(len(bits) // 8)


@given(
    st.integers(1, 1 << 16),
    st.integers(1, 1 << 16),
    st.integers(0, 3),
    st.sampled_from([0, 2, 7]),
)
def test_the_size_is_read_whatever_is_before_it(
    width_px: int, height_px: int, profile: int, colors: int
) -> None:
    data = header(width_px, height_px, profile=profile, colors=colors)
    assert key_frame_size_px(data + bytes(100)) == (width_px, height_px)


@pytest.mark.parametrize("written", WRITTEN)
def test_the_size_is_what_an_encoder_wrote(written: str) -> None:
    assert key_frame_size_px(bytes.fromhex(written)) == (320, 180)


def test_what_is_no_key_frame_tells_nothing() -> None:
    for data in (
        header(640, 360, shown_again=True),
        header(640, 360, key=False),
        header(640, 360, sync=0x498343),
        b"\x00" + header(640, 360),
        b"",
    ):
        assert key_frame_size_px(data) is None


@given(st.binary(max_size=64))
def test_anything_can_come(data: bytes) -> None:
    found = key_frame_size_px(data)
    assert found is None or min(found) >= 1


@pytest.mark.parametrize("length", range(9))
def test_a_header_that_is_cut_short_tells_nothing(length: int) -> None:
    assert key_frame_size_px(header(640, 360)[:length]) is None
