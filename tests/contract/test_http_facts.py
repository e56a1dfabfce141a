"""What every answer looks like from outside, whatever the operation."""

import re
from typing import Any

import httpx
import pytest

from tests.contract.conftest import Tenant, accepted
from tests.contract.openapi_facts import METHODS, Document
from tests.fixtures.waiting import PATIENCE_S

UNKNOWN = "viAAAAAAAAAAAAAAAAAAAAAA"
ALL_METHODS = {method.upper() for method in METHODS}


@pytest.fixture(scope="module")
def document(api: httpx.Client) -> Document:
    return Document(accepted(api.get("/openapi.json")))


@pytest.fixture
def video(api: httpx.Client) -> dict[str, Any]:
    return accepted(api.post("/videos", json={"title": "facts"}))


def answers(api: httpx.Client, video_id: str) -> dict[str, httpx.Response]:
    """Return one answer of each kind."""
    return {
        "list": api.get("/videos"),
        "created": api.post("/videos", json={"title": "another"}),
        "shown": api.get(f"/videos/{video_id}"),
        "status": api.get(f"/videos/{video_id}/status"),
        "invalid": api.post("/videos", json={}),
        "no payload": api.post("/videos", content=b"{"),
        "no credentials": api.get("/videos", auth=httpx.Auth()),
        "unknown id": api.get(f"/videos/{UNKNOWN}"),
        "unknown path": api.get("/no/such/path"),
        "wrong method": api.put("/videos"),
        "deleted": api.delete(f"/videos/{video_id}"),
    }


def test_media_types_are_exact(api: httpx.Client, video: dict[str, Any]) -> None:
    for kind, reply in answers(api, video["videoId"]).items():
        wanted = "application/json" if reply.is_success else "application/problem+json"
        if reply.status_code == 204:
            assert "content-type" not in reply.headers, kind
            assert reply.content == b""
        else:
            assert reply.headers["content-type"] == wanted, kind


def test_problems_repeat_their_status(api: httpx.Client, video: dict[str, Any]) -> None:
    failed = [reply for reply in answers(api, video["videoId"]).values() if reply.is_error]
    assert sorted({reply.status_code for reply in failed}) == [400, 401, 404, 405]
    for reply in failed:
        problem = reply.json()
        assert problem["status"] == reply.status_code
        assert problem["title"]
        assert re.fullmatch(r"https://docs\.api\.video/reference/[a-z-]+", problem["type"])


def test_rate_limits_are_told_on_every_answer(api: httpx.Client, video: dict[str, Any]) -> None:
    for kind, reply in answers(api, video["videoId"]).items():
        told = [reply.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining")]
        assert int(told[0]) >= int(told[1]) >= 0, kind
        assert 0 <= int(reply.headers["x-ratelimit-retry-after"]) <= 60, kind


def test_the_auth_operations_tell_no_rate_limits(api: httpx.Client, tenant: Tenant) -> None:
    for key in (tenant.key, "wrong"):
        reply = api.post("/auth/api-key", json={"apiKey": key})
        assert not [name for name in reply.headers if name.startswith("x-ratelimit")]


def test_browsers_may_read_every_answer(api: httpx.Client, video: dict[str, Any]) -> None:
    for kind, reply in answers(api, video["videoId"]).items():
        assert reply.headers["access-control-allow-origin"] == "*", kind
        assert "X-RateLimit-Remaining" in reply.headers["access-control-expose-headers"], kind


@pytest.mark.parametrize("path", ["/videos", f"/videos/{UNKNOWN}/source", "/auth/refresh", "/no"])
def test_browsers_may_send_what_the_uploader_sends(base_url: str, path: str) -> None:
    reply = httpx.options(
        base_url + path,
        headers={
            "Origin": "https://example.com",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-range,av-origin-client",
        },
        timeout=PATIENCE_S,
    )
    assert reply.status_code == 204
    assert reply.content == b""
    assert "content-type" not in reply.headers
    assert reply.headers["access-control-allow-origin"] == "*"
    methods = set(reply.headers["access-control-allow-methods"].split(", "))
    assert methods >= {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    allowed = reply.headers["access-control-allow-headers"].lower().split(", ")
    assert set(allowed) >= {
        "authorization",
        "content-range",
        "content-type",
        "av-origin-client",
        "av-origin-app",
        "av-origin-sdk",
    }
    assert int(reply.headers["access-control-max-age"]) >= 3600


@pytest.mark.parametrize("path", ["/videos", "/videos/{id}", "/videos/{id}/status", "/videos/viNo"])
def test_head_is_get_without_a_body(api: httpx.Client, video: dict[str, Any], path: str) -> None:
    path = path.replace("{id}", video["videoId"])
    get, head = api.get(path), api.head(path)
    assert head.content == b""
    assert head.status_code == get.status_code
    assert head.headers["content-type"] == get.headers["content-type"]


NOT_IN_THE_DOCUMENT = {"/tus/{uploadId}": {"HEAD", "POST"}}
"""What is no operation of an API: the question of tus, and what stands in for others."""


def test_other_methods_are_refused_with_those_that_exist(
    api: httpx.Client, document: Document
) -> None:
    paths: dict[str, set[str]] = {}
    for method, path, _ in document.raw():
        paths.setdefault(path, {"OPTIONS"}).add(method)
    for path, documented in paths.items():
        methods = documented | NOT_IN_THE_DOCUMENT.get(path, set())
        expected = methods | {"HEAD"} if "GET" in methods else methods
        for method in sorted(ALL_METHODS - methods):
            reply = api.request(method, re.sub(r"\{\w+\}", "x", path))
            assert reply.status_code == 405, f"{method} {path}"
            assert set(reply.headers["allow"].split(", ")) == expected, f"{method} {path}"
            assert reply.json()["type"].endswith("/method-not-allowed")
            assert reply.json()["title"] == "Method is not allowed for this route."
            assert "name" not in reply.json()


@pytest.mark.parametrize("path", ["/no/such", "/videos/", "/v1/videos", f"/videos/{UNKNOWN}/no"])
def test_unknown_paths(api: httpx.Client, path: str) -> None:
    for reply in (api.get(path), api.post(path, json={})):
        assert reply.status_code == 404
        problem = reply.json()
        assert problem["type"].endswith("/unrecognized-request-url")
        assert problem["title"] == "Unrecognized request URL."
        assert "name" not in problem


def test_a_content_type_without_a_body_is_ignored(api: httpx.Client, video: dict[str, Any]) -> None:
    path, headers = f"/videos/{video['videoId']}", {"Content-Type": "application/json"}
    assert api.get(path, headers=headers).status_code == 200
    assert api.delete(path, headers=headers).status_code == 204


def test_the_video_of_the_documentation(api: httpx.Client) -> None:
    video = accepted(
        api.post("/videos", json={"title": "T", "metadata": [{"key": "k", "value": "v"}]})
    )
    video_id = video["videoId"]
    assert re.fullmatch(r"vi[0-9A-Za-z]{22}", video_id)
    player = video["assets"]["player"]
    assert player.endswith(f"/vod/{video_id}")
    assert video["assets"]["iframe"] == (
        f'<iframe src="{player}" width="100%" height="100%" frameborder="0" '
        'scrolling="no" allowfullscreen="true"></iframe>'
    )
    assert video["assets"]["hls"].endswith(f"/vod/{video_id}/hls/manifest.m3u8")
    assert video["assets"]["thumbnail"].endswith(f"/vod/{video_id}/thumbnail.jpg")
    assert video["assets"]["mp4"].endswith(f"/vod/{video_id}/mp4/source.mp4")
    assert video["source"] == {"uri": f"/videos/{video_id}/source", "type": "upload"}
    assert video["metadata"] == [{"key": "k", "value": "v"}]
    assert "playerId" not in video
    for moment in ("createdAt", "updatedAt", "publishedAt"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", video[moment])
    assert video["discarded"] is False
    assert (video["discardedAt"], video["deletesAt"], video["language"]) == (None, None, None)


def test_a_video_without_a_source_is_not_there_yet(
    base_url: str, video: dict[str, Any], api: httpx.Client
) -> None:
    reply = httpx.get(f"{base_url}/vod/{video['videoId']}/hls/manifest.m3u8", timeout=PATIENCE_S)
    assert reply.status_code == 202
    assert reply.content == b""
    assert "content-type" not in reply.headers
    assert reply.headers["access-control-allow-origin"] == "*"
    assert (
        httpx.get(f"{base_url}/vod/{UNKNOWN}/hls/manifest.m3u8", timeout=PATIENCE_S).status_code
        == 404
    )
    status = accepted(api.get(f"/videos/{video['videoId']}/status"))
    assert status["ingest"] is None
    assert status["encoding"]["playable"] is False
    assert status["encoding"]["qualities"] == []
    assert set(status["encoding"]["metadata"].values()) == {None}
