"""The collector in this process: pings are stored when a test asks for it."""

import httpx
import pytest

from telecine.db.engine import Database
from telecine.domains.analytics import api as analytics_api
from telecine.domains.analytics import data_api, plays_api
from telecine.domains.analytics.buffer import Buffer
from telecine.domains.analytics.collector import Collector
from telecine.domains.analytics.store.writes import AnalyticsStore
from telecine.domains.live_streams import api as live_streams_api
from telecine.domains.videos import api as videos_api
from telecine.http.app import Api, create_app
from telecine.http.services import Services
from telecine.net.countries import NOWHERE, Countries, Place
from tests.fixtures.application import client, project, sandbox, services, stranger
from tests.integration.domains.analytics.playing import make_video

__all__ = ["client", "project", "sandbox", "services", "stranger"]


class Somewhere(Countries):
    """Knows where the addresses of documentation are."""

    def place(self, address: str) -> Place:
        known = {"203.0.113.9": Place("FR", "Nîmes"), "198.51.100.3": Place("AU")}
        return known.get(address, NOWHERE)


@pytest.fixture
def pings(db: Database) -> Buffer:
    return Buffer(AnalyticsStore(db))


@pytest.fixture
def collector(services: Services, pings: Buffer) -> Collector:
    return Collector(pings, services.token_key, Somewhere())


@pytest.fixture
def app(services: Services, collector: Collector) -> Api:
    routers = [
        videos_api.router,
        live_streams_api.router,
        plays_api.router,
        analytics_api.router,
        data_api.router,
    ]
    return create_app(routers, collector.routes(), services)


@pytest.fixture
async def video_id(client: httpx.AsyncClient) -> str:
    return await make_video(client, "watched")
