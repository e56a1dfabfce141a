"""Requests for what is not there yet (RFC 8216bis, 6.2.5.2): waited for, but not for ever."""

import asyncio
from typing import Any, cast
from uuid import uuid4

import pytest
from starlette.types import Message
from tests.fixtures.waiting import until
from tests.unit.live.test_packager import AUDIO, VIDEO, merged, pictures, run, sounds

from telecine.delivery import live
from telecine.delivery.gate import Admission
from telecine.delivery.live import LiveDelivery
from telecine.delivery.live_cache import LiveView
from telecine.delivery.live_playlists import LivePlaylists
from telecine.live.model import Ended, Output
from telecine.live.packager import Packager
from telecine.live.window import Window

pytestmark = pytest.mark.anyio

STREAM = "li" + "0" * 22
SESSION = "0" * 12


class One:
    """Everything that delivery asks: there is one stream, and everybody may watch it."""

    def __init__(self) -> None:
        self.packager, self.shown = Packager(200), Window(SESSION, 60_000)
        self.give(run(self.packager, [(0, VIDEO), (0, AUDIO)]))
        self.give(run(self.packager, merged(pictures(30, 4.5, gop_s=1), sounds(4.5))))

    def give(self, outputs: list[Output]) -> None:
        for each in outputs:
            self.shown.take(each)

    async def get(self, public_id: str) -> LiveView:
        return LiveView(uuid4(), public_id, "Live", True, True, None)

    async def window(self, public_id: str, rendition: str) -> Window:
        del public_id, rendition
        return self.shown

    async def admit(self, *_: object) -> Admission:
        return Admission()


@pytest.fixture
def one() -> One:
    return One()


async def asked(one: One, name: str, query: str = "") -> tuple[int, bytes]:
    """Return status and body."""
    anything = cast("Any", one)
    playlists = LivePlaylists()
    delivery = LiveDelivery(anything, anything, anything, anything, anything, playlists)
    status, body = 0, b""

    async def send(message: Message) -> None:
        nonlocal status, body
        status = message.get("status", status)
        body += message.get("body", b"")

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/live/{STREAM}_source/{name}",
        "query_string": query.encode(),
        "headers": [],
    }
    await delivery(scope, cast("Any", None), send)
    return status, body


async def test_a_playlist_that_does_not_come_is_unavailable(
    one: One, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_PATIENCE_TARGETS", 0.01)
    msn, part = one.shown.edge
    assert (await asked(one, "index.m3u8", f"_HLS_msn={msn}&_HLS_part={part}"))[0] == 503
    assert (await asked(one, "index.m3u8", f"_HLS_msn={msn - 1}"))[0] == 200
    hint = f"{SESSION}-{msn}.{part}.m4s"
    assert (await asked(one, hint))[0] == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("_HLS_msn=4&_HLS_part=900", 400),
        ("_HLS_msn=7", 400),
        ("_HLS_msn=x", 400),
        ("_HLS_part=1", 400),
        ("_HLS_msn=0&_HLS_part=900", 200),  # of a segment that is over: the next one's first
        ("_HLS_msn=0", 200),
    ],
)
async def test_directives(one: One, query: str, status: int) -> None:
    assert (await asked(one, "index.m3u8", query))[0] == status


async def test_what_was_hinted_at_is_sent_when_it_is_there(one: One) -> None:
    msn, part = one.shown.edge
    name = f"{SESSION}-{msn}.{part}.m4s"
    waiting = asyncio.ensure_future(asked(one, name))
    playlist = asyncio.ensure_future(asked(one, "index.m3u8", f"_HLS_msn={msn}&_HLS_part={part}"))

    async def both_wait() -> bool:
        return bool(one.shown._waiters)

    await until(both_wait)
    assert not waiting.done()
    one.give(run(one.packager, merged(pictures(30, 1, from_ms=4500), sounds(1, from_ms=4500))))
    status, body = await waiting
    assert status == 200
    assert body[4:8] == b"moof"
    status, body = await playlist
    assert status == 200
    assert name.encode() in body
    unknown = await asked(one, f"{SESSION}-{msn + 3}.0.m4s")
    assert unknown[0] == 404


async def test_directives_mean_nothing_behind_the_end(one: One) -> None:
    one.give([*one.packager.end()])
    assert isinstance([*one.shown.snapshot()][-1], Ended)
    status, body = await asked(one, "index.m3u8", "_HLS_msn=900&_HLS_part=3")
    assert status == 200
    assert b"#EXT-X-ENDLIST" in body
    assert b"PRELOAD-HINT" not in body
