"""Events of webhooks while everything dies: none is lost, and each keeps its id."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.chaos import killing
from tests.chaos.conftest import Victim
from tests.fixtures.origin import Answer, Asked, serving
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.xdist_group("own-server"),
]

SENDERS = 10
DEATHS = (killing.is_api, killing.is_worker, killing.is_postmaster) * 3
ALL_HEARD_WITHIN_S = 900


@dataclass
class Receiver:
    """Bodies that were accepted, by the id of their event."""

    heard: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    def hear(self, asked: Asked) -> Answer:
        self.heard[asked.headers["x-telecine-event"]].append(asked.body)
        return Answer(202)


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    receiver = Receiver()
    async with serving(receiver.hear) as origin:
        yield receiver, origin.url("/hook")


@pytest.fixture
async def operator(victim: Victim) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {victim.server.operator_key}"}
    base_url = victim.server.base_url
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture
async def editor(victim: Victim) -> AsyncIterator[httpx.AsyncClient]:
    """Who changes videos."""
    base_url, auth = victim.server.base_url, (victim.server.production_key, "")
    async with httpx.AsyncClient(base_url=base_url, auth=auth, timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    settings = {"TELECINE_OUTBOUND_ALLOW": "127.0.0.1/32", "TELECINE_LOG_LEVEL": "warning"}
    victim = Victim(tmp_path_factory.mktemp("events") / "data", settings)
    yield victim
    victim.stop()


async def answered(
    client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None = None
) -> tuple[httpx.Response, bool]:
    """Ask until it is answered; the second value: was an earlier try broken off?

    What broke off may have happened or not.
    """
    found: list[httpx.Response] = []
    broken = False

    async def whole() -> bool:
        nonlocal broken
        try:
            answer = await client.request(method, path, json=body)
        except httpx.TransportError:
            broken = True
            return False
        if answer.status_code >= 500:
            broken = True
            return False
        found.append(answer)
        return True

    await until(whole)
    return found[0], broken


async def make_and_delete(editor: httpx.AsyncClient) -> str:
    """Return the id of a video that was made, and is gone."""
    made, _ = await answered(editor, "POST", "/videos", {"title": "passing"})
    assert made.status_code == 201, made.text
    video_id: str = made.json()["videoId"]
    gone, broken = await answered(editor, "DELETE", f"/videos/{video_id}")
    # Not found: the try that was broken off had already come to its end.
    assert gone.status_code == 204 or (broken and gone.status_code == 404), gone.text
    return video_id


async def every_event(operator: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return all that the list of events has, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer, _ = await answered(operator, "GET", f"/_/events?limit=1000&after={cursor}")
        page = answer.raise_for_status().json()
        if not page["data"]:
            return found
        found += page["data"]
        cursor = page["next"]


@pytest.mark.timeout(3600)  # with ten thousand events
async def test_no_event_is_lost_whatever_dies(
    victim: Victim,
    operator: httpx.AsyncClient,
    editor: httpx.AsyncClient,
    receiver: tuple[Receiver, str],
    pytestconfig: pytest.Config,
) -> None:
    (ears, url), events = receiver, pytestconfig.getoption("--events")
    hook = {"url": url, "events": ["video.deleted"]}
    made = victim.customer.http.post("/webhooks", json=hook)
    webhook_id = made.raise_for_status().json()["webhookId"]
    gone: set[str] = set()

    async def change() -> None:
        for _ in range(events // SENDERS):
            gone.add(await make_and_delete(editor))

    async def kill() -> None:
        for number, kind in enumerate(DEATHS, 1):

            async def enough(count: int = events * number // (len(DEATHS) + 1)) -> bool:
                return len(gone) >= count

            await until(enough, within_s=ALL_HEARD_WITHIN_S)
            killing.kill(killing.child(victim.supervisor, kind))

    async with asyncio.TaskGroup() as group:
        group.create_task(kill())
        for _ in range(SENDERS):
            group.create_task(change())
    assert len(gone) == events

    # Whose transaction came to its end has one event, and nobody else has any.
    listed: dict[str, str] = {}

    async def all_listed() -> bool:
        found = [each for each in await every_event(operator) if each["type"] == "video.deleted"]
        assert max(Counter(each["mediaId"] for each in found).values(), default=1) == 1
        listed.update({each["eventId"]: each["mediaId"] for each in found})
        return gone <= {*listed.values()}

    await until(all_listed)
    assert {*listed.values()} == gone

    async def all_heard() -> bool:
        return listed.keys() <= ears.heard.keys()

    await until(all_heard, within_s=ALL_HEARD_WITHIN_S)
    # At least once; what came again came as it was.
    assert ears.heard.keys() == listed.keys()
    assert all(len(set(bodies)) == 1 for bodies in ears.heard.values())
    told = {event_id: json.loads(bodies[0])["videoId"] for event_id, bodies in ears.heard.items()}
    assert told == listed

    log = f"/_/webhooks/{webhook_id}/deliveries"
    [newest] = (await operator.get(f"{log}?pageSize=1")).raise_for_status().json()["data"]
    before = len(ears.heard[newest["eventId"]])

    async def accepted() -> bool:  # once its last answer is written down
        replayed, _ = await answered(operator, "POST", f"{log}/{newest['deliveryId']}/replay")
        assert replayed.status_code in (202, 409), replayed.text
        return replayed.status_code == 202

    await until(accepted)

    async def heard_again() -> bool:
        return len(ears.heard[newest["eventId"]]) > before

    await until(heard_again)
    assert len(set(ears.heard[newest["eventId"]])) == 1
