"""Every documented error of an upload, over the wire: its whole problem, and no trace of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.conftest import accepted

REFERENCE = "https://docs.api.video/reference/"
RANGE = "video-content-range"
HEADER = 'in the "Content-Range" header'

MIN = 5 * 1024 * 1024
MAX = 200 * 1024 * 1024
TOTAL = 2 * MIN + 100

STATES: dict[str, str | None] = {
    "empty": None,
    "parts": "part 2/*",
    "3 parts": "part 2/3",
    "bytes": f"bytes {MIN}-{2 * MIN - 1}/*",
    "all bytes": f"bytes {MIN}-{2 * MIN - 1}/{TOTAL}",
}
"""What a video has had before; besides, one may be complete, downloaded or copied."""


@dataclass(frozen=True)
class Row:
    """An error: what it is told with, and a request that makes it."""

    slug: str
    title: str
    detail: str | None
    state: str
    header: str | None
    size: int = 10
    name: str = "Content-Range"


def of_range(
    slug: str, title: str, state: str, header: str, detail: str | None = None, size: int = 10
) -> Row:
    return Row(f"{RANGE}-{slug}", title, detail, state, header, size)


def of_file(
    slug: str, title: str, state: str, header: str | None, detail: str | None = None, size: int = 10
) -> Row:
    return Row(slug, title, detail, state, header, size, name="file")


ALREADY = "This video source has already been"
MIXED = 'This "Content-Range" upload has been started with'
LIMIT_OF_PARTS = "is higher than the maximum number of parts allowed for a video."
NOT_ZERO = f"value {HEADER} must be greater than 0."
OTHER_TOTAL = "must be the same than the one you already set for this video."

ROWS = [
    of_file("uploaded-file-empty", "The uploaded file is empty.", "empty", None, size=0),
    of_file("uploaded-file-empty", "The uploaded file is empty.", "3 parts", "part 3/3", size=0),
    of_file(
        "uploaded-file-too-large",
        "The uploaded file is too large.",
        "empty",
        None,
        f"The maximum size is {MAX} bytes.",
        MAX + 1,
    ),
    of_file("video-source-already-uploaded", f"{ALREADY} uploaded.", "complete", None),
    of_file(
        "video-source-already-downloaded",
        f"{ALREADY} downloaded when the video was created.",
        "downloaded",
        None,
    ),
    of_file(
        "video-source-already-copied",
        f"{ALREADY} copied from an existing video when the video was created.",
        "copied",
        "part 1/2",
    ),
    of_range(
        "malformed",
        'The value of the "Content-Range" header is malformed, the expected format is '
        '"bytes <from_byte>-<to_byte>/<total_bytes>" or "part <part>/<total_parts>".',
        "3 parts",
        "part 3",
    ),
    of_range(
        "started-with-part",
        f'{MIXED} "part", you cannot continue it with "bytes".',
        "parts",
        "bytes 0-9/10",
    ),
    of_range(
        "started-with-bytes",
        f'{MIXED} "bytes", you cannot continue it with "part".',
        "bytes",
        "part 1/1",
    ),
    Row(
        f"{RANGE}-already-initiated",
        'This video source has already been initiated with a "Content-Range" upload.',
        None,
        "parts",
        None,
    ),
    of_range(
        "by-bytes-different-total-bytes",
        f'The "total_bytes" value {HEADER} {OTHER_TOTAL}',
        "all bytes",
        f"bytes 0-9/{TOTAL + 1}",
        str(TOTAL),
    ),
    of_range(
        "by-bytes-from-byte-too-high",
        f'The "from_byte" value {HEADER} is higher than the "to_byte" value.',
        "empty",
        "bytes 9-0/10",
    ),
    of_range(
        "by-bytes-range-mismatch",
        f"The size of the file you sent is different than the range length you set {HEADER}.",
        "all bytes",
        f"bytes {2 * MIN}-{TOTAL - 1}/{TOTAL}",
        "The file has 10 bytes, the range 100.",
    ),
    of_range(
        "by-bytes-range-overlap",
        f"The range {HEADER} overlaps with a previous one you already sent for this video.",
        "bytes",
        f"bytes {2 * MIN - 1}-{3 * MIN}/*",
        f"{MIN}-{2 * MIN - 1}",
    ),
    of_range(
        "by-bytes-range-too-large",
        f"The range {HEADER} is too large.",
        "bytes",
        f"bytes {2 * MIN}-{2 * MIN + MAX}/*",
        str(MAX),
        MAX + 1,
    ),
    of_range(
        "by-bytes-range-too-small",
        f"The range {HEADER} is too small.",
        "bytes",
        "bytes 0-9/*",
        str(MIN),
    ),
    of_range(
        "by-bytes-to-byte-too-high-allowed",
        f'The "to_byte" value {HEADER} is higher than the maximum upper bound allowed for a video.',
        "bytes",
        "bytes 52428799999-52428800000/*",
        "52428799999",
    ),
    of_range(
        "by-bytes-to-byte-too-high-total",
        f'The "to_byte" value {HEADER} is higher than the "total_bytes" value you set for this '
        "video.",
        "all bytes",
        f"bytes {2 * MIN}-{TOTAL}/*",
        str(TOTAL),
    ),
    of_range(
        "by-bytes-total-bytes-too-high",
        f'The "total_bytes" value {HEADER} is higher than the maximum allowed limit.',
        "bytes",
        "bytes 0-9/52428800001",
        "52428800000",
    ),
    of_range(
        "by-bytes-total-bytes-too-high",
        f'The "total_bytes" value {HEADER} is higher than the maximum allowed limit.',
        "bytes",
        f"bytes 0-9/{30 * 1024**3 + 1}",
        str(30 * 1024**3),
    ),
    of_range(
        "by-bytes-total-bytes-too-low",
        f'The "total_bytes" value {HEADER} is lower than or equal to the upper bound of a range '
        "you already sent for this video.",
        "bytes",
        f"bytes 0-9/{2 * MIN - 1}",
        str(2 * MIN - 1),
    ),
    of_range(
        "by-bytes-total-bytes-zero",
        f'The "total_bytes" {NOT_ZERO}',
        "bytes",
        "bytes 0-9/0",
    ),
    of_range(
        "by-part-different-total-parts",
        f'The "total_parts" value {HEADER} {OTHER_TOTAL}',
        "3 parts",
        "part 1/4",
        "3",
    ),
    of_range(
        "by-part-part-already-sent",
        f'The "part" value {HEADER} collides with a previous one you already sent for this video.',
        "3 parts",
        "part 2/*",
        "2",
    ),
    of_range(
        "by-part-part-too-high-allowed",
        f'The "part" value {HEADER} {LIMIT_OF_PARTS}',
        "parts",
        "part 10001/*",
        "10000",
    ),
    of_range(
        "by-part-part-too-high-total",
        f'The "part" value {HEADER} is higher than the "total_parts" value you set for this video.',
        "3 parts",
        "part 4/*",
        "3",
    ),
    of_range("by-part-part-zero", f'The "part" {NOT_ZERO}', "parts", "part 0/2"),
    of_range(
        "by-part-total-parts-too-high",
        f'The "total_parts" value {HEADER} {LIMIT_OF_PARTS}',
        "parts",
        "part 1/10001",
        "10000",
    ),
    of_range(
        "by-part-total-parts-too-low",
        f'The "total_parts" value {HEADER} is lower than or equal to a part number you already '
        "sent for this video.",
        "parts",
        "part 1/1",
        "2",
    ),
    of_range("by-part-total-parts-zero", f'The "total_parts" {NOT_ZERO}', "parts", "part 1/0"),
    of_file(
        "uploaded-file-too-small",
        "The uploaded file is too small.",
        "3 parts",
        "part 1/3",
        f"The minimum size is {MIN} bytes, except for the last part.",
        MIN - 1,
    ),
    of_file(
        "uploaded-file-too-small",
        "The uploaded file is too small.",
        "parts",
        "part 3/*",
        f"The minimum size is {MIN} bytes, except for the last part.",
    ),
]

ELSEWHERE = {
    "uploaded-file-no-file": ("test_uploads.py", "test_not_exactly_one_file"),
    "uploaded-file-multiple-files": ("test_uploads.py", "test_not_exactly_one_file"),
    "uploaded-file-invalid-file": ("test_uploads.py", "test_a_body_that_breaks_off"),
    "uploaded-file-extension-invalid": (
        "test_uploads.py",
        "test_thumbnails_are_known_by_their_content",
    ),
}
"""Rows whose requests are not of the kind above."""

DOCUMENTED = {
    "uploaded-file-": "no-file multiple-files empty too-large too-small invalid-file "
    "extension-invalid",
    "video-source-already-": "uploaded downloaded copied",
    f"{RANGE}-": "malformed started-with-part started-with-bytes already-initiated",
    f"{RANGE}-by-bytes-": "different-total-bytes from-byte-too-high range-mismatch range-overlap "
    "range-too-large range-too-small to-byte-too-high-allowed to-byte-too-high-total "
    "total-bytes-too-high total-bytes-too-low total-bytes-zero",
    f"{RANGE}-by-part-": "different-total-parts part-already-sent part-too-high-allowed "
    "part-too-high-total part-zero total-parts-too-high total-parts-too-low total-parts-zero",
}
"""The errors of uploads in api.video's reference, by what they begin with."""

OPENING = b'--limit\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
CLOSING = b"\r\n--limit--\r\n"


def send(api: httpx.Client, video_id: str, header: str | None, size: int) -> httpx.Response:
    piece = bytes(1 << 20)

    def body() -> Iterator[bytes]:
        yield OPENING
        yield from (piece for _ in range(size // len(piece)))
        yield piece[: size % len(piece)]
        yield CLOSING

    headers = {
        "Content-Type": "multipart/form-data; boundary=limit",
        "Content-Length": str(len(OPENING) + size + len(CLOSING)),
    }
    if header is not None:
        headers["Content-Range"] = header
    return api.post(f"/videos/{video_id}/source", content=body(), headers=headers)


class Videos:
    """One video in each state: what is refused leaves it in that state."""

    def __init__(self, api: httpx.Client, clip: Path) -> None:
        self._api = api
        self._clip = clip
        self._made: dict[str, str] = {}

    def having(self, state: str) -> str:
        if state not in self._made:
            self._made[state] = self._make(state)
        return self._made[state]

    def _make(self, state: str) -> str:
        body = {"title": state}
        if state == "downloaded":
            body["source"] = "https://films.example.invalid/film.mp4"
        elif state == "copied":
            body["source"] = self.having("complete")
        video_id = str(accepted(self._api.post("/videos", json=body))["videoId"])
        if state == "complete":
            with self._clip.open("rb") as file:
                accepted(self._api.post(f"/videos/{video_id}/source", files={"file": file}))
        elif header := STATES.get(state):
            accepted(send(self._api, video_id, header, MIN))
        return video_id

    def ingest(self, video_id: str) -> Any:
        return accepted(self._api.get(f"/videos/{video_id}/status"))["ingest"]


@pytest.fixture(scope="module")
def videos(api: httpx.Client, clip: Path) -> Videos:
    return Videos(api, clip)


def test_each_documented_error_is_here_or_elsewhere() -> None:
    documented = {begin + end for begin, ends in DOCUMENTED.items() for end in ends.split()}
    assert {row.slug for row in ROWS} | set(ELSEWHERE) == documented
    for file, function in ELSEWHERE.values():
        assert f"def {function}(" in (Path(__file__).parent / file).read_text()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.slug} {row.state}")
def test_the_problem_is_the_documented_one(api: httpx.Client, videos: Videos, row: Row) -> None:
    video_id = videos.having(row.state)
    # The copy and the download change by themselves.
    moving = row.state in {"downloaded", "copied"}
    before = None if moving else videos.ingest(video_id)
    reply = send(api, video_id, row.header, row.size)
    assert reply.status_code == 400, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    told = {"type": REFERENCE + row.slug, "title": row.title, "name": row.name, "status": 400}
    if row.detail is not None:
        told["detail"] = row.detail
    assert reply.json() == told
    assert moving or videos.ingest(video_id) == before


@pytest.mark.parametrize("state", [state for state, header in STATES.items() if header])
def test_an_upload_goes_on_after_each_refusal(api: httpx.Client, clip: Path, state: str) -> None:
    videos = Videos(api, clip)
    video_id = videos.having(state)
    refused = [row for row in ROWS if row.state == state and row.size <= MIN]
    assert refused
    for row in refused:
        assert send(api, video_id, row.header, row.size).status_code == 400
    ends = f"bytes {2 * MIN}-{TOTAL - 1}/{TOTAL}" if "bytes" in state else "part 3/3"
    begins = f"bytes 0-{MIN - 1}/*" if "bytes" in state else "part 1/*"
    accepted(send(api, video_id, begins, MIN))
    accepted(send(api, video_id, ends, 100))
    assert videos.ingest(video_id)["status"] == "uploaded"
    assert videos.ingest(video_id)["filesize"] == TOTAL
