"""A worker and the database that it cannot do without."""

import asyncio
from typing import Any

import psycopg
import pytest
import structlog
from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

from telecine.jobs import worker
from telecine.jobs.worker import Worker
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.jobs.bench import JOB, SLOTS, Bench, failing
from tests.integration.jobs.sample import Encode

pytestmark = pytest.mark.anyio


async def test_without_a_database_at_first_the_worker_waits(
    bench: Bench, postgres_url: str
) -> None:
    handler, runs = failing(0, ValueError())
    await bench.enqueue(JOB)
    await bench.db.close()
    allow = f"ALTER DATABASE {conninfo_to_dict(bench.db.url)['dbname']} ALLOW_CONNECTIONS "
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(allow + "false")
        with structlog.testing.capture_logs() as logs:
            async with bench.working({Encode: handler}):

                async def has_tried() -> bool:
                    return "worker without database" in {entry["event"] for entry in logs}

                await until(has_tried)
                admin.execute(allow + "true")
                await bench.becomes()
    assert runs == [JOB]


async def test_a_database_that_goes_while_the_worker_starts_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, runs = failing(0, ValueError())
    await bench.enqueue(JOB)
    open_pool = PsycopgConnector.open_async
    failures = [ConnectorException("gone"), PoolTimeout("no connection within 30 s")]

    async def opening(self: PsycopgConnector, pool: Any = None) -> None:
        if failures:
            raise failures.pop()
        await open_pool(self, pool)

    monkeypatch.setattr(PsycopgConnector, "open_async", opening)
    async with bench.working({Encode: handler}):
        await bench.becomes()
    assert runs == [JOB]
    assert not failures


async def test_without_a_database_the_worker_ends(
    bench: Bench, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_NO_DATABASE_AFTER_S", 0.5)
    name = bench.db.url.split("@/")[1].split("?")[0]
    working = asyncio.ensure_future(Worker(bench.db.url, {}, SLOTS, bench.give_up).run())
    await until(bench.is_alive)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
    with pytest.RaisesGroup(worker.LaneEnded):
        await asyncio.wait_for(working, PATIENCE_S)
