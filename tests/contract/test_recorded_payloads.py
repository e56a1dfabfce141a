"""Answers have every member that the answers have which the suites of official clients recorded.

The table says what was found there; nothing of it is optional to who reads such an answer.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.contract.conftest import MakeTenant, accepted
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.anyio

VTT = b"WEBVTT\n\n00:01.000 --> 00:04.000\nhello\n"
COLOURS = ["Background", "Played", "Unplayed"]
TEXT = {"language", "src", "uri"}
CAPTION = {"srclang", "src", "uri", "default", "languageName"}
THEME = {
    *("playerId", "createdAt", "updatedAt", "text", "link", "linkHover", "linkActive"),
    *("backgroundTop", "backgroundText", "backgroundBottom", "enableApi", "enableControls"),
    *("forceAutoplay", "forceLoop", "hideTitle", *(f"track{name}" for name in COLOURS)),
}
VIDEO = {
    *("videoId", "title", "description", "public", "panoramic", "mp4Support", "playerId", "tags"),
    *("metadata", "metadata[].key", "metadata[].value", "publishedAt", "updatedAt", "source"),
    *("source.uri", "assets", "assets.hls", "assets.iframe", "assets.mp4", "assets.player"),
    *("assets.thumbnail", "discarded", "language", "languageOrigin"),
}
ASSETS = {name for name in VIDEO if name.startswith(("assets", "language"))}
DISCARDED = VIDEO - ASSETS | {"discardedAt", "deletesAt"}
LIVE = {
    *("liveStreamId", "name", "streamKey", "public", "broadcasting", "createdAt", "updatedAt"),
    *("assets", "assets.hls", "assets.iframe", "assets.player", "assets.thumbnail", "restreams"),
    *(f"restreams[].{name}" for name in ("name", "serverUrl", "streamKey")),
}
STATUS = {
    *("ingest", "ingest.status", "ingest.filesize", "ingest.receivedBytes", "encoding"),
    *("encoding.playable", "encoding.qualities", "encoding.metadata"),
    *(f"ingest.receivedBytes[].{name}" for name in ("from", "to", "total")),
    *(f"encoding.qualities[].{name}" for name in ("quality", "status")),
    *(f"encoding.metadata.{name}" for name in ("width", "height", "bitrate", "duration")),
    *(f"encoding.metadata.{name}" for name in ("framerate", "samplerate", "videoCodec")),
    *(f"encoding.metadata.{name}" for name in ("audioCodec", "aspectRatio")),
}
WATERMARK, TAG = {"watermarkId", "createdAt"}, {"value", "videoCount"}
TOKEN = {"token", "ttl", "createdAt", "expiresAt"}
WEBHOOK = {"webhookId", "createdAt", "events", "url"}
PAGE = {
    *("currentPage", "pageSize", "pagesTotal", "itemsTotal", "currentPageItems"),
    *("links", "links[].rel", "links[].uri"),
}


def members(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield the members of objects at any depth, as `assets.hls` and `metadata[].key`."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield f"{prefix}{name}"
            yield from members(member, f"{prefix}{name}.")
    elif isinstance(value, list):
        for member in value:
            yield from members(member, f"{prefix[:-1]}[]." if prefix else "[].")


def has(value: Any, recorded: set[str]) -> None:
    assert recorded - set(members(value)) == set(), value


def lists(api: httpx.Client, path: str, recorded: set[str]) -> None:
    """Look at the list of a resource, of which there is one at least."""
    listed = accepted(api.get(path))
    assert listed["data"]
    has(listed, {"data", "pagination", *(f"pagination.{name}" for name in PAGE)})
    for each in listed["data"]:
        has(each, recorded)


@pytest.fixture
def api(base_url: str, make_tenant: MakeTenant, operator: httpx.Client) -> Iterator[httpx.Client]:
    """A client of a project that keeps what is deleted."""
    tenant = make_tenant("recorded")
    settings = f"/_/projects/{tenant.project_id}/settings"
    accepted(operator.patch(settings, json={"videoRestore": True}))
    with httpx.Client(base_url=base_url, auth=(tenant.key, ""), timeout=PATIENCE_S) as client:
        yield client


def picture() -> dict[str, tuple[str, bytes]]:
    file = io.BytesIO()
    Image.new("RGB", (100, 50), "red").save(file, "PNG")
    return {"file": ("a.png", file.getvalue())}


def test_themes(api: httpx.Client) -> None:
    made = accepted(api.post("/players", json={"text": "red"}))
    path = f"/players/{made['playerId']}"
    changed = accepted(api.patch(path, json={"link": "blue"}))
    shown = accepted(api.get(path))
    logo = accepted(api.post(f"{path}/logo", files=picture(), data={"link": "https://a.example"}))
    for answer in (made, changed, shown, logo):
        has(answer, THEME)
    has(logo, {"assets", "assets.logo", "assets.link"})
    lists(api, "/players", THEME)


def test_videos_with_all_that_hangs_on_them(api: httpx.Client, clip: Path) -> None:
    theme = accepted(api.post("/players", json={}))
    wish = {
        "title": "t",
        "tags": ["a"],
        "metadata": [{"key": "a", "value": "b"}],
        "playerId": theme["playerId"],
        "language": "en",
    }
    made = accepted(api.post("/videos", json=wish))
    path = f"/videos/{made['videoId']}"
    sent = accepted(api.post(f"{path}/source", files={"file": clip.read_bytes()}))
    changed = accepted(api.patch(path, json={"title": "u"}))
    picked = accepted(api.patch(f"{path}/thumbnail", json={"timecode": "00:00:00.5"}))
    for answer in (made, sent, changed, picked, accepted(api.get(path))):
        has(answer, VIDEO)
    lists(api, "/videos", VIDEO)
    lists(api, "/tags", TAG)
    for kind, recorded in (("captions", CAPTION), ("chapters", TEXT)):
        text = f"{path}/{kind}/en"
        has(accepted(api.post(text, files={"file": ("a.vtt", VTT)})), recorded)
        has(accepted(api.get(text)), recorded)
        lists(api, f"{path}/{kind}", recorded)
    has(accepted(api.patch(f"{path}/captions/en", json={"default": True})), CAPTION)
    assert api.delete(path).status_code == 204
    has(accepted(api.get(f"/discarded{path}")), DISCARDED)
    lists(api, "/discarded/videos", DISCARDED)
    has(accepted(api.patch(f"/discarded{path}", json={"discarded": False})), DISCARDED - {
        "discardedAt", "deletesAt"})  # fmt: skip


async def test_status(api: httpx.Client, clip: Path) -> None:
    made = accepted(api.post("/videos", json={"title": "t"}))
    path = f"/videos/{made['videoId']}"
    content = clip.read_bytes()
    headers = {"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}"}
    accepted(api.post(f"{path}/source", files={"file": ("a.mp4", content)}, headers=headers))

    async def measured() -> bool:
        encoding = accepted(api.get(f"{path}/status"))["encoding"]
        return encoding.get("metadata") is not None and encoding["metadata"]["width"] is not None

    await until(measured)
    has(accepted(api.get(f"{path}/status")), STATUS)


def test_live_streams_watermarks_tokens_and_webhooks(api: httpx.Client) -> None:
    restreams = [{"name": "a", "serverUrl": "rtmp://live.example.com/app", "streamKey": "k"}]
    stream = accepted(api.post("/live-streams", json={"name": "a", "restreams": restreams}))
    path = f"/live-streams/{stream['liveStreamId']}"
    for answer in (stream, accepted(api.get(path)), accepted(api.patch(path, json={"name": "b"}))):
        has(answer, LIVE)
    lists(api, "/live-streams", LIVE)
    has(accepted(api.post("/watermarks", files=picture())), WATERMARK)
    lists(api, "/watermarks", WATERMARK)
    token = accepted(api.post("/upload-tokens", json={"ttl": 600}))
    has(token, TOKEN)
    has(accepted(api.get(f"/upload-tokens/{token['token']}")), TOKEN)
    lists(api, "/upload-tokens", TOKEN)
    hook = {"events": ["video.encoding.quality.completed"], "url": "https://a.example/hook"}
    made = accepted(api.post("/webhooks", json=hook))
    has(made, WEBHOOK)
    has(accepted(api.get(f"/webhooks/{made['webhookId']}")), WEBHOOK)
    lists(api, "/webhooks", WEBHOOK | {"signatureSecret"})


def test_refusals(api: httpx.Client) -> None:
    unknown = api.get("/players/plAAAAAAAAAAAAAAAAAAAAAA")
    assert unknown.status_code == 404
    has(unknown.json(), {"type", "title", "name", "status"})
    outside = api.get("/videos", params={"currentPage": 0, "pageSize": 1000})
    assert outside.status_code == 400
    recorded = {"status", "title", "name", "problems", "problems[].title", "problems[].name"}
    ranges = {"range", "range.min", "problems[].range", "problems[].range.max"}
    has(outside.json(), recorded | ranges)
