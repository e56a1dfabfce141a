"""Uploads in several requests: `bytes first-last/total`."""

import pytest

from telecine.http import multipart
from tests.integration.domains.uploads.sending import Uploads

pytestmark = pytest.mark.anyio

SLUG = "video-content-range"


@pytest.mark.disk
async def test_ranges_become_one_file_in_one_object(uploads: Uploads) -> None:
    await uploads.accept(b"ccc", "bytes 9-11/12")
    await uploads.accept(b"aaaa", "bytes 0-3/*")
    assert await uploads.ingest() == {
        "status": "uploading",
        "filesize": None,
        "receivedBytes": [
            {"from": 0, "to": 3, "total": 12},
            {"from": 9, "to": 11, "total": 12},
        ],
    }
    await uploads.accept(b"bbbbb", "bytes 4-8/12")
    assert await uploads.content() == b"aaaabbbbbccc"
    assert await uploads.assets() == 1
    source = await uploads.source()
    assert source.extents == [{"key": source.key, "offset": 0, "size": 12}]


async def test_the_whole_file_may_be_one_range(uploads: Uploads) -> None:
    await uploads.accept(b"media", " Bytes  0 - 4 / 5 ")
    assert await uploads.content() == b"media"


async def test_an_unknown_total_is_told_by_any_range(uploads: Uploads) -> None:
    await uploads.accept(b"aaaa", "bytes 0-3/*")
    await uploads.accept(b"bbbb", "bytes 4-7/*")
    assert await uploads.assets() == 0
    await uploads.accept(b"c", "bytes 8-8/9")
    assert await uploads.content() == b"aaaabbbbc"


@pytest.mark.parametrize(
    ("slug", "data", "value", "detail"),
    [
        ("started-with-bytes", b"aaaa", "part 1/*", None),
        ("already-initiated", b"aaaa", None, None),
        ("malformed", b"aaaa", "bytes 0-3", None),
        ("by-bytes-different-total-bytes", b"aaaa", "bytes 0-3/13", "12"),
        ("by-bytes-from-byte-too-high", b"aaaa", "bytes 3-0/12", None),
        ("by-bytes-range-mismatch", b"aaaaa", "bytes 0-3/12", None),
        ("by-bytes-range-overlap", b"aaaaa", "bytes 0-4/12", "4-7"),
        ("by-bytes-range-overlap", b"bbbb", "bytes 4-7/12", "4-7"),
        ("by-bytes-range-overlap", b"bb", "bytes 5-6/12", "4-7"),
        ("by-bytes-range-too-small", b"aaa", "bytes 0-2/12", "4"),
        ("by-bytes-to-byte-too-high-allowed", b"a", "bytes 0-52428800000/*", "52428799999"),
        ("by-bytes-to-byte-too-high-total", b"ccccc", "bytes 8-12/12", "12"),
        ("by-bytes-total-bytes-too-high", b"a", "bytes 0-0/52428800001", "52428800000"),
        ("by-bytes-total-bytes-too-high", b"a", "bytes 0-0/32212254721", "32212254720"),
        ("by-bytes-total-bytes-zero", b"a", "bytes 0-0/0", None),
    ],
)
async def test_what_does_not_fit_changes_nothing(
    uploads: Uploads,
    monkeypatch: pytest.MonkeyPatch,
    slug: str,
    data: bytes,
    value: str | None,
    detail: str | None,
) -> None:
    monkeypatch.setattr(multipart, "MAX_FILE_BYTES", 30)
    await uploads.accept(b"bbbb", "bytes 4-7/12")
    told = await uploads.refuse(f"{SLUG}-{slug}", data, value)
    if detail is not None:
        assert told == detail
    await uploads.accept(b"aaaa", "bytes 0-3/12")
    await uploads.accept(b"cccc", "bytes 8-11/12")
    assert await uploads.content() == b"aaaabbbbcccc"


async def test_a_total_below_what_is_held_is_refused(uploads: Uploads) -> None:
    await uploads.accept(b"bbbb", "bytes 4-7/*")
    slug = f"{SLUG}-by-bytes-total-bytes-too-low"
    assert await uploads.refuse(slug, b"aaaa", "bytes 0-3/7") == "7"


async def test_a_range_has_a_largest_size(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart, "MAX_FILE_BYTES", 30)
    slug = f"{SLUG}-by-bytes-range-too-large"
    assert await uploads.refuse(slug, b"a" * 31, "bytes 0-30/62") == "30"
    await uploads.accept(b"a" * 30, "bytes 0-29/62")
    mismatch = f"{SLUG}-by-bytes-range-mismatch"
    told = await uploads.refuse(mismatch, b"a" * 31, "bytes 30-59/62")
    assert told == "The file has more than 30 bytes, the range 30."


async def test_a_range_whose_answer_was_lost_may_come_again(uploads: Uploads) -> None:
    await uploads.accept(b"aaaa", "bytes 0-3/6")
    await uploads.forget_answers()
    await uploads.accept(b"aaaa", "bytes 0-3/6")
    await uploads.refuse(f"{SLUG}-by-bytes-range-overlap", b"aaaa", "bytes 0-3/6")
    await uploads.accept(b"bb", "bytes 4-5/6")
    await uploads.forget_answers()
    await uploads.accept(b"bb", "bytes 4-5/6")
    await uploads.refuse("video-source-already-uploaded", b"bb", "bytes 4-5/6")
    assert await uploads.assets() == 1
