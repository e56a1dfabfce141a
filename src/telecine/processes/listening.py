"""Sockets that the supervisor opens and its children accept from."""

import errno
import socket

from telecine.processes.exits import CannotGoOn, Exit

BACKLOG = 2048


def listen(
    host: str, port: int, names: str = "--port or TELECINE_PORT"
) -> tuple[socket.socket, ...]:
    """Listen on every address of `host`; port 0 takes one free port for all.

    `names`: what to change if that port cannot be had.

    Raises:
        CannotGoOn: the port is taken, or the address is not this machine's.
    """
    opened: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, _, _, _, address in dict.fromkeys(found):
            taken = opened[0].getsockname()[1] if opened else port
            opened.append(_listen(family, (str(address[0]), taken)))
    except OSError as error:
        for each in opened:
            each.close()
        raise CannotGoOn(Exit.PORT_TAKEN, _advice(host, port, error, names)) from error
    return tuple(opened)


def _listen(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
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
