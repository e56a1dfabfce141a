"""A worker that was taken for dead may not touch the row of a job it has lost.

The queue's own statements know a job by its number alone: a process that froze
and woke would finish a job that another one is running by now. These name the
worker too, and do nothing when it is no longer the job's.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import structlog
from procrastinate.connector import BaseAsyncConnector
from procrastinate.jobs import Job, Status

from telecine import clock
from telecine.db.notify import Listener
from telecine.jobs.attention import AttentiveJobs

log = structlog.get_logger()

_UNKNOWN_AGAIN_S = 5

# The row is locked first: a function in the list of a SELECT … FOR UPDATE runs before.
_FINISH = """
WITH mine AS MATERIALIZED (
    SELECT id FROM procrastinate_jobs
     WHERE id = %(job_id)s AND worker_id = %(worker_id)s AND status = 'doing'
       FOR UPDATE)
SELECT id, procrastinate_finish_job_v1(id, %(status)s, %(delete)s)::text AS finished FROM mine
"""

# Without a time the others are woken.
_RETRY = """
UPDATE procrastinate_jobs
   SET status = (CASE WHEN abort_requested THEN 'aborted' ELSE 'todo' END)
                ::procrastinate_job_status,
       attempts = attempts + %(counted)s::int,
       scheduled_at = %(retry_at)s, worker_id = NULL, abort_requested = false
 WHERE id = %(job_id)s AND worker_id = %(worker_id)s AND status = 'doing'
RETURNING id, CASE WHEN %(retry_at)s::timestamptz IS NULL AND status = 'todo' THEN pg_notify(
    'procrastinate_queue_v1#' || queue_name,
    json_build_object('type', 'job_inserted', 'job_id', id)::text)::text END AS told
"""


class FencedJobs(AttentiveJobs):
    """Ends and repeats only jobs that still belong to the worker that ran them."""

    def __init__(
        self,
        connector: BaseAsyncConnector,
        listener: Listener,
        queues: Iterable[str],
        known: Collection[str],
    ) -> None:
        """`known` are the names of the tasks that there are handlers for."""
        super().__init__(connector, listener, queues)
        self._known = known
        self._not_counted: set[int] = set()

    def do_not_count(self, job_id: int) -> None:
        """Let the attempt that runs be none: it fails for a reason that is not the job's."""
        self._not_counted.add(job_id)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Set a job's final state, or delete its row."""
        if job.task_name not in self._known:
            # A newer release asked for it, and its workers will come along.
            log.warning("job is not known here", job=job.task_name, job_id=job.id)
            later = clock.now() + timedelta(seconds=_UNKNOWN_AGAIN_S)
            await self._put_back(job, later, counted=False)
            return
        rows = await self.connector.execute_query_all_async(
            _FINISH,
            job_id=job.id,
            worker_id=job.worker_id,
            status=status.value,
            delete=delete_job,
        )
        _note(rows, job)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Put a job back for `retry_at`; without a time it is handed back, uncounted."""
        if (priority, queue, lock) != (None, None, None):
            msg = "a job that is tried again keeps its priority, queue and lock"
            raise NotImplementedError(msg)
        counted = retry_at is not None and job.id not in self._not_counted
        self._not_counted.discard(job.id or 0)
        await self._put_back(job, retry_at, counted=counted)

    async def _put_back(self, job: Job, at: datetime | None, *, counted: bool) -> None:
        rows = await self.connector.execute_query_all_async(
            _RETRY, job_id=job.id, worker_id=job.worker_id, retry_at=at, counted=counted
        )
        _note(rows, job)


def _note(rows: list[dict[str, object]], job: Job) -> None:
    if not rows:
        log.warning("job was taken over, result ignored", job=job.task_name, job_id=job.id)
