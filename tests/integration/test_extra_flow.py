"""HEVC and AV1 by setting: made behind the ladder, listed once stored, told to no old client."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from telecine.formats.hls.check import check_presentation
from telecine.formats.hls.playlist import Master, parse
from telecine.formats.mp4.fragment import read_init
from telecine.pipeline.bitstream import codecs_of
from tests.fixtures.customer import MASTER, Customer, finished
from tests.fixtures.media import barcode_mp4, frame_numbers, make_clip
from tests.fixtures.server import TelecineServer, running_telecine
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.xdist_group("own-server"),
]

FRAMES = 150
QUALITIES = ["240p", "240p-hevc", "240p-av1"]


def copied_clip() -> Path:
    """A source that is passed through: its ladder is complete at once."""
    return barcode_mp4(frames=FRAMES, width_px=320, height_px=180, keyframe_interval=60)


def encoded_clip() -> Path:
    return make_clip("extra.mkv", "-i", str(copied_clip()), "-c", "copy")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TelecineServer]:
    settings = {"TELECINE_API_PROCESSES": "1", "TELECINE_EXTRA_CODECS": "hevc,av1"}
    data = tmp_path_factory.mktemp("extra") / "data"
    with running_telecine(data, settings) as (_, server):
        yield server


@pytest.fixture(scope="module")
def customer(server: TelecineServer) -> Iterator[Customer]:
    with Customer(server) as customer:
        yield customer


def listed(customer: Customer, video_id: str) -> list[str]:
    master = parse(customer.media(video_id, MASTER).decode())
    assert isinstance(master, Master)
    return [variant.uri.partition("/")[0] for variant in master.renditions]


@pytest.mark.parametrize("clip", [copied_clip, encoded_clip])
async def test_a_video_is_there_in_every_codec(
    customer: Customer, server: TelecineServer, clip: Path
) -> None:
    video_id = customer.upload(clip())  # type: ignore[operator]  # the parameter makes it
    encoding = await finished(customer, video_id)
    seen: list[list[str]] = []

    async def all_listed() -> bool:
        seen.append(listed(customer, video_id))
        return len(seen[-1]) == len(QUALITIES)

    await until(all_listed)
    # From the middle on, lines only came behind those that were there.
    assert all(QUALITIES[:1] == lines[:1] for lines in seen)
    assert seen[-1] == QUALITIES
    shown = customer.watch(video_id)
    assert check_presentation(shown.text, shown.media_texts) == []
    for variant in shown.master.renditions:
        stream = shown.streams[variant.uri]
        name = codecs_of(read_init(stream.init).stsd)
        assert variant.codecs.split(",")[0] == name
        assert frame_numbers(stream.media) == list(range(FRAMES))
        assert stream.text == shown.stream("240p").text
    # Old clients see what they always saw.
    told = [(each["type"], each["quality"]) for each in encoding["qualities"]]
    assert told == [("hls", "240p"), ("mp4", "240p")]
    assert customer.encoding(video_id)["qualities"] == encoding["qualities"]
    rows = customer.work(video_id)["renditions"]
    assert {row["name"] for row in rows if row["state"] == "encoded"} >= {*QUALITIES}
    transport = customer.media(video_id, f"{MASTER}?format=ts").decode()
    assert "av01" not in transport
    assert "hvc1" not in transport
    for path in ("240p-av1/manifest.m3u8?format=ts", "240p-av1/video-1-0.ts"):
        assert customer.get(video_id, f"hls/{path}").status_code == 404
    report = await customer.report(video_id, compared=True)
    assert report["passed"] is True, report
    assert {row["name"] for row in report["renditions"]} == {*QUALITIES, "audio"}
    events = customer.http.get("/_/events", headers=_operator(server), auth=None)
    assert events.status_code == 200, events.text
    assert "240p-" not in events.text


def _operator(server: TelecineServer) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.operator_key}"}
