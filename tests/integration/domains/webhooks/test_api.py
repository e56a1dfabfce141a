import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from telecine.db.engine import Database
from telecine.domains.webhooks import operations
from telecine.domains.webhooks.events import OWN, PUBLIC, QUALITY_COMPLETED
from telecine.http.app import Api, create_app
from telecine.http.services import Services
from telecine.net.policy import OutboundPolicy
from telecine.processes.application import ROUTERS
from tests.fixtures.application import OPERATOR_KEY, ProjectKeys, connect
from tests.fixtures.origin import Answer
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.domains.webhooks.telling import announce, delivering, receiving, subscribe

pytestmark = pytest.mark.anyio

URL = "https://example.com/notify?my=query"
NODE = {"AV-Origin-Client": "nodejs:2.6.8"}
OLD_PYTHON = {"AV-Origin-Client": "python:1.2.8"}
OPERATOR = {"Authorization": f"Bearer {OPERATOR_KEY}"}

Json = dict[str, Any]


async def make(client: httpx.AsyncClient, *events: str, **headers: str) -> Json:
    body = {"events": [*events] or [QUALITY_COMPLETED], "url": URL}
    reply = await client.post("/webhooks", json=body, headers=headers)
    assert reply.status_code == 201, reply.text
    found: Json = reply.json()
    return found


async def test_a_webhook_is_created_shown_listed_and_deleted(client: httpx.AsyncClient) -> None:
    made = await make(client)
    assert list(made) == ["webhookId", "createdAt", "events", "url", "signatureSecret"]
    assert made["webhookId"].startswith("webhook_")
    assert made["signatureSecret"].startswith("sig_sec_")
    assert (made["events"], made["url"]) == ([QUALITY_COMPLETED], URL)
    assert (await client.get(f"/webhooks/{made['webhookId']}")).json() == made
    assert (await client.get("/webhooks")).json()["data"] == [made]
    assert (await client.delete(f"/webhooks/{made['webhookId']}")).status_code == 204
    gone = await client.get(f"/webhooks/{made['webhookId']}")
    assert (gone.status_code, gone.json()["name"]) == (404, "webhookId")
    again = await client.delete(f"/webhooks/{made['webhookId']}")
    assert (again.status_code, again.json()["name"]) == (404, "webhookId")


async def test_the_secret_is_stored_sealed(client: httpx.AsyncClient, db: Database) -> None:
    made = await make(client)
    async with db.transaction() as tx:
        stored = await tx.scalar(text("SELECT secret FROM webhook"))
    assert made["signatureSecret"].encode() not in bytes(stored or b"")


async def test_identical_webhooks_are_separate_and_listed_newest_first(
    client: httpx.AsyncClient,
) -> None:
    made = [(await make(client))["webhookId"] for _ in range(3)]
    listed = [each["webhookId"] for each in (await client.get("/webhooks")).json()["data"]]
    assert sorted(listed) == sorted(made)
    page = (await client.get("/webhooks?currentPage=2&pageSize=2")).json()
    assert [each["webhookId"] for each in page["data"]] == listed[2:]
    assert page["pagination"]["itemsTotal"] == 3


@pytest.mark.parametrize("parameter", ["events", "events[]"])
async def test_the_list_can_be_of_one_event(client: httpx.AsyncClient, parameter: str) -> None:
    started = await make(client, "live-stream.broadcast.started", QUALITY_COMPLETED)
    await make(client)
    reply = await client.get("/webhooks", params={parameter: "live-stream.broadcast.started"})
    assert [each["webhookId"] for each in reply.json()["data"]] == [started["webhookId"]]


async def test_events_of_ours_are_hidden_from_clients_that_do_not_know_them(
    client: httpx.AsyncClient,
) -> None:
    made = await make(client, *OWN, *PUBLIC)
    assert made["events"] == [*OWN, *PUBLIC]
    reply = await client.get(f"/webhooks/{made['webhookId']}", headers=NODE)
    assert reply.json()["events"] == [*PUBLIC]
    (listed,) = (await client.get("/webhooks", headers=NODE)).json()["data"]
    assert listed["events"] == [*PUBLIC]


async def test_old_python_clients_do_not_see_the_secret(client: httpx.AsyncClient) -> None:
    assert "signatureSecret" not in await make(client, **OLD_PYTHON)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, ["events", "url"]),
        ({"events": None, "url": URL}, ["events"]),
        ({"events": "video.playable", "url": URL}, ["events"]),
        ({"events": [], "url": URL}, ["events"]),
        ({"events": ["video.created"], "url": URL}, ["events[0]"]),
        ({"events": [QUALITY_COMPLETED, 1], "url": URL}, ["events[1]"]),
        ({"events": [QUALITY_COMPLETED], "url": "example.com"}, ["url"]),
        ({"events": [QUALITY_COMPLETED], "url": "ftp://example.com"}, ["url"]),
        ({"events": [QUALITY_COMPLETED], "url": "http://"}, ["url"]),
        ({"events": [QUALITY_COMPLETED], "url": "http://a:99999/"}, ["url"]),
        ({"events": [QUALITY_COMPLETED], "url": "http://a b/"}, ["url"]),
        ({"events": [QUALITY_COMPLETED], "url": "http://a/" + "x" * 2048}, ["url"]),
        ({"events": [QUALITY_COMPLETED], "url": "http://a/\0"}, ["url"]),
    ],
)
async def test_bad_input_is_told_by_name_and_changes_nothing(
    client: httpx.AsyncClient, body: Json, names: list[str]
) -> None:
    reply = await client.post("/webhooks", json=body)
    assert reply.status_code == 400, reply.text
    problem = reply.json()
    found = problem.get("problems", [problem])
    assert [each["name"] for each in found] == names
    assert (await client.get("/webhooks")).json()["data"] == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3:8080",
        "169.254.169.254",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[fe80::1]",
        "[::ffff:127.0.0.1]",
        "user@192.168.0.1",
        "127.0.0.1.",
    ],
)
async def test_private_addresses_are_refused_where_they_are_spelled_out(
    client: httpx.AsyncClient, host: str
) -> None:
    body = {"events": [QUALITY_COMPLETED], "url": f"http://{host}/hook"}
    reply = await client.post("/webhooks", json=body)
    told = reply.json()
    assert (reply.status_code, told["name"]) == (400, "url"), told
    assert "not a public address (the operator may allow it)" in told["detail"]


async def test_what_the_operator_allows_and_what_is_a_name_is_taken(
    services: Services, client: httpx.AsyncClient, project: ProjectKeys
) -> None:
    allowing = replace(services, outbound=OutboundPolicy.of(["10.0.0.0/8", "fd00::/8"]))
    async with connect(create_app(ROUTERS, [], allowing), project.production_key) as allowed:
        for url, status in (
            ("http://10.1.2.3:9000/", 201),
            ("http://[fd00::1]/", 201),
            ("http://192.168.0.1/", 400),
        ):
            body = {"events": [QUALITY_COMPLETED], "url": url}
            assert (await allowed.post("/webhooks", json=body)).status_code == status, url
    # What a name leads to is looked at when there is something to tell.
    for url in ("http://localhost/", "http://8.8.8.8:9999/", "http://[2606:4700::1111]/"):
        body = {"events": [QUALITY_COMPLETED], "url": url}
        assert (await client.post("/webhooks", json=body)).status_code == 201, url


async def test_a_project_has_ten_unless_its_settings_say_otherwise(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, project: ProjectKeys
) -> None:
    replies = await asyncio.gather(
        *(
            client.post("/webhooks", json={"events": [QUALITY_COMPLETED], "url": URL})
            for _ in range(12)
        )
    )
    refused = [reply for reply in replies if reply.status_code != 201]
    assert len(refused) == 2
    assert refused[0].json()["title"] == "Your account has reached the webhook urls limit."
    assert refused[0].json()["type"].endswith("/webhook-limit-reached")
    settings = f"/_/projects/{project.public_id}/settings"
    patched = await anonymous.patch(settings, json={"maxWebhooks": 11}, headers=OPERATOR)
    assert patched.status_code == 200, patched.text

    async def accepted() -> bool:  # settings are remembered for a second
        reply = await client.post("/webhooks", json={"events": [QUALITY_COMPLETED], "url": URL})
        return reply.status_code == 201

    await until(accepted)


async def test_the_same_request_twice_makes_one_webhook(client: httpx.AsyncClient) -> None:
    first = await make(client, **{"Idempotency-Key": "a-key-of-mine"})
    again = await make(client, **{"Idempotency-Key": "a-key-of-mine"})
    assert first == again
    assert (await client.get("/webhooks")).json()["pagination"]["itemsTotal"] == 1


async def test_the_operator_tests_reads_the_log_and_replays(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Database
) -> None:
    made = await make(client)
    base = f"/_/webhooks/{made['webhookId']}"
    sent = await anonymous.post(f"{base}/test", headers=OPERATOR)
    assert sent.status_code == 202, sent.text
    delivery = sent.json()
    assert (delivery["type"], delivery["state"]) == ("webhook.test", "waiting")
    assert delivery["payload"]["webhookId"] == made["webhookId"]
    replay = f"{base}/deliveries/{delivery['deliveryId']}/replay"
    early = await anonymous.post(replay, headers=OPERATOR)
    assert early.status_code == 409
    async with db.transaction() as tx:
        await tx.execute(
            text("UPDATE delivery SET state = 'failed', status = 500, finished_at = now()")
        )
    log = await anonymous.get(f"{base}/deliveries?state=failed", headers=OPERATOR)
    (listed,) = log.json()["data"]
    assert (listed["responseStatus"], listed["nextAt"]) == (500, None)
    assert (await anonymous.post(replay, headers=OPERATOR)).status_code == 202
    log = await anonymous.get(f"{base}/deliveries?state=failed", headers=OPERATOR)
    assert log.json()["data"] == []
    wrong = await anonymous.get(f"{base}/deliveries?state=lost", headers=OPERATOR)
    assert (wrong.status_code, wrong.json()["name"]) == (400, "state")
    for path in ("/_/webhooks/webhook_x/deliveries", "/_/webhooks/webhook_x/test"):
        method = "POST" if path.endswith("test") else "GET"
        unknown = await anonymous.request(method, path, headers=OPERATOR)
        assert (unknown.status_code, unknown.json()["name"]) == (404, "webhookId")
    assert (await anonymous.post(f"{base}/test")).status_code == 401


async def test_the_log_tells_how_a_delivery_went(
    anonymous: httpx.AsyncClient, db: Database, project: ProjectKeys
) -> None:
    async with receiving() as receiver, delivering(db):
        receiver.answer = lambda _: Answer(202, b"thanks")
        webhook_id = await subscribe(db, project.production_id, receiver.origin.url())
        base = f"/_/webhooks/{webhook_id}"
        sent = (await anonymous.post(f"{base}/test", headers=OPERATOR)).raise_for_status().json()
        found: list[Json] = []

        async def delivered() -> bool:
            log = await anonymous.get(f"{base}/deliveries?state=delivered", headers=OPERATOR)
            found[:] = log.raise_for_status().json()["data"]
            return bool(found)

        await until(delivered)
    (listed,) = found
    assert listed["deliveryId"] == sent["deliveryId"]
    assert (listed["responseStatus"], listed["response"]) == (202, "thanks")
    assert (listed["nextAt"], listed["error"]) == (None, None)
    assert listed["attempts"] >= 1
    assert listed["durationMs"] >= 0
    assert listed["finishedAt"] >= listed["triedAt"] >= listed["createdAt"]


async def read(anonymous: httpx.AsyncClient, query: str) -> Json:
    reply = await anonymous.get(f"/_/events?{query}", headers=OPERATOR)
    assert reply.status_code == 200, reply.text
    found: Json = reply.json()
    return found


async def test_a_consumer_catches_up_by_cursor(
    anonymous: httpx.AsyncClient, db: Database, project: ProjectKeys
) -> None:
    await announce(db, project.production_id, "vi1", *range(5))
    seen: list[int] = []
    cursor = ""

    async def all_seen() -> bool:
        nonlocal cursor
        page = await read(anonymous, f"limit=2&after={cursor}")
        cursor = page["next"]
        seen.extend(event["payload"]["n"] for event in page["data"])
        return len(seen) == 5

    await until(all_seen)
    assert seen == [*range(5)]
    page = await read(anonymous, f"after={cursor}")
    assert (page["data"], page["next"]) == ([], cursor)


async def test_events_of_one_project_and_environment(
    anonymous: httpx.AsyncClient, db: Database, project: ProjectKeys
) -> None:
    await announce(db, project.production_id, "vi1", 1)
    await announce(db, project.sandbox_id, "vi2", 2)

    async def both() -> bool:
        found = await read(anonymous, f"projectId={project.public_id}")
        return len(found["data"]) == 2

    await until(both)
    sandbox = await read(anonymous, f"projectId={project.public_id}&environment=sandbox")
    assert [event["mediaId"] for event in sandbox["data"]] == ["vi2"]
    assert (await read(anonymous, "projectId=unknown"))["data"] == []


@pytest.mark.parametrize("query", ["after=x", "limit=0", "limit=1001", "limit=x"])
async def test_bad_questions_about_events(anonymous: httpx.AsyncClient, query: str) -> None:
    reply = await anonymous.get(f"/_/events?{query}", headers=OPERATOR)
    assert (reply.status_code, reply.json()["name"]) == (400, query.partition("=")[0])


async def test_events_as_a_stream_go_on_where_the_last_one_ended(
    app: Api, db: Database, project: ProjectKeys
) -> None:
    await announce(db, project.production_id, "vi1", 1, 2)
    headers = {**OPERATOR, "Accept": "text/event-stream"}
    async with connect(app) as probe:

        async def visible() -> bool:
            return len((await read(probe, ""))["data"]) == 2

        await until(visible)
    first = await _streamed(app, headers, 2)
    assert [line for line in first if line.startswith("event: ")] == [
        f"event: {QUALITY_COMPLETED}"
    ] * 2
    last_id = next(line for line in first if line.startswith("id: ")).removeprefix("id: ")
    rest = await _streamed(app, {**headers, "Last-Event-ID": last_id}, 1)
    data = [line for line in rest if line.startswith("data: ")]
    assert '"n":2' in data[0]


async def test_no_reader_of_the_list_misses_an_event_of_a_long_transaction(
    app: Api, anonymous: httpx.AsyncClient, db: Database, project: ProjectKeys
) -> None:
    paged: list[str] = []
    cursor = ""

    async def turn_pages() -> None:
        nonlocal cursor
        while (page := await read(anonymous, f"limit=7&after={cursor}"))["data"]:
            paged.extend(event["mediaId"] for event in page["data"])
            cursor = page["next"]

    async def all_paged() -> bool:
        await turn_pages()
        return len(paged) >= 103

    headers = {**OPERATOR, "Accept": "text/event-stream"}
    async with asyncio.TaskGroup() as group:
        stream = group.create_task(_streamed(app, headers, 103))
        await announce(db, project.production_id, "first", 1)
        async with db.transaction() as late:
            members: Json = {"videoId": "late", "n": 0}
            await operations.announce(
                late, project.production_id, QUALITY_COMPLETED, "late", members
            )
            await late.flush()
            for number in range(100):
                await announce(db, project.production_id, f"vi{number}", 1)
                await turn_pages()
            assert set(paged) <= {"first"}
        await announce(db, project.production_id, "last", 1)
        await until(all_paged)
    data = [line.removeprefix("data: ") for line in await stream if line.startswith("data: ")]
    expected = ["first", "late", *(f"vi{number}" for number in range(100)), "last"]
    assert paged == expected
    assert [json.loads(each)["mediaId"] for each in data] == expected


async def _streamed(app: Api, headers: dict[str, str], events: int) -> list[str]:
    """Return the lines of a stream up to its nth event, then leave."""
    sent = bytearray()
    enough = asyncio.Event()

    async def receive() -> Json:
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.extend(message.get("body", b""))
        if sent.count(b"\ndata: ") >= events:
            enough.set()

    scope = {
        "type": "http", "method": "GET", "path": "/_/events", "raw_path": b"/_/events",
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("api.test", 80),
    }  # fmt: skip
    await asyncio.wait_for(app(scope, receive, send), PATIENCE_S)
    return bytes(sent).decode().splitlines()
