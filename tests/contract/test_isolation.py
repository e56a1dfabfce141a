"""Every operation of the document, with the credentials and ids of somebody else.

Operations are found in the OpenAPI document, so new ones are covered without a word here;
only a new kind of resource asks for a line in `make_resources`.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.conftest import MakeTenant, Tenant, accepted
from tests.contract.openapi_facts import Document
from tests.fixtures.waiting import PATIENCE_S, until_now

PROJECT, OPERATOR = "apiKey", "operatorKey"

BODIES: dict[str, dict[str, Any]] = {
    "PATCH /videos/{videoId}/thumbnail": {"timecode": "00:00:00"},
    "PATCH /discarded/videos/{videoId}": {"discarded": False},
    "POST /webhooks": {"events": ["video.playable"], "url": "https://example.com/"},
}
"""JSON bodies that are valid where text in the required members would not be."""

QUERIES = {
    "/analytics/videos/plays": "?from={today}&dimension=videoId",
    "/analytics/live-streams/plays": "?from={today}&dimension=liveStreamId",
}
"""Queries of lists that want one."""

NUMBERS = "/data/"
"""Below it parameters are words, not ids: see the tests of the domain."""

WORDS = {"metric": "play", "aggregation": "count", "breakdown": "media-id"}


def make_resources(owner: httpx.Client, image: bytes) -> dict[str, str]:
    """Make one resource of each kind; return their ids by path parameter."""
    picture = {"file": ("picture.jpg", image, "image/jpeg")}
    video = accepted(owner.post("/videos", json={"title": "theirs", "tags": ["theirs"]}))
    text = {"file": ("en.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\ntheirs\n")}
    for kind in ("captions", "chapters"):
        accepted(owner.post(f"/videos/{video['videoId']}/{kind}/sr-Cyrl", files=text))
    token = accepted(owner.post("/upload-tokens", json={"ttl": 3600}))
    length = {"Tus-Resumable": "1.0.0", "Upload-Length": "9"}
    upload = owner.post("/tus/", headers=length).raise_for_status()
    return {
        "videoId": video["videoId"],
        "sessionId": _session(owner, video["videoId"]),
        "language": "sr-Cyrl",
        "uploadToken": token["token"],
        "playerId": accepted(owner.post("/players", json={"name": "theirs"}))["playerId"],
        "watermarkId": accepted(owner.post("/watermarks", files=picture))["watermarkId"],
        "uploadId": upload.headers["location"].removeprefix("/tus/"),
        "webhookId": _webhook(owner),
        "summaryId": accepted(owner.post("/summaries", json={"videoId": video["videoId"]}))[
            "summaryId"
        ],
        "liveStreamId": accepted(owner.post("/live-streams", json={"name": "theirs"}))[
            "liveStreamId"
        ],
    }


def _webhook(owner: httpx.Client) -> str:
    """Return a webhook of a project, which may have ten."""
    found = accepted(owner.get("/webhooks"))["data"]
    body = BODIES["POST /webhooks"]
    return str((found or [accepted(owner.post("/webhooks", json=body))])[0]["webhookId"])


def _session(owner: httpx.Client, video_id: str) -> str:
    """Return a session of a viewer, once it is there."""
    now = "2026-01-01T00:00:00.000Z"
    session = {"loaded_at": now, "video_id": video_id, "referrer": "", "metadata": []}
    ping = {"emitted_at": now, "session": session, "events": []}
    session_id = accepted(owner.post("/vod", json=ping))["session"]
    path = f"/analytics/sessions/{session_id}/events"
    until_now(lambda: owner.get(path).is_success)  # it is stored in a moment
    return str(session_id)


class Operations:
    """The operations of a document, as requests that would succeed for the right caller."""

    def __init__(self, document: Document, image: Path) -> None:
        self._document = document
        self.image = image.read_bytes()

    def of(self, scheme: str | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield method and path of the operations that want a kind of credentials."""
        for method, path, given in self._document.raw():
            first: dict[str, Any] = next(iter(given["security"]), {})
            if (scheme in first) if scheme else not first:
                yield method, path, given

    def request(self, method: str, path: str, given: dict[str, Any]) -> dict[str, Any]:
        """Return what httpx needs to send a valid body."""
        content = given.get("requestBody", {}).get("content", {})
        if "multipart/form-data" in content:
            return {"files": {"file": ("picture.jpg", self.image, "image/jpeg")}}
        if "application/json" not in content:
            return {}
        schema = self._document.resolve(content["application/json"]["schema"])
        required = dict.fromkeys(schema.get("required", ()), "text")
        return {"json": BODIES.get(f"{method} {path}", required)}


@pytest.fixture(scope="module")
def operations(base_url: str, image: Path) -> Operations:
    return Operations(
        Document(accepted(httpx.get(f"{base_url}/openapi.json", timeout=PATIENCE_S))), image
    )


@pytest.fixture(scope="module")
def sandbox_key(operator: httpx.Client, tenant: Tenant) -> str:
    """A key of the same project in its other environment."""
    path = f"/_/projects/{tenant.project_id}/keys"
    made = accepted(operator.post(path, json={"name": "sandbox", "environment": "sandbox"}))
    return str(made["apiKey"])


@pytest.fixture(params=["another project", "the other environment"])
def stranger(
    request: pytest.FixtureRequest, base_url: str, make_tenant: MakeTenant, sandbox_key: str
) -> Iterator[httpx.Client]:
    key = sandbox_key if "environment" in request.param else make_tenant("stranger").key
    with httpx.Client(base_url=base_url, auth=(key, ""), timeout=PATIENCE_S) as client:
        yield client


def test_anothers_resource_is_unknown_to_every_operation(
    api: httpx.Client,
    stranger: httpx.Client,
    operations: Operations,
    subtests: pytest.Subtests,
) -> None:
    resources = make_resources(api, operations.image)
    before = accepted(api.get(f"/videos/{resources['videoId']}"))
    checked = 0
    for method, path, given in operations.of(PROJECT):
        if "{" not in path or path.startswith(NUMBERS):
            continue
        with subtests.test(f"{method} {path}"):
            body = operations.request(method, path, given)
            reply = stranger.request(method, path.format(**resources, **WORDS), **body)
            assert reply.status_code == 404, reply.text
            problem = reply.json()
            assert problem["type"].endswith("/resource-not-found")
            # What is unknown is the first id; an attacker learns nothing about the rest.
            assert problem["name"] == path.partition("{")[2].partition("}")[0]
            checked += 1
    assert checked >= 7
    assert accepted(api.get(f"/videos/{resources['videoId']}")) == before


def test_lists_show_ones_own_alone(
    api: httpx.Client, stranger: httpx.Client, operations: Operations
) -> None:
    resources = make_resources(api, operations.image)
    for method, path, _ in operations.of(PROJECT):
        if method == "GET" and "{" not in path:
            url = path + QUERIES.get(path, "").format(today=datetime.now(UTC).date())
            mine, theirs = api.get(url), stranger.get(url)
            assert mine.status_code == theirs.status_code == 200, path
            for resource_id in resources.values():
                assert resource_id not in theirs.text, path
    for query in ("title=theirs", "tags[]=theirs", "title=" + resources["videoId"]):
        assert accepted(stranger.get(f"/videos?{query}"))["data"] == []
    stream = accepted(api.get(f"/live-streams/{resources['liveStreamId']}"))
    for query in (f"streamKey={stream['streamKey']}", "name=theirs"):
        assert accepted(stranger.get(f"/live-streams?{query}"))["data"] == []


def test_unknown_ids_are_not_found(
    api: httpx.Client, operations: Operations, subtests: pytest.Subtests
) -> None:
    for unknown in ("viAAAAAAAAAAAAAAAAAAAAAA", "x", "1", "%00", "%F0%9F%8E%AC", "v" * 500, "%2E"):
        for method, path, given in operations.of(PROJECT):
            if path.count("{") != 1 or path.startswith(NUMBERS):
                continue
            name = path.partition("{")[2].partition("}")[0]
            with subtests.test(f"{method} {path} {unknown[:10]}"):
                body = operations.request(method, path, given)
                reply = api.request(method, path.replace(f"{{{name}}}", unknown), **body)
                assert reply.status_code == 404, reply.text
                assert reply.json()["name"] == name


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


MISSING = "authentication-missing-authorization-header"
INVALID = "authentication-invalid-authorization-header-value"
WRONG_KEY = "authentication-invalid-api-key"
WRONG_TOKEN = "authentication-invalid-access-token"

BAD_CREDENTIALS = [
    (None, MISSING, 'The "Authorization" header is missing.'),
    ("", MISSING, 'The "Authorization" header is missing.'),
    ("Digest x", INVALID, 'The "Authorization" header value is invalid.'),
    ("Basic not*base64", INVALID, 'The "Authorization" header value is invalid.'),
    ("Basic " + base64.b64encode(b"no colon").decode(), INVALID, None),
    ("eyJhbGciOiJSUzI1NiJ9", INVALID, None),
    (basic("unknown:"), WRONG_KEY, "The API key is invalid."),
    (basic(":"), WRONG_KEY, "The API key is invalid."),
    ("Bearer unknown", WRONG_TOKEN, "The access token is invalid or expired."),
]


@pytest.mark.parametrize(("header", "slug", "title"), BAD_CREDENTIALS)
def test_bad_credentials_open_no_operation(
    base_url: str,
    api: httpx.Client,
    operations: Operations,
    header: str | None,
    slug: str,
    title: str | None,
) -> None:
    resources = make_resources(api, operations.image)
    headers = {} if header is None else {"Authorization": header}
    with httpx.Client(base_url=base_url, headers=headers, timeout=PATIENCE_S) as nobody:
        for method, path, given in operations.of(PROJECT):
            body = operations.request(method, path, given)
            reply = nobody.request(method, path.format(**resources, **WORDS), **body)
            assert reply.status_code == 401, f"{method} {path}"
            problem = reply.json()
            assert problem["type"].endswith(f"/{slug}"), f"{method} {path}"
            assert problem["title"] == (title or problem["title"])
            assert "name" not in problem
            assert "www-authenticate" not in reply.headers, "browsers would ask for a password"


def test_bad_credentials_are_told_before_a_bad_body(
    base_url: str, api: httpx.Client, operations: Operations
) -> None:
    resources = make_resources(api, operations.image)
    with httpx.Client(base_url=base_url, timeout=PATIENCE_S) as nobody:
        for path in ("/videos", f"/videos/{resources['videoId']}/source"):
            assert nobody.post(path, content=b"{").status_code == 401


def test_only_the_operator_uses_the_operators_operations(
    base_url: str, tenant: Tenant, api: httpx.Client, operations: Operations
) -> None:
    token = accepted(api.post("/auth/api-key", json={"apiKey": tenant.key}))["access_token"]
    resources = {
        **make_resources(api, operations.image),
        "projectId": tenant.project_id,
        "apiKeyId": "x",
        "signingKeyId": "x",
        "deliveryId": "00000000-0000-0000-0000-000000000000",
    }
    headers = [None, "", basic(f"{tenant.key}:"), f"Bearer {tenant.key}", f"Bearer {token}"]
    for method, path, given in operations.of(OPERATOR):
        for header in headers:
            reply = httpx.request(
                method,
                base_url + path.format(**resources, **WORDS),
                headers={} if header is None else {"Authorization": header},
                **operations.request(method, path, given),
                timeout=PATIENCE_S,
            )
            assert reply.status_code == 401, f"{method} {path} {header}"


def test_an_access_token_opens_what_its_key_opens(
    base_url: str, tenant: Tenant, api: httpx.Client, operations: Operations
) -> None:
    token = accepted(api.post("/auth/api-key", json={"apiKey": tenant.key}))["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=base_url, headers=headers, timeout=PATIENCE_S) as bearer:
        resources: dict[str, str] = {}
        for method, path, given in operations.of(PROJECT):
            resources = resources or make_resources(api, operations.image)
            body = operations.request(method, path, given)
            reply = bearer.request(method, path.format(**resources, **WORDS), **body)
            assert reply.status_code != 401, f"{method} {path}"
            if method == "DELETE":
                resources = {}  # the next one is to find what it asks for


def test_a_revoked_key_and_its_tokens_open_nothing(
    base_url: str, make_tenant: MakeTenant, operator: httpx.Client
) -> None:
    tenant = make_tenant("revoked")
    path = f"/_/projects/{tenant.project_id}/keys"
    issued = accepted(
        httpx.post(f"{base_url}/auth/api-key", json={"apiKey": tenant.key}, timeout=PATIENCE_S)
    )
    for key in accepted(operator.get(path))["data"]:
        if key["environment"] == "production":
            assert operator.delete(f"{path}/{key['apiKeyId']}").status_code == 204
    # Never used before, so no process remembers them.
    bearer = {"Authorization": f"Bearer {issued['access_token']}"}
    assert (
        httpx.get(f"{base_url}/videos", auth=(tenant.key, ""), timeout=PATIENCE_S).status_code
        == 401
    )
    assert httpx.get(f"{base_url}/videos", headers=bearer, timeout=PATIENCE_S).status_code == 401
    for path, body in (
        ("/auth/api-key", {"apiKey": tenant.key}),
        ("/auth/refresh", {"refreshToken": issued["refresh_token"]}),
    ):
        reply = httpx.post(base_url + path, json=body, timeout=PATIENCE_S)
        assert reply.status_code == 400
        assert reply.json()["type"].endswith("/authentication-invalid-user-credentials")


def test_the_operations_without_credentials_are_known(operations: Operations) -> None:
    unprotected = {f"{method} {path}" for method, path, _ in operations.of(None)}
    assert unprotected == {"POST /auth/api-key", "POST /auth/refresh", "POST /upload"}
