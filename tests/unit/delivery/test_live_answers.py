"""What viewers of a live stream are answered obeys the rules, part for part (RFC 8216bis, 6.2)."""

import asyncio

import pytest
from tests.fixtures.waiting import PATIENCE_S, until
from tests.unit.delivery.test_live import SESSION, One, asked
from tests.unit.live.test_packager import merged, pictures, run, sounds

from telecine.formats.hls.check_live import check_live, read_live
from telecine.formats.hls.check_live_answers import PartsOwed, check_delta, check_reload
from telecine.live.window import Segment, Window

pytestmark = pytest.mark.anyio

FROM_MS, PART_MS = 4600, 200


class Live(One):
    """The stream as an edge has it, which lets go of what its owner can read again."""

    def __init__(self) -> None:
        super().__init__()
        mirror = Window(SESSION, 20_000, mirrored=True)
        for output in self.shown.snapshot():
            assert not isinstance(output, Segment)  # nothing of it is old
            mirror.take(output)
        self.shown = mirror
        self.end_ms = FROM_MS

    def send(self, seconds: float = PART_MS / 1000) -> None:
        """Let so much more come of the encoder."""
        since_ms = self.end_ms
        self.end_ms += round(seconds * 1000)
        sent = merged(
            pictures(30, seconds, gop_s=1, from_ms=since_ms), sounds(seconds, from_ms=since_ms)
        )
        self.give(run(self.packager, sent))

    async def is_waited_for(self) -> bool:
        return bool(self.shown._waiters)

    async def text(self, query: str = "") -> str:
        status, body = await asked(self, "index.m3u8", query)
        assert status == 200
        return body.decode()


@pytest.fixture
def live() -> Live:
    return Live()


async def test_parts_are_served_for_as_long_again_as_they_are_named(live: Live) -> None:
    owed = PartsOwed()
    late = set[str]()
    for _ in range(150):
        live.send()
        owed.see(await live.text())
        refused = [uri for uri in owed.owed if (await asked(live, uri))[0] != 200]
        assert owed.check(refused) == []
        late |= owed.late
    assert len(late) > 75
    old = f"{SESSION}-{live.shown.segments[0].msn}.0.m4s"
    assert (await asked(live, old))[0] == 404  # they are not served for ever


async def test_deltas_on_top_of_what_was_there_are_all(live: Live) -> None:
    before, skipped = await live.text(), 0
    for step in range(150):
        live.send()
        whole, delta = await live.text(), await live.text("_HLS_skip=YES")
        assert check_live(delta) == [], delta
        assert check_delta(before, delta, whole) == []
        skipped = read_live(delta).skipped
        if step % 7 == 0:  # others have an older one
            before = whole
    assert skipped > 5
    live.give([*live.packager.end()])
    assert await live.text("_HLS_skip=YES") == await live.text()
    assert check_live(await live.text("_HLS_skip=YES")) == []


async def test_reloads_have_what_was_asked_for(live: Live) -> None:
    for step in range(60):
        msn, part = live.shown.edge
        wanted = [(msn, part), (msn, None), (msn, part + 1), (msn - 1, 99), (msn + 1, 0)]
        reloads = []
        for each in wanted:
            query = f"_HLS_msn={each[0]}" + ("" if each[1] is None else f"&_HLS_part={each[1]}")
            reloads.append((each, asyncio.ensure_future(live.text(query))))
        await until(live.is_waited_for)
        for _ in range(7 if step % 2 else 12):
            live.send()
        for each, reload in reloads:
            text = await asyncio.wait_for(reload, PATIENCE_S)
            assert check_reload(text, *each) == [], text
