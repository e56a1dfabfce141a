"""Sockets that the supervisor opens and its children accept from."""

import errno
import socket

from telecine.live.nodes import split_address
from telecine.processes.exits import CannotGoOn, Exit

LIVE_PORTS = {
    "rtmp_port": socket.SOCK_STREAM,
    "rtmps_port": socket.SOCK_STREAM,
    "srt_port": socket.SOCK_DGRAM,
}
"""Settings with the ports that encoders come to, and what they send there."""

BACKLOG = 2048
DATAGRAM_BUFFER_BYTES = 4 << 20
"""Asked of the kernel, which gives as much as it is set to: key frames come in bursts."""


def listen(
    host: str,
    port: int,
    names: str = "--port or TELECINE_PORT",
    kind: socket.SocketKind = socket.SOCK_STREAM,
) -> tuple[socket.socket, ...]:
    """Listen on every address of `host`; port 0 takes one free port for all.

    `names`: what to change if that port cannot be had; `kind`: streams or datagrams.

    Raises:
        CannotGoOn: the port is taken, or the address is not this machine's.
    """
    opened: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host or None, port, type=kind, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            taken = opened[0].getsockname()[1] if opened else port
            opened.append(_listen(family, kind, (str(address[0]), taken)))
    except OSError as error:
        for each in opened:
            each.close()
        raise CannotGoOn(Exit.PORT_TAKEN, _advice(host, port, error, names)) from error
    return tuple(opened)


def listen_for_nodes(address: str) -> tuple[tuple[socket.socket, ...], str]:
    """Listen on `host:port` for other nodes; return the address with the real port, too.

    Raises:
        CannotGoOn: as `listen` does.
    """
    host, port = split_address(address)
    opened = listen(host, port, "TELECINE_LIVE_NODE_ADDRESS")
    shown = f"[{host}]" if ":" in host else host
    return opened, f"{shown}:{opened[0].getsockname()[1]}"


def _listen(
    family: socket.AddressFamily, kind: socket.SocketKind, address: tuple[str, int]
) -> socket.socket:
    listener = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:  # to reuse the address would be to share the port with whoever else does
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DATAGRAM_BUFFER_BYTES)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        if kind == socket.SOCK_STREAM:
            listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _advice(host: str, port: int, error: OSError, names: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use by another program. Choose another with {names}."
    if error.errno == errno.EACCES:
        return f"Port {port} needs privileges. Choose one above 1023 with {names}."
    return f"Cannot listen on {host}, port {port}: {error.strerror or error}."
