from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.uploads.models import UploadToken

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = START

    def pass_(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    held = Clock()
    monkeypatch.setattr(clock, "now", lambda: held.time)
    return held


async def make(client: httpx.AsyncClient, **body: object) -> dict[str, Any]:
    reply = await client.post("/upload-tokens", json=body)
    assert reply.status_code == 200, reply.text
    token: dict[str, Any] = reply.json()
    return token


async def listed(client: httpx.AsyncClient, query: str = "") -> list[str]:
    reply = await client.get(f"/upload-tokens?{query}")
    assert reply.status_code == 200, reply.text
    return [each["token"] for each in reply.json()["data"]]


async def test_a_token_with_an_end(client: httpx.AsyncClient, time: Clock) -> None:
    token = await make(client, ttl=3600)
    assert token == {
        "token": token["token"],
        "ttl": 3600,
        "createdAt": "2026-01-01T12:00:00+00:00",
        "expiresAt": "2026-01-01T13:00:00+00:00",
    }
    assert token["token"].startswith("to")
    assert len(token["token"]) == 24
    reply = await client.get(f"/upload-tokens/{token['token']}")
    assert reply.status_code == 200
    assert reply.json() == token


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ttl": 0}', b'{"ttl": null}', b'{"other": 1}'])
async def test_a_token_without_an_end(client: httpx.AsyncClient, time: Clock, body: bytes) -> None:
    reply = await client.post("/upload-tokens", content=body)
    assert reply.status_code == 200, reply.text
    token = reply.json()
    assert token == {
        "token": token["token"],
        "ttl": 0,
        "createdAt": "2026-01-01T12:00:00+00:00",
    }
    time.pass_(100 * 365 * 86_400)
    assert (await client.get(f"/upload-tokens/{token['token']}")).json() == token


async def test_the_longest_time(client: httpx.AsyncClient, time: Clock) -> None:
    token = await make(client, ttl=2_147_483_647)
    assert token["ttl"] == 2_147_483_647
    assert token["expiresAt"] == "2094-01-19T15:14:07+00:00"


@pytest.mark.parametrize(
    ("ttl", "detail"),
    [
        (-1, "This value should be 0 or more."),
        (2_147_483_648, "This value should be 2147483647 or less."),
        (1.5, "This value must be of type integer."),
        ("3600", "This value must be of type integer."),
        (True, "This value must be of type integer."),
        ([], "This value must be of type integer."),
    ],
)
async def test_times_that_are_none(client: httpx.AsyncClient, ttl: object, detail: str) -> None:
    reply = await client.post("/upload-tokens", json={"ttl": ttl})
    assert reply.status_code == 400
    assert reply.json() == {
        "type": "https://docs.api.video/reference/invalid-attribute",
        "title": "An attribute is invalid.",
        "name": "ttl",
        "detail": detail,
        "status": 400,
    }
    assert await listed(client) == []


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"null"])
async def test_a_body_that_is_no_object(client: httpx.AsyncClient, body: bytes) -> None:
    reply = await client.post("/upload-tokens", content=body)
    assert reply.status_code == 400
    assert reply.json()["type"].endswith("/invalid-payload")


async def test_a_token_vanishes_when_it_expires(client: httpx.AsyncClient, time: Clock) -> None:
    token = (await make(client, ttl=60))["token"]
    lasting = (await make(client))["token"]
    time.pass_(59)
    assert await listed(client) == [lasting, token]
    time.pass_(1)
    assert await listed(client) == [lasting]
    for reply in (
        await client.get(f"/upload-tokens/{token}"),
        await client.delete(f"/upload-tokens/{token}"),
    ):
        assert reply.status_code == 404
        assert reply.json()["name"] == "uploadToken"


async def test_the_rows_of_expired_tokens_go_once_no_upload_can_need_them(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, db: Database, time: Clock
) -> None:
    old = {(await make(client, ttl=60))["token"], (await make(stranger, ttl=60))["token"]}
    lasting = (await make(client))["token"]

    async def rows() -> set[str]:
        async with db.transaction() as tx:
            return set(await tx.scalars(select(UploadToken.public_id)))

    time.pass_(60 + 7 * 86_400)
    new = (await make(client))["token"]
    assert await rows() == old | {lasting, new}
    time.pass_(1)
    newest = (await make(client))["token"]
    # The other project's stays until that project makes one.
    assert len(await rows() & old) == 1
    assert {lasting, new, newest} < await rows()


async def test_deleting(client: httpx.AsyncClient) -> None:
    token = (await make(client))["token"]
    reply = await client.delete(f"/upload-tokens/{token}")
    assert reply.status_code == 204
    assert reply.content == b""
    assert "content-type" not in reply.headers
    again = await client.delete(f"/upload-tokens/{token}")
    assert again.status_code == 404
    assert again.json() == {
        "type": "https://docs.api.video/reference/resource-not-found",
        "title": "The requested resource was not found.",
        "name": "uploadToken",
        "status": 404,
    }
    assert await listed(client) == []


async def test_orders(client: httpx.AsyncClient, time: Clock) -> None:
    tokens = {}
    for name, ttl in (("long", 900), ("never", 0), ("short", 60)):
        tokens[(await make(client, ttl=ttl))["token"]] = name
        time.pass_(1)

    async def names(query: str = "") -> list[str]:
        return [tokens[each] for each in await listed(client, query)]

    assert await names() == ["short", "never", "long"]
    assert await names("sortBy=createdAt&sortOrder=asc") == ["long", "never", "short"]
    assert await names("sortBy=ttl") == ["long", "short", "never"]
    assert await names("sortBy=ttl&sortOrder=ASC") == ["never", "short", "long"]


@pytest.mark.parametrize("name", ["sortBy", "sortOrder"])
async def test_unknown_orders(client: httpx.AsyncClient, name: str) -> None:
    reply = await client.get(f"/upload-tokens?{name}=sideways")
    assert reply.status_code == 400
    assert reply.json()["name"] == name


async def test_pages(client: httpx.AsyncClient) -> None:
    made = [(await make(client))["token"] for _ in range(3)]
    reply = await client.get("/upload-tokens?sortBy=createdAt&currentPage=2&pageSize=2")
    assert [each["token"] for each in reply.json()["data"]] == made[:1]
    pagination = reply.json()["pagination"]
    assert pagination["itemsTotal"] == 3
    assert pagination["pagesTotal"] == 2
    assert pagination["currentPageItems"] == 1
    first = {"rel": "self", "uri": "/upload-tokens?sortBy=createdAt&currentPage=2&pageSize=2"}
    assert pagination["links"][0] == first
    assert await listed(client, "currentPage=9") == []
    assert await listed(client, f"currentPage={10**17}") == []
    outside = await client.get("/upload-tokens?currentPage=0&pageSize=101")
    assert outside.status_code == 400
    assert [each["name"] for each in outside.json()["problems"]] == ["page", "pageSize"]


async def test_other_projects_and_environments_see_nothing(
    client: httpx.AsyncClient, sandbox: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    token = (await make(client))["token"]
    for other in (sandbox, stranger):
        assert await listed(other) == []
        assert (await other.get(f"/upload-tokens/{token}")).status_code == 404
        assert (await other.delete(f"/upload-tokens/{token}")).status_code == 404
    assert await listed(client) == [token]


async def test_without_a_key_there_are_no_tokens(anonymous: httpx.AsyncClient) -> None:
    for method, path in (
        ("GET", "/upload-tokens"),
        ("POST", "/upload-tokens"),
        ("GET", "/upload-tokens/toX"),
        ("DELETE", "/upload-tokens/toX"),
    ):
        assert (await anonymous.request(method, path)).status_code == 401


@pytest.mark.parametrize("body", [{"ttl": 60}, {}, None])
async def test_a_repeated_request_makes_one_token(
    client: httpx.AsyncClient, body: dict[str, int] | None
) -> None:
    key = {"Idempotency-Key": "once"}
    first = await client.post("/upload-tokens", json=body, headers=key)
    again = await client.post("/upload-tokens", json=body, headers=key)
    assert first.status_code == again.status_code
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"
    assert len((await client.get("/upload-tokens")).json()["data"]) == 1
