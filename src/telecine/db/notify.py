"""LISTEN and NOTIFY: wake-ups between processes. Facts are in rows, never in them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable

import psycopg
import structlog
from psycopg import sql
from sqlalchemy import text

from telecine.db.engine import CONNECTION_OPTIONS, Transaction, heed_cancellation, plain_url

log = structlog.get_logger()

_BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_CHECK_S = 10.0

Callback = Callable[[str], None]

_NOTIFY = text("SELECT pg_notify(:channel, :payload)")


async def notify(tx: Transaction, channel: str, payload: str) -> None:
    """Send a notification with the commit of `tx`; equal ones of it are sent once."""
    await tx.execute(_NOTIFY, [{"channel": channel, "payload": payload}])


class Listener:
    """The one listening connection of a process.

    Callbacks run on the event loop and must not block. `on_connected` is called when
    notifications begin to arrive, `on_lost` when some may be missed from now on.
    """

    def __init__(self, url: str) -> None:
        self._url = plain_url(url)
        self._failures = 0
        self._callbacks: dict[str, list[Callback]] = defaultdict(list)
        self._on_connected: list[Callable[[], None]] = []
        self._on_lost: list[Callable[[], None]] = []

    def subscribe(self, channel: str, callback: Callback) -> None:
        """Call `callback(payload)` for every notification; before `run` begins."""
        self._callbacks[channel].append(callback)

    def watch(self, on_connected: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Be told when notifications begin to arrive, and when they stop."""
        self._on_connected.append(on_connected)
        self._on_lost.append(on_lost)

    async def run(self) -> None:
        """Listen until cancelled; connects again whenever the connection breaks."""
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                heed_cancellation()
                log.warning("notifications lost", reason=str(error).strip())
            for callback in self._on_lost:
                callback()
            await asyncio.sleep(_BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)])
            self._failures += 1

    async def _listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, **CONNECTION_OPTIONS
        )
        async with connection:
            for channel in self._callbacks:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self._failures = 0
            for callback in self._on_connected:
                callback()
            while True:
                async for notification in connection.notifies(timeout=0):
                    for receive in self._callbacks.get(notification.channel, ()):
                        receive(notification.payload)
                if not await _is_readable(connection, _CHECK_S):
                    # Quiet for a while: a connection that died silently answers nothing.
                    await connection.execute("SELECT 1")


async def _is_readable(connection: psycopg.AsyncConnection, timeout_s: float) -> bool:
    """Wait until something comes in, False after `timeout_s` without.

    Generators of notifications wake up ten times a second meanwhile.
    """
    loop, readable, wire = asyncio.get_running_loop(), asyncio.Event(), connection.fileno()
    loop.add_reader(wire, readable.set)
    try:
        async with asyncio.timeout(timeout_s):
            await readable.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(wire)
    return True
