"""What other sites show of a video: cards, oEmbed, what robots may read."""

import re
from html import unescape
from html.parser import HTMLParser
from io import BytesIO
from typing import Any
from urllib.robotparser import RobotFileParser

import httpx
import pytest
from PIL import Image

from tests.fixtures.application import BASE

pytestmark = pytest.mark.anyio

TITLE = """A "film" <b>of</b> 'mine' & more"""


class Head(HTMLParser):
    """The metadata and links of a page by their names."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "meta" and "content" in found:
            self.meta[found.get("property") or found["name"]] = found["content"]
        if tag == "link":
            self.links[found.get("type") or found["rel"]] = found["href"]


async def make(client: httpx.AsyncClient, **members: Any) -> str:
    """Make a video with a picture; return its id."""
    reply = await client.post("/videos", json={"title": TITLE, "description": "<i>", **members})
    video_id: str = reply.json()["videoId"]
    await give_picture(client, f"/videos/{video_id}")
    return video_id


async def make_live(client: httpx.AsyncClient, **members: Any) -> str:
    """Make a live stream with a picture; return its id."""
    reply = await client.post("/live-streams", json={"name": TITLE, **members})
    stream_id: str = reply.json()["liveStreamId"]
    await give_picture(client, f"/live-streams/{stream_id}")
    return stream_id


async def give_picture(client: httpx.AsyncClient, path: str) -> None:
    file = BytesIO()
    Image.new("RGB", (64, 36)).save(file, "JPEG")
    files = {"file": ("a.jpg", file.getvalue())}
    reply = await client.post(f"{path}/thumbnail", files=files)
    assert reply.is_success, reply.text


async def test_cards_name_the_player_and_its_picture(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    video_id = await make(client)
    page = await viewer.get(f"/vod/{video_id}")
    head, url = Head(page.text), f"{BASE}/vod/{video_id}"
    assert head.links["canonical"] == url
    expected = {
        "og:type": "video.other",
        "og:title": TITLE,
        "og:description": "<i>",
        "og:url": url,
        "og:video": url,
        "og:video:secure_url": url,
        "og:video:type": "text/html",
        "og:video:width": "1280",
        "og:video:height": "720",
        "og:image": f"{url}/thumbnail.jpg",
        "twitter:card": "player",
        "twitter:title": TITLE,
        "twitter:description": "<i>",
        "twitter:player": url,
        "twitter:player:width": "1280",
        "twitter:player:height": "720",
        "twitter:image": f"{url}/thumbnail.jpg",
    }
    assert expected.items() <= head.meta.items()
    assert (await viewer.get(head.meta["og:image"])).headers["content-type"] == "image/jpeg"


async def test_the_page_leads_to_oembed(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    video_id = await make(client)
    url = Head((await viewer.get(f"/vod/{video_id}")).text).links["application/json+oembed"]
    reply = await viewer.get(url)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["access-control-allow-origin"] == "*"
    told = reply.json()
    frame = told.pop("html")
    assert told == {
        "type": "video",
        "version": "1.0",
        "title": TITLE,
        "provider_name": "Telecine",
        "provider_url": BASE,
        "width": 1280,
        "height": 720,
        "thumbnail_url": f"{BASE}/vod/{video_id}/thumbnail.jpg",
        "thumbnail_width": 64,
        "thumbnail_height": 36,
    }
    source = re.search(r'<iframe src="([^"]+)" width="1280" height="720"', frame)
    assert source is not None
    assert (await viewer.get(unescape(source[1]))).status_code == 200


async def test_live_streams_are_shared_as_videos_are(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    stream_id = await make_live(client)
    head, url = Head((await viewer.get(f"/live/{stream_id}")).text), f"{BASE}/live/{stream_id}"
    assert head.links["canonical"] == url
    expected = {
        "og:title": TITLE,
        "og:video": url,
        "og:image": f"{url}/thumbnail.jpg",
        "twitter:card": "player",
        "twitter:player": url,
        "twitter:image": f"{url}/thumbnail.jpg",
    }
    assert expected.items() <= head.meta.items()
    assert (await viewer.get(head.meta["og:image"])).headers["content-type"] == "image/jpeg"
    told = (await viewer.get(head.links["application/json+oembed"])).json()
    assert (told["title"], told["width"], told["height"]) == (TITLE, 1280, 720)
    assert (told["thumbnail_url"], told["thumbnail_width"]) == (f"{url}/thumbnail.jpg", 64)
    source = re.search(r'<iframe src="([^"]+)"', told["html"])
    assert source is not None
    assert (await viewer.get(unescape(source[1]))).status_code == 200
    private = f"{BASE}/live/{await make_live(client, public=False)}"
    assert (await viewer.get(f"/oembed?url={private}")).status_code == 404
    assert (await viewer.get(private)).status_code == 404


@pytest.mark.parametrize(
    ("query", "size"),
    [("maxwidth=640", (640, 360)), ("maxheight=90", (160, 90)), ("maxwidth=9999", (1280, 720))],
)
async def test_it_fits_the_place(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, query: str, size: tuple[int, int]
) -> None:
    video_id = await make(client)
    told = (await viewer.get(f"/oembed?url={BASE}/{video_id}&{query}")).json()
    assert (told["width"], told["height"]) == size


async def test_what_it_refuses(client: httpx.AsyncClient, viewer: httpx.AsyncClient) -> None:
    url = f"{BASE}/vod/{await make(client)}"
    private = f"{BASE}/vod/{await make(client, public=False)}"
    for query, status in (
        ("", 400),
        ("url=x", 400),
        ("url=http://[", 400),
        (f"url={url}&maxwidth=0", 400),
        (f"url={url}&maxwidth=%C2%B2", 400),
        (f"url={url}&format=xml", 501),
        (f"url={private}", 404),
        (f"url={BASE}/vod/viNone", 404),
        (f"url={BASE}/videos", 404),
        (f"url={url.replace('://', '://not-')}", 404),
        (f"url={url}/hls/manifest.m3u8", 404),
    ):
        reply = await viewer.get(f"/oembed?{query}")
        assert reply.status_code == status, query
        assert reply.headers["content-type"] == "application/problem+json"
    assert (await viewer.post("/oembed")).status_code == 405


async def test_private_videos_tell_nothing(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    video_id = await make(client, public=False)
    player = (await client.get(f"/videos/{video_id}")).json()["assets"]["player"]
    page = await viewer.get(player)
    head = Head(page.text)
    assert not [name for name in head.meta if name.startswith(("twitter:", "og:image", "og:url"))]
    assert {"canonical", "application/json+oembed"}.isdisjoint(head.links)
    assert "m3u8" not in page.headers["link"]


async def test_what_is_needed_first_is_said_before_the_page(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    video_id = await make(client)
    links = (await viewer.get(f"/vod/{video_id}")).headers["link"].split(", ")
    script, *sheets, playlist = links
    assert re.fullmatch(r"</static/assets/player-[\w-]+\.js>; rel=modulepreload", script)
    assert sheets
    assert all(re.fullmatch(r"</static/.+\.css>; rel=preload; as=style", each) for each in sheets)
    assert playlist == f"</vod/{video_id}/hls/manifest.m3u8>; rel=preload; as=fetch; crossorigin"


async def test_robots_read_pages_and_not_the_api(viewer: httpx.AsyncClient) -> None:
    reply = await viewer.get("/robots.txt")
    assert reply.headers["content-type"].startswith("text/plain")
    rules = RobotFileParser()
    rules.parse(reply.text.splitlines())
    for path in (
        "/vod/vi1",
        "/vod/vi1/thumbnail.jpg",
        "/vi1",
        "/li1",
        "/live/li1",
        "/oembed?url=x",
    ):
        assert rules.can_fetch("any", path), path
    for path in ("/players", "/_/projects", "/"):
        assert not rules.can_fetch("any", path), path
