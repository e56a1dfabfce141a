"""Lists of sites and countries: who is turned away from what."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from telecine.domains.accounts import operator_api
from telecine.http.app import create_app
from telecine.http.services import Services
from telecine.net.countries import Countries
from tests.fixtures.application import BASE, OPERATOR_KEY, ProjectKeys, connect
from tests.fixtures.countries import write_countries
from tests.fixtures.viewing import island
from tests.fixtures.waiting import until
from tests.integration.domains.videos.test_private import captions, make

pytestmark = pytest.mark.anyio

Settle = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def services(services: Services, tmp_path: Path) -> Services:
    """With a database of countries."""
    path = write_countries(tmp_path / "c.mmdb", {"203.0.113.0/24": "FR", "192.0.2.0/24": "DE"})
    return replace(services, countries=Countries(path))


@pytest.fixture
async def settle(anonymous: httpx.AsyncClient, project: ProjectKeys) -> Settle:
    """Change the settings of the project."""
    anonymous.headers["Authorization"] = f"Bearer {OPERATOR_KEY}"

    async def change(**settings: Any) -> httpx.Response:
        return await anonymous.patch(f"/_/projects/{project.public_id}/settings", json=settings)

    return change


async def public_video(client: httpx.AsyncClient) -> str:
    """Make a public video with captions; return the path of its folder."""
    video = await make(client)
    reply = await client.patch(f"/videos/{video['videoId']}", json={"public": True})
    assert reply.status_code == 200
    return f"/vod/{video['videoId']}"


async def live_stream(client: httpx.AsyncClient) -> str:
    """Make a live stream with a picture; return the path of its folder."""
    made = (await client.post("/live-streams", json={"name": "t"})).json()
    file = BytesIO()
    Image.new("RGB", (64, 36)).save(file, "JPEG")
    files = {"file": ("a.jpg", file.getvalue())}
    path = f"/live-streams/{made['liveStreamId']}/thumbnail"
    assert (await client.post(path, files=files)).is_success
    return f"/live/{made['liveStreamId']}"


def from_address(viewer: httpx.AsyncClient, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(viewer._transport.app, client=(address, 5))  # type: ignore[attr-defined]
    return httpx.AsyncClient(transport=transport, base_url=BASE)


async def refused(viewer: httpx.AsyncClient, url: str, slug: str, **headers: str) -> bool:
    reply = await viewer.get(url, headers=headers)
    assert reply.headers["access-control-allow-origin"] == "*"
    if reply.status_code == 200:
        assert reply.headers["cache-control"].startswith("private"), "the next one may be refused"
        return False
    assert reply.status_code == 403
    assert reply.json()["type"].endswith(f"/{slug}")
    return True


async def test_sites(client: httpx.AsyncClient, viewer: httpx.AsyncClient, settle: Settle) -> None:
    folder = await public_video(client)
    url = f"{folder}/captions/en.vtt"
    reply = await viewer.get(url, headers={"Referer": "https://else.example/"})
    assert reply.headers["cache-control"].startswith("public")
    assert (await settle(allowedReferrers=["Shop.example"])).status_code == 200

    async def listed() -> bool:
        elsewhere = {"Referer": "https://else.example/"}
        return (await viewer.get(url, headers=elsewhere)).status_code == 403

    await until(listed)
    slug = "referrer-not-allowed"
    for referrer, right in (
        ("https://shop.example/film", True),
        ("http://shop.example:8080/", True),
        (f"{BASE}{folder}", True),  # our page, which is judged itself
        ("https://www.shop.example/", False),
        ("https://shop.example.evil.example/", False),
        ("https://[", False),
        ("", False),
    ):
        headers = {"Referer": referrer} if referrer else {}
        assert await refused(viewer, url, slug, **headers) is not right, referrer
        page = await viewer.get(folder, headers=headers)
        assert page.status_code == (200 if right else 403), referrer
        assert page.headers["content-type"].startswith("text/html")
        if right:
            assert page.headers["cache-control"].startswith("private")
    assert (await viewer.get("/vod/viNone/captions/en.vtt")).status_code == 404
    await settle(allowEmptyReferrer=True)

    async def empty_passes() -> bool:
        return not await refused(viewer, url, slug)

    await until(empty_passes)
    assert await refused(viewer, url, slug, Referer="https://else.example/")
    await settle(allowedReferrers=None)

    async def open_again() -> bool:
        reply = await viewer.get(url, headers={"Referer": "https://else.example/"})
        return reply.headers["cache-control"].startswith("public")

    await until(open_again)


async def test_a_page_that_is_fetched_for_another_site_is_judged_by_that(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, settle: Settle
) -> None:
    """A player page loads another media in its place: the one around it is told, too."""
    folder = await public_video(client)
    stream = await live_stream(client)
    assert (await settle(allowedReferrers=["shop.example"])).status_code == 200
    ours = {"Referer": f"{BASE}/vod/viFree"}

    async def listed() -> bool:
        elsewhere = {"Referer": "https://else.example/"}
        return (await viewer.get(folder, headers=elsewhere)).status_code == 403

    await until(listed)
    for embedder, status in (
        ("https://shop.example", 200),
        (BASE, 200),
        ("https://else.example", 403),
        ("https://[", 403),
        ("", 403),
    ):
        for page in (folder, stream):
            reply = await viewer.get(page, headers=ours | {"Telecine-Embedder": embedder})
            assert reply.status_code == status, (page, embedder)
    # Who tells of a site comes from none by that.
    forged = {"Telecine-Embedder": "https://shop.example"}
    for told in (forged, forged | {"Referer": "https://else.example/"}):
        assert (await viewer.get(folder, headers=told)).status_code == 403


async def test_sites_and_countries_of_live_streams(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, settle: Settle
) -> None:
    folder = await live_stream(client)
    url = f"{folder}/thumbnail.jpg"
    assert (await viewer.get(url)).headers["cache-control"].startswith("public")
    settings = {"allowedReferrers": ["shop.example"], "allowedCountries": ["fr"]}
    assert (await settle(**settings)).status_code == 200
    here, elsewhere = ({"Referer": f"https://{name}.example/"} for name in ("shop", "else"))
    async with from_address(viewer, "203.0.113.7") as french:

        async def listed() -> bool:
            return (await french.get(url, headers=elsewhere)).status_code == 403

        await until(listed)
        assert not await refused(french, url, "", **here)
        assert await refused(french, url, "referrer-not-allowed", **elsewhere)
        page = await french.get(folder, headers=here)
        assert (page.status_code, page.headers["cache-control"]) == (200, "private, no-cache")
        page = await french.get(folder, headers=elsewhere)
        assert (page.status_code, page.headers["cache-control"]) == (403, "no-store")
    async with from_address(viewer, "192.0.2.7") as german:
        assert await refused(german, url, "country-not-allowed", **here)
        # The page is there: it tells why nothing plays.
        assert island(await german.get(folder, headers=here))["live"] is True


async def test_countries(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, settle: Settle
) -> None:
    folder = await public_video(client)
    url, slug = f"{folder}/captions/en.vtt", "country-not-allowed"
    assert (await settle(allowedCountries=["fr"])).json()["allowedCountries"] == ["FR"]

    async def listed() -> bool:
        return (await viewer.get(url)).status_code == 403

    await until(listed)
    async with from_address(viewer, "203.0.113.7") as french:
        assert not await refused(french, url, slug)
    async with from_address(viewer, "192.0.2.7") as german:
        assert await refused(german, url, slug)
        # The page is there: it tells why nothing plays.
        assert island(await german.get(folder))["hls"].startswith(folder)
    async with from_address(viewer, "198.51.100.7") as unknown:
        assert await refused(unknown, url, slug)
        await settle(allowUnknownCountry=True)

        async def passes() -> bool:
            return not await refused(unknown, url, slug)

        await until(passes)


async def test_a_token_is_not_used_up_by_who_is_turned_away(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, settle: Settle
) -> None:
    video = await make(client)
    url = captions(video)
    await settle(allowedReferrers=["shop.example"])

    async def listed() -> bool:
        return (await viewer.get(url)).status_code == 403

    await until(listed)
    assert (await viewer.get(url.replace("/token/", "/token/0"))).status_code == 404
    there = {"Referer": "https://shop.example/", "User-Agent": "another"}
    assert (await viewer.get(url, headers=there)).status_code == 200


async def test_what_settings_refuse(settle: Settle) -> None:
    for settings in (
        {"allowedReferrers": ["https://shop.example"]},
        {"allowedReferrers": ["shop.example/path"]},
        {"allowedReferrers": [""]},
        {"allowedReferrers": "shop.example"},
        {"allowedCountries": ["FRA"]},
        {"allowedCountries": ["1"]},
        {"allowEmptyReferrer": "yes"},
    ):
        assert (await settle(**settings)).status_code == 400, settings


async def test_countries_need_a_database(services: Services, project: ProjectKeys) -> None:
    app = create_app([operator_api.router], [], replace(services, countries=Countries()))
    async with connect(app) as operator:
        reply = await operator.patch(
            f"/_/projects/{project.public_id}/settings",
            json={"allowedCountries": ["FR"]},
            headers={"Authorization": f"Bearer {OPERATOR_KEY}"},
        )
    assert reply.status_code == 400
    assert "TELECINE_GEOIP_DATABASE" in reply.text
