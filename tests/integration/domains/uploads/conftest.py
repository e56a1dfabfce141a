import httpx
import pytest

from telecine.db.engine import Database
from telecine.domains.uploads import content_range
from telecine.http import batches
from telecine.http.app import Api
from telecine.http.services import Services
from tests.fixtures.application import (
    ProjectKeys,
    anonymous,
    app,
    client,
    project,
    sandbox,
    services,
    stranger,
)
from tests.integration.domains.uploads.resuming import Resumer
from tests.integration.domains.uploads.sending import Uploads
from tests.integration.domains.uploads.visiting import Visitor

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


@pytest.fixture
async def visitor(
    monkeypatch: pytest.MonkeyPatch,
    anonymous: httpx.AsyncClient,
    client: httpx.AsyncClient,
    services: Services,
    db: Database,
    small_parts: None,
) -> Visitor:
    """Its bodies arrive in pieces: a file begins before what stands behind it is there."""
    monkeypatch.setattr(batches, "MOST_BYTES", 1)
    token = (await client.post("/upload-tokens", json={"ttl": 3600})).json()["token"]
    return Visitor(anonymous, services, db, token, piece_bytes=90)


@pytest.fixture(params=["in pieces", "at once"])
def any_visitor(request: pytest.FixtureRequest, visitor: Visitor) -> Visitor:
    """One whose bodies may also arrive whole."""
    if request.param == "at once":
        visitor.piece_bytes = 1 << 20
    return visitor


@pytest.fixture
def resumer(
    client: httpx.AsyncClient, app: Api, services: Services, db: Database, project: ProjectKeys
) -> Resumer:
    """Uploads that are resumed by their URL."""
    return Resumer(client, app, services, db, project)
