import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from telecine.delivery.front_end import DIST, ICONS, FrontEnd, NotBuilt

FIRST_FRAME_BYTES = 195_000
"""The script, compressed, that has to arrive before the first frame."""

SCRIPT = b"console.log('once')\n" * 50


pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "p-1.js").write_bytes(SCRIPT)
    (assets / "p-1.js.gz").write_bytes(gzip.compress(SCRIPT))
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "favicon.ico").write_bytes(b"icon")
    (tmp_path / "favicon.svg").write_bytes(b"<svg/>")
    app = Starlette(routes=[*FrontEnd(tmp_path).routes()])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate", "gzip"), ("gzip;q=1.0", "gzip"), ("br", None), ("", None)],
)
async def test_a_file_comes_in_a_form_that_the_client_takes(
    client: httpx.AsyncClient, accepted: str, coding: str | None
) -> None:
    reply = await client.get("/static/assets/p-1.js", headers={"accept-encoding": accepted})
    assert reply.headers.get("content-encoding") == coding
    assert reply.content == SCRIPT
    assert reply.headers["vary"] == "accept-encoding"


async def test_files_with_hashed_names_are_kept_for_ever(client: httpx.AsyncClient) -> None:
    reply = await client.head("/static/assets/p-1.js")
    assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert reply.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/favicon.ico", b"icon", "image/vnd.microsoft.icon"),
        ("/static/favicon.svg", b"<svg/>", "image/svg+xml"),
    ],
)
async def test_the_icon_is_where_browsers_look_for_it(
    client: httpx.AsyncClient, path: str, body: bytes, kind: str
) -> None:
    reply = await client.get(path)
    assert (reply.status_code, reply.content) == (200, body)
    assert reply.headers["content-type"] == kind
    assert reply.headers["cache-control"] == "public, max-age=86400"


def test_a_front_end_without_icons_has_no_routes_for_them(tmp_path: Path) -> None:
    assert FrontEnd(tmp_path).routes() == []


@pytest.mark.skipif(not (DIST / "manifest.json").exists(), reason="the front end was left out")
def test_the_built_front_end_has_icons() -> None:
    assert {route.path for route in FrontEnd().routes()} >= ICONS.keys()


@pytest.mark.parametrize("path", ["manifest.json", "assets/p-1.js.gz", "assets/../manifest.json"])
async def test_nothing_else_of_the_folder_is_served(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.get(f"/static/{path}")
    assert reply.status_code == 404


def test_an_entry_without_a_build_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt):
        FrontEnd(tmp_path).script("player")


@pytest.mark.skipif(not (DIST / "manifest.json").exists(), reason="the front end was left out")
def test_little_script_stands_before_the_first_frame() -> None:
    """Counts the entry and all that it imports; the controls come behind."""
    manifest = json.loads((DIST / "manifest.json").read_text())
    wanted, seen = ["player/main.ts"], set[str]()
    while wanted:
        key = wanted.pop()
        if key not in seen:
            seen.add(key)
            wanted += manifest[key].get("imports", [])
    files = [DIST / (manifest[key]["file"] + ".gz") for key in seen]
    assert sum(path.stat().st_size for path in files) <= FIRST_FRAME_BYTES
