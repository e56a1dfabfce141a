"""Events of webhooks while everything dies: none is lost, and each keeps its id."""

import asyncio
from collections import defaultdict
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

WEBHOOKS, SENDERS = 10, 10
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


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    settings = {"TELECINE_OUTBOUND_ALLOW": "127.0.0.1/32", "TELECINE_LOG_LEVEL": "warning"}
    victim = Victim(tmp_path_factory.mktemp("events") / "data", settings)
    yield victim
    victim.stop()


async def accepted(operator: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """Ask until it is answered; what broke off may have happened or not."""
    found: list[dict[str, Any]] = []

    async def answered() -> bool:
        try:
            answer = await operator.post(path)
        except httpx.TransportError:
            return False
        if answer.status_code >= 500:
            return False
        assert answer.status_code == 202, answer.text
        found.append(answer.json())
        return True

    await until(answered)
    return found[0]


@pytest.mark.timeout(1800)  # with ten thousand events
async def test_no_event_is_lost_whatever_dies(
    victim: Victim,
    operator: httpx.AsyncClient,
    receiver: tuple[Receiver, str],
    pytestconfig: pytest.Config,
) -> None:
    (ears, url), events = receiver, pytestconfig.getoption("--events")
    made = [
        victim.customer.http.post(
            "/webhooks", json={"url": url, "events": ["video.caption.generated"]}
        )
        for _ in range(WEBHOOKS)
    ]
    webhooks = [each.raise_for_status().json()["webhookId"] for each in made]
    told: dict[str, str] = {}  # by event, the path of its delivery

    async def send(number: int) -> None:
        webhook = webhooks[number % WEBHOOKS]
        for _ in range(events // SENDERS):
            answer = await accepted(operator, f"/_/webhooks/{webhook}/test")
            path = f"/_/webhooks/{webhook}/deliveries/{answer['deliveryId']}"
            told[answer["eventId"]] = path

    async def kill() -> None:
        for number, kind in enumerate(DEATHS, 1):

            async def enough(count: int = events * number // (len(DEATHS) + 1)) -> bool:
                return len(told) >= count

            await until(enough, within_s=ALL_HEARD_WITHIN_S)
            killing.kill(killing.child(victim.supervisor, kind))

    async with asyncio.TaskGroup() as group:
        group.create_task(kill())
        for number in range(SENDERS):
            group.create_task(send(number))
    assert len(told) == events

    async def all_heard() -> bool:
        return told.keys() <= ears.heard.keys()

    await until(all_heard, within_s=ALL_HEARD_WITHIN_S)
    # At least once; what came again came as it was.
    assert all(len(set(bodies)) == 1 for bodies in ears.heard.values())

    event_id, path = next(iter(told.items()))
    before = len(ears.heard[event_id])
    await accepted(operator, f"{path}/replay")

    async def heard_again() -> bool:
        return len(ears.heard[event_id]) > before

    await until(heard_again)
    assert len(set(ears.heard[event_id])) == 1
