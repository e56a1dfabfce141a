"""Jobs of workers that died: back into the queue within seconds.

The queue itself never does that. Every worker runs it every second; `SKIP LOCKED`
makes that safe. Attempts are counted, so that a job which kills its worker ends.
"""

import structlog
from procrastinate import PsycopgConnector

log = structlog.get_logger()

_RESCUE = """
WITH gone AS (
    SELECT j.id FROM procrastinate_jobs j
     WHERE j.status = 'doing' AND NOT EXISTS (
        SELECT 1 FROM procrastinate_workers w
         WHERE w.id = j.worker_id
           AND w.last_heartbeat > now() - make_interval(secs => %(dead_after_s)s))
       FOR UPDATE OF j SKIP LOCKED
), back AS (
    UPDATE procrastinate_jobs j
       SET status = (CASE WHEN j.abort_requested THEN 'aborted' ELSE 'todo' END)
                    ::procrastinate_job_status,
           attempts = j.attempts + 1, scheduled_at = NULL, worker_id = NULL,
           abort_requested = false
      FROM gone WHERE j.id = gone.id
    RETURNING j.id, j.queue_name, j.task_name, j.status, j.attempts
)
SELECT id, task_name, status::text, attempts,
       CASE WHEN status = 'todo' THEN pg_notify(
           'procrastinate_queue_v1#' || queue_name,
           json_build_object('type', 'job_inserted', 'job_id', id)::text)::text END AS told
  FROM back
"""


async def rescue(connector: PsycopgConnector, dead_after_s: float) -> int:
    """Requeue jobs whose worker gave no sign for `dead_after_s`; return how many."""
    rows = await connector.execute_query_all_async(_RESCUE, dead_after_s=dead_after_s)
    for row in rows:
        log.warning(
            "job rescued from a dead worker",
            job=row["task_name"],
            job_id=row["id"],
            attempts=row["attempts"],
        )
    return len(rows)
