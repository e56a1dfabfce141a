"""The worker: lanes of slots in one process, each job tried until it may no longer be.

At-least-once everywhere: a worker that was taken for dead may still finish a job
that another has begun, so handlers must change nothing when they run twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException, JobAborted
from procrastinate.jobs import Job as QueuedJob

from telecine import clock
from telecine.jobs.job import Job, Lane
from telecine.jobs.rescue import rescue

log = structlog.get_logger()

Handler = Callable[[Any], Awaitable[None]]
"""Does a job; the process root binds what it needs."""

GivingUp = Callable[[Job, str], Awaitable[None]]
"""Told once a job was tried as often as it may be, with the last reason."""

HEARTBEAT_S = 1.0
_POLL_S = {Lane.PROBE: 0.2, Lane.LADDER: 1.0, Lane.SYSTEM: 1.0, Lane.WEBHOOK: 1.0}
_ABORT_POLL_S = 2.0
_PRUNE_AFTER_S = 30.0
_LONGEST_BACKOFF_S = 300


class PermanentFailure(Exception):
    """Another attempt would end the same way."""


class LaneEnded(Exception):
    """A lane stopped by itself, as it does when the database goes away."""


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work that every worker does now and then; runs that overlap must be harmless."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[None]]


class _Attempts(BaseRetryStrategy):
    """Exponential back-off; a job that a stopping worker hands back waits for nothing."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts

    def get_retry_decision(
        self, *, exception: BaseException, job: QueuedJob
    ) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError | JobAborted):
            return RetryDecision(retry_in={"seconds": 0})
        if isinstance(exception, PermanentFailure) or job.attempts + 1 >= self._attempts:
            return None
        return RetryDecision(retry_in={"seconds": min(2**job.attempts, _LONGEST_BACKOFF_S)})


class Worker:
    """Runs the jobs of `handlers` in `slots` per lane until cancelled.

    `dead_after_s`: how long a worker may be silent before its jobs are taken over.
    """

    def __init__(
        self,
        database_url: str,
        handlers: Mapping[type[Job], Handler],
        slots: Mapping[Lane, int],
        giving_up: GivingUp,
        *,
        periodic: Sequence[Periodic] = (),
        dead_after_s: float = 4.0,
        stop_after_s: float = 5.0,
    ) -> None:
        self._slots = slots
        self._giving_up = giving_up
        self._periodic = periodic
        self._dead_after_s = dead_after_s
        self._stop_after_s = stop_after_s
        self._connector = PsycopgConnector(
            conninfo="postgresql://" + database_url.split("://", 1)[1],
            min_size=1,
            max_size=4,
            kwargs={"keepalives_idle": 10, "keepalives_interval": 5, "tcp_user_timeout": 20_000},
        )
        self._app = App(connector=self._connector)
        for kind, handler in handlers.items():
            self._register(kind, handler)
        logging.getLogger("procrastinate").setLevel(logging.WARNING)

    def _register(self, kind: type[Job], handler: Handler) -> None:
        @self._app.task(
            name=kind.task_name(),
            queue=str(kind.lane),
            retry=_Attempts(kind.attempts),
            pass_context=True,
        )
        async def run(context: JobContext, /, **args: Any) -> None:  # noqa: ANN401  # JSON values
            job = kind.from_args(args)
            attempt = context.job.attempts + 1
            with structlog.contextvars.bound_contextvars(job=kind.task_name(), attempt=attempt):
                await self._run(job, handler, attempt)

    async def _run(self, job: Job, handler: Handler, attempt: int) -> None:
        if attempt > job.attempts:
            # Only the rescue brings a job here: its worker died every time.
            await self._giving_up(job, f"the worker died {attempt - 1} times")
            raise PermanentFailure("too many attempts")
        try:
            async with asyncio.timeout(job.timeout_s):
                await handler(job)
        except PermanentFailure as error:
            await self._giving_up(job, str(error))
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            log.warning("job failed", reason=reason, **job.to_args())
            if attempt >= job.attempts:
                await self._giving_up(job, reason)
            raise

    async def run(self) -> None:
        """Work until cancelled; running jobs then get `stop_after_s` or are handed back.

        Raises:
            ExceptionGroup: a lane ended by itself, as it does without a database.
        """
        async with self._app.open_async(), asyncio.TaskGroup() as group:
            for lane, slots in self._slots.items():
                group.create_task(self._lane(lane, slots), name=f"lane {lane}")
            group.create_task(self._rescue(), name="rescue")
            for periodic in self._periodic:
                group.create_task(self._repeat(periodic), name=periodic.name)

    async def _lane(self, lane: Lane, slots: int) -> None:
        await self._app.run_worker_async(
            queues=[str(lane)],
            name=str(lane),
            concurrency=slots,
            fetch_job_polling_interval=_POLL_S[lane],
            abort_job_polling_interval=_ABORT_POLL_S,
            update_heartbeat_interval=HEARTBEAT_S,
            stalled_worker_timeout=_PRUNE_AFTER_S,
            shutdown_graceful_timeout=self._stop_after_s,
            delete_jobs="successful",
            install_signal_handlers=False,
        )
        raise LaneEnded(str(lane))

    async def _rescue(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                await rescue(self._connector, self._dead_after_s)
            except ConnectorException as error:
                log.warning("rescue failed", reason=str(error.__cause__ or error))

    async def _repeat(self, periodic: Periodic) -> None:
        while True:
            started_s = clock.monotonic_s()
            try:
                await periodic.run()
            except Exception as error:  # noqa: BLE001  # the next round may do better
                log.warning("periodic work failed", work=periodic.name, reason=repr(error))
            await asyncio.sleep(max(0.1, periodic.every_s - (clock.monotonic_s() - started_s)))
