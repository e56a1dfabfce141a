"""What holds for every response: tried on the whole application without a socket."""

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from telecine.db.engine import Database
from telecine.http.app import Api, create_app
from telecine.http.services import Services
from tests.fixtures.application import ProjectKeys, connect

pytestmark = pytest.mark.anyio

RATE = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-retry-after")


def media(request: Request) -> Response:
    return PlainTextResponse(request.method)


def broken(_: Request) -> Response:
    raise RuntimeError("a bug")


def later(_: Request) -> Response:
    return Response(status_code=202, media_type="application/json")


@pytest.fixture
def delivery(services: Services) -> Api:
    routes = [
        Route("/vod/{id}/token/{token}/a", media),
        Route("/broken", broken),
        Route("/later", later),
    ]
    return create_app([], routes, services)


async def test_cors_and_a_request_id_are_on_every_answer(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, delivery: Api
) -> None:
    async with connect(delivery) as viewer:
        replies = [
            await client.get("/videos"),
            await client.get("/videos/unknown"),
            await client.delete("/videos"),
            await client.post("/videos", json={}),
            await anonymous.get("/videos"),
            await anonymous.get("/nowhere"),
            await viewer.get("/vod/vi1/token/t/a"),
            await viewer.get("/broken"),
        ]
    assert [reply.status_code for reply in replies] == [200, 404, 405, 400, 401, 404, 200, 500]
    for reply in replies:
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "X-RateLimit-Remaining" in reply.headers["access-control-expose-headers"]
        assert reply.headers["x-request-id"]


async def test_a_preflight_is_answered_for_every_path(anonymous: httpx.AsyncClient) -> None:
    for path in ("/videos/vi1/source", "/nowhere"):
        reply = await anonymous.options(path)
        assert reply.status_code == 204
        assert "content-type" not in reply.headers
        allowed = reply.headers["access-control-allow-headers"].split(", ")
        assert {"Authorization", "Content-Range", "Content-Type"} <= set(allowed)
        assert {"AV-Origin-Client", "AV-Origin-App", "AV-Origin-Sdk"} <= set(allowed)
        methods = reply.headers["access-control-allow-methods"].split(", ")
        assert {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} <= set(methods)
        assert int(reply.headers["access-control-max-age"]) >= 3600


async def test_rates_are_told_for_operations_and_errors_but_not_for_media(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, delivery: Api
) -> None:
    first = await client.get("/videos")
    second = await client.get("/videos")
    replies = [first, second, await anonymous.get("/videos"), await anonymous.get("/nowhere")]
    for reply in replies:
        assert all(reply.headers[name].isdigit() for name in RATE)
    assert first.headers[RATE[0]] == second.headers[RATE[0]]
    async with connect(delivery) as viewer:
        reply = await viewer.get("/vod/vi1/token/t/a")
    assert not any(name in reply.headers for name in RATE)


async def test_an_unknown_path_and_method(client: httpx.AsyncClient) -> None:
    reply = await client.get("/nowhere")
    assert reply.json() == {
        "type": "https://docs.api.video/reference/unrecognized-request-url",
        "title": "Unrecognized request URL.",
        "status": 404,
    }
    assert (await client.get("/videos/")).status_code == 404  # no redirect
    reply = await client.put("/videos/vi1")
    assert reply.status_code == 405
    assert reply.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert reply.json() == {
        "type": "https://docs.api.video/reference/method-not-allowed",
        "title": "Method is not allowed for this route.",
        "status": 405,
    }


async def test_head_is_a_get_without_its_body(client: httpx.AsyncClient, delivery: Api) -> None:
    get, head = await client.get("/videos"), await client.head("/videos")
    assert head.status_code == 200
    assert head.content == b""
    for name in ("content-type", "content-length"):
        assert head.headers[name] == get.headers[name]
    assert (await client.head("/videos/unknown")).status_code == 404
    async with connect(delivery) as viewer:
        reply = await viewer.head("/vod/vi1/token/t/a")
    # Delivery sees the HEAD: a token must not be used up by it.
    assert reply.headers["content-length"] == str(len("HEAD"))


async def test_a_202_without_a_body_has_no_media_type(delivery: Api) -> None:
    async with connect(delivery) as viewer:
        reply = await viewer.get("/later")
    assert reply.status_code == 202
    assert "content-type" not in reply.headers


async def test_a_bug_is_a_problem_and_is_logged_with_the_request(delivery: Api) -> None:
    async with connect(delivery) as viewer:
        with capture_logs() as logs:
            reply = await viewer.get("/broken", headers={"X-Request-Id": "abc-1"})
    assert reply.status_code == 500
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-request-id"] == "abc-1"
    assert reply.json()["title"] == "Server error"
    assert [entry["event"] for entry in logs][:1] == ["http.failed"]


async def test_a_strange_request_id_is_replaced(client: httpx.AsyncClient) -> None:
    reply = await client.get("/videos", headers={"X-Request-Id": "a b" * 50})
    assert " " not in reply.headers["x-request-id"]


async def test_tokens_do_not_reach_the_log(delivery: Api, project: ProjectKeys) -> None:
    async with connect(delivery, project.production_key) as viewer:
        with capture_logs() as logs:
            await viewer.get("/vod/vi1/token/SECRET/a?token=SECRET")
            await viewer.get("/upload-tokens/SECRET")
    assert len(logs) == 2
    assert "SECRET" not in str(logs)
    assert project.production_key not in str(logs)


async def test_without_its_database_the_service_is_unavailable(
    client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Database("postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr(services.db, "transaction", gone.transaction)
    reply = await client.get("/videos")
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "5"
    assert reply.headers["content-type"] == "application/problem+json"
    await gone.close()


async def test_the_document_describes_what_is_served(client: httpx.AsyncClient) -> None:
    reply = await client.get("/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    document = reply.json()
    operation = document["paths"]["/videos/{videoId}"]["patch"]
    assert {item["name"] for item in operation["parameters"]} == {"videoId", "If-Match"}
    assert set(operation["responses"]) == {"200", "400", "401", "404", "409", "412", "429"}
    names = [item["name"] for item in document["paths"]["/videos"]["get"]["parameters"]]
    assert names[:3] == ["title", "tags[]", "metadata"]
    assert names[-2:] == ["currentPage", "pageSize"]
    assert document["paths"]["/_/projects"]["get"]["tags"] == ["telecine"]
    assert document["paths"]["/auth/api-key"]["post"]["security"] == []
    assert references(document) <= {
        f"#/components/schemas/{name}" for name in document["components"]["schemas"]
    }


def references(value: object) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(references, value.values()))
