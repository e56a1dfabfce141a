"""The worker: lanes of slots in one process, each job tried until it may no longer be.

At-least-once everywhere: a worker that was taken for dead may still do the work of
a job that another has begun, so handlers must change nothing when they run twice.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import structlog
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException, JobAborted
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job as QueuedJob
from procrastinate.worker import Worker as LaneWorker

from telecine import clock
from telecine.db.engine import CONNECTION_OPTIONS, heed_cancellation, is_out_of_space, plain_url
from telecine.db.notify import Listener
from telecine.jobs.fencing import FencedJobs
from telecine.jobs.job import Job, Lane
from telecine.jobs.presence import Presence
from telecine.jobs.queue import payload
from telecine.jobs.rescue import KEEP_FINISHED_S, Keeper

log = structlog.get_logger()

Handler = Callable[[Any], Awaitable[None]]
"""Does a job; the process root binds what it needs."""

GivingUp = Callable[[Job, str], Awaitable[None]]
"""Told once a job was tried as often as it may be, with the last reason."""

# For jobs whose time comes; of new ones a lane is told.
_POLL_S = {**dict.fromkeys(Lane, 1.0), Lane.GROWING: 0.25}
_ABORT_POLL_S = 2.0
_PRUNE_AFTER_S = 30.0
_NO_DATABASE_AFTER_S = 10.0
_AGAIN_AFTER_S = 0.5
_IDLE_S = 30.0  # each connection is a process of the database's, of some 4 MB
_LONGEST_BACKOFF_S = 300
_ROOM_CHECK_S = 30


TIME_LIMIT, WORKER_DIED = "time-limit", "worker-died"
"""What the reasons of jobs begin with that ended so, where no handler can say why."""


class PermanentFailure(Exception):
    """Another attempt would end the same way."""


class LaneEnded(Exception):
    """A lane stopped by itself, as it does when the database goes away."""


class _TryAgain(Exception):
    """The attempt failed, another one follows."""


class _NoRoom(Exception):
    """A disk is full: the job waits for room, however long that takes."""


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work that every worker does now and then; runs that overlap must be harmless.

    `first_after_s`: what is not urgent leaves the start of a worker to its jobs.
    """

    name: str
    every_s: float
    run: Callable[[], Awaitable[None]]
    first_after_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a worker waits for others.

    `dead_after_s`: how long one may be silent before its jobs are taken over.
    `stop_after_s`: how long running jobs may go on once `run` is cancelled.
    `keep_finished_s`: how long the rows of jobs that failed are kept.
    """

    dead_after_s: float = 4.0
    stop_after_s: float = 5.0
    keep_finished_s: float = KEEP_FINISHED_S


class _Attempts(BaseRetryStrategy):
    """Exponential back-off; a job that a stopping worker hands back waits for nothing."""

    def __init__(self, backoff_s: float) -> None:
        self._backoff_s = backoff_s

    def get_retry_decision(
        self, *, exception: BaseException, job: QueuedJob
    ) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision()
        if isinstance(exception, _NoRoom):
            return RetryDecision(retry_in={"seconds": _ROOM_CHECK_S})
        if not isinstance(exception, _TryAgain):
            return None
        wait_s = min(self._backoff_s * 2 ** min(job.attempts, 10), _LONGEST_BACKOFF_S)
        return RetryDecision(retry_in={"seconds": int(wait_s)})


class Worker:
    """Runs the jobs of `handlers` in `slots` per lane until cancelled.

    `folder`: where this host keeps files; its free room is told with the signs of life.
    """

    def __init__(
        self,
        database_url: str,
        handlers: Mapping[type[Job], Handler],
        slots: Mapping[Lane, int],
        giving_up: GivingUp,
        *,
        periodic: Sequence[Periodic] = (),
        patience: Patience = Patience(),
        folder: Path | None = None,
    ) -> None:
        self._url = database_url
        self._giving_up = giving_up
        self._periodic = periodic
        self._patience = patience
        self._presence = Presence(self._registered, slots, folder)
        connector = PsycopgConnector(
            conninfo=plain_url(database_url),
            min_size=1,
            max_size=4,
            timeout=_NO_DATABASE_AFTER_S,
            max_idle=_IDLE_S,
            kwargs=CONNECTION_OPTIONS,
        )
        self._app = App(connector=connector)
        self._listener = Listener(database_url)
        known = {kind.task_name() for kind in handlers}
        self._jobs = FencedJobs(connector, self._listener, map(str, slots), known)
        self._app.job_manager = self._jobs
        for kind, handler in handlers.items():
            self._register(kind, handler)
        self._lanes = [
            LaneWorker(
                self._app,
                queues=[str(lane)],
                name=str(lane),
                concurrency=count,
                fetch_job_polling_interval=_POLL_S[lane],
                abort_job_polling_interval=_ABORT_POLL_S,
                stalled_worker_timeout=_PRUNE_AFTER_S,
                shutdown_graceful_timeout=patience.stop_after_s,
                delete_jobs="successful",
                install_signal_handlers=False,
            )
            for lane, count in slots.items()
        ]
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
        logging.getLogger("procrastinate.worker").addFilter(_is_news)

    async def run(self) -> None:
        """Work until cancelled; running jobs then come to an end or are handed back.

        Without a database at first, waits for it.

        Raises:
            ExceptionGroup: of LaneEnded, as lanes end by themselves when it goes away.
        """
        async with self._opened(), self._signs_of_life(), asyncio.TaskGroup() as group:
            group.create_task(self._listener.run(), name="calls")
            for lane in self._lanes:
                group.create_task(_work(lane), name=f"lane {lane.worker_name}")
            for periodic in self._periodic:
                group.create_task(_repeat(periodic), name=periodic.name)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        try:
            await self._open()
            yield
        finally:
            await self._app.close_async()

    async def _open(self) -> None:
        """Open the queue's pool as soon as there is a database."""
        url = plain_url(self._url)
        while True:
            try:
                # Asked first: a pool without one takes half a minute to say so.
                async with await psycopg.AsyncConnection.connect(url, **CONNECTION_OPTIONS):
                    await self._app.open_async()
            except (ConnectorException, psycopg.Error) as error:
                heed_cancellation()
                log.warning("worker without database", reason=str(error).strip())
                await self._app.close_async()
            else:
                return
            await asyncio.sleep(_AGAIN_AFTER_S)

    @asynccontextmanager
    async def _signs_of_life(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        keeper = Keeper(
            self._url,
            loop,
            self._presence,
            self._patience.dead_after_s,
            self._patience.keep_finished_s,
        )
        keeper.start()
        try:
            yield
        finally:
            keeper.stop()
            # At most one statement long; a thread left alone would outlive the loop.
            await asyncio.to_thread(keeper.join)

    def _registered(self) -> list[int]:
        return [lane.worker_id for lane in self._lanes if lane.worker_id is not None]

    def _register(self, kind: type[Job], handler: Handler) -> None:
        retry = _Attempts(kind.backoff_s)

        @self._app.task(name=kind.task_name(), queue=str(kind.lane), retry=retry, pass_context=True)
        async def run(context: JobContext, /, **args: Any) -> None:  # noqa: ANN401  # JSON values
            job = kind.from_args(payload(args))
            attempt = context.job.attempts + 1
            with structlog.contextvars.bound_contextvars(job=kind.task_name(), attempt=attempt):
                try:
                    await self._attempt(job, handler, attempt)
                except _NoRoom:
                    self._jobs.do_not_count(context.job.id or 0)
                    raise
                except asyncio.CancelledError as error:
                    reason = context.abort_reason()
                    if reason is AbortReason.USER_REQUEST:
                        raise JobAborted from error
                    if reason is None:
                        raise _TryAgain("the handler cancelled itself") from error
                    raise

    async def _attempt(self, job: Job, handler: Handler, attempt: int) -> None:
        """Run a handler once; raise what the queue shall do next."""
        if attempt > job.attempts:
            # Only the rescue brings a job here: its worker died every time.
            await self._give_up(job, f"{WORKER_DIED}: {attempt - 1} times")
        try:
            async with asyncio.timeout(job.timeout_s) as limit:
                await handler(job)
        except PermanentFailure as error:
            await self._give_up(job, str(error), error)
        except Exception as error:  # whatever it is, the job is tried again
            reason = f"{type(error).__name__}: {error}"
            if isinstance(error, TimeoutError) and limit.expired():
                reason = f"{TIME_LIMIT}: not done after {job.timeout_s:g} s"
            if is_out_of_space(error):
                log.warning("job waits for room", reason=reason, args=job.to_args())
                raise _NoRoom(reason) from error
            log.warning("job failed", reason=reason, args=job.to_args(), exc_info=error)
            if attempt >= job.attempts:
                await self._give_up(job, reason, error)
            raise _TryAgain(reason) from error

    async def _give_up(self, job: Job, reason: str, cause: Exception | None = None) -> NoReturn:
        try:
            await self._giving_up(job, reason)
        except Exception as error:
            # A job may not fail without a trace: come back until it is recorded.
            log.warning("failure not recorded", reason=repr(error), args=job.to_args())
            raise _TryAgain(reason) from error
        log.error("gave up", job=type(job).__name__, reason=reason, **job.to_args())
        raise PermanentFailure(reason) from cause


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether the queue says what we have not said: of a job that failed we have."""
    return getattr(record, "action", None) != "job_error"


async def _work(lane: LaneWorker) -> None:
    try:
        await lane.run()  # type: ignore[no-untyped-call]  # procrastinate annotates it not
    except (ConnectorException, psycopg.Error) as error:
        raise LaneEnded(lane.worker_name) from error
    raise LaneEnded(lane.worker_name)


async def _repeat(periodic: Periodic) -> None:
    await asyncio.sleep(periodic.first_after_s)
    while True:
        started_s = clock.monotonic_s()
        try:
            await periodic.run()
        except Exception as error:  # noqa: BLE001  # the next round may do better
            heed_cancellation()
            log.warning("periodic work failed", work=periodic.name, reason=repr(error))
        await asyncio.sleep(max(0.1, periodic.every_s - (clock.monotonic_s() - started_s)))
