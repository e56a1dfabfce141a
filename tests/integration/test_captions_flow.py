"""Captions in HLS, as other players find them, with the run's server."""

from collections.abc import Iterator

import pytest

from telecine.formats.hls.check import check_master, check_media
from telecine.formats.hls.playlist import Master, MediaPlaylist, parse
from tests.fixtures.customer import MASTER, Customer
from tests.fixtures.media import barcode_mp4
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

VTT = b"WEBVTT\n\n00:00.500 --> 00:01.500\nhello\n"


@pytest.fixture(scope="module")
def customer(telecine_server: TelecineServer) -> Iterator[Customer]:
    with Customer(telecine_server) as customer:
        yield customer


@pytest.fixture(scope="module")
async def captioned(customer: Customer) -> str:
    """A playable video with English and, by default, German captions."""
    video_id = customer.upload(barcode_mp4(frames=60))
    for language in ("de", "en"):
        path = f"/videos/{video_id}/captions/{language}"
        answer = customer.http.post(path, files={"file": VTT.replace(b"hello", language.encode())})
        assert answer.status_code == 200, answer.text
    answer = customer.http.patch(f"/videos/{video_id}/captions/de", json={"default": True})
    assert answer.status_code == 200, answer.text

    async def listed() -> bool:
        return "captions/en.m3u8" in customer.get(video_id, MASTER).text

    await until(listed)
    return video_id


@pytest.mark.parametrize("query", ["", "?format=ts"])
async def test_the_master_lists_them(customer: Customer, captioned: str, query: str) -> None:
    text = customer.media(captioned, MASTER + query).decode()
    assert check_master(text) == []
    master = parse(text)
    assert isinstance(master, Master)
    found = [(each.language, each.name, each.default, each.uri) for each in master.subtitles]
    assert found == [
        ("de", "Deutsch", True, f"captions/de.m3u8{query}"),
        ("en", "English", False, f"captions/en.m3u8{query}"),
    ]
    assert {variant.subtitles for variant in master.renditions} == {"subs"}
    # The official test tools take the first line with this name for a video playlist.
    first = next(line for line in text.splitlines() if "/manifest.m3u8" in line)
    assert not first.startswith("#")


@pytest.mark.parametrize(("query", "ticks"), [("", 0), ("?format=ts", 900_000)])
async def test_their_playlist_is_one_segment_on_the_clock_of_the_media(
    customer: Customer, captioned: str, query: str, ticks: int
) -> None:
    text = customer.media(captioned, f"hls/captions/en.m3u8{query}").decode()
    assert check_media(text) == []
    playlist = parse(text)
    assert isinstance(playlist, MediaPlaylist)
    (segment,) = playlist.segments
    assert segment.uri == f"en.hls.vtt{query}"
    assert segment.duration == 2
    body = customer.media(captioned, f"hls/captions/{segment.uri}")
    mapped = b"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:%d,LOCAL:00:00:00.000\n" % ticks
    assert body == mapped + VTT.replace(b"hello", b"en")[len(b"WEBVTT\n") :]


async def test_what_is_not_there_is_not_found(customer: Customer, captioned: str) -> None:
    for path in ("hls/captions/fr.m3u8", "hls/captions/fr.hls.vtt", "captions/fr.vtt"):
        assert customer.get(captioned, path).status_code == 404
