"""One request that appends to an upload, from its first byte to its last."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import structlog
from fastapi import Request

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.domains.sources import operations as sources
from telecine.domains.sources.receiving import PartSink, receiving
from telecine.domains.uploads.room import Bounded
from telecine.domains.uploads.tus import appending as tus_appending
from telecine.domains.uploads.tus import writing as tus_writing
from telecine.domains.uploads.tus.access import Access
from telecine.domains.uploads.tus.appending import Begun, Span, Stored
from telecine.domains.uploads.tus.body import Body, Cut, Ending, Meter
from telecine.domains.uploads.tus.fields import checksum_mismatch
from telecine.domains.uploads.tus.requests import Append
from telecine.domains.uploads.tus.state import Located
from telecine.http.services import Services

log = structlog.get_logger()

_ASK_EVERY_S = 0.1

T = TypeVar("T")


async def when_free(services: Services, attempt: Callable[[Transaction], Awaitable[T | None]]) -> T:
    """Return what `attempt` does as soon as nobody writes: until then it returns None.

    Raises Problem 423 if the other one does not make room.
    """
    deadline_s = clock.monotonic_s() + tus_writing.PATIENCE_S
    while clock.monotonic_s() < deadline_s:
        async with services.db.transaction() as tx:
            found = await attempt(tx)
        if found is not None:
            return found
        await asyncio.sleep(_ASK_EVERY_S)
    raise tus_writing.locked_upload()


async def append(
    request: Request, services: Services, access: Access, public_id: str, wanted: Append
) -> Located:
    """Store what a request brings, as much of it as comes. Raises Problem."""
    if wanted.content_length == 0:
        return await when_free(
            services, lambda tx: tus_appending.settle(tx, access, public_id, wanted)
        )
    return await _Reception(request, services, access, public_id, wanted).run()


class _Reception:
    """A request while its bytes come."""

    def __init__(
        self,
        request: Request,
        services: Services,
        access: Access,
        public_id: str,
        wanted: Append,
    ) -> None:
        self._services = services
        self._access = access
        self._public_id = public_id
        self._wanted = wanted
        self._writer_id = ids.row_key()
        self._body = Body(request, self._beat)
        self._begun: Begun | None = None
        self._span: Span | None = None

    async def run(self) -> Located:
        """Receive the body. Raises Problem, or what ended it, once all is recorded."""
        try:
            begun = await when_free(self._services, self._begin)
            meter = Meter(self._wanted.offset, begun.limit, self._wanted.checksum)
            located = await self._receive(begun.span, meter)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._give_up()
            raise
        if self._body.failure is not None:
            raise self._body.failure
        return located

    async def _begin(self, tx: Transaction) -> Begun | None:
        self._begun = await tus_appending.begin(
            tx, self._access, self._public_id, self._wanted, self._writer_id
        )
        self._span = None if self._begun is None else self._begun.span
        return self._begun

    async def _beat(self) -> bool:
        assert self._begun is not None  # noqa: S101 - reading begins afterwards
        async with self._services.db.transaction() as tx:
            return bool(await tus_writing.still_writes(tx, self._begun.source_id, self._writer_id))

    async def _receive(self, span: Span, meter: Meter) -> Located:
        """Store span after span."""
        following: Span | None = span
        while following is not None:
            self._span = span = following
            async with receiving(self._services.store, span.claim) as sink:
                ending = await self._fill(sink, span, meter)
            stored = Stored(span, sink.extents, sink.size_bytes, ended=ending is Ending.BODY)
            more = ending in {Ending.ROOM, Ending.CHECKPOINT}
            async with self._services.db.transaction() as tx:
                located, following = await tus_appending.record(
                    tx,
                    self._access,
                    self._public_id,
                    self._writer_id,
                    self._wanted,
                    stored,
                    more=more,
                )
            log.debug("upload recorded", upload=self._public_id, offset=stored.end)
        self._begun = self._span = None  # nothing is left to give up
        if more and not located.complete:
            raise tus_writing.interrupted()
        return located

    async def _fill(self, sink: PartSink, span: Span, meter: Meter) -> Ending:
        """Fill a span; an exception leaves nothing of it."""
        try:
            await self._body.skip(span.skip_bytes)
        except Cut:
            return Ending.CUT
        meter.position += span.skip_bytes
        bounded = Bounded(sink, self._access.allowance)
        ending = await meter.fill(bounded, self._body, span.room_bytes)
        if meter.verifies and ending is Ending.CUT and self._body.failure is not None:
            raise self._body.failure
        if meter.mismatches:
            raise checksum_mismatch()
        return ending

    async def _give_up(self) -> None:
        if self._begun is None:
            return
        left: list[str] = []
        async with self._services.db.transaction() as tx:
            if self._span is not None:
                left = await sources.release(tx, self._span.claim)
            await tus_writing.leave(tx, self._begun.source_id, self._writer_id)
        await self._services.store.delete(left)
