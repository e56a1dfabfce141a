import httpx
import pytest

from telecine.domains.analytics.buffer import Buffer
from tests.integration.domains.analytics.playing import IPHONE, Player, make_video

pytestmark = pytest.mark.anyio


async def number(client: httpx.AsyncClient, metric: str, **params: str) -> float:
    answer = await client.get(f"/data/metrics/{metric}/average", params=params)
    assert answer.status_code == 200, answer.text
    return float(answer.json()["data"])


@pytest.fixture
async def media(client: httpx.AsyncClient, pings: Buffer) -> list[str]:
    """A video that went well, and one that did not: twice an error or nothing at all."""
    good, bad = [await make_video(client, title) for title in ("good", "bad")]
    fine = {"st": 1000, "sc": 0, "sd": 0, "sw": 0, "er": 0}
    player = Player(client, good)
    await player.watch(70, 60)
    await player.send((5, 3, 60), qoe=fine)
    slow = Player(client, bad, user_agent=IPHONE)
    await slow.watch(70, 60)
    # Told again and out of order: what is counted does not become less, or more.
    told = {"st": 5500, "sc": 3, "sd": 3157, "sw": 5, "er": 1}
    for quality in ({**told, "sc": 1, "sd": 90}, told, told, {**told, "st": None, "sw": 2}):
        await slow.send((5, 3, 60), qoe=quality)
    waits = Player(client, bad)
    await waits.send((30, 8, 0), (29, 2, 0), qoe={**fine, "st": None})
    fails = Player(client, bad)
    await fails.send((30, 8, 0), (29, 2, 0), qoe={**fine, "st": None, "er": 1})
    await Player(client, bad).watch(70, 60)  # a player that tells nothing of it
    await pings.flush()
    return [good, bad]


async def test_the_quality_of_what_was_watched(client: httpx.AsyncClient, media: list[str]) -> None:
    good, bad = ({"filterBy[mediaId]": each} for each in media)
    assert await number(client, "startup-time", **good) == 1000
    assert await number(client, "startup-time", **bad) == 5500
    assert await number(client, "rebuffer-count", **bad) == 1
    assert await number(client, "rebuffer-ratio", **bad) == pytest.approx(0.05, abs=0.002)
    assert await number(client, "bitrate-switches", **bad) == pytest.approx(5 / 3)
    assert await number(client, "error-rate", **bad) == pytest.approx(2 / 3)
    assert await number(client, "exit-before-start-rate", **bad) == pytest.approx(1 / 3)
    assert await number(client, "quality-score", **good) == 100
    # 100, less 10 for the start, 25 for waiting, 5 for switches and 20 for the error; two zeros.
    assert await number(client, "quality-score", **bad) == pytest.approx(40 / 3, abs=0.5)
    assert await number(client, "exit-before-start-rate", **good) == 0


async def test_by_value_and_over_time(client: httpx.AsyncClient, media: list[str]) -> None:
    answer = await client.get("/data/buckets/startup-time/device-type")
    rows = answer.json()["data"]
    assert {each["dimensionValue"]: each["metricValue"] for each in rows} == {
        "phone": 5500,
        "computer": 1000,
    }
    answer = await client.get("/data/buckets/quality-score/media-id")
    assert [each["dimensionValue"] for each in answer.json()["data"]] == media
    answer = await client.get("/data/timeseries/error-rate", params={"interval": "day"})
    assert [each["metricValue"] for each in answer.json()["data"]] != []
    answer = await client.get("/data/metrics/startup-time/average?unique=true")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "quality",
    [
        {"st": -5, "sc": -1, "sd": "x", "sw": 1.5, "er": True},
        {"st": 1e300, "sc": 10**30, "sd": float(10**20), "sw": None, "er": []},
        [],
        "x",
    ],
)
async def test_what_is_no_quality_is_none(
    client: httpx.AsyncClient, pings: Buffer, video_id: str, quality: object
) -> None:
    await Player(client, video_id).send((30, 8, 0), (29, 2, 0), qoe=quality)
    await pings.flush()
    for metric in ("startup-time", "rebuffer-count", "bitrate-switches", "error-rate"):
        assert await number(client, metric) == 0
