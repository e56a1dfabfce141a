"""A resolver that says what a test wants, and a backend that records instead of dialling."""

from collections.abc import Iterable, Sequence

import httpcore
from httpcore import SOCKET_OPTION, AsyncMockStream, AsyncNetworkBackend, AsyncNetworkStream

EMPTY_REPLY = b"HTTP/1.1 204 No Content\r\n\r\n"


class Names:
    """`answers`: one entry per question; the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not found:
            raise OSError("Name or service not known")
        return found


class Recorder(AsyncNetworkBackend):
    """`replies`: what each connection in turn says; the last one stays."""

    def __init__(self, *replies: bytes, dead: Iterable[str] = ()) -> None:
        self._replies = list(replies or [EMPTY_REPLY])
        self._dead = set(dead)
        self.dialled: list[tuple[str, int]] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        self.dialled.append((host, port))
        if host in self._dead:
            raise httpcore.ConnectError("refused")
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        return AsyncMockStream([reply])
