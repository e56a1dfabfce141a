"""How lanes hear of jobs: over one connection, and without losing a call.

The library's worker has a connection for each lane, which wakes up ten times a second, and
forgets what it hears during a fetch that finds nothing: such a job would wait for the next poll.
"""

import asyncio
import json
from collections.abc import Iterable

from procrastinate.connector import BaseAsyncConnector
from procrastinate.jobs import Job
from procrastinate.manager import JobManager, NotificationCallback, get_channel_for_queues

from telecine.db.notify import Listener

_LOOK = json.dumps({"type": "job_inserted"})


class _Calls:
    """What was heard about one queue."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.count = 0
        self.waiting: asyncio.Queue[str] = asyncio.Queue()

    def add(self, payload: str) -> None:
        self.count += 1
        self.waiting.put_nowait(payload)


class AttentiveJobs(JobManager):
    """Passes on what `listener`, which somebody runs, hears about `queues`."""

    def __init__(
        self, connector: BaseAsyncConnector, listener: Listener, queues: Iterable[str]
    ) -> None:
        super().__init__(connector)
        self._calls: dict[str, _Calls] = {}
        for queue in queues:
            (channel,) = get_channel_for_queues([queue])
            self._calls[queue] = _Calls(channel)
            listener.subscribe(channel, self._calls[queue].add)
        listener.watch(self._call_all, lambda: None)

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Pass calls on until cancelled."""
        calls = self._of(queues)
        while True:
            called = json.loads(await calls.waiting.get())
            await on_notification(channel=calls.channel, notification=called)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Take a job; None if there is none that nobody will call for again."""
        calls = self._of(queues)
        while True:
            before = calls.count
            job = await super().fetch_job(queues, worker_id)
            if job is not None or calls.count == before:
                return job

    def _of(self, queues: Iterable[str] | None) -> _Calls:
        (queue,) = queues or ()  # a lane has one
        return self._calls[queue]

    def _call_all(self) -> None:
        """Have all lanes look, since nothing was heard for a while."""
        for calls in self._calls.values():
            calls.add(_LOOK)
