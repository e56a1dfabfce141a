"""The opening of an RTMP connection (Adobe RTMP 1.0, 5.2), the plain one without digests."""

from telecine.protocols.errors import ProtocolError

VERSION = 3
PACKET_BYTES = 1536
RANDOM_BYTES = PACKET_BYTES - 8


class ServerHandshake:
    """The server's side.

    Give received bytes to `receive` and send what it returns, until `done`; `trailing`
    then holds what came behind the handshake. Holds at most 3,073 bytes and one read.
    `s1_random` are 1,528 bytes. Zeros where a version could stand tell clients that we
    sign nothing; what they echo is not compared, for some do not echo.
    """

    def __init__(self, s1_random: bytes) -> None:
        self._s1 = bytes(8) + s1_random
        self._buffer = bytearray()
        self._answered = False
        self.done = False

    @property
    def trailing(self) -> bytes:
        """Return the bytes behind the handshake, once it is done."""
        return bytes(self._buffer)

    def receive(self, data: bytes) -> bytes:
        """Take bytes off the wire; return the bytes to send now (often none).

        Raises:
            ProtocolError: C0 does not ask for version 3.
        """
        self._buffer += data
        reply = b""
        if not self._answered and self._buffer:
            if self._buffer[0] != VERSION:
                raise ProtocolError(f"RTMP version {self._buffer[0]}, expected {VERSION}")
            if len(self._buffer) > PACKET_BYTES:
                c1 = bytes(self._buffer[1 : 1 + PACKET_BYTES])
                del self._buffer[: 1 + PACKET_BYTES]
                self._answered = True
                reply = bytes([VERSION]) + self._s1 + c1  # S0 S1 S2
        if self._answered and not self.done and len(self._buffer) >= PACKET_BYTES:
            del self._buffer[:PACKET_BYTES]
            self.done = True
        return reply


class ClientHandshake:
    """The client's side: send `opening`, then what `receive` returns, until `done`.

    `trailing` then holds what came behind the handshake. `c1_random` are 1,528 bytes. What
    the server echoes is not compared, for some do not echo.
    """

    def __init__(self, c1_random: bytes) -> None:
        self.opening = client_opening(c1_random)
        self._buffer = bytearray()
        self._answered = False
        self.done = False

    @property
    def trailing(self) -> bytes:
        """Return the bytes behind the handshake, once it is done."""
        return bytes(self._buffer)

    def receive(self, data: bytes) -> bytes:
        """Take bytes off the wire; return the bytes to send now (often none).

        Raises:
            ProtocolError: S0 does not offer version 3.
        """
        self._buffer += data
        reply = b""
        if not self._answered and self._buffer:
            if self._buffer[0] != VERSION:
                raise ProtocolError(f"RTMP version {self._buffer[0]}, expected {VERSION}")
            if len(self._buffer) > PACKET_BYTES:
                reply = bytes(self._buffer[1 : 1 + PACKET_BYTES])  # C2 echoes S1
                del self._buffer[: 1 + PACKET_BYTES]
                self._answered = True
        if self._answered and not self.done and len(self._buffer) >= PACKET_BYTES:
            del self._buffer[:PACKET_BYTES]
            self.done = True
        return reply


def client_opening(c1_random: bytes) -> bytes:
    """Return C0 and C1; `c1_random` are 1,528 bytes."""
    return bytes([VERSION]) + bytes(8) + c1_random
