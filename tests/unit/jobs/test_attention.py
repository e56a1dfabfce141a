import json
from typing import Any

import pytest
from procrastinate import sql
from procrastinate.testing import InMemoryConnector
from procrastinate.types import JobToDefer

from telecine.db.notify import Callback, Listener
from telecine.jobs.attention import AttentiveJobs

pytestmark = pytest.mark.anyio

QUEUE = "probe"
NEWS = json.dumps({"type": "job_inserted", "job_id": 1})


class Wire(Listener):
    """What a test says is heard."""

    def __init__(self) -> None:
        super().__init__("postgresql://")
        self.say: dict[str, Callback] = {}

    def subscribe(self, channel: str, callback: Callback) -> None:
        self.say[channel] = callback


class Interrupted(InMemoryConnector):
    """A queue in which a job appears, and is told of, while the first fetch comes back empty."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire = wire
        self.fetches = 0

    async def execute_query_one_async(self, query: str, **arguments: Any) -> dict[str, Any]:
        found = await super().execute_query_one_async(query, **arguments)
        self.fetches += query == sql.queries["fetch_job"]
        if self.fetches == 1:
            await self.defer_jobs_all([JobToDefer(QUEUE, "task", 0, None, None, {}, None)])
            (say,) = self.wire.say.values()
            say(NEWS)
        return found


async def test_a_job_that_comes_during_an_empty_fetch_is_taken_by_it() -> None:
    connector = Interrupted(Wire())
    jobs = AttentiveJobs(connector, connector.wire, [QUEUE])
    worker_id = await jobs.register_worker()
    assert await jobs.fetch_job([QUEUE], worker_id) is not None
    assert connector.fetches == 2
    assert await jobs.fetch_job([QUEUE], worker_id) is None
    assert connector.fetches == 3, "an empty fetch is repeated only if there was news"
