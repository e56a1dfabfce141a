from collections.abc import AsyncIterator

import httpx
import pytest

from telecine.db.engine import Database
from telecine.domains.encodings import api as encodings_api
from telecine.domains.sources.handlers import transfer
from telecine.http.app import Api, create_app
from telecine.http.services import Services
from tests.fixtures.application import (
    OPERATOR_KEY,
    anonymous,
    app,
    client,
    connect,
    project,
    sandbox,
    services,
    stranger,
)
from tests.fixtures.viewing import viewer
from tests.integration.domains.sources.ingesting import Ingests, ingesting

__all__ = ["anonymous", "app", "client", "project", "sandbox", "services", "stranger", "viewer"]


@pytest.fixture
async def operator(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    operators: Api = create_app([encodings_api.router], [], services)
    async with connect(operators) as client:
        client.headers["Authorization"] = f"Bearer {OPERATOR_KEY}"
        yield client


@pytest.fixture
async def ingests(
    client: httpx.AsyncClient,
    operator: httpx.AsyncClient,
    services: Services,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Ingests]:
    """Videos from elsewhere, in pieces of 1000 bytes."""
    monkeypatch.setattr(transfer, "_WORTH_KEEPING_BYTES", 1)
    async with ingesting(client, operator, db, services.store) as found:
        yield found
