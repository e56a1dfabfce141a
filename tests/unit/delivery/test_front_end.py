import gzip
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from tests.fixtures.shared import ROOT

from telecine.delivery.front_end import DIST, ICONS, FrontEnd, NotBuilt

BUDGET_BYTES = json.loads((ROOT / "web" / "budget.json").read_text())
"""What the build holds itself to (`web/weight.ts`); here is looked at what is served."""

ON_DEMAND = ("player/ads/breaks.ts", "player/panorama.ts", "player/remote.ts")

SCRIPT = b"console.log('once')\n" * 50
GZIP = gzip.compress(SCRIPT)
BROTLI = b"brotli, which nobody has to understand here"

# In CI it must be there, unless somebody has left it out.
LEFT_OUT = not (DIST / "manifest.json").exists() and (
    "TELECINE_REQUIRE_ALL" not in os.environ or "TELECINE_SKIP_WEB" in os.environ
)
built = pytest.mark.skipif(LEFT_OUT, reason="the front end was left out")


pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "p-1.js").write_bytes(SCRIPT)
    (assets / "p-1.js.gz").write_bytes(GZIP)
    (assets / "p-2.js").write_bytes(SCRIPT)
    (assets / "p-2.js.gz").write_bytes(GZIP)
    (assets / "p-2.js.br").write_bytes(BROTLI)
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


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.1, gzip", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br; q=0.000, *", "gzip"),
        ("*", "br"),
        ("*;q=0", None),
        ("identity", None),
        ("BR", "br"),
    ],
)
async def test_the_best_form_wins_unless_it_is_refused(
    client: httpx.AsyncClient, accepted: str, coding: str | None
) -> None:
    url = "/static/assets/p-2.js"
    async with client.stream("GET", url, headers={"accept-encoding": accepted}) as reply:
        body = b"".join([chunk async for chunk in reply.aiter_raw()])
    assert reply.headers.get("content-encoding") == coding
    assert body == {None: SCRIPT, "br": BROTLI, "gzip": GZIP}[coding]


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


@built
def test_the_built_front_end_has_icons() -> None:
    assert {route.path for route in FrontEnd().routes()} >= ICONS.keys()


@pytest.mark.parametrize("path", ["manifest.json", "assets/p-1.js.gz", "assets/../manifest.json"])
async def test_nothing_else_of_the_folder_is_served(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.get(f"/static/{path}")
    assert reply.status_code == 404


def test_an_entry_without_a_build_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt):
        FrontEnd(tmp_path).script("player")


def with_imports(entries: tuple[str, ...]) -> set[str]:
    """Return the files of chunks, with all that they import and their style sheets."""
    manifest = json.loads((DIST / "manifest.json").read_text())
    wanted, seen, files = list(entries), set[str](), set[str]()
    while wanted:
        key = wanted.pop()
        if key not in seen:
            seen.add(key)
            wanted += manifest[key].get("imports", [])
            files |= {manifest[key]["file"], *manifest[key].get("css", [])}
    return files


def gzipped_bytes(files: set[str]) -> int:
    return sum((DIST / f"{name}.gz").stat().st_size for name in files)


@built
def test_little_script_stands_before_the_first_frame() -> None:
    """Counts the entry and all that it imports; the controls come behind."""
    assert gzipped_bytes(with_imports(("player/main.ts",))) <= BUDGET_BYTES["firstFrame"]


@built
def test_the_controls_are_light() -> None:
    first = with_imports(("player/main.ts",))
    rest = with_imports(("player/controls.ts", "player/bridge.ts")) - first
    assert rest
    assert gzipped_bytes(rest) <= BUDGET_BYTES["controls"]


@built
@pytest.mark.parametrize("entry", ON_DEMAND)
def test_what_few_need_comes_on_demand_and_is_light(entry: str) -> None:
    always = with_imports(("player/main.ts", "player/controls.ts"))
    extra = with_imports((entry,)) - always
    assert extra, "it is a chunk of its own"
    assert gzipped_bytes(extra) <= BUDGET_BYTES["onDemand"]


@built
def test_the_dashboard_is_light_and_no_part_of_it_is_loaded_by_viewers() -> None:
    dashboard = with_imports(("dashboard/main.ts",))
    assert gzipped_bytes(dashboard) <= BUDGET_BYTES["dashboard"]
    viewers = with_imports(("player/main.ts", "player/controls.ts", "player/bridge.ts", *ON_DEMAND))
    assert not dashboard & viewers


@built
def test_everything_is_compressed_in_advance() -> None:
    for path in DIST.glob("assets/*"):
        if path.suffix in {".js", ".css"}:
            packed = path.with_name(f"{path.name}.br")
            assert packed.stat().st_size < path.with_name(f"{path.name}.gz").stat().st_size
