"""A running Telecine seen from outside: projects of one's own, media to upload."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.fixtures.media import AAC, REPRODUCIBLE, X264, make_clip
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import PATIENCE_S


@dataclass(frozen=True, slots=True)
class Tenant:
    """A project of its own with one production key."""

    project_id: str
    key: str


MakeTenant = Callable[[str], Tenant]


@pytest.fixture(scope="session")
def base_url(telecine_server: TelecineServer) -> str:
    return telecine_server.base_url


@pytest.fixture(scope="session")
def operator(telecine_server: TelecineServer) -> Iterator[httpx.Client]:
    """The operator API."""
    headers = {"Authorization": f"Bearer {telecine_server.operator_key}"}
    with httpx.Client(
        base_url=telecine_server.base_url, headers=headers, timeout=PATIENCE_S
    ) as client:
        yield client


@pytest.fixture(scope="session")
def make_tenant(operator: httpx.Client) -> MakeTenant:
    def make(name: str) -> Tenant:
        project = accepted(operator.post("/_/projects", json={"name": name}))
        keys = f"/_/projects/{project['projectId']}/keys"
        key = accepted(operator.post(keys, json={"name": name, "environment": "production"}))
        return Tenant(project["projectId"], key["apiKey"])

    return make


def accepted(reply: httpx.Response) -> dict[str, Any]:
    """Return the body of a reply that must not be an error."""
    assert reply.is_success, f"{reply.request.method} {reply.request.url}: {reply.text}"
    body: dict[str, Any] = reply.json()
    return body


@pytest.fixture(scope="module")
def tenant(make_tenant: MakeTenant, request: pytest.FixtureRequest) -> Tenant:
    """A project for the tests of one module."""
    return make_tenant(request.module.__name__)


@pytest.fixture(scope="module")
def api(base_url: str, tenant: Tenant) -> Iterator[httpx.Client]:
    """An API client with the module's key."""
    with httpx.Client(base_url=base_url, auth=(tenant.key, ""), timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture(scope="session")
def clip() -> Path:
    """An MP4 file of one second, 320x240, with sound."""
    picture = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=1"]
    sound = ["-f", "lavfi", "-i", "sine=duration=1"]
    return make_clip("contract.mp4", *picture, *sound, *X264, *AAC, *REPRODUCIBLE)


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG picture."""
    path = tmp_path_factory.mktemp("contract") / "still.jpg"
    Image.new("RGB", (320, 180), "teal").save(path)
    return path
