"""All events of a process: who may publish, who continues, what ends by itself."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from telecine.live.broadcast import Broadcast
from telecine.live.forwarding import Dial, Forwarded, InUse, ask
from telecine.live.intake import Intake
from telecine.live.journal import Left
from telecine.live.ladder import Transcoder
from telecine.live.ports import Broadcasts, Publisher, Stream
from telecine.net.policy import RTMP_PORTS, OutboundPolicy
from telecine.storage.local import LocalStore

log = structlog.get_logger()

GRACE_S = 60.0
"""An encoder that comes back within this time continues its event."""

LONGEST_REWIND_S = 3600.0
_REFUSAL_DELAY_S = 1.0


class Studio:
    """Keeps one `Broadcast` for every stream that is or was on the air.

    `part_ms`, `window_s`: of its events; `grace_s`: how long one waits for its encoder;
    `policy`: which servers they may be sent on to; `transcoder` makes lower qualities; `dial`
    reaches other nodes, for encoders of events that those have.
    """

    def __init__(
        self,
        broadcasts: Broadcasts,
        store: LocalStore,
        *,
        part_ms: int,
        window_s: float,
        grace_s: float = GRACE_S,
        policy: OutboundPolicy | None = None,
        transcoder: Transcoder | None = None,
        dial: Dial | None = None,
    ) -> None:
        self._broadcasts = broadcasts
        self._dial = dial
        self._store = store
        self._part_ms = part_ms
        self._window_s = window_s
        self._grace_s = grace_s
        self._transcoder = transcoder
        self._policy = policy or OutboundPolicy(ports=RTMP_PORTS)
        self._events: dict[str, Broadcast] = {}
        self._forwarded: set[Forwarded] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._expiries: dict[Broadcast, asyncio.TimerHandle] = {}

    def event(self, public_id: str) -> Broadcast | None:
        """Return the newest event of a stream, also one that is over."""
        return self._events.get(public_id)

    @property
    def on_air(self) -> list[str]:
        """Return the public ids of the streams whose events are not over."""
        return [name for name, event in self._events.items() if not event.over.is_set()]

    async def admit(self, stream_key: str, publisher: Publisher) -> Intake | None:
        """Let a connection publish, None to refuse it; the same for every reason."""
        stream = await self._broadcasts.authorise(stream_key)
        if stream is None:
            await asyncio.sleep(_REFUSAL_DELAY_S)  # guessing costs time
            return None
        try:
            forwarded = await self._forward(stream, publisher)
            return forwarded or self._welcome(stream, publisher)
        except InUse as error:
            log.info("publisher refused", stream=stream.public_id, reason=str(error))
            await asyncio.sleep(_REFUSAL_DELAY_S)  # as if nobody had that key
            return None

    async def _forward(self, stream: Stream, publisher: Publisher) -> Forwarded | None:
        """Let a connection publish to the event of another node; None: there is none.

        Raises:
            InUse: it may not.
        """
        there = stream.elsewhere
        if there is None or self._running(stream.public_id) is not None:
            return None
        if self._dial is None or there.address is None:
            raise InUse("on the air at a node that others do not reach")
        found = await ask(self._dial, there.address, stream, publisher)
        if found is not None:
            self._forwarded.add(found)
            self._keep(self._listen(found))
        return found

    async def _listen(self, forwarded: Forwarded) -> None:
        await forwarded.run()
        self._forwarded.discard(forwarded)

    def _welcome(self, stream: Stream, publisher: Publisher) -> Broadcast:
        """Let a connection publish here. Raises InUse."""
        event = self._running(stream.public_id)
        if event is not None:
            self.attach(event, publisher)
            return event
        event = self._begin(stream)
        event.attach(publisher)
        self._keep(self._run(event))
        return event

    def attach(self, event: Broadcast, publisher: Publisher) -> None:
        """Let a connection publish to an event that goes on. Raises InUse."""
        if event.publisher is not None and not event.silent:
            raise InUse("on the air")
        self._cancel_expiry(event)
        event.attach(publisher)

    def _running(self, public_id: str) -> Broadcast | None:
        event = self._events.get(public_id)
        return None if event is None or event.over.is_set() else event

    def resume(self, left: Left) -> None:
        """Go on with an event whose process was killed, if its encoder comes back in time."""
        event = self._begin(left.stream, left)
        wait_s = max(0.0, self._grace_s - left.quiet_s)
        log.info("broadcast resumed", stream=left.stream.public_id, waits_s=round(wait_s, 1))
        self._await(event, wait_s)
        self._keep(self._run(event))

    def _begin(self, stream: Stream, left: Left | None = None) -> Broadcast:
        event = self._events[stream.public_id] = Broadcast(
            stream,
            self._broadcasts,
            self._store,
            self._part_ms,
            round(self._window_s * 1000),
            self._policy,
            self._transcoder,
            left,
        )
        return event

    def gone(self, event: Intake, publisher: Publisher) -> None:
        """Note that a connection was lost or ended its stream: it may come back."""
        if isinstance(event, Forwarded):
            event.leave()
        elif isinstance(event, Broadcast) and event.detach(publisher) and not event.over.is_set():
            # It is media that is waited for: a connection may have been silent for long.
            left_s = max(0.0, self._grace_s - event.silent_s)
            self._await(event, left_s if event.begun else 0.0)

    def complete(self, public_id: str) -> None:
        """End the event of a stream; its encoder gets a minute to stop by itself."""
        event = self._events.get(public_id)
        if event is None or event.over.is_set():
            return
        publisher = event.publisher
        self._cancel_expiry(event)
        event.end()
        if publisher is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(self._grace_s, publisher.close, "the event was completed")

    async def close(self, *, ends: bool = True) -> None:
        """Stop: all events end and are recorded, or else are left to another process."""
        for event in list(self._events.values()):
            self._cancel_expiry(event)
            if ends:
                event.end()
            else:
                event.suspend()
            if event.publisher is not None:
                event.publisher.close("the server stops")
        for forwarded in tuple(self._forwarded):
            forwarded.turn_away("the server stops")
        await asyncio.gather(*(asyncio.shield(task) for task in self._tasks))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, event: Broadcast) -> None:
        loop = asyncio.get_running_loop()
        if event.stream.longest_s is not None:
            loop.call_later(event.stream.longest_s, self._cut, event)
        await event.run()
        kept_s = min(event.window.duration_ms / 1000, self._window_s, LONGEST_REWIND_S)
        loop.call_later(kept_s, self._forget, event)

    def _cut(self, event: Broadcast) -> None:
        if not event.over.is_set():
            log.info("broadcast cut", stream=event.stream.public_id, reason="sandbox")
            self.complete(event.stream.public_id)

    def _await(self, event: Broadcast, wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._expiries[event] = loop.call_later(wait_s, self._expire, event)

    def _expire(self, event: Broadcast) -> None:
        self._expiries.pop(event, None)
        event.end()

    def _cancel_expiry(self, event: Broadcast) -> None:
        timer = self._expiries.pop(event, None)
        if timer is not None:
            timer.cancel()

    def _forget(self, event: Broadcast) -> None:
        if self._events.get(event.stream.public_id) is event:
            del self._events[event.stream.public_id]
        self._keep(event.forget())
