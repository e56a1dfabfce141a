"""What viewers of a live stream are answered obeys the rules, part for part (RFC 8216bis, 6.2)."""

import asyncio

import pytest
from tests.fixtures.waiting import PATIENCE_S, until
from tests.unit.delivery.test_live import SESSION, One, asked
from tests.unit.live.test_packager import merged, pictures, run, sounds

from telecine.formats.hls.check_live import check_live, read_live
from telecine.formats.hls.check_live_answers import Owed, check_delta, check_reload
from telecine.live.model import Output
from telecine.live.window import Segment, Window

pytestmark = pytest.mark.anyio

FROM_MS, PART_MS, LENGTH_MS = 4600, 200, 20_000


class Live(One):
    """The stream as an edge has it, which lets go of what its owner can read again."""

    def __init__(self) -> None:
        super().__init__()
        mirror, self.owner = (Window(SESSION, LENGTH_MS, mirrored=True) for _ in range(2))
        for output in self.shown.snapshot():
            assert not isinstance(output, Segment)  # nothing of it is old
            mirror.take(output)
            self.owner.take(output)
        self.shown = mirror
        self.end_ms = FROM_MS

    def give(self, outputs: list[Output]) -> None:
        super().give(outputs)
        for each in outputs if hasattr(self, "owner") else ():
            self.owner.take(each)

    async def old_segment(
        self, public_id: str, rendition: str, window: Window, segment: Segment
    ) -> bytes | None:
        """Return what its owner has in its recording, as long as it knows of it."""
        return b"old" if self.owner.segment(segment.msn) is not None else None

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


async def test_what_playlists_name_no_more_is_served_for_a_while(live: Live) -> None:
    owed = Owed()
    seen = set[str]()
    for _ in range(200):
        live.send()
        owed.see(await live.text())
        refused = [uri for uri in owed.owed if (await asked(live, uri))[0] != 200]
        assert owed.check(refused) == []
        seen |= owed.owed
    gone = seen - owed.owed
    assert {f"{SESSION}-0.0.m4s", f"{SESSION}-9.m4s"} <= gone
    for name in ("20.0", "9"):  # that segment is there still, but not for all who have its name
        assert (await asked(live, f"{SESSION}-{name}.m4s"))[0] == 404, name


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
