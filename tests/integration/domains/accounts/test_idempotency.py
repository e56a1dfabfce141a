"""One request, sent twice: one change, one answer."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text, update

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.accounts import idempotency
from telecine.domains.accounts.models import ANSWERS_KEPT, KeptAnswer, Project
from telecine.domains.videos.models import Video
from telecine.http.app import Api
from telecine.http.idempotency import Answer
from telecine.http.services import Services
from tests.fixtures.application import OPERATOR_KEY, ProjectKeys, connect

pytestmark = pytest.mark.anyio

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
PRIVATE = {"title": "Once", "public": False}


async def videos(db: Database) -> int:
    async with db.transaction() as tx:
        return await tx.scalar(select(func.count()).select_from(Video)) or 0


async def kept(db: Database) -> int:
    async with db.transaction() as tx:
        return await tx.scalar(select(func.count()).select_from(KeptAnswer)) or 0


async def test_a_repeated_request_gets_the_first_answer(
    client: httpx.AsyncClient, db: Database
) -> None:
    first = await client.post("/videos", json=PRIVATE, headers=KEY)
    again = await client.post("/videos", json=PRIVATE, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content  # with the same token, too
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    for name in ("content-type", "content-length"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert await videos(db) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/live-streams", {"name": "Once"}),
        ("/players", {"name": "Once"}),
        ("/summaries", {}),
        ("/upload-tokens", {"ttl": 60}),
        (
            "/webhooks",
            {"url": "https://hooks.example/", "events": ["video.encoding.quality.completed"]},
        ),
    ],
)
async def test_whatever_is_made_is_made_once(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    if path == "/summaries":
        made = await client.post("/videos", json=PRIVATE)
        body = {"videoId": made.json()["videoId"]}
    first, again = [await client.post(path, json=body, headers=KEY) for _ in range(2)]
    assert first.is_success, first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    listed = (await client.get(path)).json()
    assert listed["pagination"]["itemsTotal"] == 1


async def test_a_client_that_never_got_its_answer_gets_it_later(
    app: Api, project: ProjectKeys, db: Database
) -> None:
    """The process dies after the commit, before a byte of the answer is sent."""

    class Died(Exception):
        pass

    async def dying(scope: Any, receive: Any, send: Any) -> None:
        async def lost(message: Any) -> None:
            raise Died

        await app(scope, receive, lost)

    transport = httpx.ASGITransport(dying)
    auth = httpx.BasicAuth(project.production_key, "")
    async with httpx.AsyncClient(transport=transport, base_url="http://t", auth=auth) as client:
        with pytest.raises(Died):
            await client.post("/videos", json=PRIVATE, headers=KEY)
    assert await videos(db) == 1
    async with connect(app, project.production_key) as client:
        again = await client.post("/videos", json=PRIVATE, headers=KEY)
        listed = (await client.get("/videos")).json()["data"]
    assert again.status_code == 201
    assert [video["videoId"] for video in listed] == [again.json()["videoId"]]


async def test_twenty_at_once_make_one_video(client: httpx.AsyncClient, db: Database) -> None:
    replies = await asyncio.gather(
        *(client.post("/videos", json=PRIVATE, headers=KEY) for _ in range(20))
    )
    made = [reply for reply in replies if reply.status_code == 201]
    others = [reply for reply in replies if reply.status_code != 201]
    assert len({reply.content for reply in made}) == 1
    assert sum("idempotent-replayed" not in reply.headers for reply in made) == 1
    assert {reply.status_code for reply in others} <= {409}
    assert all(reply.headers["retry-after"] == "1" for reply in others)
    assert await videos(db) == 1


async def test_while_the_first_is_at_work_the_second_is_told_to_wait(
    client: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, go = asyncio.Event(), asyncio.Event()
    store = idempotency._store

    async def slow(*arguments: Any) -> None:
        at_work.set()
        await go.wait()
        await store(*arguments)

    monkeypatch.setattr(idempotency, "_store", slow)
    first = asyncio.ensure_future(client.post("/videos", json=PRIVATE, headers=KEY))
    await at_work.wait()
    second = await client.post("/videos", json=PRIVATE, headers=KEY)
    go.set()
    assert (await first).status_code == 201
    assert second.status_code == 409
    assert second.headers["content-type"] == "application/problem+json"
    assert second.headers["retry-after"] == "1"
    assert second.json()["name"] == "Idempotency-Key"
    assert (await client.post("/videos", json=PRIVATE, headers=KEY)).status_code == 201
    assert await videos(db) == 1


async def test_another_body_with_the_same_key_is_refused(
    client: httpx.AsyncClient, db: Database
) -> None:
    await client.post("/videos", json=PRIVATE, headers=KEY)
    for path, body in (("/videos", {"title": "Twice"}), ("/videos?a=b", PRIVATE)):
        reply = await client.post(path, json=body, headers=KEY)
        assert reply.status_code == 422
        assert reply.json()["type"].endswith("/idempotency-key-reused")
        assert reply.json()["name"] == "Idempotency-Key"
    assert await videos(db) == 1


async def test_keys_belong_to_a_project_and_its_environment(
    client: httpx.AsyncClient,
    sandbox: httpx.AsyncClient,
    stranger: httpx.AsyncClient,
    db: Database,
) -> None:
    ids = set()
    for one in (client, sandbox, stranger):
        reply = await one.post("/videos", json=PRIVATE, headers=KEY)
        assert "idempotent-replayed" not in reply.headers
        ids.add(reply.json()["videoId"])
    assert len(ids) == 3 == await videos(db)


@pytest.mark.parametrize("value", ["", "with space", "x" * 256, "\x7f"])
async def test_what_is_no_key_is_refused(
    client: httpx.AsyncClient, db: Database, value: str
) -> None:
    reply = await client.post("/videos", json=PRIVATE, headers={"Idempotency-Key": value})
    assert reply.status_code == 400
    assert reply.json()["name"] == "Idempotency-Key"
    assert await videos(db) == 0


async def test_credentials_come_first(anonymous: httpx.AsyncClient) -> None:
    reply = await anonymous.post("/videos", json=PRIVATE, headers={"Idempotency-Key": ""})
    assert reply.status_code == 401


async def test_a_refused_request_leaves_nothing(client: httpx.AsyncClient, db: Database) -> None:
    reply = await client.post("/videos", json={"title": 1}, headers=KEY)
    assert reply.status_code == 400
    assert await kept(db) == 0
    reply = await client.post("/videos", json=PRIVATE, headers=KEY)
    assert reply.status_code == 201
    assert "idempotent-replayed" not in reply.headers


async def test_a_failure_after_the_change_leaves_neither_change_nor_answer(
    client: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Answer, "sealed", lambda *_: 1 / 0)
        assert (await client.post("/videos", json=PRIVATE, headers=KEY)).status_code == 500
    assert (await videos(db), await kept(db)) == (0, 0)
    assert (await client.post("/videos", json=PRIVATE, headers=KEY)).status_code == 201


async def test_after_a_day_a_key_is_free(client: httpx.AsyncClient, db: Database) -> None:
    first = await client.post("/videos", json=PRIVATE, headers=KEY)
    async with db.transaction() as tx:
        old = clock.now() - ANSWERS_KEPT - timedelta(seconds=1)
        await tx.execute(update(KeptAnswer).values(created_at=old))
    second = await client.post("/videos", json={"title": "New"}, headers=KEY)
    third = await client.post("/videos", json={"title": "New"}, headers=KEY)
    assert second.json()["videoId"] != first.json()["videoId"]
    assert third.content == second.content
    assert (await videos(db), await kept(db)) == (2, 1)


async def test_without_a_key_nothing_is_kept(client: httpx.AsyncClient, db: Database) -> None:
    for _ in range(2):
        assert (await client.post("/videos", json=PRIVATE)).status_code == 201
    assert (await videos(db), await kept(db)) == (2, 0)


async def test_a_kept_answer_cannot_be_read_in_the_database(
    client: httpx.AsyncClient, db: Database
) -> None:
    reply = await client.post("/videos", json=PRIVATE, headers=KEY)
    token = reply.json()["assets"]["player"].partition("token=")[2]
    async with db.transaction() as tx:
        (stored,) = await tx.scalars(select(KeptAnswer.sealed))
    assert token
    assert token.encode() not in stored
    assert KEY["Idempotency-Key"].encode() not in stored


@pytest.fixture
def operator(anonymous: httpx.AsyncClient) -> httpx.AsyncClient:
    anonymous.headers["Authorization"] = f"Bearer {OPERATOR_KEY}"
    return anonymous


async def test_the_operator_makes_a_project_once(operator: httpx.AsyncClient, db: Database) -> None:
    first = await operator.post("/_/projects", json={"name": "Films"}, headers=KEY)
    again = await operator.post("/_/projects", json={"name": "Films"}, headers=KEY)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    async with db.transaction() as tx:
        rows = select(func.count()).select_from(Project).where(Project.name == "Films")
        assert await tx.scalar(rows) == 2  # both of its environments


async def test_an_answer_with_a_secret_is_never_kept(
    operator: httpx.AsyncClient, project: ProjectKeys, db: Database
) -> None:
    path = f"/_/projects/{project.public_id}/keys"
    reply = await operator.post(path, json={}, headers=KEY)
    assert reply.status_code == 400
    assert reply.json()["name"] == "Idempotency-Key"
    assert len((await operator.get(path)).json()["data"]) == 2
    assert await kept(db) == 0
    assert (await operator.post(path, json={})).status_code == 201


async def test_a_deleted_project_takes_its_answers_along(
    client: httpx.AsyncClient, project: ProjectKeys, db: Database
) -> None:
    await client.post("/videos", json=PRIVATE, headers=KEY)
    async with db.transaction() as tx:
        await tx.execute(text("DELETE FROM project WHERE id = :id"), {"id": project.production_id})
    assert await kept(db) == 0


async def test_browsers_may_send_the_key_and_read_what_comes_back(
    client: httpx.AsyncClient, services: Services
) -> None:
    preflight = await client.options("/videos")
    allowed = preflight.headers["access-control-allow-headers"].split(", ")
    assert {"Idempotency-Key", "If-Match", "If-None-Match"} <= set(allowed)
    exposed = (await client.get("/videos")).headers["access-control-expose-headers"].split(", ")
    assert {"Idempotent-Replayed", "Retry-After", "ETag"} <= set(exposed)


async def test_the_header_is_documented(app: Api) -> None:
    paths = app.openapi()["paths"]
    for path in ("/videos", "/_/projects"):
        operation = paths[path]["post"]
        (found,) = [one for one in operation["parameters"] if one["name"] == "Idempotency-Key"]
        assert (found["in"], found["required"]) == ("header", False)
        assert {"409", "422"} <= set(operation["responses"])
    for path in ("/auth/api-key", "/_/projects/{projectId}/keys"):
        parameters = paths[path]["post"].get("parameters", [])
        assert all(one["name"] != "Idempotency-Key" for one in parameters)
        assert "422" not in paths[path]["post"]["responses"]
