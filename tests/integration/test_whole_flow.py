"""From a file to everything that a viewer can fetch, on a local disk and on S3."""

import itertools
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from telecine import ids
from telecine.formats.codecs import aac, h264
from telecine.formats.hls.check import check_presentation
from telecine.formats.hls.playlist import Master, MediaPlaylist, Variant, parse
from telecine.formats.mp4.boxes import iter_boxes
from telecine.formats.mp4.fragment import Moof, read_init, read_moof
from telecine.formats.mp4.sample_entry import entry_box
from tests.fixtures.customer import (
    MASTER,
    Customer,
    Json,
    Presentation,
    Stream,
    everywhere,
    finished,
)
from tests.fixtures.media import FFMPEG, barcode_mp4, frame_numbers, make_clip, read_numbers
from tests.fixtures.s3_server import BUCKET
from tests.fixtures.server import running_telecine
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.xdist_group("own-server"),
]

FRAMES, RATE_HZ = 390, 30
MP4 = "mp4/source.mp4"
AUDIO = "audio/audio.m3u8"
SOUND_HZ = 8000
LONGEST_SLIP_S = 0.012  # half a packet of sound, far below what anybody notices


def mp4_clip() -> Path:
    """13 s that browsers take as they are: the top quality is passed through."""
    return barcode_mp4(frames=FRAMES, width_px=640, height_px=360, keyframe_interval=130)


def matroska_clip() -> Path:
    """The same in a container that only ffmpeg reads, and only from a file."""
    return make_clip("barcode.mkv", "-i", str(mp4_clip()), "-c", "copy")


@dataclass(frozen=True, slots=True)
class Shown:
    """A video, seen as soon as it was playable and again when all was stored."""

    video_id: str
    clip: Path
    customer: Customer
    data: Path
    on_s3: bool
    early_master: str
    encoding: Json
    presentation: Presentation
    mp4: bytes

    @property
    def videos(self) -> Iterator[tuple[Variant, Stream]]:
        for variant in self.presentation.master.renditions:
            yield variant, self.presentation.streams[variant.uri]


@pytest.fixture(scope="module", params=["local", pytest.param("s3", marks=pytest.mark.s3)])
def own_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Customer, Path]]:
    settings = {"TELECINE_API_PROCESSES": "1"}
    if request.param == "s3":
        settings |= request.getfixturevalue("s3_environment")
        settings["TELECINE_STORAGE"] = f"s3://{BUCKET}/{ids.nonce()}"
    data = tmp_path_factory.mktemp(request.param) / "data"
    with running_telecine(data, settings) as (_, server), Customer(server) as customer:
        yield customer, data


@pytest.fixture(scope="module", params=[mp4_clip, matroska_clip])
async def shown(request: pytest.FixtureRequest, own_server: tuple[Customer, Path]) -> Shown:
    (customer, data), clip = own_server, request.param()
    video_id = customer.upload(clip)
    early_master = ""

    async def playable() -> bool:
        nonlocal early_master
        answer = customer.get(video_id, MASTER)
        early_master = answer.text
        assert answer.status_code in (200, 202)
        return answer.status_code == 200

    await until(playable)
    encoding = await finished(customer, video_id)
    assert {quality["status"] for quality in encoding["qualities"]} == {"encoded"}
    return Shown(
        video_id,
        clip,
        customer,
        data,
        not (data / "media").exists(),
        early_master,
        encoding,
        customer.watch(video_id),
        customer.media(video_id, MP4),
    )


async def test_the_status_lists_what_the_playlists_offer(shown: Shown) -> None:
    assert shown.encoding["playable"] is True
    listed = [(each["type"], each["quality"]) for each in shown.encoding["qualities"]]
    assert listed == [("hls", "240p"), ("hls", "360p"), ("mp4", "360p")]
    assert shown.presentation.qualities == {"240p", "360p"}
    metadata = shown.encoding["metadata"]
    assert (metadata["width"], metadata["height"], metadata["duration"]) == (640, 360, 13)
    passed = {row["name"]: row["passthrough"] for row in work(shown)["renditions"]}
    assert passed["360p"] is (shown.clip.suffix == ".mp4")


def work(shown: Shown) -> Json:
    return shown.customer.work(shown.video_id)


async def test_playlists_are_right_from_the_first_moment_on(shown: Shown) -> None:
    for master in (shown.early_master, shown.presentation.text):
        assert check_presentation(master, shown.presentation.media_texts) == []
    for _, stream in shown.videos:
        length = sum((each.duration for each in stream.playlist.segments), Fraction(0))
        assert abs(length - Fraction(FRAMES, RATE_HZ)) < Fraction(1, 1_000_000)


async def test_codecs_are_those_of_the_init_segments(shown: Shown) -> None:
    sound = read_init(shown.presentation.streams[AUDIO].init)
    audio_codec = aac.codecs_string(aac.parse_esds(sound.stsd))
    for variant, stream in shown.videos:
        init = read_init(stream.init)
        avcc = entry_box(init.stsd, b"avcC", video=True)
        assert avcc is not None
        video_codec = h264.codecs_string(h264.parse_avcc(avcc))
        assert variant.codecs == f"{video_codec},{audio_codec}"
        assert (init.width_px, init.height_px) == (variant.width_px, variant.height_px)
        assert init.timescale == 120_000


def peak_bps(stream: Stream) -> Fraction:
    """Return the peak segment bit rate as RFC 8216bis, section 1.2, defines it."""
    sizes = [len(segment) for segment in stream.segments]
    durations = [segment.duration for segment in stream.playlist.segments]
    target_s = stream.playlist.target_duration_s
    rates = [Fraction(0)]
    for first, last in itertools.combinations(range(len(sizes) + 1), 2):
        duration = sum(durations[first:last], Fraction(0))
        if target_s <= 2 * duration <= 3 * target_s:
            rates.append(sum(sizes[first:last]) * 8 / duration)
    return max(rates)


async def test_no_stretch_needs_more_than_the_declared_bandwidth(shown: Shown) -> None:
    audio_bps = peak_bps(shown.presentation.streams[AUDIO])
    early = parse(shown.early_master)
    assert isinstance(early, Master)
    for master in (early, shown.presentation.master):
        for variant in master.renditions:
            measured_bps = peak_bps(shown.presentation.streams[variant.uri]) + audio_bps
            assert 0 < measured_bps <= variant.bandwidth_bps, variant.uri


def moofs(stream: Stream) -> Iterator[Moof]:
    for segment in stream.segments:
        for box in iter_boxes(segment):
            if box.kind == b"moof":
                yield read_moof(segment[box.start : box.end])


async def test_fragments_follow_each_other_without_a_gap(shown: Shown) -> None:
    for uri, stream in shown.presentation.streams.items():
        found = list(moofs(stream))
        assert found[0].decode_time == 0
        assert [moof.sequence for moof in found] == sorted({moof.sequence for moof in found})
        for before, after in itertools.pairwise(found):
            end = before.decode_time + int(before.samples.durations.sum())
            assert end == after.decode_time, uri
        if uri != AUDIO:
            assert sum(len(moof.samples.sizes) for moof in found) == FRAMES
            assert all(moof.samples.keyframes[0] for moof in found)
            assert found[0].samples.composition_offsets[0] == 0


async def test_every_frame_is_shown_once(shown: Shown) -> None:
    for _, stream in shown.videos:
        assert frame_numbers(stream.media) == list(range(FRAMES))
    assert frame_numbers(shown.mp4) == list(range(FRAMES))


async def test_every_segment_can_be_decoded_alone(shown: Shown) -> None:
    for _, stream in shown.videos:
        numbers = [frame_numbers(stream.init + segment) for segment in stream.segments[-2:]]
        assert numbers[-1][-1] == FRAMES - 1
        assert numbers[1][0] == numbers[0][-1] + 1


async def test_the_mp4_has_a_picture_every_thirtieth_of_a_second(shown: Shown) -> None:
    with av.open(BytesIO(shown.mp4), mode="r") as container:
        times = [frame.time for frame in container.decode(video=0)]
        assert times == pytest.approx([number / RATE_HZ for number in range(FRAMES)], abs=1e-4)
    with av.open(BytesIO(shown.mp4), mode="r") as container:
        first = next(container.decode(audio=0))
        assert first.time == pytest.approx(0, abs=1024 / 48000)


Sound = npt.NDArray[np.float32]


def sound_of(media: bytes | Path) -> Sound:
    """Decode mono sound, silence where the file has none, from time zero on."""
    source = "pipe:0" if isinstance(media, bytes) else str(media)
    resampled = f"aresample={SOUND_HZ}:async=1:first_pts=0"
    command = [str(FFMPEG), "-v", "error", "-i", source, "-vn", "-af", resampled, "-ac", "1",
               "-f", "f32le", "pipe:1"]  # fmt: skip
    data = media if isinstance(media, bytes) else b""
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    return np.frombuffer(done.stdout, dtype=np.float32)


def slip_s(sound: Sound, original: Sound) -> float:
    """Return by how much `sound` comes later than `original`."""
    margin = SOUND_HZ // 5
    middle = original[margin : 10 * SOUND_HZ]
    likeness = [float(sound[at : at + len(middle)] @ middle) for at in range(2 * margin)]
    return (int(np.argmax(likeness)) - margin) / SOUND_HZ


async def test_sound_stays_with_the_picture(shown: Shown) -> None:
    original = sound_of(shown.clip)
    for media in (shown.mp4, shown.presentation.streams[AUDIO].media):
        sound = sound_of(media)
        assert abs(slip_s(sound, original)) <= LONGEST_SLIP_S
        assert abs(len(sound) - len(original)) < SOUND_HZ // 10


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-4095", 0, 4095),
        ("bytes=100000-200000", 100_000, 200_000),
        ("bytes=150000-", 150_000, None),
        ("bytes=-777", -777, None),
        ("bytes=10-999999999", 10, None),
    ],
)
async def test_ranges_of_the_mp4_are_its_slices(
    shown: Shown, asked: str, first: int, last: int | None
) -> None:
    answer = shown.customer.get(shown.video_id, MP4, Range=asked)
    expected = shown.mp4[first : None if last is None else last + 1]
    start = first % len(shown.mp4)
    assert answer.status_code == 206
    assert answer.content == expected
    end = start + len(expected) - 1
    assert answer.headers["content-range"] == f"bytes {start}-{end}/{len(shown.mp4)}"


async def test_a_range_behind_the_mp4_is_refused(shown: Shown) -> None:
    answer = shown.customer.get(shown.video_id, MP4, Range=f"bytes={len(shown.mp4)}-")
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(shown.mp4)}"


async def test_the_length_of_the_mp4_is_known_before_it_is_sent(shown: Shown) -> None:
    answer = shown.customer.http.head(f"/vod/{shown.video_id}/{MP4}")
    assert answer.headers["content-length"] == str(len(shown.mp4))
    assert answer.headers["content-type"] == "video/mp4"
    again = shown.customer.get(shown.video_id, MP4, **{"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_there_is_a_thumbnail(shown: Shown) -> None:
    async def there() -> bool:
        return shown.customer.get(shown.video_id, "thumbnail.jpg").status_code == 200

    await until(there)
    answer = shown.customer.get(shown.video_id, "thumbnail.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    with av.open(BytesIO(answer.content), mode="r") as container:
        picture = next(container.decode(video=0))
    assert (picture.width, picture.height) == (640, 360)


async def test_the_report_finds_every_promise_kept(shown: Shown) -> None:
    unasked = await shown.customer.first_report(shown.video_id)
    assert (unasked["passed"], unasked["compared"]) == (True, False)
    report = await shown.customer.report(shown.video_id, compared=True)
    assert {row["name"] for row in report["renditions"]} == {"240p", "360p", "audio"}
    checks = [check for row in report["renditions"] for check in row["checks"]]
    assert [check for check in checks if not check["passed"]] == []
    assert report["passed"] is True
    for row in report["renditions"]:
        encoded = row["name"] == "240p" or (row["name"] == "360p" and shown.clip.suffix == ".mkv")
        assert len(row["comparisons"]) == (3 if encoded else 0)
        sampled = next(each for each in unasked["renditions"] if each["name"] == row["name"])
        assert [each["frames"] for each in sampled["comparisons"]] == encoded * [30]
        assert (row["remark"] is None) is encoded
        for each in row["comparisons"]:
            assert each["vmaf"] > 80
            assert each["ssim"] > 0.95


async def storyboard(shown: Shown) -> httpx.Response:
    """Return the list of tiles once it is there."""
    answer = shown.customer.get(shown.video_id, "storyboard.vtt")

    async def there() -> bool:
        nonlocal answer
        answer = shown.customer.get(shown.video_id, "storyboard.vtt")
        assert answer.status_code in (200, 202)
        return answer.status_code == 200

    await until(there)
    return answer


async def test_the_storyboard_shows_what_is_played_at_each_time(shown: Shown) -> None:
    answer = await storyboard(shown)
    assert answer.headers["content-type"] == "text/vtt; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=60"
    cues = re.findall(r"(\S+) --> (\S+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)", answer.text)
    # The key frames of the clip, or a grid of ours.
    cuts = [0, 130, 260, FRAMES] if shown.clip.suffix == ".mp4" else [0, 60, 120, 240, 360, FRAMES]
    assert [seconds(start) for start, *_ in cues] == pytest.approx(
        [cut / RATE_HZ for cut in cuts[:-1]], abs=0.001
    )
    assert [end for _, end, *_ in cues[:-1]] == [start for start, *_ in cues[1:]]
    assert seconds(cues[-1][1]) == FRAMES / RATE_HZ
    (name,) = {cue[2] for cue in cues}
    sheet = shown.customer.get(shown.video_id, name)
    assert sheet.headers["content-type"] == "image/jpeg"
    assert sheet.headers["cache-control"].endswith("immutable")
    with Image.open(BytesIO(sheet.content)) as image:
        luma = np.asarray(image.convert("L"))
    tiles = [(int(y), int(x), int(h), int(w)) for *_, x, y, w, h in cues]
    seen = np.stack([luma[y : y + h, x : x + w] for y, x, h, w in tiles])
    assert seen.shape == (len(cuts) - 1, 90, 160)
    assert read_numbers(seen) == cuts[:-1]
    for found in (answer, sheet):
        again = shown.customer.get(
            shown.video_id, found.url.path.rpartition("/")[2],
            **{"If-None-Match": found.headers["etag"]},
        )  # fmt: skip
        assert again.status_code == 304
    for path in ("storyboard-1-1.jpg", "storyboard-2-0.jpg", "storyboard-1.jpg"):
        assert shown.customer.get(shown.video_id, path).status_code == 404


def seconds(time: str) -> float:
    hours, minutes, rest = time.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


async def test_the_storyboard_of_a_private_video_needs_its_token(shown: Shown) -> None:
    http, url, path = shown.customer.http, f"/videos/{shown.video_id}", "storyboard.vtt"
    await storyboard(shown)
    hidden = http.patch(url, json={"public": False}).json()
    try:
        folder = hidden["assets"]["thumbnail"].rpartition("/")[0]
        await everywhere(lambda: shown.customer.get(shown.video_id, path).status_code == 404)
        for name in ("storyboard.vtt", "storyboard-1-0.jpg"):
            opened = http.get(f"{folder}/{name}")
            assert opened.status_code == 200
            assert opened.headers["cache-control"] == "private, no-store"
            assert shown.customer.get(shown.video_id, name).status_code == 404
    finally:
        assert http.patch(url, json={"public": True}).status_code == 200
        await everywhere(lambda: shown.customer.get(shown.video_id, path).status_code == 200)


async def test_only_what_lies_elsewhere_is_copied_to_the_disk(shown: Shown) -> None:
    spool = shown.data / "spool"
    copies = [file.stat().st_size for file in spool.iterdir()] if spool.exists() else []
    if not shown.on_s3:
        assert copies == []
    elif shown.clip.suffix == ".mkv":
        assert shown.clip.stat().st_size in copies


async def test_the_transport_view_has_the_same_pictures_and_sound(shown: Shown) -> None:
    """`?format=ts`: what old receivers and test tools want, from the same samples."""
    master = shown.customer.get(shown.video_id, f"{MASTER}?format=ts").text
    parsed = parse(master)
    assert isinstance(parsed, Master)
    assert not parsed.audio
    texts = {}
    for variant in parsed.renditions:
        assert variant.uri.endswith("/manifest.m3u8?format=ts")
        folder = f"hls/{variant.uri.partition('/')[0]}"
        texts[variant.uri] = shown.customer.get(shown.video_id, f"hls/{variant.uri}").text
        playlist = parse(texts[variant.uri])
        assert isinstance(playlist, MediaPlaylist)
        assert playlist.map_uri is None
        stream = b""
        for segment in playlist.segments:
            assert re.fullmatch(r"video-\d+-\d+\.ts", segment.uri)
            data = shown.customer.media(shown.video_id, f"{folder}/{segment.uri}")
            if segment.duration * 2 >= playlist.target_duration_s:  # RFC 8216bis, 4.4.6.2
                assert len(data) * 8 <= variant.bandwidth_bps * segment.duration
            stream += data
        assert counters_run_on(stream)
        assert frame_numbers(stream) == list(range(FRAMES))
        check_times(stream)
    assert check_presentation(master, texts) == []


def check_times(stream: bytes) -> None:
    """Check that both streams begin at our time 0, and run forward without a jump back."""
    for kind, slack in (("video", 0), ("audio", 90_000 * 1024 // 44_100)):
        with av.open(BytesIO(stream), "r", format="mpegts") as opened:
            packets = list(opened.demux(**{kind: 0}))
        decoded = [packet.dts for packet in packets if packet.dts is not None]
        assert all(early < late for early, late in itertools.pairwise(decoded))
        first = min(packet.pts for packet in packets if packet.pts is not None)
        assert abs(first - 900_000) <= slack


def counters_run_on(stream: bytes) -> bool:
    """Tell whether no packet of any stream is missing or doubled, over all segments."""
    rows = np.frombuffer(stream, np.uint8).reshape(-1, 188)
    pids = (rows[:, 1].astype(int) & 0x1F) << 8 | rows[:, 2]
    return all(
        bool((np.diff(rows[pids == pid, 3].astype(int) & 15) % 16 == 1).all())
        for pid in np.unique(pids)
    )
