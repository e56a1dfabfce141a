"""What players tell is the same, whichever way their requests take."""

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from telecine import clock
from telecine.delivery.client_data import ClientDataReader

pytestmark = pytest.mark.anyio

CLIENT = ("203.0.113.9", 4711)
VIDEO = "vi4k0jvEUuaTdRAEjQ4Jfrgz"


async def media(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


class Taken:
    def __init__(self) -> None:
        self.all: list[Any] = []
        self.refused = 0

    def take(self, scope: Scope, *told: object) -> None:
        wanted = {b"user-agent", b"referer"}
        headers = sorted(each for each in scope["headers"] if each[0] in wanted)
        self.all.append((scope["client"], headers, told))

    def refuse(self) -> None:
        self.refused += 1


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (f"/vod/{VIDEO}/hls/720p/2-7.m4s?CMCD=bl%3D900%2Cbr%3D1500%2Csid%3D%22a%22", ""),
        (f"/vod/{VIDEO}/hls/audio/2-7.m4s", 'CMCD-Session: sid="a"\r\nCMCD-Status: bs\r\n'),
        (f"/vod/{VIDEO}/hls/720p/2-7.m4s", "CMCD-Status: bs\r\n"),
        (f"/vod/{VIDEO}/hls/720p/2-7.m4s?CMCD=%00%22", ""),
        (f"/vod/{VIDEO}/hls/720p/2-7.m4s", "Cookie: cmcd\r\n"),
    ],
)
async def test_both_ways_tell_the_same(
    monkeypatch: pytest.MonkeyPatch, target: str, told: str
) -> None:
    monkeypatch.setattr(clock, "unix_ms", lambda: 1_780_000_000_000)
    long, short = Taken(), Taken()
    lines = f"Host: x\r\nUser-Agent:  Some/1 \r\nreferer: https://x/ \r\n{told}"
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode(), value.strip().encode())
            for name, _, value in (each.partition(":") for each in lines.splitlines())
        ],
        "client": CLIENT,
    }

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    await ClientDataReader(media, long.take, long.refuse)(scope, receive, send)
    request = f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode()
    ClientDataReader(media, short.take, short.refuse).overhear(CLIENT, request)
    assert short.all == long.all
    assert short.refused == long.refused
    assert len(short.all) + short.refused == ("cookie" not in told.lower())
