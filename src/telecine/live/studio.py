"""All events of a process: who may publish, who continues, what ends by itself."""

import asyncio

import structlog

from telecine.live.broadcast import Broadcast
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
    `policy`: which servers they may be sent on to; `transcoder` makes lower qualities.
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
    ) -> None:
        self._broadcasts = broadcasts
        self._store = store
        self._part_ms = part_ms
        self._window_s = window_s
        self._grace_s = grace_s
        self._transcoder = transcoder
        self._policy = policy or OutboundPolicy(ports=RTMP_PORTS)
        self._events: dict[str, Broadcast] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._expiries: dict[Broadcast, asyncio.TimerHandle] = {}

    def event(self, public_id: str) -> Broadcast | None:
        """Return the newest event of a stream, also one that is over."""
        return self._events.get(public_id)

    @property
    def on_air(self) -> list[str]:
        """Return the public ids of the streams whose events are not over."""
        return [name for name, event in self._events.items() if not event.over.is_set()]

    async def admit(self, stream_key: str, publisher: Publisher) -> Broadcast | None:
        """Let a connection publish, None to refuse it; the same for every reason."""
        stream = await self._broadcasts.authorise(stream_key)
        if stream is None:
            await asyncio.sleep(_REFUSAL_DELAY_S)  # guessing costs time
            return None
        event = self._events.get(stream.public_id)
        if event is not None and not event.over.is_set():
            if event.publisher is not None and not event.silent:
                log.info("publisher refused", stream=stream.public_id, reason="on the air")
                await asyncio.sleep(_REFUSAL_DELAY_S)  # as if nobody had that key
                return None
            self._cancel_expiry(event)
            event.attach(publisher)
            return event
        event = self._begin(stream)
        event.attach(publisher)
        self._spawn(event)
        return event

    def resume(self, left: Left) -> None:
        """Go on with an event whose process was killed, if its encoder comes back in time."""
        event = self._begin(left.stream, left)
        wait_s = max(0.0, self._grace_s - left.quiet_s)
        log.info("broadcast resumed", stream=left.stream.public_id, waits_s=round(wait_s, 1))
        self._await(event, wait_s)
        self._spawn(event)

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

    def gone(self, event: Broadcast, publisher: Publisher) -> None:
        """Note that a connection was lost or ended its stream: it may come back."""
        if event.detach(publisher) and not event.over.is_set():
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

    async def close(self) -> None:
        """End all events and wait until they are recorded."""
        for event in list(self._events.values()):
            self._cancel_expiry(event)
            event.end()
            if event.publisher is not None:
                event.publisher.close("the server stops")
        await asyncio.gather(*(asyncio.shield(task) for task in self._tasks))

    def _spawn(self, event: Broadcast) -> None:
        task = asyncio.get_running_loop().create_task(self._run(event))
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
        task = asyncio.get_running_loop().create_task(event.forget())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
