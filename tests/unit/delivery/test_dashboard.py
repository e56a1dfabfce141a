import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from telecine.delivery import dashboard
from telecine.delivery.front_end import FrontEnd
from telecine.http.services import PublicUrls

pytestmark = pytest.mark.anyio

URLS = PublicUrls(
    api="https://api.example",
    embed="https://embed.example",
    vod="https://vod.example/media",
    live="https://live.example",
    collector="https://collector.example",
)

Build = Callable[[dict[str, object]], None]


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Build:
    """Have a front end of some chunks."""

    def build(manifest: dict[str, object]) -> None:
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    monkeypatch.setattr(dashboard, "_front_end", FrontEnd(tmp_path))
    return build


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = Starlette(routes=[*dashboard.routes(URLS)])
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.mark.parametrize("path", ["", "/", "/videos/vi1", "/what/ever"])
async def test_one_page_is_at_every_address(
    client: httpx.AsyncClient, build: Build, path: str
) -> None:
    entry = {"name": "dashboard", "isEntry": True, "file": "assets/d-1.js"}
    build({"dashboard/main.ts": {**entry, "css": ["assets/d-1.css"]}})
    reply = await client.get(f"/dashboard{path}")
    assert reply.status_code == 200
    assert '<script type="module" src="/static/assets/d-1.js"></script>' in reply.text
    assert '<link rel="stylesheet" href="/static/assets/d-1.css">' in reply.text
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["x-robots-tag"] == "noindex"


async def test_it_runs_its_own_scripts_and_tells_nobody_else(
    client: httpx.AsyncClient, build: Build
) -> None:
    build({"dashboard/main.ts": {"name": "dashboard", "isEntry": True, "file": "assets/d-1.js"}})
    header = (await client.get("/dashboard")).headers["content-security-policy"]
    policy = {part.split()[0]: part.split()[1:] for part in header.split("; ")}
    assert policy == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "https://vod.example"],
        "frame-src": ["'self'", "https://embed.example"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }


@pytest.mark.parametrize("path", ["/dashboards", "/x/dashboard"])
async def test_other_addresses_are_not_its(
    client: httpx.AsyncClient, build: Build, path: str
) -> None:
    build({})
    assert (await client.get(path)).status_code == 404


@pytest.mark.usefixtures("build")
async def test_an_installation_without_it_says_so(client: httpx.AsyncClient) -> None:
    reply = await client.get("/dashboard/videos/vi1")
    assert (reply.status_code, reply.headers["content-type"]) == (503, "text/plain; charset=utf-8")
    assert "without the front end" in reply.text
