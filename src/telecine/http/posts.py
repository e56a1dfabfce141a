"""Small posts that are taken before the framework, and even the parser, is touched.

Of what it costs to take a ping of a player, most is HTTP in Python: a call per header, a task, a
scope, messages. A request that came in one piece, with its body, needs none of that.
"""

import re
from collections.abc import Callable, Collection, Sequence

from starlette.types import Scope
from uvicorn.middleware.proxy_headers import _TrustedHosts
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from telecine.http.edge import common_headers

Headers = Sequence[tuple[bytes, bytes]]
Answer = tuple[int, Headers, bytes]
"""Status, headers, body."""

Take = Callable[[Scope, bytes], Answer | None]
"""Takes a request and its whole body; None leaves it to the application."""

Note = Callable[[str, int], None]
"""Is told of the path and status of each answer."""

_FIELDS = (
    rb"(?:"
    # What something has to be decided about. Possessive: else it would look for something
    # else than `keep-alive` before the blank.
    rb"(?!(?i:transfer-encoding|expect|upgrade|connection:[ \t]*+(?!keep-alive[ \t]*+\r)))"
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\0-\x08\n-\x1f\x7f]*\r\n"
    rb")*"
)
_LENGTH = re.compile(rb"[0-9]{1,9}")


class Posts:
    """Answers whole posts to `paths`; `trusted_proxies` say for whom they ask."""

    def __init__(
        self, take: Take, paths: Collection[str], trusted_proxies: Sequence[str], note: Note
    ) -> None:
        words = b"|".join(re.escape(path.encode()) for path in paths)
        # A whole head (RFC 9112, 3 and 5).
        self._head = re.compile(rb"POST (%s) HTTP/1\.1\r\n(%s)\r\n" % (words, _FIELDS))
        self._take = take
        self._trusted = _TrustedHosts(list(trusted_proxies)) if trusted_proxies else None
        self._note = note

    def answer(self, client: tuple[str, int] | None, data: bytes, dated: Headers) -> bytes | None:
        """Return the answer to what a client sent, None to have it parsed.

        `dated`: the headers of every answer.
        """
        head = self._head.match(data)
        if head is None:
            return None
        headers = []
        for line in head[2].split(b"\r\n")[:-1]:
            name, _, value = line.partition(b":")
            headers.append((name.lower(), value.lstrip(b" \t")))
        lengths = [value for name, value in headers if name == b"content-length"]
        if len(lengths) != 1 or _LENGTH.fullmatch(lengths[0]) is None:
            return None
        if int(lengths[0]) != len(data) - head.end():
            return None  # more is to come, or another request already has
        path = head[1].decode("ascii")
        scope: Scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": headers,
            "client": self._asking(client, headers),
        }
        answer = self._take(scope, data[head.end() :])
        if answer is None:
            return None
        status, own, body = answer
        self._note(path, status)
        fields = (*dated, *own, *common_headers(scope))
        lines = [name + b": " + value + b"\r\n" for name, value in fields]
        return b"".join((STATUS_LINE[status], *lines, b"\r\n", body))

    def _asking(self, client: tuple[str, int] | None, headers: Headers) -> tuple[str, int] | None:
        """Return whose request it is: that of a trusted proxy is of whom it names."""
        if self._trusted is None or client is None or client[0] not in self._trusted:
            return client
        named = [value for name, value in headers if name == b"x-forwarded-for"]
        host, port = self._trusted.get_trusted_client_address(b", ".join(named).decode("latin-1"))
        return (host, port) if host else client
