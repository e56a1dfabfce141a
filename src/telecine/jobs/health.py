"""Whether anybody works, who, and on what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from telecine.db.engine import Transaction
from telecine.jobs.queue import payload

_ALIVE = text(
    "SELECT EXISTS (SELECT 1 FROM procrastinate_workers"
    " WHERE last_heartbeat > now() - make_interval(secs => :within_s))"
)


ALIVE_WITHIN_S = 10.0
"""How long a worker may be silent before we say that it is dead."""


async def worker_alive(tx: Transaction, *, within_s: float = ALIVE_WITHIN_S) -> bool:
    """Tell whether any worker gave a sign of life within the last seconds."""
    return bool(await tx.scalar(_ALIVE, {"within_s": within_s}))


_BACKLOG = text(
    "SELECT queue_name, status::text, count(*) FROM procrastinate_jobs"
    " WHERE status IN ('todo', 'doing') GROUP BY 1, 2"
)


async def backlog(tx: Transaction) -> dict[tuple[str, str], int]:
    """Return how many jobs wait ("todo") and run ("doing") in each lane."""
    rows = await tx.execute(_BACKLOG)
    return {(lane, state): count for lane, state, count in rows}


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that a worker does now. `args` are ids, never text from users."""

    name: str
    lane: str
    attempt: int
    args: dict[str, Any]
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker process and its jobs; `free_bytes` of the disk that its data folder is on."""

    id: UUID
    host: str
    pid: int
    version: str
    slots: dict[str, int]
    free_bytes: int | None
    started_at: datetime
    seen_at: datetime
    alive: bool
    jobs: tuple[RunningJob, ...]


_WORKERS = text(
    "SELECT w.*, seen_at > now() - make_interval(secs => :within_s) AS alive"
    "  FROM worker w ORDER BY host, started_at, id"
)
_RUNNING = text(
    "SELECT j.worker_id, j.task_name, j.queue_name, j.attempts + 1, j.args,"
    "       (SELECT max(e.at) FROM procrastinate_events e"
    "         WHERE e.job_id = j.id AND e.type = 'started')"
    "  FROM procrastinate_jobs j WHERE j.status = 'doing' ORDER BY j.id"
)


async def workers(tx: Transaction, *, within_s: float = ALIVE_WITHIN_S) -> list[WorkerState]:
    """Return every worker process of the last day that did not take leave."""
    running: dict[int, list[RunningJob]] = {}
    for worker, *job in await tx.execute(_RUNNING):
        name, lane, attempt, args, started_at = job
        running.setdefault(worker, []).append(
            RunningJob(name, lane, attempt, payload(args), started_at)
        )
    found = []
    for row in (await tx.execute(_WORKERS, {"within_s": within_s})).mappings():
        state = dict(row)
        lanes = state.pop("queue_workers")
        jobs = tuple(job for lane in lanes for job in running.get(lane, ()))
        found.append(WorkerState(**state, jobs=jobs))
    return found
