"""The way between nodes: a door for edges of other machines, and how they come to it.

The owner has a certificate of its own, and proves by the installation's secret that it is the
owner's; then the edge proves by the same secret that it is one. Whoever stands between the
two has neither: certificates of others have other proofs. Behind that nothing differs from
the socket of one machine.
"""

import asyncio
import contextlib
import hmac
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from telecine import ids

log = structlog.get_logger()

HELLO_S = 3.0
"""How long either end waits until the other one is there and has proved who it is."""

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_LIMIT_BYTES = 1 << 20
_PROOF_BYTES = 32
_KEEPALIVE = (
    # A machine that vanished without a word is noticed within some ten seconds.
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 4),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 2),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 10_000),
)


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`. Raises ValueError."""
    parts = urlsplit(f"//{address}")
    if not parts.hostname or parts.port is None or parts.netloc != address or "@" in address:
        raise ValueError("must be like 10.0.0.5:1937 or live.lan:1937")
    return parts.hostname, parts.port


class Door:
    """Who may come in from other machines. `key` is the same on all nodes.

    Raises:
        OSError, ssl.SSLError: the certificate or its secret cannot be read.
    """

    def __init__(self, key: bytes, certificate: Path, secret: Path) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificate, secret)
        self._key = key
        self._shown = ssl.PEM_cert_to_DER_cert(certificate.read_text())

    async def admits(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Prove who we are, and tell whether the other end did so."""
        _keep_alive(writer)
        writer.write(_proof(self._key, b"owner", self._shown))
        try:
            async with asyncio.timeout(HELLO_S):
                told = await reader.readexactly(_PROOF_BYTES)
        except (TimeoutError, EOFError, OSError):
            told = b""
        if ids.same(told, _proof(self._key, b"edge", self._shown)):
            return True
        peer = writer.get_extra_info("peername")
        log.warning("edge refused", peer=peer[0] if peer else None, reason="no proof of its secret")
        return False


class Dialer:
    """How the doors of other machines are come in by. `key` is the same on all nodes."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        # It is not a name that is trusted, but whoever has the secret.
        self._context.verify_mode = ssl.CERT_NONE

    async def dial(self, address: str) -> Ends:
        """Return a connection to the owner that listens at an address. Raises OSError."""
        try:
            async with asyncio.timeout(HELLO_S):
                return await self._dial(address)
        except (EOFError, ValueError) as error:
            raise ConnectionError(f"{address}: {error}") from error

    async def _dial(self, address: str) -> Ends:
        host, port = split_address(address)
        reader, writer = await asyncio.open_connection(
            host, port, ssl=self._context, limit=_LIMIT_BYTES
        )
        _keep_alive(writer)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        proved = False
        try:
            told = await reader.readexactly(_PROOF_BYTES)
            proved = ids.same(told, _proof(self._key, b"owner", shown))
        finally:
            if not proved:
                writer.close()
        if not proved:
            log.warning("owner refused", address=address, reason="no proof of its secret")
            raise ConnectionError(f"{address} has another secret")
        writer.write(_proof(self._key, b"edge", shown))
        return reader, writer


Locate = Callable[[str], Awaitable[str | None]]
"""Returns where the owner of a stream's event listens, None: on this machine, or nowhere."""


class Owners:
    """How edges reach the owner of an event: the one behind `path`, or on another machine."""

    def __init__(self, path: Path, locate: Locate | None = None, key: bytes = b"") -> None:
        self._path = path
        self._locate = locate
        self._dialer = Dialer(key)

    async def address(self, public_id: str) -> str | None:
        """Return where the owner of a stream's event is, None: on this machine, or nowhere."""
        return None if self._locate is None else await self._locate(public_id)

    async def reach(self, public_id: str) -> Ends:
        """Return a connection to the owner of a stream's event. Raises OSError."""
        address = await self.address(public_id)
        if address is None:
            return await asyncio.open_unix_connection(self._path, limit=_LIMIT_BYTES)
        return await self._dialer.dial(address)


def _proof(key: bytes, role: bytes, certificate: bytes) -> bytes:
    return hmac.digest(key, role + b":" + certificate, "sha256")


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    own = writer.get_extra_info("socket")
    for level, name, value in _KEEPALIVE:
        if hasattr(socket, name):
            with contextlib.suppress(OSError):
                own.setsockopt(level, getattr(socket, name), value)
