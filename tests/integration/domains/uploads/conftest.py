import httpx
import pytest

from telecine.db.engine import Database
from telecine.domains.uploads import content_range
from telecine.http.services import Services
from tests.fixtures.application import (
    anonymous,
    app,
    client,
    project,
    sandbox,
    services,
    stranger,
)
from tests.integration.domains.uploads.sending import Uploads

__all__ = ["anonymous", "app", "client", "project", "sandbox", "services", "stranger"]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let parts be small, so that tests are quick."""
    monkeypatch.setattr(content_range, "MIN_PART_BYTES", 4)


@pytest.fixture
async def uploads(
    client: httpx.AsyncClient, services: Services, db: Database, small_parts: None
) -> Uploads:
    """A new video, to which parts of 4 bytes and more may be sent."""
    reply = await client.post("/videos", json={"title": "A video"})
    return Uploads(client, services, db, str(reply.json()["videoId"]))
