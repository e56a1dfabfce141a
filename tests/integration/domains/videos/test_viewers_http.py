"""What holds for every answer to a viewer, whatever is asked for."""

import httpx
import pytest

pytestmark = pytest.mark.anyio

NAMES = ("hls/manifest.m3u8", "mp4/source.mp4", "thumbnail.jpg", "storyboard.vtt", "nothing")


@pytest.fixture
async def empty(client: httpx.AsyncClient) -> str:
    """A video without a file: the path of its folder."""
    return f"/vod/{(await client.post('/videos', json={'title': 't'})).json()['videoId']}"


async def test_scripts_of_all_sites_may_read_it(viewer: httpx.AsyncClient, empty: str) -> None:
    for url in [f"{folder}/{name}" for folder in (empty, "/vod/viNone") for name in NAMES]:
        for method in ("GET", "HEAD", "POST"):
            reply = await viewer.request(method, url, headers={"Origin": "https://a.example"})
            assert reply.headers["access-control-allow-origin"] == "*", f"{method} {url}"
            assert reply.headers["timing-allow-origin"] == "*"
            exposed = reply.headers["access-control-expose-headers"]
            assert {"Content-Length", "Content-Range", "X-Token-Session"} <= set(
                exposed.split(", ")
            )
        reply = await viewer.options(
            url,
            headers={
                "Origin": "https://a.example",
                "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": "range, x-token-session",
            },
        )
        assert (reply.status_code, reply.content) == (204, b"")
        assert {"Range", "X-Token-Session"} <= set(
            reply.headers["access-control-allow-headers"].split(", ")
        )
        assert reply.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"


async def test_what_comes_later_is_told_without_a_body(
    viewer: httpx.AsyncClient, empty: str
) -> None:
    for method in ("GET", "HEAD"):
        reply = await viewer.request(method, f"{empty}/hls/manifest.m3u8")
        assert (reply.status_code, reply.content) == (202, b"")
        assert reply.headers["telecine-stage"] == "empty"
        assert reply.headers["cache-control"] == "no-store"
    for name in ("mp4/source.mp4", "thumbnail.jpg", "hls/240p/manifest.m3u8"):
        assert (await viewer.get(f"{empty}/{name}")).status_code == 404, name
    assert (await viewer.get("/vod/viNone/hls/manifest.m3u8")).status_code == 404


async def test_viewers_change_nothing(viewer: httpx.AsyncClient, empty: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        reply = await viewer.request(method, f"{empty}/hls/manifest.m3u8")
        assert reply.status_code == 405
        assert reply.headers["allow"] == "GET, HEAD, OPTIONS"
        assert reply.headers["content-type"] == "application/problem+json"
