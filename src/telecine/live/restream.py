"""Sends an event on to somebody else's server by RTMP, and again when that breaks.

A target that is slow or gone costs nobody else anything: what it does not take is dropped
up to the next key frame, and it is dialled again after a pause that grows.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import structlog

from telecine import clock, ids
from telecine.live.outlet import Outlet
from telecine.live.ports import Destination
from telecine.live.relay import Relay, Tag
from telecine.net.dial import dial
from telecine.net.errors import OutboundError
from telecine.net.policy import OutboundPolicy
from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp import messages
from telecine.protocols.rtmp.client import PublishClient
from telecine.protocols.rtmp.handshake import RANDOM_BYTES

log = structlog.get_logger()

BACKLOG_BYTES = 4 << 20
"""What may wait for a target; above it everything up to a key frame is dropped."""

STALL_S = 20.0
"""After so long without room the connection is given up."""

ANSWER_S = 10.0
LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0
_DEFAULT_PORTS = {"rtmp": 1935, "rtmps": 443}

CONNECTING, LIVE, WAITING = "connecting", "live", "waiting"


@dataclass(slots=True, kw_only=True)
class Status:
    """How a target is doing. `since_ms`: Unix time at which `state` began.

    `reason` tells why the last attempt ended, `attempts` counts those since it was live.
    """

    name: str
    server_url: str
    state: str = CONNECTING
    since_ms: int = 0
    reason: str | None = None
    attempts: int = 0
    sent_bytes: int = 0
    dropped_tags: int = 0


class Target:
    """One target of one event; `run` until cancelled."""

    def __init__(
        self, stream: str, destination: Destination, relay: Relay, policy: OutboundPolicy
    ) -> None:
        self.destination = destination
        self.status = Status(
            name=destination.name,
            server_url=destination.server_url,
            since_ms=clock.unix_ms(),
        )
        self._relay = relay
        self._policy = policy
        self._log = log.bind(stream=stream, target=destination.name, host=_host(destination))
        self._outlet: Outlet | None = None
        self._waits_for_key = True
        self._full_s: float | None = None

    def told(self) -> dict[str, object]:
        """Return the status as the API's process reads it."""
        return asdict(self.status)

    async def run(self) -> None:
        """Keep the target supplied."""
        while True:
            began_s = clock.monotonic_s()
            try:
                await self._supply()
            except (OutboundError, ProtocolError, OSError, ValueError) as error:
                self.status.reason = str(error) or "the target does not answer"
            except Exception:  # noqa: BLE001 - it is logged; nobody else is to notice
                self.status.reason = "the server failed"
                self._log.exception("restream failed")
            if clock.monotonic_s() - began_s > _STEADY_S:
                self.status.attempts = 0
            self.status.attempts += 1
            pause_s = min(LONGEST_PAUSE_S, 2.0 ** min(self.status.attempts - 1, 8))
            pause_s *= 1 + ids.random_bytes(1)[0] / 1024  # so that many do not come at once
            self._become(WAITING)
            self._log.warning(
                "restream interrupted", reason=self.status.reason, again_s=round(pause_s, 1)
            )
            await asyncio.sleep(pause_s)
            self._become(CONNECTING)

    def take(self, tag: Tag) -> None:
        """Send a tag, or drop it if the target has not taken enough of those before."""
        outlet = self._outlet
        if outlet is None:
            return
        if self._waits_for_key and not tag.config:
            room = outlet.waiting_bytes < BACKLOG_BYTES // 4
            if not (room and (tag.key or not self._relay.has_video)):
                self.status.dropped_tags += self._full_s is not None
                self._give_up_if_stalled(outlet)
                return
            self._waits_for_key, self._full_s = False, None
        elif outlet.waiting_bytes > BACKLOG_BYTES:
            self._waits_for_key, self._full_s = True, clock.monotonic_s()
            self.status.dropped_tags += 1
            return
        outlet.send(messages.VIDEO if tag.video else messages.AUDIO, tag.time_ms, tag.body)
        self.status.sent_bytes += len(tag.body)

    def describe(self, values: Mapping[str, object]) -> None:
        """Tell the target what the encoder says of its tracks."""
        outlet = self._outlet
        if outlet is not None and outlet.waiting_bytes <= BACKLOG_BYTES:
            outlet.describe(values)

    def _give_up_if_stalled(self, outlet: Outlet) -> None:
        if self._full_s is not None and clock.monotonic_s() - self._full_s > STALL_S:
            outlet.abort("the target does not take what it is sent")

    async def _supply(self) -> None:
        """Connect and send until the connection ends, which is always an error."""
        outlet = await self._connect()
        try:
            async with asyncio.timeout(ANSWER_S):
                await outlet.accepted
            self._greet(outlet)
            self._relay.add(self)
            reason = await outlet.lost
            raise ConnectionError(reason)
        finally:
            self._relay.remove(self)
            self._outlet = None
            outlet.close()

    async def _connect(self) -> Outlet:
        url = urlsplit(self.destination.server_url)
        try:
            host, port = url.hostname or "", url.port or _DEFAULT_PORTS[url.scheme.lower()]
        except (KeyError, ValueError) as error:
            raise ProtocolError("the address of the target cannot be read") from error
        secure = url.scheme.lower() == "rtmps"
        app = url.path.strip("/") + (f"?{url.query}" if url.query else "")
        named = f"[{host}]" if ":" in host else host
        place = f"{named}:{url.port}" if url.port else named
        session = PublishClient(
            ids.random_bytes(RANDOM_BYTES),
            app,
            f"{url.scheme.lower()}://{place}/{app}",
            self.destination.stream_key,
        )
        tls = ssl.create_default_context() if secure else None
        return await dial(self._policy, host, port, lambda: Outlet(session), tls=tls)

    def _greet(self, outlet: Outlet) -> None:
        self._outlet, self._waits_for_key, self._full_s = outlet, True, None
        if self._relay.metadata is not None:
            self.describe(self._relay.metadata)
        for tag in self._relay.greeting():
            self.take(tag)
        if self._relay.enhanced and not outlet.enhanced:
            self._log.warning("target may not know the codec", codec=self._relay.enhanced)
        self.status.reason, self.status.attempts = None, 0
        self._become(LIVE)
        self._log.info("restream begins")

    def _become(self, state: str) -> None:
        self.status.state, self.status.since_ms = state, clock.unix_ms()


class Restreams:
    """All targets of one event; they can be changed while it is on the air."""

    def __init__(self, stream: str, relay: Relay, policy: OutboundPolicy) -> None:
        self._stream = stream
        self._relay = relay
        self._policy = policy
        self._wanted: tuple[Destination, ...] = ()
        self._running: dict[tuple[str, str, int], tuple[Target, asyncio.Task[None]]] = {}
        self._group: asyncio.TaskGroup | None = None

    def change(self, destinations: tuple[Destination, ...]) -> None:
        """Send to these from now on: those that stay are not interrupted."""
        self._wanted = destinations
        group = self._group
        if group is None:
            return
        kept: dict[tuple[str, str, int], tuple[Target, asyncio.Task[None]]] = {}
        for each in destinations:
            place = each.server_url, each.stream_key, 0
            while place in kept:
                place = (*place[:2], place[2] + 1)
            known = self._running.pop(place, None)
            if known is None:
                target = Target(self._stream, each, self._relay, self._policy)
                known = target, group.create_task(target.run())
            known[0].status.name = each.name
            kept[place] = known
        for _, task in self._running.values():
            task.cancel()
        self._running = kept

    async def run(self, longest_s: float | None) -> None:
        """Send until cancelled, or for as long as may be."""
        try:
            async with asyncio.timeout(longest_s), asyncio.TaskGroup() as group:
                self._group = group
                self.change(self._wanted)
                await asyncio.Event().wait()
        except TimeoutError:
            log.info("restreams cut", stream=self._stream, reason="sandbox")
        finally:
            self._group = None
            self._running = {}

    def told(self) -> list[dict[str, object]]:
        """Return how each target is doing, in the order of the stream's."""
        return [target.told() for target, _ in self._running.values()]


def _host(destination: Destination) -> str:
    """Return where a target is, for the log: a path may hold a key."""
    try:
        return urlsplit(destination.server_url).hostname or ""
    except ValueError:
        return ""
