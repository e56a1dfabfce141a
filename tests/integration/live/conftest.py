from collections.abc import AsyncIterator

import httpx
import pytest

from tests.fixtures.broadcasting import OnAir, make_live_stream
from tests.fixtures.live_rules import observed
from tests.fixtures.server import TelecineServer


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with observed() as client:
        yield client


@pytest.fixture
async def stream(telecine_server: TelecineServer) -> OnAir:
    return await make_live_stream(telecine_server)
