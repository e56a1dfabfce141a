"""A file that ends before its container says so is told from one that does not."""

import io
import struct

import pytest

from telecine.pipeline.endings import is_cut_off

RIFF = b"RIFF" + struct.pack("<I", 92) + b"AVI " + bytes(88)
LIVE_RIFF = b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"AVI " + bytes(88)
EBML = bytes.fromhex("1a45dfa3 84 01020304")
MATROSKA = EBML + bytes.fromhex("18538067 0100000000000040") + bytes(64)
LIVE_MATROSKA = EBML + bytes.fromhex("18538067 01ffffffffffffff") + bytes(64)
TAG = b"\x09" + (20).to_bytes(3, "big") + bytes(7 + 20)
FLV = b"FLV\x01\x05\0\0\0\x09\0\0\0\0" + TAG + struct.pack(">I", len(TAG))
TS = (b"\x47" + bytes(187)) * 3


@pytest.mark.parametrize(
    ("container", "whole"),
    [("avi", RIFF), ("wav", RIFF), ("matroska,webm", MATROSKA), ("flv", FLV), ("mpegts", TS)],
)
def test_what_is_missing_is_noticed(container: str, whole: bytes) -> None:
    assert not is_cut_off(container, io.BytesIO(whole), len(whole))
    for missing in (1, 5, 30):
        cut = whole[:-missing]
        assert is_cut_off(container, io.BytesIO(cut), len(cut))


@pytest.mark.parametrize(
    ("container", "data"),
    [("avi", LIVE_RIFF[:-9]), ("matroska,webm", LIVE_MATROSKA[:-9]), ("ogg", b"OggS"),
     ("matroska,webm", b""), ("matroska,webm", bytes(40)), ("avi", b"RIF")],
)  # fmt: skip
def test_nothing_is_claimed_where_nothing_is_told(container: str, data: bytes) -> None:
    assert not is_cut_off(container, io.BytesIO(data), len(data))
