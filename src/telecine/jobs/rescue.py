"""Signs of life, and jobs of workers that give none: back into the queue.

The queue itself takes nothing over. Every worker does it every second, in a
thread of its own: work that holds up the event loop for a few seconds must not
look like death, and the signs go on while running jobs come to their end.
"""

import threading
from asyncio import AbstractEventLoop

import psycopg
import structlog
from psycopg.rows import dict_row

from telecine import clock
from telecine.db.engine import CONNECTION_OPTIONS, plain_url
from telecine.jobs.presence import Connection, Presence, forget_the_dead

log = structlog.get_logger()

BEAT_S = 1.0
_LOOP_DEAD_AFTER_S = 60.0
_PURGE_EVERY_S = 3600.0
KEEP_FINISHED_S = 7 * 86400.0

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

_PURGE = """
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT j.id FROM procrastinate_jobs j
     WHERE j.status IN ('succeeded', 'failed', 'cancelled', 'aborted') AND NOT EXISTS (
        SELECT 1 FROM procrastinate_events e
         WHERE e.job_id = j.id AND e.at > now() - make_interval(secs => %(keep_s)s))
     LIMIT 10000 FOR UPDATE OF j SKIP LOCKED)
"""


def rescue(connection: Connection, dead_after_s: float) -> int:
    """Requeue jobs whose worker gave no sign for `dead_after_s`; return how many.

    The attempt is counted, so that a job which kills its workers comes to an end.
    """
    rows = connection.execute(_RESCUE, {"dead_after_s": dead_after_s}).fetchall()
    for row in rows:
        log.warning(
            "job rescued from a dead worker",
            job=row["task_name"],
            job_id=row["id"],
            attempts=row["attempts"],
        )
    return len(rows)


def purge(connection: Connection, keep_s: float = KEEP_FINISHED_S) -> int:
    """Delete jobs that ended longer than `keep_s` ago; return how many."""
    purged = connection.execute(_PURGE, {"keep_s": keep_s}).rowcount
    if purged:
        log.info("ended jobs purged", jobs=purged)
    return purged


class Keeper(threading.Thread):
    """Beats for this process and rescues the jobs of others' dead ones.

    Stops beating when the loop has answered nothing for a minute: then the jobs on it
    are stuck as well.
    """

    def __init__(
        self,
        url: str,
        loop: AbstractEventLoop,
        presence: Presence,
        dead_after_s: float,
        keep_finished_s: float = KEEP_FINISHED_S,
    ) -> None:
        super().__init__(name="keeper", daemon=True)
        self._url = url
        self._loop = loop
        self._presence = presence
        self._dead_after_s = dead_after_s
        self._keep_finished_s = keep_finished_s
        self._stopping = threading.Event()
        self._loop_seen_s = clock.monotonic_s()
        self._purged_s = clock.monotonic_s()
        self._rescue_from_s = clock.monotonic_s()
        self._beaten = clock.now()

    def stop(self) -> None:
        """Ask the thread to end; `join` waits for it."""
        self._stopping.set()

    def run(self) -> None:
        """Beat until stopped; connects again whenever the connection breaks."""
        while not self._stopping.is_set():
            try:
                with psycopg.connect(
                    plain_url(self._url),
                    autocommit=True,
                    row_factory=dict_row,
                    **CONNECTION_OPTIONS,
                ) as connection:
                    while not self._stopping.is_set():
                        self._beat(connection)
                        self._stopping.wait(BEAT_S)
                    self._presence.leave(connection)
            except psycopg.Error as error:
                # The lanes notice as well, and end the worker.
                log.warning("no sign of life possible", reason=str(error).strip())
                self._stopping.wait(BEAT_S)

    def _beat(self, connection: Connection) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._answer)
        if clock.monotonic_s() - self._loop_seen_s < _LOOP_DEAD_AFTER_S:
            self._presence.beat(connection)
        now = clock.now()
        silence_s = (now - self._beaten).total_seconds()
        self._beaten = now
        if silence_s > (BEAT_S + self._dead_after_s) / 2:
            # We were frozen, perhaps with the whole machine, or the database was
            # away: let every worker that comes back give its sign first.
            self._rescue_from_s = clock.monotonic_s() + self._dead_after_s
        if clock.monotonic_s() >= self._rescue_from_s:
            rescue(connection, self._dead_after_s)
        if clock.monotonic_s() - self._purged_s > _PURGE_EVERY_S:
            self._purged_s = clock.monotonic_s()
            purge(connection, self._keep_finished_s)
            forget_the_dead(connection)

    def _answer(self) -> None:
        self._loop_seen_s = clock.monotonic_s()
