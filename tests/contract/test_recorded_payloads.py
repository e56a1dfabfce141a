"""Answers have the members, of the same JSON types, that the suites of official clients recorded.

`recorded_payloads.json` says what was found there, by the names that clients have for resource
and method; nothing of it is optional to who reads such an answer. Analytics and summaries are not
in it, nor is a refusal of webhooks that has `events` in place of a title.
"""

import io
import json
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
TABLE = Path(__file__).with_name("recorded_payloads.json")
Kinds = dict[str, str]


def recorded() -> dict[str, Kinds]:
    """Return the members of each recorded answer with their types: `{"metadata[].key": "string"}`.

    Of a list: what all that it shows have in common.
    """
    found = {}
    for shape in json.loads(TABLE.read_text()):
        kinds = {
            member: kind
            for kind, members in shape.items()
            if kind != "of"
            for member in members.split()
        }
        found.update(dict.fromkeys(shape["of"].split(), kinds))
    return found


RECORDED = recorded()
DIFFERENT = {("tags/list", "videoCount"): "number"}
"""The schemas of both reference documents say so; a string is in that one recording alone."""


def values(answer: Any, member: str) -> Iterator[Any]:
    """Yield what an answer has at a place: several values within lists, none if it is missing."""
    name, _, rest = member.partition(".")
    listed = name.endswith("[]")
    name = name.removesuffix("[]")
    if not isinstance(answer, dict) or name not in answer:
        return
    for value in answer[name] if listed else [answer[name]]:
        if rest:
            yield from values(value, rest)
        else:
            yield value


def kind_of(value: Any) -> str:
    """Return the type that JSON has for a value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {str: "string", type(None): "null", dict: "object", list: "array"}[type(value)]


def has(answer: Any, *names: str) -> None:
    """Look for all that was recorded in answers of these names, and for the same types."""
    for name in names:
        for member, kind in RECORDED[name].items():
            expected = DIFFERENT.get((name, member), kind)
            found = {kind_of(value) for value in values(answer, member)}
            assert found == {expected}, f"{name} {member}: {found}, recorded {kind}: {answer}"


def lists(api: httpx.Client, path: str, name: str) -> None:
    """Look at the list of a resource, of which there is one at least."""
    listed = accepted(api.get(path))
    assert listed["data"]
    has(listed["pagination"], "pagination")
    for each in listed["data"]:
        has(each, name)


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


def test_all_that_was_recorded_is_compared() -> None:
    text = Path(__file__).read_text()
    assert [name for name in RECORDED if f'"{name}"' not in text] == []


def test_other_types_are_seen() -> None:
    """A table that everything fits would show nothing."""
    right = {"value": "a", "videoCount": 1}
    has(right, "tags/list")
    for wrong in ({**right, "value": 1}, {**right, "value": None}, {"videoCount": 1}):
        with pytest.raises(AssertionError):
            has(wrong, "tags/list")


def test_themes(api: httpx.Client) -> None:
    made = accepted(api.post("/players", json={"text": "red"}))
    has(made, "playerthemes/create")
    path = f"/players/{made['playerId']}"
    has(accepted(api.patch(path, json={"link": "blue"})), "playerthemes/update")
    logo = accepted(api.post(f"{path}/logo", files=picture(), data={"link": "https://a.example"}))
    for answer in (logo, accepted(api.get(path))):
        has(answer, "playerthemes/get")
        assert {kind_of(value) for value in answer["assets"].values()} == {"string"}
        assert set(answer["assets"]) == {"logo", "link"}
    lists(api, "/players", "playerthemes/list")


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
    has(made, "videos/create")
    path = f"/videos/{made['videoId']}"
    file = {"file": clip.read_bytes()}
    has(accepted(api.post(f"{path}/source", files=file)), "videos/upload")
    has(accepted(api.patch(path, json={"title": "u"})), "videos/update")
    picked = api.patch(f"{path}/thumbnail", json={"timecode": "00:00:00.5"})
    has(accepted(picked), "videos/pickThumbnail")
    has(accepted(api.post(f"{path}/thumbnail", files=picture())), "videos/uploadThumbnail")
    has(accepted(api.get(path)), "videos/get")
    lists(api, "/videos", "videos/list")
    lists(api, "/tags", "tags/list")
    text = f"{path}/captions/en"
    sent = accepted(api.post(text, files={"file": ("a.vtt", VTT)}))
    has(sent, "captions/upload")
    has(accepted(api.get(text)), "captions/get")
    has(accepted(api.patch(text, json={"default": True})), "captions/update")
    lists(api, f"{path}/captions", "captions/list")
    text = f"{path}/chapters/en"
    has(accepted(api.post(text, files={"file": ("a.vtt", VTT)})), "chapters/upload")
    has(accepted(api.get(text)), "chapters/get")
    lists(api, f"{path}/chapters", "chapters/list")
    assert api.delete(path).status_code == 204
    has(accepted(api.get(f"/discarded{path}")), "videos/getDiscarded")
    lists(api, "/discarded/videos", "videos/listDiscarded")
    restored = accepted(api.patch(f"/discarded{path}", json={"discarded": False}))
    # Recorded as still discarded, with the times of that: here it is what it was before.
    shown = {"discardedAt": "", "deletesAt": ""}
    assert {name: restored[name] for name in shown} == dict.fromkeys(shown)
    has(restored | shown, "videos/updateDiscarded")
    has(restored, "videos/get")


def test_a_video_that_is_sent_with_a_token(api: httpx.Client, clip: Path) -> None:
    token = accepted(api.post("/upload-tokens", json={"ttl": 600}))
    has(token, "uploadtokens/createToken")
    has(accepted(api.get(f"/upload-tokens/{token['token']}")), "uploadtokens/getToken")
    lists(api, "/upload-tokens", "uploadtokens/list")
    file = {"file": ("a.mp4", clip.read_bytes())}
    sent = accepted(api.post(f"/upload?token={token['token']}", files=file))
    theme = accepted(api.post("/players", json={}))
    told = {
        "tags": ["a"],
        "metadata": [{"key": "a", "value": "b"}],
        "playerId": theme["playerId"],
        "language": "en",
    }
    # An upload can tell none of these, which the recorded answer has.
    accepted(api.patch(f"/videos/{sent['videoId']}", json=told))
    again = accepted(api.get(f"/videos/{sent['videoId']}"))
    has(sent | {name: again[name] for name in told}, "videos/uploadWithUploadToken")
    assert sent.keys() <= again.keys()


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
    has(accepted(api.get(f"{path}/status")), "videos/getStatus")


def test_live_streams_watermarks_and_webhooks(api: httpx.Client) -> None:
    restreams = [{"name": "a", "serverUrl": "rtmp://live.example.com/app", "streamKey": "k"}]
    stream = accepted(api.post("/live-streams", json={"name": "a", "restreams": restreams}))
    has(stream, "livestreams/create")
    path = f"/live-streams/{stream['liveStreamId']}"
    has(accepted(api.get(path)), "livestreams/get")
    has(accepted(api.patch(path, json={"name": "b"})), "livestreams/update")
    lists(api, "/live-streams", "livestreams/list")
    has(accepted(api.post("/watermarks", files=picture())), "watermarks/upload")
    lists(api, "/watermarks", "watermarks/list")
    hook = {"events": ["video.encoding.quality.completed"], "url": "https://a.example/hook"}
    made = accepted(api.post("/webhooks", json=hook))
    has(made, "webhooks/create")
    has(accepted(api.get(f"/webhooks/{made['webhookId']}")), "webhooks/get")
    lists(api, "/webhooks", "webhooks/list")


def test_tokens_of_access(base_url: str, make_tenant: MakeTenant) -> None:
    key = make_tenant("recorded tokens").key
    with httpx.Client(base_url=base_url, timeout=PATIENCE_S) as client:
        got = accepted(client.post("/auth/api-key", json={"apiKey": key}))
        has(got, "advancedauthentication/authenticate")
        refresh = {"refreshToken": got["refresh_token"]}
        again = accepted(client.post("/auth/refresh", json=refresh))
        has(again, "advancedauthentication/refresh")
        for path, body in (("api-key", {"apiKey": "no"}), ("refresh", {"refreshToken": "no"})):
            refused = client.post(f"/auth/{path}", json=body)
            assert refused.status_code == 400
            has(refused.json(), "problems/plain")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", f"/{kind}") for kind in ("players/plNone", "videos/viNone", "webhooks/None")),
        *(("GET", f"/{kind}") for kind in ("discarded/videos/viNone", "videos/viNone/status")),
        *(("DELETE", f"/{kind}") for kind in ("players/plNone", "watermarks/None", "webhooks/a")),
        *(("DELETE", f"/live-streams/liNone{part}") for part in ("", "/thumbnail")),
        ("DELETE", "/players/plNone/logo"),
        ("PUT", "/live-streams/liNone/complete"),
        ("PATCH", "/videos/viNone/captions/en"),
        ("PATCH", "/videos/viNone"),
    ],
)
def test_what_is_unknown(api: httpx.Client, method: str, path: str) -> None:
    reply = api.request(method, path, json={"default": True} if method == "PATCH" else None)
    assert reply.status_code == 404, reply.text
    has(reply.json(), "problems/plain", "problems/limit")


@pytest.mark.parametrize("path", ["/videos", "/discarded/videos", "/players", "/watermarks"])
def test_pages_that_there_are_not(api: httpx.Client, path: str) -> None:
    outside = api.get(path, params={"currentPage": 0, "pageSize": 1000})
    assert outside.status_code == 400
    has(outside.json(), "problems/range")


def test_refusals(api: httpx.Client) -> None:
    video = f"/videos/{accepted(api.post('/videos', json={'title': 't'}))['videoId']}"
    stream = (
        f"/live-streams/{accepted(api.post('/live-streams', json={'name': 'a'}))['liveStreamId']}"
    )
    theme = f"/players/{accepted(api.post('/players', json={}))['playerId']}"
    no_picture = {"file": ("a.txt", b"text")}
    for path in (f"{video}/thumbnail", f"{stream}/thumbnail", f"{theme}/logo", "/watermarks"):
        refused = api.post(path, files=no_picture)
        assert refused.status_code == 400
        has(refused.json(), "problems/plain")
    for reply in (
        api.post(f"{video}/captions/nolanguage", files={"file": ("a.vtt", VTT)}),
        api.post("/live-streams", json={"name": "a", "playerId": "plNone"}),
        api.patch(stream, json={"playerId": "plNone"}),
        api.post("/videos", json={"title": "t", "playerId": "plNone"}),
        api.patch(video, json={"playerId": "plNone"}),
    ):
        assert reply.status_code == 400, reply.text
        has(reply.json(), "problems/detailed")
    for reply in (
        api.post("/videos", json={"metadata": "no", "tags": "no"}),
        api.patch(video, json={"metadata": "no", "tags": "no"}),
    ):
        assert reply.status_code == 400, reply.text
        has(reply.json(), "problems/several")
