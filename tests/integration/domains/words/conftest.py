from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from telecine.db.engine import Database
from telecine.http.app import Api
from telecine.http.services import Services
from tests.fixtures.application import (
    OPERATOR_KEY,
    app,
    client,
    connect,
    make_services,
    project,
    stranger,
)
from tests.integration.domains.words.talking import Talks, talking

__all__ = ["app", "client", "project", "services", "stranger", "talks"]


@pytest.fixture
def services(db: Database, tmp_path: Path) -> Services:
    return replace(make_services(db, tmp_path), transcripts=True, summaries=True)


@pytest.fixture
async def talks(
    client: httpx.AsyncClient, app: Api, services: Services, tmp_path: Path
) -> AsyncIterator[Talks]:
    async with connect(app) as operator:
        operator.headers["Authorization"] = f"Bearer {OPERATOR_KEY}"
        async with talking(client, operator, services, tmp_path) as found:
            yield found
