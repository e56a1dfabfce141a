"""The HTTP server: uvicorn with connections that bound what their clients can delay."""

import asyncio
import functools
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from telecine.http import connection
from telecine.http.at_once import AtOnce
from telecine.http.connection import GuardedProtocol

DRAIN_S = 15


class Server(uvicorn.Server):
    """uvicorn's server, which tells when it serves and leaves signals to its loop."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        await super().startup(sockets)
        self._on_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT, and return: the caller has more to close."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def build(
    app: ASGIApp,
    *,
    trusted_proxies: Sequence[str],
    on_started: Callable[[], None],
    at_once: AtOnce | None = None,
) -> Server:
    """Return a server for `app`; its `serve(sockets=…)` returns after a signal.

    `at_once` is asked before the application.
    """
    config = uvicorn.Config(
        cast("Any", app),
        http=cast("Any", functools.partial(GuardedProtocol, at_once=at_once)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        timeout_keep_alive=connection.KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
    return Server(config, on_started)
