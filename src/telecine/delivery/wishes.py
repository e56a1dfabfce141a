"""One viewer's wish for a segment that nobody has stored: kept alive while they stay."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import structlog

from telecine import clock
from telecine.db.engine import Database, Transaction
from telecine.domains.encodings import wants
from telecine.domains.encodings.jobs import EncodeChunk
from telecine.domains.encodings.operations import NORMAL
from telecine.domains.encodings.wants import Wanted
from telecine.jobs import queue

log = structlog.get_logger()

RENEW_S = 0.5

Departure = Callable[[], Awaitable[object]]
"""Returns when the viewer has left."""


class NotStoredYet(Exception):
    """Nobody has encoded that segment so far; the viewer may ask again in a second."""


class Wish:
    """Asks for a segment, and again and again until the block ends.

    `queue_limit`: how many wants may wait for a worker before newcomers are turned away.
    `chunk`: where the ladder goes on, so that it follows those who watch.
    """

    def __init__(
        self,
        db: Database,
        wanted: Wanted,
        chunk: int | None,
        departure: Departure | None,
        queue_limit: int,
    ) -> None:
        self._db = db
        self._wanted = wanted
        self._chunk = chunk
        self._departure = departure
        self._queue_limit = queue_limit
        self._asked_s: float | None = None
        self._leaving: asyncio.Task[object] | None = None

    async def __aenter__(self) -> Self:
        """Begin to watch whether the viewer stays."""
        if self._departure is not None:
            self._leaving = asyncio.ensure_future(_until(self._departure))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop watching; the wish ends by itself, others may have the same one."""
        if self._leaving is None:
            return
        if self._has_left and self._asked_s is not None:
            async with self._db.transaction() as tx:
                await wants.leave(tx, self._wanted)
        self._leaving.cancel()
        with suppress(asyncio.CancelledError):
            await self._leaving

    @property
    def _has_left(self) -> bool:
        return self._leaving is not None and self._leaving.done()

    async def keep(self) -> None:
        """Ask, or renew what was asked a while ago.

        Raises:
            NotStoredYet: the viewer has left, too many wait, or it cannot be encoded.
        """
        if self._has_left:
            raise NotStoredYet
        now_s = clock.monotonic_s()
        if self._asked_s is not None and now_s - self._asked_s < RENEW_S:
            return
        renewal, self._asked_s = self._asked_s is not None, now_s
        async with self._db.transaction() as tx:
            answer = await (wants.renew(tx, self._wanted) if renewal else self._ask(tx))
        if answer is None:
            self._asked_s = None  # stored since we looked: if not, it is asked for anew
        elif answer.failure is not None:
            raise NotStoredYet

    async def _ask(self, tx: Transaction) -> wants.Answer:
        if await wants.waiting(tx) >= self._queue_limit:
            log.warning("too many segments wanted", asset=str(self._wanted.asset_id))
            raise NotStoredYet
        answer = await wants.ask(tx, self._wanted)
        if self._chunk is not None:
            job = EncodeChunk(asset_id=self._wanted.asset_id, chunk=self._chunk)
            await queue.promote(tx, job, NORMAL)
        return answer

    async def wait(self, arrived: asyncio.Event, seconds: float) -> None:
        """Wait until something arrived or the viewer left, at most so long."""
        arriving = asyncio.ensure_future(arrived.wait())
        waiting: set[asyncio.Future[object]] = {arriving}  # type: ignore[arg-type]
        if self._leaving is not None:
            waiting.add(self._leaving)
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arriving.cancel()


async def _until(departure: Departure) -> object:
    return await departure()
