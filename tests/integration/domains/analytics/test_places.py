from operator import itemgetter
from pathlib import Path

import httpx
import pytest

from telecine import clock
from telecine.domains.analytics.buffer import Buffer
from telecine.domains.analytics.collector import Collector
from telecine.http.app import Api, create_app
from telecine.http.services import Services
from telecine.net.countries import Countries
from tests.fixtures.countries import write_countries
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
    # A country of which no city is known, and what is known of nobody else.
    cities = sorted(each["location"]["city"] for each in sessions)
    assert cities == ["Nîmes", "Nîmes", "unknown", "unknown"]
    params = {"dimension": "country", "from": str(clock.now().date()), "to": "2999-01-01"}
    plays = (await client.get("/analytics/videos/plays", params=params)).json()["data"]
    assert [each["value"] for each in plays] == ["france", "australia"]


async def test_places_come_from_the_operators_file(
    services: Services,
    client: httpx.AsyncClient,
    pings: Buffer,
    video_id: str,
    tmp_path: Path,
) -> None:
    """From the file to the session, with no knowledge of ours in between."""
    entry = {
        "country": {"iso_code": "SE"},
        "city": {"names": {"de": "Göteburg", "en": "Gothenburg"}},
    }
    places = Countries(write_countries(tmp_path / "city.mmdb", {"203.0.113.0/24": entry}))
    collector = Collector(pings, services.token_key, places)
    app = create_app([], collector.routes(), services)
    for address in ("203.0.113.7", "192.0.2.1"):
        await watched_from(app, video_id, address)
    await pings.flush()
    sessions = (await client.get(f"/analytics/videos/{video_id}")).json()["data"]
    found = sorted((each["location"] for each in sessions), key=itemgetter("city"))
    assert found == [
        {"country": "Sweden", "city": "Gothenburg"},
        {"country": "unknown", "city": "unknown"},
    ]
