import asyncio
import logging
import threading
from datetime import datetime

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import text
from structlog.testing import capture_logs

from telecine.jobs import queue, rescue
from telecine.jobs.job import Job
from telecine.jobs.worker import PermanentFailure
from telecine.storage.store import OutOfSpace
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.jobs.bench import ASSET, JOB, Bench, failing, gate
from tests.integration.jobs.sample import Encode, Tidy

pytestmark = pytest.mark.anyio


async def test_a_job_runs_with_its_payload_and_leaves_no_row(bench: Bench) -> None:
    handler, runs = failing(0, ValueError())
    async with bench.working({Encode: handler}):
        await bench.enqueue(JOB)
        await bench.becomes()
    assert runs == [JOB]
    assert bench.given_up == []


async def test_a_failed_job_is_tried_again(bench: Bench) -> None:
    handler, runs = failing(1, ValueError("disk"))
    async with bench.working({Encode: handler}):
        await bench.enqueue(JOB)
        await bench.becomes(("todo", 1))
        await bench.hurry()
        await bench.becomes()
    assert len(runs) == 2
    assert bench.given_up == []


async def test_after_the_last_attempt_the_failure_is_reported_once(bench: Bench) -> None:
    handler, runs = failing(99, ValueError("disk"))
    async with bench.working({Encode: handler}):
        await bench.enqueue(JOB)
        for attempt in (1, 2):
            await bench.becomes(("todo", attempt))
            await bench.hurry()
        await bench.becomes(("failed", 3))
    assert len(runs) == JOB.attempts == 3
    assert bench.given_up == [(JOB, "ValueError: disk")]


async def test_a_failure_for_good_is_told_in_one_line(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    handler, _ = failing(1, PermanentFailure("not media"))
    with capture_logs() as told:
        async with bench.working({Encode: handler}):
            await bench.enqueue(JOB)
            await bench.becomes(("failed", 1))
    errors = [line for line in told if line["log_level"] == "error"]
    assert [(line["event"], line["job"], line["reason"]) for line in errors] == [
        ("gave up", "Encode", "not media")
    ]
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


async def waiting_s(bench: Bench) -> float | None:
    """Return for how long the only job waits, None while it is at work or could be."""
    query = (
        "SELECT extract(epoch FROM scheduled_at - now())::float8 FROM procrastinate_jobs"
        " WHERE status = 'todo' AND attempts = 0"
    )
    async with bench.db.transaction() as tx:
        found: float | None = await tx.scalar(text(query))
        return found


async def test_a_full_disk_costs_no_attempt(bench: Bench) -> None:
    """It may be full for hours: far more often than a job may fail."""
    handler, runs = failing(2 * Encode.attempts, OutOfSpace("a.run: No space left on device"))

    async def waits() -> bool:
        return 0 < (await waiting_s(bench) or 0) <= 30

    async with bench.working({Encode: handler}):
        await bench.enqueue(JOB)
        for _ in range(2 * Encode.attempts):
            await until(waits)
            await bench.hurry()
        await bench.becomes()
    assert len(runs) == 2 * Encode.attempts + 1
    assert bench.given_up == []


async def test_attempts_count_again_once_there_is_room(bench: Bench) -> None:
    runs: list[int] = []

    async def handler(_: Job) -> None:
        runs.append(len(runs))
        raise OutOfSpace("full") if runs[-1] == 0 else ValueError("disk")

    async def waits() -> bool:
        return await waiting_s(bench) is not None

    async with bench.working({Encode: handler}):
        await bench.enqueue(JOB)
        await until(waits)
        await bench.hurry()
        await bench.becomes(("todo", 1))


async def test_a_permanent_failure_is_not_tried_again(bench: Bench) -> None:
    handler, runs = failing(99, PermanentFailure("not a video"))
    async with bench.working({Encode: handler}):
        await bench.enqueue(JOB)
        await bench.becomes(("failed", 1))
    assert len(runs) == 1
    assert bench.given_up == [(JOB, "not a video")]


async def test_a_failure_that_cannot_be_recorded_comes_back(bench: Bench) -> None:
    handler, _ = failing(99, PermanentFailure("not a video"))
    report, broken = bench.give_up, [True]

    async def give_up(job: Job, reason: str) -> None:
        if broken.pop() if broken else False:
            raise ConnectionError
        await report(job, reason)

    bench.give_up = give_up  # type: ignore[method-assign]
    async with bench.working({Encode: handler}):
        await bench.enqueue(JOB)
        await bench.becomes(("todo", 1))
        await bench.hurry()
        await bench.becomes(("failed", 2))
    assert bench.given_up == [(JOB, "not a video")]


async def test_a_job_is_cancelled_when_its_time_is_up(bench: Bench) -> None:
    ends: list[str] = []

    async def handler(_: Job) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    async with bench.working({Tidy: handler}, system=1):
        await bench.enqueue(Tidy(asset_id=ASSET))
        await bench.becomes(("failed", 1))
    assert ends == ["cancelled"]
    assert bench.given_up == [(Tidy(asset_id=ASSET), "time-limit: not done after 0.1 s")]


async def test_cancelling_ends_the_running_job_for_good(bench: Bench) -> None:
    handler, began, _ = gate()
    async with bench.working({Encode: handler}):
        await bench.enqueue(JOB)
        await began.wait()
        async with bench.db.transaction() as tx:
            await queue.cancel(tx, asset_id=str(ASSET))
        await bench.becomes(("aborted", 1))
    assert bench.given_up == []


async def test_a_handler_that_cancels_itself_has_failed(bench: Bench) -> None:
    async def handler(_: Job) -> None:
        raise asyncio.CancelledError

    async with bench.working({Encode: handler}):
        await bench.enqueue(JOB)
        await bench.becomes(("todo", 1))


async def test_a_job_of_a_newer_release_is_left_for_its_workers(bench: Bench) -> None:
    handler, runs = failing(0, ValueError())
    await bench.enqueue(JOB)
    async with bench.working({}):
        await bench.becomes(("todo", 0))
        await until(lambda: _postponed(bench))
    await bench.hurry()
    async with bench.working({Encode: handler}):
        await bench.becomes()
    assert runs == [JOB]


async def _postponed(bench: Bench) -> bool:
    async with bench.db.transaction() as tx:
        query = text("SELECT count(scheduled_at) FROM procrastinate_jobs WHERE status = 'todo'")
        return bool(await tx.scalar(query) == 1)


async def test_a_worker_whose_row_was_pruned_signs_on_again(bench: Bench) -> None:
    handler, began, go = gate()
    async with bench.working({Encode: handler}):
        await bench.enqueue(JOB)
        await began.wait()
        async with bench.db.transaction() as tx:
            numbers = (
                await tx.scalars(text("DELETE FROM procrastinate_workers RETURNING id"))
            ).all()
        await until(bench.is_alive)
        async with bench.db.transaction() as tx:
            again = (await tx.scalars(text("SELECT id FROM procrastinate_workers"))).all()
        assert again == numbers
        go.set()


async def test_a_stopping_worker_lets_its_jobs_end(bench: Bench) -> None:
    handler, began, go = gate()
    async with bench.working({Encode: handler}):
        await bench.enqueue(JOB)
        await began.wait()
        asyncio.get_running_loop().call_later(0.1, go.set)
    assert await bench.rows() == []


async def test_a_stopping_worker_hands_long_jobs_back_uncounted(bench: Bench) -> None:
    handler, began, go = gate()
    bench.stop_after_s = 0.05
    for _ in range(JOB.attempts + 1):
        async with bench.working({Encode: handler}):
            if not await bench.rows():
                await bench.enqueue(JOB)
            await began.wait()
            began.clear()
        assert await bench.rows() == [("todo", 0)]
    go.set()
    async with bench.working({Encode: handler}):
        await bench.becomes()
    assert bench.given_up == []


async def test_a_full_lane_does_not_delay_another(bench: Bench) -> None:
    handler, began, go = gate()
    tidied = asyncio.Event()

    async def tidy(_: Job) -> None:
        tidied.set()

    async with bench.working({Encode: handler, Tidy: tidy}, ladder=1, system=1):
        await bench.enqueue(*(Encode(asset_id=ASSET, chunk=n) for n in range(5)))
        await began.wait()
        await bench.enqueue(Tidy(asset_id=ASSET))
        await asyncio.wait_for(tidied.wait(), PATIENCE_S)
        assert [status for status, _ in await bench.rows()].count("todo") == 4
        go.set()


async def test_higher_priorities_run_first(bench: Bench) -> None:
    runs: list[Job] = []

    async def handler(job: Job) -> None:
        runs.append(job)

    later, sooner = Encode(asset_id=ASSET, chunk=1), Encode(asset_id=ASSET, chunk=2)
    await bench.enqueue(later)
    await bench.enqueue(sooner, priority=10)
    async with bench.working({Encode: handler}):
        await bench.becomes()
    assert runs == [sooner, later]


async def test_a_busy_event_loop_does_not_look_dead(bench: Bench) -> None:
    began, judged = threading.Event(), threading.Event()

    async def handler(_: Job) -> None:
        began.set()
        judged.wait(PATIENCE_S)  # the loop stands still

    def judge() -> int:
        """Try to take the job over until four signs of life were seen."""
        with psycopg.connect(bench.db.url, autocommit=True, row_factory=dict_row) as other:
            began.wait(PATIENCE_S)
            beats: set[datetime] = set()
            rescued = 0
            while len(beats) < 4 and not rescued:
                row = other.execute(
                    "SELECT last_heartbeat FROM procrastinate_workers WHERE id ="
                    " (SELECT worker_id FROM procrastinate_jobs)"
                ).fetchone()
                assert row is not None
                beats.add(row["last_heartbeat"])
                rescued = rescue.rescue(other, 2.5)
            judged.set()
            return rescued

    async with bench.working({Encode: handler}), asyncio.TaskGroup() as group:
        judgement = group.create_task(asyncio.to_thread(judge))
        await bench.enqueue(JOB)
        await bench.becomes()
    assert judgement.result() == 0


async def test_health_knows_whether_anybody_works(bench: Bench) -> None:
    assert not await bench.is_alive()
    async with bench.working({}):
        await until(bench.is_alive)
    await until(lambda: _dead(bench))


async def _dead(bench: Bench) -> bool:
    return not await bench.is_alive()


async def test_old_ends_are_purged(bench: Bench, database_url: str) -> None:
    handler, _ = failing(99, PermanentFailure("no"))
    async with bench.working({Encode: handler}):
        await bench.enqueue(JOB)
        await bench.becomes(("failed", 1))
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        assert rescue.purge(connection) == 0
        assert rescue.purge(connection, keep_s=0) == 1
    assert await bench.rows() == []
