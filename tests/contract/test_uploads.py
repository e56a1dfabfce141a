"""Files in every form that clients send them, and the errors that are documented."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.conftest import accepted
from tests.fixtures.waiting import PATIENCE_S

REFERENCE = "https://docs.api.video/reference/"

FILE = b'Content-Disposition: form-data; name="%s"; filename="%s"\r\n'
OCTETS = b"Content-Type: application/octet-stream\r\n"


@pytest.fixture
def source(api: httpx.Client) -> str:
    """The path that the source of a new video is uploaded to."""
    return str(accepted(api.post("/videos", json={"title": "upload"}))["source"]["uri"])


@pytest.fixture(scope="module")
def content(clip: Path) -> bytes:
    return clip.read_bytes()


def multipart(*parts: tuple[bytes, bytes], boundary: bytes = b"limit") -> bytes:
    """Join parts, each the lines of its header and its body."""
    joined = b"".join(
        b"--" + boundary + b"\r\n" + header + b"\r\n" + body + b"\r\n" for header, body in parts
    )
    return joined + b"--" + boundary + b"--\r\n"


def send(
    api: httpx.Client, path: str, body: bytes | Iterator[bytes], **headers: str
) -> httpx.Response:
    given = {"Content-Type": "multipart/form-data; boundary=limit", **headers}
    return api.post(path, content=body, headers=given)


def refused(reply: httpx.Response) -> dict[str, Any]:
    assert reply.status_code == 400, reply.text
    problem: dict[str, Any] = reply.json()
    return problem


def assert_untouched(api: httpx.Client, source: str) -> None:
    """A refused upload leaves the container empty."""
    status = accepted(api.get(source.replace("/source", "/status")))
    assert status["ingest"] is None


VIDEO_ID = b'Content-Disposition: form-data; name="videoId"\r\n'
NAMELESS = b"Content-Disposition: form-data; name=\"file\"; filename*=utf-8''f%C3%BCr.mp4\r\n"


@pytest.mark.parametrize(
    "header",
    [
        FILE % (b"file", b"small.mp4") + OCTETS,
        FILE % (b"small.mp4", b"small.mp4"),
        FILE % (b"source", b"no_file_name_provided") + OCTETS,
        FILE % (b"file", b"") + OCTETS,
        NAMELESS,
    ],
    ids=["python", "node", "html", "empty name", "encoded name"],
)
def test_the_file_part_may_have_any_name(
    api: httpx.Client, source: str, content: bytes, header: bytes
) -> None:
    reply = send(api, source, multipart((header, content)))
    assert reply.status_code == 201, reply.text
    assert reply.headers["content-type"] == "application/json"
    assert reply.json()["source"]["uri"] == source
    status = accepted(api.get(source.replace("/source", "/status")))
    assert status["ingest"]["status"] == "uploaded"
    assert status["ingest"]["filesize"] == len(content)
    assert status["ingest"]["receivedBytes"] == []


@pytest.mark.parametrize("first", ["field", "file"])
def test_fields_may_come_before_or_after_the_file(
    api: httpx.Client, source: str, content: bytes, first: str
) -> None:
    video_id = source.split("/")[2].encode()
    parts = [(VIDEO_ID, video_id), (FILE % (b"file", b"a.mp4"), content)]
    reply = send(api, source, multipart(*(parts if first == "field" else reversed(parts))))
    assert reply.status_code == 201, reply.text


def test_a_quoted_boundary_and_a_chunked_body(
    api: httpx.Client, source: str, content: bytes
) -> None:
    boundary = b"a quoted/boundary"
    body = multipart((FILE % (b"file", b"a.mp4"), content), boundary=boundary)
    chunks = (body[start : start + 1000] for start in range(0, len(body), 1000))
    media_type = f'multipart/form-data; boundary="{boundary.decode()}"'
    reply = send(api, source, chunks, **{"Content-Type": media_type})
    assert "content-length" not in reply.request.headers
    assert reply.status_code == 201, reply.text


@pytest.mark.parametrize("content_range", ["part 1/1", "PART 1/1", "bytes 0-{last}/{size}"])
def test_one_range_that_is_the_whole_file(
    api: httpx.Client, source: str, content: bytes, content_range: str
) -> None:
    value = content_range.format(last=len(content) - 1, size=len(content))
    body = multipart((FILE % (b"file", b"a.mp4"), content))
    reply = send(api, source, body, **{"Content-Range": value})
    assert reply.status_code == 201, reply.text


NO_FILE = (
    "uploaded-file-no-file",
    "There is no uploaded file in the request.",
)
SEVERAL = (
    "uploaded-file-multiple-files",
    "There are more than one uploaded file in the request.",
)


@pytest.mark.parametrize(
    ("parts", "slug", "title"),
    [
        ([], *NO_FILE),
        ([(VIDEO_ID, b"vi1")], *NO_FILE),
        ([(FILE % (b"file", b"a"), b"")], "uploaded-file-empty", "The uploaded file is empty."),
        ([(FILE % (b"a", b"a"), b"x"), (FILE % (b"b", b"b"), b"y")], *SEVERAL),
        # What is wrong shows in its first bytes, and the rest is dropped.
        ([(FILE % (b"a", b"a"), b"x"), (FILE % (b"b", b"b"), bytes(8 << 20))], *SEVERAL),
    ],
)
@pytest.mark.parametrize("resource", ["source", "thumbnail"])
def test_not_exactly_one_file(
    api: httpx.Client,
    source: str,
    resource: str,
    parts: list[tuple[bytes, bytes]],
    slug: str,
    title: str,
) -> None:
    path = source.replace("/source", f"/{resource}")
    assert refused(send(api, path, multipart(*parts))) == {
        "type": REFERENCE + slug,
        "title": title,
        "name": "file",
        "status": 400,
    }
    assert_untouched(api, source)


@pytest.mark.parametrize("media_type", ["application/json", "video/mp4", ""])
def test_a_body_that_is_not_multipart(api: httpx.Client, source: str, media_type: str) -> None:
    problem = refused(send(api, source, b"{}", **{"Content-Type": media_type}))
    assert problem["type"] == REFERENCE + "uploaded-file-no-file"
    assert_untouched(api, source)


def test_a_body_that_breaks_off(api: httpx.Client, source: str) -> None:
    broken = multipart((FILE % (b"file", b"a.mp4"), bytes(1000)))[:-20]
    assert refused(send(api, source, broken)) == {
        "type": REFERENCE + "uploaded-file-invalid-file",
        "title": "The uploaded file is invalid.",
        "name": "file",
        "status": 400,
        "detail": "The body ends before its last boundary.",
    }
    assert_untouched(api, source)


PREFIX = "video-content-range-"


@pytest.mark.parametrize(
    ("value", "slug"),
    [
        ("part 1", PREFIX + "malformed"),
        ("parts 1/2", PREFIX + "malformed"),
        ("bytes 5/10", PREFIX + "malformed"),
        ("bytes 0-9/x", PREFIX + "malformed"),
        ("part 0/2", PREFIX + "by-part-part-zero"),
        ("part 1/0", PREFIX + "by-part-total-parts-zero"),
        ("part 10001/*", PREFIX + "by-part-part-too-high-allowed"),
        ("part 1/10001", PREFIX + "by-part-total-parts-too-high"),
        ("part 3/2", PREFIX + "by-part-part-too-high-total"),
        ("bytes 0-9/0", PREFIX + "by-bytes-total-bytes-zero"),
        ("bytes 9-0/10", PREFIX + "by-bytes-from-byte-too-high"),
        ("bytes 0-10/10", PREFIX + "by-bytes-to-byte-too-high-total"),
        ("bytes 0-52428800000/*", PREFIX + "by-bytes-to-byte-too-high-allowed"),
        ("bytes 0-9/52428800001", PREFIX + "by-bytes-total-bytes-too-high"),
        ("bytes 0-98/99", PREFIX + "by-bytes-range-mismatch"),
    ],
)
def test_ranges_that_cannot_be(api: httpx.Client, source: str, value: str, slug: str) -> None:
    body = multipart((FILE % (b"file", b"a.mp4"), b"0123456789"))
    problem = refused(send(api, source, body, **{"Content-Range": value}))
    assert problem["type"] == REFERENCE + slug
    assert problem["name"] == "Content-Range"
    assert_untouched(api, source)


def test_a_second_source(api: httpx.Client, source: str, content: bytes) -> None:
    body = multipart((FILE % (b"file", b"a.mp4"), content))
    assert send(api, source, body).status_code == 201
    for headers in ({}, {"Content-Range": "part 1/1"}):
        problem = refused(send(api, source, body, **headers))
        assert problem["type"] == REFERENCE + "video-source-already-uploaded"
        assert problem["title"] == "This video source has already been uploaded."


def test_thumbnails_are_known_by_their_content(
    api: httpx.Client, base_url: str, source: str, image: Path, content: bytes
) -> None:
    path = source.replace("/source", "/thumbnail")
    video = accepted(
        send(api, path, multipart((FILE % (b"still", b"still") + OCTETS, image.read_bytes())))
    )
    assert video["source"]["uri"] == source
    shown = httpx.get(video["assets"]["thumbnail"], timeout=PATIENCE_S)
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.content.startswith(b"\xff\xd8\xff")
    for name, wrong in ((b"still.jpg", content), (b"still.jpg", b"no image"), (b"a.gif", b"GIF8")):
        problem = refused(send(api, path, multipart((FILE % (b"file", name), wrong))))
        assert problem["type"] == REFERENCE + "uploaded-file-extension-invalid"
        assert problem["title"] == "Only [jpeg, jpg, JPG, JPEG] extensions are supported."
    assert httpx.get(video["assets"]["thumbnail"], timeout=PATIENCE_S).content == shown.content


@pytest.mark.parametrize("timecode", ["00:00:00", "00:00:00.5", "00:00:00:12", "00:15:22.05", "01"])
def test_thumbnails_may_be_picked_before_there_is_a_video(
    api: httpx.Client, source: str, timecode: str
) -> None:
    path = source.replace("/source", "/thumbnail")
    video = accepted(api.patch(path, json={"timecode": timecode}))
    assert video["source"]["uri"] == source


@pytest.mark.parametrize("timecode", ["", "soon", "0:0:0", "00:99:00", 1, None])
def test_timecodes_that_are_none(api: httpx.Client, source: str, timecode: object) -> None:
    path = source.replace("/source", "/thumbnail")
    assert refused(api.patch(path, json={"timecode": timecode}))["name"] == "timecode"
