import httpx
import pytest

from telecine import clock
from telecine.domains.analytics.buffer import Buffer
from telecine.http.app import Api
from tests.integration.domains.analytics.playing import Player

pytestmark = pytest.mark.anyio


async def watched_from(app: Api, video_id: str, address: str) -> None:
    transport = httpx.ASGITransport(app, client=(address, 123))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as viewer:
        await Player(viewer, video_id).watch(20, 8)


async def test_viewers_by_country_and_continent(
    app: Api, client: httpx.AsyncClient, pings: Buffer, video_id: str
) -> None:
    for address in ("203.0.113.9", "203.0.113.9", "198.51.100.3", "192.0.2.1"):
        await watched_from(app, video_id, address)
    await pings.flush()

    async def values(path: str, **params: str) -> list[tuple[str, float]]:
        answer = await client.get(f"/data/buckets/{path}", params=params)
        return [(each["dimensionValue"], each["metricValue"]) for each in answer.json()["data"]]

    assert await values("play/country") == [("FR", 2), ("AU", 1)]
    assert await values("play/continent") == [("EU", 2), ("AZ", 1)]
    for name, value in (("continent", "OC"), ("continent", "AZ"), ("country", "AU")):
        assert await values("view/country", **{f"filterBy[{name}][]": value}) == [("AU", 1)]
    sessions = (await client.get(f"/analytics/videos/{video_id}")).json()["data"]
    countries = sorted(each["location"]["country"] for each in sessions)
    assert countries == ["Australia", "France", "France", "unknown"]
    params = {"dimension": "country", "from": str(clock.now().date()), "to": "2999-01-01"}
    plays = (await client.get("/analytics/videos/plays", params=params)).json()["data"]
    assert [each["value"] for each in plays] == ["france", "australia"]
