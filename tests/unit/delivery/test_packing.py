import gzip

import pytest

from telecine.delivery import packing
from telecine.delivery.packing import CODINGS, Packed, acceptable, zstd

TEXT = b"#EXTINF:4.0,\nsegment.m4s\n" * 500
PLAIN = {"zstd": zstd.decompress, "gzip": gzip.decompress}


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip, deflate, br, zstd", ("zstd", "gzip")),
        ("gzip;q=1.0, zstd;q=0.1", ("zstd", "gzip")),
        ("zstd;q=0, gzip", ("gzip",)),
        ("gzip;q=0", ()),
        ("gzip ; q=0.000", ()),
        ("gzip;q=0.001", ("gzip",)),
        ("*", ("zstd", "gzip")),
        ("zstd;q=0, *", ("gzip",)),
        ("gzip, *;q=0", ("gzip",)),
        ("GZIP", ("gzip",)),
        ("identity", ()),
        ("gzippy", ()),
        ("", ()),
    ],
)
def test_what_a_header_takes(header: str, taken: tuple[str, ...]) -> None:
    assert acceptable(header, CODINGS) == taken


def test_headers_that_come_in_lines_are_one() -> None:
    lines = [(b"accept-encoding", b"br"), (b"accept-encoding", b"gzip")]
    assert packing.coding_for({"headers": lines}) == "gzip"
    assert packing.coding_for({"headers": []}) is None


@pytest.mark.parametrize("coding", CODINGS)
def test_it_is_the_text_again(coding: str) -> None:
    for packed in (packing.pack(TEXT, coding), Packed().pack(b'"a"', TEXT, coding)):
        assert PLAIN[coding](packed) == TEXT
        assert len(packed) < len(TEXT) / 10


def test_what_was_compressed_for_all_is_not_compressed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = Packed()
    first = kept.pack(b'"a"', TEXT, "zstd")
    monkeypatch.setattr(packing, "_compress", None)
    assert kept.pack(b'"a"', TEXT, "zstd") is first
    assert kept.get(b'"a"') is first


def test_the_least_used_is_forgotten() -> None:
    bodies = {b'"%d"' % n: b"%d" % n * 1000 for n in range(3)}
    size = {tag: len(Packed().pack(tag, body, "gzip")) for tag, body in bodies.items()}
    kept = Packed(limit_bytes=sum(size.values()) - 1)
    for tag, body in bodies.items():
        kept.pack(tag, body, "gzip")
        kept.get(b'"0"')
    assert [kept.get(tag) is not None for tag in bodies] == [True, False, True]


def test_what_is_larger_than_all_of_it_is_not_kept() -> None:
    kept = Packed(limit_bytes=10)
    assert gzip.decompress(kept.pack(b'"a"', TEXT, "gzip")) == TEXT
    assert kept.get(b'"a"') is None
