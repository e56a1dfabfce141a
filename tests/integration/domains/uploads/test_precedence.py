"""Which problem a request gets that has several: the rules of uploads, rank by rank.

1 credentials, 2 the video exists, 3 it takes a file, 4 syntax of the header, 5 zeros,
6 absolute limits, 7 parts or bytes, 8 the total, 9 the total beside the range,
10 repetitions, 11 exactly one file with something in it, 12 its size beside the range,
13 smallest and largest size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import pytest

from telecine.http import multipart
from tests.integration.domains.uploads.visiting import BOUNDARY, body_of, field_part, file_part

pytestmark = pytest.mark.anyio

MAX_BYTES = 30
UNKNOWN = "viAAAAAAAAAAAAAAAAAAAAAA"
RANGE = "video-content-range"
BY_BYTES = f"{RANGE}-by-bytes"
BY_PART = f"{RANGE}-by-part"
SENT = {
    "complete": "part 1/1",
    "in parts": "part 2/*",
    "in 3 parts": "part 2/3",
    "in bytes": "bytes 4-7/*",
    "in 12 bytes": "bytes 4-7/12",
}
"""What was accepted for a video before; `empty` is one that nothing was sent to.

Others are `downloaded` from a URL, or `copied` from another video.
"""


@dataclass(frozen=True)
class Ask:
    """A request: its video's state, its `Content-Range`, its files."""

    state: str
    header: str | None = None
    files: Sequence[bytes] = (b"aaaa",)
    known: bool = True  # who asks has credentials


Pair = tuple[Ask, str, Ask, str]
NEIGHBOURS: dict[str, Pair] = {
    "1 before 2": (
        Ask("unknown", known=False),
        "no credentials",
        Ask("unknown"),
        "resource-not-found",
    ),
    "2 before 3": (
        Ask("complete, then deleted"),
        "resource-not-found",
        Ask("complete"),
        "video-source-already-uploaded",
    ),
    "3 before 4": (
        Ask("complete", "part 0"),
        "video-source-already-uploaded",
        Ask("empty", "part 0"),
        f"{RANGE}-malformed",
    ),
    "3 before 4, downloaded": (
        Ask("downloaded", "part 0"),
        "video-source-already-downloaded",
        Ask("empty", "part 0"),
        f"{RANGE}-malformed",
    ),
    "3 before 4, copied": (
        Ask("copied", "part 0"),
        "video-source-already-copied",
        Ask("empty", "part 0"),
        f"{RANGE}-malformed",
    ),
    "4 before 5, parts": (
        Ask("empty", "part 0"),
        f"{RANGE}-malformed",
        Ask("empty", "part 0/*"),
        f"{BY_PART}-part-zero",
    ),
    "4 before 5, bytes": (
        Ask("empty", "bytes 0-/0"),
        f"{RANGE}-malformed",
        Ask("empty", "bytes 0-3/0"),
        f"{BY_BYTES}-total-bytes-zero",
    ),
    "5 before 6, parts": (
        Ask("empty", "part 0/10001"),
        f"{BY_PART}-part-zero",
        Ask("empty", "part 1/10001"),
        f"{BY_PART}-total-parts-too-high",
    ),
    "5 before 6, total of parts": (
        Ask("empty", "part 10001/0"),
        f"{BY_PART}-total-parts-zero",
        Ask("empty", "part 10001/*"),
        f"{BY_PART}-part-too-high-allowed",
    ),
    "5 before 6, bytes": (
        Ask("empty", "bytes 52428799999-52428800000/0"),
        f"{BY_BYTES}-total-bytes-zero",
        Ask("empty", "bytes 52428799999-52428800000/*"),
        f"{BY_BYTES}-to-byte-too-high-allowed",
    ),
    "6 before 7, parts": (
        Ask("in parts", "bytes 0-3/52428800001"),
        f"{BY_BYTES}-total-bytes-too-high",
        Ask("in parts", "bytes 0-3/12"),
        f"{RANGE}-started-with-part",
    ),
    "6 before 7, bytes": (
        Ask("in bytes", "part 10001/*"),
        f"{BY_PART}-part-too-high-allowed",
        Ask("in bytes", "part 1/*"),
        f"{RANGE}-started-with-bytes",
    ),
    "7 before 8, parts": (
        Ask("in 3 parts", "bytes 0-3/12"),
        f"{RANGE}-started-with-part",
        Ask("in 3 parts", "part 1/12"),
        f"{BY_PART}-different-total-parts",
    ),
    "7 before 8, bytes": (
        Ask("in 12 bytes", "part 1/3"),
        f"{RANGE}-started-with-bytes",
        Ask("in 12 bytes", "bytes 0-2/3"),
        f"{BY_BYTES}-different-total-bytes",
    ),
    "8 before 9, parts": (
        Ask("in 3 parts", "part 5/4"),
        f"{BY_PART}-different-total-parts",
        Ask("in 3 parts", "part 5/3"),
        f"{BY_PART}-part-too-high-total",
    ),
    "8 before 9, parts with a low total": (
        Ask("in parts", "part 3/1"),
        f"{BY_PART}-total-parts-too-low",
        Ask("in parts", "part 3/2"),
        f"{BY_PART}-part-too-high-total",
    ),
    "8 before 9, bytes": (
        Ask("in 12 bytes", "bytes 8-13/13"),
        f"{BY_BYTES}-different-total-bytes",
        Ask("in 12 bytes", "bytes 8-13/12"),
        f"{BY_BYTES}-to-byte-too-high-total",
    ),
    "8 before 9, bytes with a low total": (
        Ask("in bytes", "bytes 8-11/7"),
        f"{BY_BYTES}-total-bytes-too-low",
        Ask("in bytes", "bytes 8-11/8"),
        f"{BY_BYTES}-to-byte-too-high-total",
    ),
    # A part above the total cannot repeat one: none is stored there.
    "9 before 10": (
        Ask("in 12 bytes", "bytes 4-12/12"),
        f"{BY_BYTES}-to-byte-too-high-total",
        Ask("in 12 bytes", "bytes 4-11/12"),
        f"{BY_BYTES}-range-overlap",
    ),
    "7 before 11": (
        Ask("in parts", None, ()),
        f"{RANGE}-already-initiated",
        Ask("in parts", "part 1/*", ()),
        "uploaded-file-no-file",
    ),
    "10 before 11, no file": (
        Ask("in 3 parts", "part 2/3", ()),
        f"{BY_PART}-part-already-sent",
        Ask("in 3 parts", "part 1/3", ()),
        "uploaded-file-no-file",
    ),
    "10 before 11, an empty one": (
        Ask("in 12 bytes", "bytes 4-7/12", (b"",)),
        f"{BY_BYTES}-range-overlap",
        Ask("in 12 bytes", "bytes 8-11/12", (b"",)),
        "uploaded-file-empty",
    ),
    "10 before 11, two": (
        Ask("in 12 bytes", "bytes 0-4/12", (b"aaaa", b"a")),
        f"{BY_BYTES}-range-overlap",
        Ask("in 12 bytes", "bytes 0-3/12", (b"aaaa", b"a")),
        "uploaded-file-multiple-files",
    ),
    "11 before 12, an empty one": (
        Ask("in 12 bytes", "bytes 0-3/12", (b"",)),
        "uploaded-file-empty",
        Ask("in 12 bytes", "bytes 0-3/12", (b"a",)),
        f"{BY_BYTES}-range-mismatch",
    ),
    "11 before 12, two": (
        Ask("in 12 bytes", "bytes 0-3/12", (b"aaaaa", b"a")),
        "uploaded-file-multiple-files",
        Ask("in 12 bytes", "bytes 0-3/12", (b"aaaaa",)),
        f"{BY_BYTES}-range-mismatch",
    ),
    "11 before 13": (
        Ask("in 3 parts", "part 1/3", (b"a", b"a")),
        "uploaded-file-multiple-files",
        Ask("in 3 parts", "part 1/3", (b"a",)),
        "uploaded-file-too-small",
    ),
    "11 before 13, an empty one": (
        Ask("in 3 parts", "part 1/3", (b"",)),
        "uploaded-file-empty",
        Ask("in 3 parts", "part 1/3", (b"a",)),
        "uploaded-file-too-small",
    ),
    # Nobody reads on to see whether another one follows.
    "13 before 11, the first of two too large": (
        Ask("in 3 parts", "part 1/3", (b"a" * 31, b"a")),
        "uploaded-file-too-large",
        Ask("in 3 parts", "part 1/3", (b"a" * 30, b"a")),
        "uploaded-file-multiple-files",
    ),
    "12 before 13, a small range": (
        Ask("in 12 bytes", "bytes 0-2/12", (b"a",)),
        f"{BY_BYTES}-range-mismatch",
        Ask("in 12 bytes", "bytes 0-2/12", (b"aaa",)),
        f"{BY_BYTES}-range-too-small",
    ),
    "12 before 13, a large range": (
        Ask("in bytes", "bytes 8-38/*", (b"a" * 30,)),
        f"{BY_BYTES}-range-mismatch",
        Ask("in bytes", "bytes 8-38/*", (b"a" * 31,)),
        f"{BY_BYTES}-range-too-large",
    ),
    "12 before 13, a large file": (
        Ask("in bytes", "bytes 8-11/*", (b"a" * 31,)),
        f"{BY_BYTES}-range-mismatch",
        Ask("in bytes", "bytes 8-38/*", (b"a" * 31,)),
        f"{BY_BYTES}-range-too-large",
    ),
}


class Door:
    """One way in: `source` is the video's own, `upload` that of a token's bearer."""

    def __init__(self, name: str, anonymous: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
        self.name = name
        self.client = client
        self._anonymous = anonymous

    async def video(self, state: str) -> str:
        """Return a video to which something has been sent."""
        if state == "unknown":
            return UNKNOWN
        state, _, then = state.partition(", then ")
        body = {"title": "A video"}
        if state == "downloaded":
            body["source"] = "https://films.example.invalid/film.mp4"
        elif state == "copied":
            body["source"] = await self.video("complete")
        made = await self.client.post("/videos", json=body)
        video_id = str(made.json()["videoId"])
        if state in SENT:
            reply = await self.send(video_id, Ask(state, SENT[state]))
            assert reply.status_code == 201, reply.text
        if then == "deleted":
            assert (await self.client.delete(f"/videos/{video_id}")).status_code == 204
        return video_id

    async def send(self, video_id: str, ask: Ask) -> httpx.Response:
        parts = [file_part(f"{number}.mp4", data) for number, data in enumerate(ask.files)]
        body = body_of([field_part("videoId", video_id), *parts])
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        if ask.header is not None:
            headers["Content-Range"] = ask.header
        if self.name == "source":
            http = self.client if ask.known else self._anonymous
            return await http.post(f"/videos/{video_id}/source", content=body, headers=headers)
        token = (await self.client.post("/upload-tokens", json={"ttl": 3600})).json()["token"]
        params = {"token": token} if ask.known else {}
        return await self._anonymous.post("/upload", content=body, headers=headers, params=params)

    async def ingest(self, video_id: str) -> object:
        """Return what is told of a video's source, nothing if there is no such video."""
        return (await self.client.get(f"/videos/{video_id}/status")).json().get("ingest")

    @property
    def no_credentials(self) -> str:
        """Return the problem of who has none."""
        words = {"source": "missing-authorization-header", "upload": "missing-upload-token"}
        return f"authentication-{words[self.name]}"


@pytest.fixture(params=["source", "upload"])
def door(
    request: pytest.FixtureRequest, anonymous: httpx.AsyncClient, client: httpx.AsyncClient
) -> Door:
    return Door(request.param, anonymous, client)


@pytest.mark.parametrize("pair", NEIGHBOURS.values(), ids=NEIGHBOURS)
async def test_the_earlier_of_two_problems_is_told(
    door: Door, small_parts: None, monkeypatch: pytest.MonkeyPatch, pair: Pair
) -> None:
    """Also that the request has both: without the earlier one it gets the later one."""
    monkeypatch.setattr(multipart, "MAX_FILE_BYTES", MAX_BYTES)
    both, earlier, rest, later = pair
    for ask, slug in ((both, earlier), (rest, later)):
        video_id = await door.video(ask.state)
        before = await door.ingest(video_id)
        reply = await door.send(video_id, ask)
        expected = door.no_credentials if slug == "no credentials" else slug
        assert reply.json()["type"].rpartition("/")[2] == expected, reply.text
        assert await door.ingest(video_id) == before, "it changes nothing"
