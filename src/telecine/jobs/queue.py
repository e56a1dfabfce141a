"""Asking for work, in the transaction of the change that needs it."""

from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from procrastinate import App, PsycopgConnector
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from telecine.db.engine import Transaction, raw_connection
from telecine.jobs.job import Job

# Never opened: every statement runs on the caller's own connection.
_APP = App(connector=PsycopgConnector())

_TURN_OF = "turn_of"
"""Beside the payload: whose turn a job takes."""

_TURNS = text(
    """
    SELECT max(priority) AS next, (
        SELECT min(priority) FROM procrastinate_jobs
         WHERE status = 'todo' AND args->>'turn_of' IS NOT NULL
           AND queue_name = :lane AND args->>'turn_of' = :whose AND priority <= :priority
    ) AS last
      FROM procrastinate_jobs
     WHERE status = 'todo' AND args->>'turn_of' IS NOT NULL
       AND queue_name = :lane AND priority <= :priority
    """
)
_CANCEL = text(
    """
    SELECT procrastinate_cancel_job_v1(id, true, true) FROM procrastinate_jobs
     WHERE status IN ('todo', 'doing') AND args->>'asset_id' = :asset_id
    """
)
_WAITS = text(
    """
    SELECT id FROM procrastinate_jobs WHERE status = 'todo'
       AND task_name = :task AND args->>'asset_id' = :asset_id LIMIT 1 FOR UPDATE
    """
)
_PROMOTE = text(
    """
    WITH found AS (
        SELECT id, status, priority FROM procrastinate_jobs
         WHERE status IN ('todo', 'doing') AND task_name = :task
           AND args->>'asset_id' = :asset_id AND args @> :args
    ), moved AS (
        UPDATE procrastinate_jobs j SET priority = :priority, scheduled_at = NULL
          FROM found WHERE j.id = found.id AND found.status = 'todo'
           AND (found.priority < :priority)
        RETURNING j.id, pg_notify('procrastinate_queue_v1#' || j.queue_name,
            json_build_object('type', 'job_inserted', 'job_id', j.id)::text)
    )
    SELECT count(*) FROM found LEFT JOIN moved USING (id)
    """
).bindparams(bindparam("args", type_=JSONB))


async def enqueue(
    tx: Transaction, *jobs: Job, priority: int = 0, not_before: datetime | None = None
) -> None:
    """Ask for jobs; they exist once `tx` commits, and workers are told then.

    Higher priorities run first within their lane; nothing running is interrupted.
    """
    await tx.flush()
    connection = await raw_connection(tx)
    for (name, lane), group in groupby(jobs, key=lambda job: (job.task_name(), job.lane)):
        task = _APP.configure_task(
            name,
            queue=str(lane),
            priority=priority,
            schedule_at=not_before,
            connection=connection,
        )
        await task.batch_defer_async(*(job.to_args() for job in group))


async def enqueue_in_turn(tx: Transaction, whose: UUID, *jobs: Job, priority: int = 0) -> None:
    """Ask for jobs of one lane that take turns with those of others.

    Each waiting job of `whose` is a round further back than the one before; who comes new
    begins with the round that is on. Rounds are priorities from `priority` down, which
    starts again once none of these jobs waits any more.
    """
    if not jobs:
        return
    await tx.flush()
    lane = jobs[0].lane
    asked = {"lane": str(lane), "whose": str(whose), "priority": priority}
    on, last = (await tx.execute(_TURNS, asked)).one()
    first = priority if on is None else on
    if last is not None:
        first = min(first, last - 1)
    connection = await raw_connection(tx)
    made = []
    for number, job in enumerate(jobs):
        task = _APP.configure_task(job.task_name(), queue=str(lane), priority=first - number)
        made.append(task.make_new_job(**job.to_args(), **{_TURN_OF: str(whose)}))
    await _APP.job_manager.batch_defer_jobs_async(made, connection=connection)


def payload(args: dict[str, Any]) -> dict[str, Any]:
    """Return what a queued job was asked with."""
    return {name: value for name, value in args.items() if name != _TURN_OF}


async def cancel(tx: Transaction, *, asset_id: str) -> None:
    """Drop the waiting jobs of an asset and ask for the end of its running ones."""
    await tx.execute(_CANCEL, {"asset_id": asset_id})


async def waits(tx: Transaction, job: Job) -> bool:
    """Tell whether a job of that kind waits for the asset; one that runs does not count.

    It is held until `tx` ends, so that it will see what `tx` commits.
    """
    args = {"task": job.task_name(), "asset_id": job.to_args()["asset_id"]}
    return await tx.scalar(_WAITS, args) is not None


async def promote(tx: Transaction, job: Job, priority: int) -> bool:
    """Move a waiting job of an asset to the front; a retry that waits starts at once.

    Returns False when no such job is waiting or running.
    """
    args: dict[str, Any] = job.to_args()
    found = await tx.scalar(
        _PROMOTE,
        {
            "task": job.task_name(),
            "asset_id": args["asset_id"],
            "args": args,
            "priority": priority,
        },
    )
    return bool(found)
