"""A connection of the HTTP server: uvicorn's with deadlines, so that slow clients cannot occupy it.

It leans on uvicorn's `HttpToolsProtocol` (its `cycle`, `flow` and parser callbacks),
hence the pinned minor version and a test for every limit below.
"""

import asyncio
import enum
import functools
import json
from collections.abc import Callable
from typing import Any, cast

import httptools
import structlog
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from telecine.http import acknowledged, direct
from telecine.http.at_once import Answer, AtOnce, Later
from telecine.http.direct import DirectBody
from telecine.http.lingering import Lingering
from telecine.http.pace import Pace
from telecine.problems import Problem, problem

log = structlog.get_logger()

HEADERS_S = 5.0
"""From a request's first byte (or a connection's begin) to the end of its headers."""

HEADERS_BYTES = 64 << 10
BODY_CHECK_S = 5.0
WRITE_STALL_S = 120.0
"""Without a client taking 48 KiB of an answer; a paused player asks anew by range."""

KEEP_ALIVE_S = 65
LAST_REQUEST_S = 1.0
"""How long a server that stops waits for the request of a connection that was just made."""


class _Phase(enum.Enum):
    IDLE = enum.auto()
    HEADERS = enum.auto()
    BODY = enum.auto()


class _HeadersTooLarge(Exception):
    """Leaves the parser's callback; `send_400_response` makes the answer."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection, with a bound on everything that its client can delay or grow."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - as uvicorn calls it
        at_once: AtOnce | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **kwargs)
        self._at_once = at_once
        self._answered_s = -float(KEEP_ALIVE_S)
        self._phase = _Phase.IDLE
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._too_large = False
        self._ended_well: bool | None = None
        self._body_bytes = 0
        self._parsed_bytes = 0  # of the body, by the parser
        self._direct: DirectBody | None = None
        self._pace = Pace(0.0, 0)
        self._lingering: Lingering | None = None
        self._is_new = True  # nothing was asked yet
        self._is_last = False  # the next request, or the one that is arriving
        self._held = b""  # the request that waits for `_later`
        self._later: Later | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the client `HEADERS_S` for its first request."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._arm(HEADERS_S, self._headers_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._disarm()
        if self._lingering is not None:
            self._lingering.end()
        if self._later is not None:
            self._later.leave(self)
        self._ended_well = acknowledged.ended_well(self.transport, exc)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer at once what can be, and parse all else."""
        if self._lingering is not None:
            self._lingering.drop(data)
            return
        if self._later is not None:
            data = self._take_back() + data  # more is asked, or we stop: the application sees to it
        elif self._at_once is not None and self._is_between() and not self._is_last:
            dated = self.server_state.default_headers
            answer = self._at_once.answer(self.transport, self.client, data, dated)
            if isinstance(answer, Later):
                self._hold(data, answer)
                return
            if answer:
                self._note_answered()
                return
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        """Hand it to the parser, then set the deadline that fits what is expected next."""
        super().data_received(data)
        if self._lingering is not None or self.transport.is_closing():
            return
        if self._phase is _Phase.HEADERS:
            self._header_bytes += len(data)
            if self._header_bytes > HEADERS_BYTES:
                self._refuse(_HEADERS_PROBLEM)
            elif self._deadline is None:
                self._arm(HEADERS_S, self._headers_late)
        elif self._phase is _Phase.BODY:
            self._body_bytes += len(data)
            if self._deadline is None:
                self._pace = Pace(self.loop.time(), self._body_bytes)
                self._arm(BODY_CHECK_S, self._check_body)
        elif self._deadline is None and self.timeout_keep_alive_task is None and self._is_idle():
            # Empty lines between requests: they ended uvicorn's keep-alive timer.
            self._arm(HEADERS_S, self._headers_late)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._phase = _Phase.HEADERS
        self._header_bytes = 0
        self._is_new = False
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[acknowledged.SCOPE_KEY] = self._delivered

    def on_headers_complete(self) -> None:
        """Its headers are complete: hand it to the application."""
        self._disarm()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEADERS_BYTES:
            self._too_large = True
            raise _HeadersTooLarge
        self._phase = _Phase.BODY
        self._body_bytes = self._parsed_bytes = 0
        super().on_headers_complete()
        if self._is_last:
            self.cycle.keep_alive = False
        take_over = functools.partial(self._receive_directly, self.cycle)
        cast("dict[str, Any]", self.scope)[direct.SCOPE_KEY] = take_over

    def on_body(self, body: bytes) -> None:
        """A piece of its body: hand it on as it is, where uvicorn would copy it twice."""
        self._parsed_bytes += len(body)
        if self.cycle.response_complete:
            return
        cycle = cast("Any", self.cycle)
        if cycle.body:
            cycle.body = bytearray(cycle.body) if isinstance(cycle.body, bytes) else cycle.body
            cycle.body += body
        else:
            cycle.body = body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The request has arrived entirely."""
        self._phase = _Phase.IDLE
        self._disarm()
        super().on_message_complete()

    def _hold(self, data: bytes, later: Later) -> None:
        self._held, self._later = data, later
        if self._deadline is not None:
            self._disarm()
        later.add(self)

    def _take_back(self) -> bytes:
        data, later = self._held, self._later
        self._held, self._later = b"", None
        if later is not None:
            later.leave(self)
        return data

    def let_go(self, answer: Answer | None) -> None:
        """Answer the request that waited, or have it parsed after all."""
        data = self._take_back()
        if self.transport.is_closing():
            return
        if answer is None or self._at_once is None:
            self._parse(data)
            return
        dated = self.server_state.default_headers
        self._at_once.give(self.transport, self.client, data, answer, dated)
        self._note_answered()

    def _receive_directly(self, cycle: object, room: direct.Room) -> DirectBody | None:
        """Have the rest of the body of `cycle` received without the parser."""
        if cycle is not self.cycle or self._phase is not _Phase.BODY or self.cycle.body:
            return None
        lengths = [value for name, value in self.headers if name == b"content-length"]
        left_bytes = int(lengths[0]) - self._parsed_bytes if lengths else 0
        if left_bytes < direct.LEAST_BYTES:
            return None
        self._direct = DirectBody(self, left_bytes, room)
        self._hand_over(self._direct)
        return self._direct

    def _hand_over(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol receive; for the transport, that is another way of reading."""
        self.pause_reading()
        self.transport.set_protocol(protocol)
        self.resume_reading()

    def direct_received(self, size: int) -> bool:
        """Bytes of the body came, not through the parser: tell whether they are wanted."""
        self._body_bytes += size
        return not self.cycle.response_complete

    def direct_ended(self) -> None:
        """The body is complete: take the connection back."""
        self._direct = None
        self.parser = httptools.HttpRequestParser(self)  # the old one still waits for it
        self._hand_over(self)
        self.on_message_complete()

    def pause_reading(self) -> None:
        """Leave what comes to the kernel."""
        self.flow.pause_reading()

    def resume_reading(self) -> None:
        """Receive again."""
        self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refused."""
        title = "The request is not valid HTTP."
        del msg
        self._refuse(_HEADERS_PROBLEM if self._too_large else problem(400, "bad-request", title))

    def pause_writing(self) -> None:
        """The client does not take our answer: wait for it, but not for ever."""
        super().pause_writing()
        if self._write_deadline is None:
            self._write_deadline = self.loop.call_later(WRITE_STALL_S, self._reader_late)

    def resume_writing(self) -> None:
        """The client goes on reading."""
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None
        super().resume_writing()

    def shutdown(self) -> None:
        """Let the connection end with the request that is on its way, if there may be one.

        A client that has just connected, or sent half a header, cannot know that we stop.
        """
        if self._later is not None:
            self._parse(self._take_back())
        if not self._is_new and (self._phase is not _Phase.HEADERS or not self._is_idle()):
            super().shutdown()
            return
        self._is_last = True
        if self._is_new:
            self._disarm()
            self._arm(LAST_REQUEST_S, self._headers_late)

    async def _delivered(self) -> bool:
        if self.cycle.disconnected:
            return False  # before the answer was written
        return await acknowledged.delivered(self.transport, lambda: self._ended_well)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing was asked for so long."""
        waits = self._later is not None
        left_s = KEEP_ALIVE_S + (0 if waits else self._answered_s - self.loop.time())
        if left_s <= 0:
            super().timeout_keep_alive_handler()
        elif not self.transport.is_closing():
            self._wait_for_more(left_s)

    def _note_answered(self) -> None:
        """A request was answered at once: what uvicorn does of which it has not heard."""
        self.server_state.total_requests += 1
        self._is_new = False
        self._answered_s = self.loop.time()
        if self._deadline is not None:
            self._disarm()
        if self.timeout_keep_alive_task is None:
            self._wait_for_more(KEEP_ALIVE_S)

    def _wait_for_more(self, seconds: float) -> None:
        late = self.timeout_keep_alive_handler
        self.timeout_keep_alive_task = self.loop.call_later(seconds, late)

    def _is_between(self) -> bool:
        return self._phase is _Phase.IDLE and self._is_idle() and not self.transport.is_closing()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _arm(self, seconds: float, late: Callable[[], None]) -> None:
        self._deadline = self.loop.call_later(seconds, late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _headers_late(self) -> None:
        self._deadline = None
        if self._phase is _Phase.IDLE and self._header_bytes == 0:
            self.transport.close()  # nothing was asked: browsers connect in advance
        else:
            self._refuse(_LATE_PROBLEM)

    def _check_body(self) -> None:
        """Every `BODY_CHECK_S`: go on waiting, or give the client up."""
        self._deadline = None
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self._pace = Pace(self.loop.time(), self._body_bytes)  # we are the slow side
        elif self._pace.is_too_slow(self.loop.time(), self._body_bytes):
            self._refuse(_LATE_PROBLEM)
            return
        self._arm(BODY_CHECK_S, self._check_body)

    def _reader_late(self) -> None:
        log.info("http.reader_stalled", client=self.client and self.client[0])
        self.transport.abort()

    def _refuse(self, error: Problem) -> None:
        """Answer with `error` if no answer has begun, and end the connection."""
        self._disarm()
        if self._lingering is not None or self.transport.is_closing():
            return
        log.info("http.refused", status=error.status, client=self.client and self.client[0])
        if self._phase is _Phase.BODY or not self._is_idle():
            begun = self.cycle.response_started or bool(self.pipeline)
            self.cycle.disconnected = True  # the application's own answer comes too late
            self.cycle.waiting_for_100_continue = False
            self.cycle.message_event.set()
        else:
            begun = False
        if self._direct is not None:
            self._direct.break_off()
            self._hand_over(self)
        if begun:
            self.transport.abort()
            return
        body = json.dumps(error.as_json()).encode()
        self.transport.write(
            STATUS_LINE[error.status]
            + b"content-type: application/problem+json\r\naccess-control-allow-origin: *\r\n"
            + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
            + body
        )
        self.flow.resume_reading()
        self._lingering = Lingering(self.transport, self.loop)


_LATE_PROBLEM = problem(408, "request-timeout", "The request did not arrive in time.")
_HEADERS_PROBLEM = problem(431, "headers-too-large", "The request's headers are too large.")
