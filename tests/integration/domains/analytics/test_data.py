from datetime import timedelta
from typing import Any

import httpx
import pytest

from telecine import clock
from telecine.domains.analytics.buffer import Buffer
from tests.integration.domains.analytics.playing import IPHONE, Player, make_video

pytestmark = pytest.mark.anyio

SHOP = "https://shop.example/page?a=b"


async def asked(client: httpx.AsyncClient, path: str, **params: Any) -> dict[str, Any]:
    answer = await client.get(f"/data/{path}", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def number(client: httpx.AsyncClient, path: str, **params: Any) -> float:
    found = (await asked(client, f"metrics/{path}", **params))["data"]
    return float(found)


async def values(client: httpx.AsyncClient, path: str, **params: Any) -> dict[str, float]:
    found = await asked(client, f"buckets/{path}", **params)
    return {each["dimensionValue"]: each["metricValue"] for each in found["data"]}


@pytest.fixture
async def media(client: httpx.AsyncClient, pings: Buffer) -> tuple[str, str, str]:
    """A film that two watch together, a trailer that one looks at, a stream watched before.

    One viewer of the film is on a computer for 30 s, one on a phone for 20 s, to the end.
    """
    film = await make_video(client, "film", tags=["Long"])
    trailer = await make_video(client, "trailer")
    made = await client.post("/live-streams", json={"name": "stream"})
    stream: str = made.json()["liveStreamId"]
    await Player(client, film).watch(100, 30)
    await Player(client, film, user_agent=IPHONE, referrer=SHOP).watch(90, 20, to_the_end=True)
    await Player(client, trailer).send((80.5, 8, 0), (80, 1, 0))
    await Player(client, stream).watch(200, 4)
    await pings.flush()
    return film, trailer, stream


async def test_every_number(client: httpx.AsyncClient, media: tuple[str, str, str]) -> None:
    numbers = {
        "play/count": 3,
        "play/sum": 3,
        "play/total": 3,
        "play/rate": 0.75,
        "start/count": 3,
        "end/count": 1,
        "impression/count": 4,
        "impression-time/average": 500,
        "impression-time/sum": 2000,
        "watch-time/sum": 54,
        "watch-time/average": 18,
        "ccv/peak": 2,
        "ccv/live": 0,
        "view/count": 2,
    }
    for path, expected in numbers.items():
        assert await number(client, path) == pytest.approx(expected, rel=0.01), path
    begin = (clock.now() - timedelta(seconds=540)).isoformat()
    average = await number(client, "ccv/average", **{"from": begin})
    assert average == pytest.approx(54 / 540, rel=0.02)
    assert await number(client, "view/count", viewDuration="3s") == 3
    assert await number(client, "view/count", viewDuration="30s") <= 1


async def test_whoever_is_watching_at_the_moment(
    client: httpx.AsyncClient, pings: Buffer, video_id: str
) -> None:
    for tab, ago_s in (("one", 3), ("another", 4), ("a third", 90)):
        player = Player(client, video_id, tab=tab)
        await player.send((ago_s, 1, 0), (ago_s, 2, 0))
    phone = Player(client, video_id, user_agent=IPHONE)
    await phone.send((8, 2, 0), (1, 4, 7))
    await pings.flush()
    assert await number(client, "ccv/live") == 3
    assert await number(client, "ccv/live", unique="true") == 2
    assert await number(client, "ccv/peak", unique="true") == 2
    assert await number(client, "view/count") == 1
    found = await asked(client, "metrics/ccv/live", unique="true")
    assert found["context"]["metric"] == "unique-ccv"
    assert "aggregation" not in found["context"]


async def test_watching_is_cut_at_the_bounds_of_a_time(
    client: httpx.AsyncClient, media: tuple[str, str, str]
) -> None:
    now = clock.now()
    bounds = {
        "from": (now - timedelta(seconds=80)).isoformat(),
        "to": (now - timedelta(seconds=75)).isoformat(),
    }
    assert await number(client, "watch-time/sum", **bounds) == pytest.approx(10, abs=0.3)
    assert await number(client, "play/count", **bounds) == 0
    assert await number(client, "view/count", **bounds) == 2
    assert await number(client, "ccv/average", **bounds) == pytest.approx(2, abs=0.1)
    # Plays of all time have no bounds.
    assert await number(client, "play/total", **bounds) == 3


async def test_every_breakdown(client: httpx.AsyncClient, media: tuple[str, str, str]) -> None:
    film, trailer, stream = media
    breakdowns: dict[str, dict[str, float]] = {
        "play/media-id": {film: 2, stream: 1},
        "impression/media-id": {film: 2, trailer: 1, stream: 1},
        "play-rate/media-id": {film: 1, trailer: 0, stream: 1},
        "play-total/media-id": {film: 2, stream: 1},
        "start/media-type": {"video": 2, "live-stream": 1},
        "end/device-type": {"phone": 1},
        "play/operating-system": {"windows": 2, "ios": 1},
        "view/browser": {"chrome": 1, "safari": 1},
        "ccv-peak/browser": {"chrome": 1, "safari": 1},
        "ccv-peak/media-type": {"video": 2, "live-stream": 1},
        "play/referrer": {"": 2, SHOP: 1},
        "play/country": {},
        "play/continent": {},
    }
    for path, expected in breakdowns.items():
        assert await values(client, path) == expected, path
    average = await values(client, "ccv-average/device-type")
    assert set(average) == {"computer", "phone"}


async def test_every_filter(client: httpx.AsyncClient, media: tuple[str, str, str]) -> None:
    film, trailer, stream = media
    filters: list[tuple[dict[str, Any], float]] = [
        ({"filterBy[mediaId][]": [film, trailer]}, 3),
        ({"filterBy[mediaId]": stream}, 1),
        ({"filterBy[mediaType]": "live-stream"}, 1),
        ({"filterBy[deviceType][0]": "phone"}, 1),
        ({"filterBy[operatingSystem][]": ["ios", "windows"]}, 4),
        ({"filterBy[browser]": "chrome"}, 3),
        ({"filterBy[browser]": "chrome", "filterBy[mediaId]": film}, 1),
        ({"filterBy[tag]": "Long"}, 2),
        ({"filterBy[tag]": "long"}, 0),
        ({"filterBy[referrer][]": SHOP}, 1),
        ({"filterBy[referrer][]": str(httpx.QueryParams({"": SHOP}))[1:]}, 1),
        ({"filterBy[referrer][]": ""}, 3),
        ({"filterBy[referrer][]": ["", SHOP]}, 4),
        ({"filterBy[country][]": "FR"}, 0),
        ({"filterBy[continent][]": ["EU", "OC"]}, 0),
    ]
    for params, expected in filters:
        assert await number(client, "impression/count", **params) == expected, params
    assert await number(client, "play/total", **{"filterBy[mediaType]": "video"}) == 2


async def test_numbers_over_time(
    client: httpx.AsyncClient, pings: Buffer, media: tuple[str, str, str]
) -> None:
    now = clock.now()
    times = {"from": (now - timedelta(minutes=30)).isoformat(), "interval": "minute"}
    for metric, expected in (("play", 3.0), ("impression", 4.0), ("end", 1.0), ("start", 3.0)):
        found = await asked(client, f"timeseries/{metric}", **times)
        assert sum(each["metricValue"] for each in found["data"]) == expected
        moments = [each["emittedAt"] for each in found["data"]]
        assert moments == sorted(moments)
        assert all(moment.endswith(":00+00:00") for moment in moments)
    seconds = 0.0
    for each in (await asked(client, "timeseries/ccv-average", **times))["data"]:
        seconds += each["metricValue"] * 60
    assert seconds == pytest.approx(54, abs=4)  # the running minute is shorter
    peaks = (await asked(client, "timeseries/ccv-peak", **times))["data"]
    assert max(each["metricValue"] for each in peaks) == 2
    views = (await asked(client, "timeseries/view", **times))["data"]
    assert sum(each["metricValue"] for each in views) >= 2
    rates = (await asked(client, "timeseries/play-rate", **times))["data"]
    assert {each["metricValue"] for each in rates} <= {0, 0.5, 2 / 3, 0.75, 1}
    hourly = await asked(client, "timeseries/play")
    assert hourly["context"]["interval"] == "hour"
    daily = await asked(client, "timeseries/play", interval="day", unique=[])
    assert sum(each["metricValue"] for each in daily["data"]) == 3


async def test_contexts_and_pages(client: httpx.AsyncClient, media: tuple[str, str, str]) -> None:
    found = await asked(client, "metrics/play/count", to="2099-01-01T00:00:00+02:00")
    context = found["context"]
    assert (context["metric"], context["aggregation"]) == ("play", "count")
    assert context["timeframe"]["to"] == "2098-12-31T22:00:00+00:00"
    contexts = {
        "metrics/play/total": {"metric": "play", "aggregation": "total"},
        "buckets/play-total/media-id": {"metric": "play", "breakdown": "media-id"},
        "buckets/play/referrer": {"metric": "play"},
        "buckets/view/browser": {"metric": "view-5", "breakdown": "browser"},
        "timeseries/ccv-peak": {"metric": "ccv-peak", "interval": "hour"},
    }
    for path, expected in contexts.items():
        shown = (await asked(client, path))["context"]
        shown.pop("timeframe", None)
        assert shown == expected
    unique = await asked(client, "buckets/view/browser", unique="1", viewDuration="10s")
    assert unique["context"]["metric"] == "unique-view-10"
    params = {"pageSize": 1, "sortBy": "dimensionValue", "sortOrder": "desc"}
    pages = [
        await asked(client, "buckets/impression/media-id", currentPage=page, **params)
        for page in (1, 2, 3, 4)
    ]
    listed = [each["dimensionValue"] for page in pages for each in page["data"]]
    assert listed == sorted(media, reverse=True)
    assert {page["pagination"]["itemsTotal"] for page in pages} == {3}
    assert pages[0]["pagination"]["links"][0]["uri"].startswith(
        "/data/buckets/impression/media-id?"
    )


async def test_nobody_sees_what_others_watched(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, media: tuple[str, str, str]
) -> None:
    for path in ("play/count", "play/total", "ccv/peak", "watch-time/sum", "view/count"):
        assert await number(stranger, path) == 0
        mine = {"filterBy[mediaId]": media[0]}
        assert await number(stranger, path, **mine) == 0
    assert await values(stranger, "play-total/media-id") == {}


@pytest.mark.parametrize(
    "path",
    [
        "metrics/plays/count",
        "metrics/play/average",
        "metrics/ccv/count",
        "metrics/view/sum",
        "buckets/watch-time/media-id",
        "buckets/play/city",
        "buckets/play-total/country",
        "timeseries/watch-time",
        "timeseries/play-total",
        "timeseries/%00",
        "metrics/play",
    ],
)
async def test_what_is_not_measured_has_no_address(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"/data/{path}")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("/unrecognized-request-url")


async def test_the_historical_counts_of_plays(
    client: httpx.AsyncClient, pings: Buffer, media: tuple[str, str, str]
) -> None:
    film, _, stream = media
    today = clock.now().date()
    days = {"from": str(today - timedelta(days=1)), "to": str(today + timedelta(days=1))}

    async def plays(kind: str, **params: str) -> dict[str, int]:
        answer = await client.get(f"/analytics/{kind}/plays", params={**days, **params})
        assert answer.status_code == 200, answer.text
        return {each["value"]: each["plays"] for each in answer.json()["data"]}

    assert await plays("videos", dimension="videoId") == {film: 2}
    assert await plays("live-streams", dimension="liveStreamId") == {stream: 1}
    assert await plays("videos", dimension="browser") == {"chrome": 1, "safari": 1}
    assert await plays("videos", dimension="deviceType", filter=f"videoId:{film}") == {
        "computer": 1,
        "phone": 1,
    }
    over_time = await plays("videos", dimension="emittedAt")
    assert sum(over_time.values()) == 2
    values = "emittedAt,videoId,country,deviceType,operatingSystem,browser"
    for params, name, detail in (
        ({"dimension": "x"}, "dimension",
         f"This value must be part of the following values: {values}"),
        ({"dimension": "browser", "filter": "x"}, "filter",
         "This value must be of the following structure(s): videoId:{videoId}"),
        ({"dimension": "browser", "filter": "videoId:x"}, "filter",
         "This value must refer to an existing video"),
        ({"dimension": "browser", "from": "2001-01-01"}, "from",
         "This value must be 30 days ago at most."),
        ({"dimension": "browser", "to": str(today - timedelta(days=2))}, "to",
         'This value must not be before "from".'),
    ):  # fmt: skip
        answer = await client.get("/analytics/videos/plays", params={**days, **params})
        told = answer.json()
        assert (answer.status_code, told["name"], told["detail"]) == (400, name, detail)
    answer = await client.get("/analytics/live-streams/plays")
    assert [each["name"] for each in answer.json()["problems"]] == ["from", "dimension"]
