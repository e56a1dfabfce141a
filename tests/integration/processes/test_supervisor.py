"""What dies comes back, while others go on serving."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.processes.conftest import Running
from tests.integration.processes.family import children

pytestmark = pytest.mark.anyio

PROGRAMS = ("api-0", "api-1", "worker-0", "live-0")


async def is_ready(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        try:
            return (await client.get(f"{url}/readyz")).is_success
        except httpx.TransportError:
            return False


async def all_serve(running: Running) -> bool:
    """Tell whether every child has said that it serves."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        text = (await client.get(running[1].metrics_url)).text
    ready = [line for line in text.splitlines() if line.startswith("telecine_process_ready{")]
    return len(ready) == len(PROGRAMS) and all(line.endswith(" 1.0") for line in ready)


async def settled(running: Running) -> dict[str, int]:
    """Wait until everything serves; return the children."""

    async def check() -> bool:
        return await all_serve(running) and await is_ready(running[1].base_url)

    await until(check)
    return children(running[1].pid)


async def metrics(running: Running) -> dict[str, float]:
    """Return what all processes measured, by metric and labels."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        text = (await client.get(running[1].metrics_url)).text
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def metrics_at(running: Running, answers: float) -> dict[str, float]:
    """Wait until so many answers were counted, each a moment after it was given."""
    found: dict[str, float] = {}

    async def reached() -> bool:
        nonlocal found
        found = await metrics(running)
        return found.get(HEALTHZ, 0) >= answers

    await until(reached)
    assert found.get(HEALTHZ, 0) == answers
    return found


HEALTHZ = 'telecine_http_requests_total{method="GET",route="/healthz",status="200"}'


async def test_a_death_takes_nothing_from_the_metrics(running: Running) -> None:
    before = await settled(running)
    url = f"{running[1].base_url}/healthz"
    async with httpx.AsyncClient(
        headers={"connection": "close"}, trust_env=False, timeout=PATIENCE_S
    ) as client:
        begun = (await metrics(running)).get(HEALTHZ, 0)
        for _ in range(20):  # both API processes get some
            await client.get(url)
        counted = await metrics_at(running, begun + 20)
        for name in PROGRAMS:
            os.kill(before[name], signal.SIGKILL)

        async def all_are_new() -> bool:
            now = children(running[1].pid)
            return before.keys() == now.keys() and all(
                now[name] != before[name] for name in PROGRAMS
            )

        await until(all_are_new)
        await settled(running)
        for _ in range(5):
            await client.get(url)
    after = await metrics_at(running, begun + 25)
    for name in PROGRAMS:
        restarts = f'telecine_process_restarts_total{{process="{name}"}}'
        assert after[restarts] == counted[restarts] + 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_an_api_process_is_replaced_without_a_failed_request(
    running: Running, number: signal.Signals
) -> None:
    before = await settled(running)
    url = f"{running[1].base_url}/healthz"
    answers = 0
    # A new connection each: kept ones end with their process.
    async with httpx.AsyncClient(
        headers={"connection": "close"}, trust_env=False, timeout=PATIENCE_S
    ) as client:

        async def is_replaced() -> bool:
            nonlocal answers
            assert (await client.get(url)).status_code == 200
            answers += 1
            if answers == 1:
                os.kill(before["api-0"], number)
            now = children(running[1].pid).get("api-0", before["api-0"])
            return now != before["api-0"] and await all_serve(running)

        await until(is_replaced)
    assert answers > 1
    assert (await settled(running))["api-1"] == before["api-1"]


async def test_the_zygote_has_one_thread(running: Running) -> None:
    """With a second one, a lock could be held in the moment of a fork, for ever."""
    zygote = (await settled(running))["zygote"]
    assert len(list(Path(f"/proc/{zygote}/task").iterdir())) == 1


async def test_a_killed_zygote_takes_its_children_along_and_all_come_back(running: Running) -> None:
    before = await settled(running)
    os.kill(before["zygote"], signal.SIGKILL)

    async def all_are_new() -> bool:
        now = children(running[1].pid)
        return before.keys() == now.keys() and all(
            now[name] != before[name] for name in (*PROGRAMS, "zygote")
        )

    await until(all_are_new)
    assert (await settled(running))["postgres"] == before["postgres"]


async def test_a_killed_worker_is_replaced(running: Running) -> None:
    before = await settled(running)
    os.kill(before["worker-0"], signal.SIGKILL)

    async def is_replaced() -> bool:
        return children(running[1].pid).get("worker-0") not in {None, before["worker-0"]}

    await until(is_replaced)
    after = await settled(running)
    assert after["api-0"] == before["api-0"]


async def test_a_killed_database_is_replaced_and_everything_reconnects(running: Running) -> None:
    before = await settled(running)
    os.kill(before["postgres"], signal.SIGKILL)

    async def is_replaced() -> bool:
        return children(running[1].pid).get("postgres") not in {None, before["postgres"]}

    await until(is_replaced)
    after = await settled(running)
    assert {name: after[name] for name in ("api-0", "api-1")} == {
        name: before[name] for name in ("api-0", "api-1")
    }
    key = running[1].production_key
    async with httpx.AsyncClient(auth=(key, ""), trust_env=False, timeout=PATIENCE_S) as client:
        reply = await client.post(f"{running[1].base_url}/videos", json={"title": "after"})
    assert reply.status_code == 201
