"""From an upload to its transcript and summary, with the run's server and its worker."""

from collections.abc import Iterator

import pytest

from tests.fixtures.customer import MASTER, Customer
from tests.fixtures.growing import AUDIO, Growing
from tests.fixtures.media import barcode_mp4
from tests.fixtures.program import SPOKEN
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def customer(telecine_server: TelecineServer) -> Iterator[Customer]:
    with Customer(telecine_server) as customer:
        yield customer


async def test_what_is_said_can_be_read(customer: Customer) -> None:
    body = {"title": "Told", "language": "fr", "transcript": True, "transcriptSummary": True}
    video_id = customer.http.post("/videos", json=body).raise_for_status().json()["videoId"]
    assert customer.send(video_id, barcode_mp4(frames=60)).status_code == 201

    async def over() -> bool:
        summary = customer.work(video_id)["summary"]
        return summary is not None and summary["state"] != "waiting"

    await until(over)
    work = customer.work(video_id)
    assert work["transcript"] == {"state": "completed", "failure": None, "reason": None}
    assert work["summary"] == {"state": "completed", "failure": None, "reason": None}
    (summary,) = customer.http.get("/summaries", params={"videoId": video_id}).json()["data"]
    words = customer.http.get(f"/summaries/{summary['summaryId']}/source").json()
    assert words["abstract"] == SPOKEN.split("\n")[0]
    assert words["takeaways"] == ["One.", "In fr.", "6 lines."]

    async def listed() -> bool:
        return "captions/fr.m3u8" in customer.get(video_id, MASTER).text

    await until(listed)
    told = customer.media(video_id, "captions/fr.vtt").decode().split("\n")
    assert told[:3] == ["WEBVTT", "Language: fr", ""]
    assert told[4] == SPOKEN.split("\n")[0]


async def test_what_plays_while_it_arrives_is_heard_at_its_end(customer: Customer) -> None:
    clip = barcode_mp4(frames=390, width_px=640, height_px=360, keyframe_interval=130)
    upload = Growing(customer, clip.read_bytes())
    upload.begin()
    wish = {"transcript": True}
    customer.http.patch(f"/videos/{upload.video_id}", json=wish).raise_for_status()
    upload.send(len(upload.content) * 6 // 10)
    await upload.playable(AUDIO)
    assert customer.work(upload.video_id)["transcript"]["state"] == "waiting"
    upload.send(len(upload.content))

    async def over() -> bool:
        return bool(customer.work(upload.video_id)["transcript"]["state"] != "waiting")

    await until(over)
    told = customer.media(upload.video_id, "captions/en.vtt").decode()
    size_bytes = int(told.strip().split("\n")[-1].split()[3])
    assert size_bytes == pytest.approx(13 * 32_000, abs=3_200)
