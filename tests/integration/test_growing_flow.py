"""Playing while uploading: the first segments are there before the last bytes are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.customer import Customer, finished
from tests.fixtures.growing import AUDIO, Growing, parse_media
from tests.fixtures.media import REPRODUCIBLE, X264, barcode_mp4, frame_numbers, make_clip
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FRAMES = 390
PART_BYTES = 5 << 20
COPIED, ENCODED = "360p/manifest.m3u8", "240p/manifest.m3u8"


@pytest.fixture(scope="module")
def customer(telecine_server: TelecineServer) -> Iterator[Customer]:
    with Customer(telecine_server) as customer:
        yield customer


def faststart_clip() -> Path:
    """13 s with its index in front, that browsers take as they are, cut at 4.33 s."""
    return barcode_mp4(frames=FRAMES, width_px=640, height_px=360, keyframe_interval=130)


async def test_a_file_with_its_index_in_front_plays_as_it_comes(customer: Customer) -> None:
    content = faststart_clip().read_bytes()
    upload = Growing(customer, content)
    upload.begin()
    upload.send(len(content) * 6 // 10)
    first = await upload.playable(COPIED)
    assert upload.status() == ("uploading", True)
    assert (first.playlist_type, first.ended, len(first.segments)) == ("EVENT", False, 1)
    upload.check_all()
    # The ladder's own segments of the beginning, too.
    upload.playlist(ENCODED)
    early = {uri: upload.segment(uri, 0) for uri in (COPIED, ENCODED)}
    assert frame_numbers(upload.init(ENCODED) + early[ENCODED]) == list(range(130))
    qualities = customer.encoding(upload.video_id)["qualities"]
    assert "encoded" not in {quality["status"] for quality in qualities}
    upload.send(len(content) * 9 // 10)
    await upload.playable(COPIED, 2)
    upload.send(len(content))
    await finished(customer, upload.video_id)
    for uri in (COPIED, ENCODED, AUDIO):
        playlist = upload.playlist(uri)
        assert (playlist.playlist_type, playlist.ended) == ("EVENT", True)
    for uri, data in early.items():
        assert upload.segment(uri, 0) == data, "what was served stays the same for ever"
        segments = range(len(upload.playlist(uri).segments))
        joined = upload.init(uri) + b"".join(upload.segment(uri, n) for n in segments)
        assert frame_numbers(joined) == list(range(FRAMES))
    upload.check_all()
    assert customer.work(upload.video_id)["epoch"] == 1
    assert customer.get(upload.video_id, "mp4/source.mp4").status_code == 200


CONTAINERS = {
    "fragmented.mp4": ("-movflags", "+frag_keyframe+empty_moov+default_base_moof"),
    "stream.mkv": (),
    "stream.ts": (),
}


@pytest.mark.parametrize("name", CONTAINERS)
async def test_a_stream_without_an_end_plays_as_it_comes(customer: Customer, name: str) -> None:
    source = barcode_mp4(frames=FRAMES, keyframe_interval=50)
    clip = make_clip(name, "-i", str(source), "-c", "copy", *CONTAINERS[name], *REPRODUCIBLE)
    content = clip.read_bytes()
    upload = Growing(customer, content)
    upload.begin()
    upload.send(len(content) * 6 // 10)
    first = await upload.playable(ENCODED)
    assert upload.status() == ("uploading", True)
    assert (first.playlist_type, first.ended) == ("EVENT", False)
    assert [segment.duration for segment in first.segments] == [2, 2]
    early = {uri: upload.segment(uri, 0) for uri in (ENCODED, AUDIO) if upload.playlist(uri)}
    assert frame_numbers(upload.init(ENCODED) + early[ENCODED]) == list(range(60))
    upload.check_all()
    upload.send(len(content) * 85 // 100)
    await upload.playable(ENCODED, 3)
    second = upload.segment(ENCODED, 2)
    qualities = customer.encoding(upload.video_id)["qualities"]
    assert "encoded" not in {quality["status"] for quality in qualities}
    upload.send(len(content))
    await finished(customer, upload.video_id)
    for uri in (ENCODED, AUDIO):
        playlist = upload.playlist(uri)
        assert (playlist.playlist_type, playlist.ended) == ("EVENT", True)
    assert upload.segment(ENCODED, 0) == early[ENCODED]
    assert upload.segment(AUDIO, 0) == early[AUDIO]
    assert upload.segment(ENCODED, 2) == second
    segments = range(len(upload.playlist(ENCODED).segments))
    joined = upload.init(ENCODED) + b"".join(upload.segment(ENCODED, n) for n in segments)
    assert frame_numbers(joined) == list(range(FRAMES))
    upload.check_all()
    assert customer.work(upload.video_id)["epoch"] == 1
    assert customer.get(upload.video_id, "mp4/source.mp4").status_code == 200


def quickening_clip() -> Path:
    """Six seconds at 10 Hz, then six at 30: its beginning promises too little."""
    graph = (
        "testsrc2=s=320x180:r=10:d=6[slow];testsrc2=s=320x180:r=30:d=6[fast];"
        "[slow][fast]concat,format=yuv420p"
    )
    return make_clip(
        "quickening.mkv", "-filter_complex", graph, "-fps_mode", "vfr", *X264, *REPRODUCIBLE
    )


async def test_an_end_that_was_promised_otherwise_is_cut_anew(customer: Customer) -> None:
    shorter = faststart_clip().read_bytes()
    shorter = shorter[: len(shorter) * 9 // 10]
    for content, share, uri, seconds in (
        (shorter, 6, COPIED, range(11, 13)),
        (quickening_clip().read_bytes(), 2, ENCODED, range(12, 13)),
    ):
        upload = Growing(customer, content)
        upload.begin()
        upload.send(len(content) * share // 10)
        early = await upload.playable(uri)
        assert early.segments[0].uri == "1-0.m4s"
        upload.send(len(content))

        async def is_cut_anew(upload: Growing = upload) -> bool:
            assert upload.status()[1], "it can be played all the time"
            work = customer.work(upload.video_id)
            return (work["epoch"], work["state"]) == (2, "planned")

        await until(is_cut_anew)
        await finished(customer, upload.video_id)
        upload.check_all()
        text = customer.media(upload.video_id, f"hls/{uri}").decode()
        playlist = parse_media(text)
        assert (playlist.playlist_type, playlist.ended) == ("VOD", True)
        assert int(sum(segment.duration for segment in playlist.segments)) in seconds
        assert playlist.segments[0].uri == "2-0.m4s"


async def test_an_index_that_comes_first_from_the_end_of_the_file_is_enough(
    customer: Customer, moov_last_clip: Path
) -> None:
    content = moov_last_clip.read_bytes()
    index = content.rindex(b"moov") - 4
    media, free_bytes = content[:index], 2 * PART_BYTES
    # The media is in the first part, nothing in the second, the index in the last one.
    spread = media + free_bytes.to_bytes(4, "big") + b"free" + bytes(free_bytes - 8)
    parts = [spread[:PART_BYTES], spread[PART_BYTES : 2 * PART_BYTES], spread[2 * PART_BYTES :]]
    parts[2] += content[index:]
    video = customer.http.post("/videos", json={"title": "Index last"}).json()
    upload = Growing(customer, b"", video_id=video["videoId"])

    def send(number: int) -> None:
        answer = customer.http.post(
            f"/videos/{upload.video_id}/source",
            files={"file": ("clip.mp4", parts[number - 1])},
            headers={"Content-Range": f"part {number}/3"},
        )
        assert answer.status_code == 201, answer.text

    send(3)
    send(1)
    early = await upload.playable("240p/manifest.m3u8", 2)
    assert (upload.status(), early.ended) == (("uploading", True), False)
    joined = upload.init(ENCODED) + b"".join(upload.segment(ENCODED, n) for n in range(2))
    assert frame_numbers(joined) == list(range(150))
    send(2)
    await finished(customer, upload.video_id)
    assert upload.playlist(ENCODED).ended
    upload.check_all()
    assert customer.work(upload.video_id)["epoch"] == 1
