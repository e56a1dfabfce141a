"""What a worker process tells of itself with each sign of life."""

import os
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from telecine import __version__, ids
from telecine.jobs.job import Lane

Connection = psycopg.Connection[dict[str, Any]]

_FORGET_AFTER_S = 86_400.0

# Inserted anew where another worker pruned the row of a process that was frozen:
# its jobs would be taken from it again and again.
_BEAT = """
WITH lanes AS (
    INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE
    SELECT id, now() FROM unnest(%(queue_workers)s::bigint[]) AS id ORDER BY id
    ON CONFLICT (id) DO UPDATE SET last_heartbeat = excluded.last_heartbeat
)
INSERT INTO worker (id, host, pid, version, slots, queue_workers, free_bytes, started_at, seen_at)
VALUES (%(id)s, %(host)s, %(pid)s, %(version)s, %(slots)s, %(queue_workers)s, %(free_bytes)s,
        now(), now())
ON CONFLICT (id) DO UPDATE
   SET queue_workers = excluded.queue_workers, free_bytes = excluded.free_bytes,
       seen_at = excluded.seen_at
"""
_LEAVE = "DELETE FROM worker WHERE id = %s"
_FORGET = "DELETE FROM worker WHERE seen_at < now() - make_interval(secs => %s)"


class Presence:
    """One worker process. `queue_workers` returns the numbers of its registered lanes.

    `folder` is where it keeps files; the room there is told.
    """

    def __init__(
        self,
        queue_workers: Callable[[], Sequence[int]],
        slots: Mapping[Lane, int],
        folder: Path | None = None,
    ) -> None:
        self._queue_workers = queue_workers
        self._folder = folder
        self._who = {
            "id": ids.row_key(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": __version__,
            "slots": Jsonb({str(lane): count for lane, count in slots.items()}),
        }

    def beat(self, connection: Connection) -> None:
        """Give a sign of life."""
        connection.execute(
            _BEAT,
            {
                **self._who,
                "queue_workers": list(self._queue_workers()),
                "free_bytes": self._free_bytes(),
            },
        )

    def leave(self, connection: Connection) -> None:
        """Take leave: a process that stops is not one that died."""
        connection.execute(_LEAVE, [self._who["id"]])

    def _free_bytes(self) -> int | None:
        if self._folder is not None:
            with suppress(OSError):
                return shutil.disk_usage(self._folder).free
        return None


def forget_the_dead(connection: Connection) -> None:
    """Delete the rows of processes that gave no sign for a day."""
    connection.execute(_FORGET, [_FORGET_AFTER_S])
