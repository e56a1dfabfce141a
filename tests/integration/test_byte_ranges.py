"""Several ranges of a download at once, over HTTP: each part is a slice of the whole file."""

import email
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import httpx
import pytest

from tests.fixtures.customer import Customer, everywhere, finished
from tests.fixtures.media import barcode_mp4, make_clip
from tests.fixtures.server import TelecineServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MP4 = "mp4/source.mp4"


def copied() -> Path:
    """A film whose own pictures and sound are the download's: only the head is computed."""
    return barcode_mp4(frames=90, width_px=640, height_px=360)


def encoded() -> Path:
    """The same in a container that browsers do not take: all of its download is made here."""
    return make_clip("ranges.mkv", "-i", str(copied()), "-c", "copy")


@dataclass(frozen=True, slots=True)
class Download:
    """A finished video and the whole of its download."""

    customer: Customer
    video_id: str
    whole: bytes

    def ranges(self, path: str = MP4, *, asked: str, **headers: str) -> httpx.Response:
        return self.customer.get(self.video_id, path, Range=asked, **headers)


@pytest.fixture(scope="module")
def customer(telecine_server: TelecineServer) -> Iterator[Customer]:
    with Customer(telecine_server) as customer:
        yield customer


@pytest.fixture(scope="module", params=[copied, encoded])
async def download(request: pytest.FixtureRequest, customer: Customer) -> Download:
    clip: Callable[[], Path] = request.param
    video_id = customer.upload(clip())
    await finished(customer, video_id)
    top = max(customer.work(video_id)["renditions"], key=lambda each: each["name"] == "360p")
    assert top["name"] == "360p"
    assert top["passthrough"] is (clip is copied)
    await everywhere(lambda: customer.get(video_id, MP4).status_code == 200)
    return Download(customer, video_id, customer.media(video_id, MP4))


def parts_of(answer: httpx.Response) -> list[tuple[str, str, bytes]]:
    """Return content range, type and bytes of each part, as a mail program reads them."""
    kind = answer.headers["content-type"]
    assert kind.startswith("multipart/byteranges; boundary=")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "content-range" not in answer.headers
    head = f"content-type: {kind}\r\n\r\n".encode()
    message: Message = email.message_from_bytes(head + answer.content)
    found = []
    for part in message.walk():
        if part is not message:
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            found.append((part["content-range"], part.get_content_type(), data))
    return found


def slices(whole: bytes, *spans: tuple[int, int]) -> list[tuple[str, str, bytes]]:
    """Return what `parts_of` has to find for [first, last] of each span."""
    size = len(whole)
    return [
        (f"bytes {first}-{last}/{size}", "video/mp4", whole[first : last + 1])
        for first, last in spans
    ]


@pytest.mark.parametrize("path", [MP4, "mp4/360/source.mp4", f"{MP4}?dl=1"])
async def test_several_ranges_are_exactly_their_slices(download: Download, path: str) -> None:
    whole = download.whole
    end = len(whole) - 1
    answer = download.ranges(path, asked="bytes=0-99,1000-1099")
    assert answer.status_code == 206
    assert parts_of(answer) == slices(whole, (0, 99), (1000, 1099))
    # From the computed head into the media, backwards, across each other, up to the end.
    body = whole.index(b"mdat") + 4
    asked = f"bytes={body - 50}-{body + 5000}, 40000-90000,30000-40001 ,-777,{end}-"
    spans = (body - 50, body + 5000), (40_000, 90_000), (30_000, 40_001), (end - 776, end)
    answer = download.ranges(path, asked=asked)
    assert answer.status_code == 206
    assert parts_of(answer) == slices(whole, *spans, (end, end))


async def test_what_is_not_there_is_left_out_of_several(download: Download) -> None:
    size = len(download.whole)
    answer = download.ranges(asked=f"bytes=0-9,{size}-{size + 9},20-29")
    assert parts_of(answer) == slices(download.whole, (0, 9), (20, 29))
    answer = download.ranges(asked=f"bytes=7-9,{size}-")
    assert (answer.status_code, answer.content) == (206, download.whole[7:10])
    assert answer.headers["content-range"] == f"bytes 7-9/{size}"
    answer = download.ranges(asked=f"bytes={size}-,{size + 5}-")
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{size}"


async def test_ranges_of_another_version_or_of_too_much_are_the_whole(download: Download) -> None:
    asked = "bytes=0-99,1000-1099"
    etag = download.ranges(asked=asked).headers["etag"]
    assert download.ranges(asked=asked, **{"If-Range": etag}).status_code == 206
    many = "bytes=" + ",".join(f"{at}-{at}" for at in range(17))
    for answer in (
        download.ranges(asked=asked, **{"If-Range": '"another"'}),
        download.ranges(asked="bytes=0-,0-"),
        download.ranges(asked=many),
    ):
        assert (answer.status_code, answer.content) == (200, download.whole)


async def test_a_head_is_of_the_whole_whatever_ranges_it_names(download: Download) -> None:
    """Ranges are of GET alone (RFC 9110, 14.2)."""
    url = f"/vod/{download.video_id}/{MP4}"
    for asked in ("bytes=0-99,1000-1099", "bytes=0-99", f"bytes={len(download.whole)}-"):
        answer = download.customer.http.head(url, headers={"Range": asked})
        assert answer.status_code == 200
        assert answer.headers["content-length"] == str(len(download.whole))
        assert answer.headers["accept-ranges"] == "bytes"
