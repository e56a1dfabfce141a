"""The process that takes encoders' media dies, and its events go on."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from telecine.formats.hls.check_live import check_live
from telecine.formats.mp4.multitrack import whole_fragments
from tests.chaos import killing
from tests.chaos.conftest import Victim
from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.live_rules import observed
from tests.fixtures.waiting import until
from tests.integration.live.test_on_air import events_of, recordings

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.xdist_group("own-server"),
]

PART_MS = 203
BREAK = "#EXT-X-DISCONTINUITY\n"


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    # However long a slow machine takes to start again, the encoder is in time.
    settings = {"TELECINE_LIVE_GRACE_S": "600", "TELECINE_LIVE_LADDER": ""}
    victim = Victim(tmp_path_factory.mktemp("live") / "data", settings)
    yield victim
    victim.stop()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with observed() as client:
        yield client


class Follower:
    """A viewer who comes back after every blow."""

    def __init__(self, client: httpx.AsyncClient, stream: OnAir) -> None:
        self._client = client
        self.stream = stream
        self.text = ""

    async def reload(self) -> bool:
        answer = await self._client.get(self.stream.playlist_url)
        assert answer.status_code in (200, 404)
        if answer.status_code == 200:
            assert check_live(answer.text) == [], answer.text
            self.text = answer.text
        return answer.status_code == 200

    async def has(self, breaks: int, seconds: float) -> bool:
        """Tell whether so much is there behind the last of so many interruptions."""
        if not await self.reload() or self.text.count(BREAK) != breaks:
            return False
        return media_ms(self.text.rpartition(BREAK)[2]) >= seconds * 1000

    @property
    def session(self) -> str:
        found = re.search(r"^(\w+)-\d+\.m4s$", self.text, re.MULTILINE)
        assert found is not None
        return found[1]


def media_ms(text: str) -> float:
    """Return how long the segments of a playlist last, and the parts behind them."""
    whole_s = parts_s = 0.0
    for line in text.splitlines():
        if found := re.match(r"#EXT-X-PART:DURATION=([\d.]+)", line):
            parts_s += float(found[1])
        elif found := re.match(r"#EXTINF:([\d.]+)", line):
            whole_s, parts_s = whole_s + float(found[1]), 0.0
    return (whole_s + parts_s) * 1000


async def test_an_encoder_that_comes_back_continues_its_event(
    victim: Victim, client: httpx.AsyncClient
) -> None:
    stream = await make_live_stream(victim.server)
    viewer, blows, session = Follower(client, stream), 0, ""
    for blow in ("live", "everything", "ended", "none"):
        seen_ms = media_ms(viewer.text)
        async with publishing(viewer.stream.publish_url, live_clip()):
            await until(partial(viewer.has, blows, 2))
            if blow == "live":
                killing.kill(killing.child(victim.supervisor, killing.is_live))
            elif blow == "everything":
                victim.kill_everything()
            elif blow == "ended":
                victim.stop()
        assert media_ms(viewer.text) >= seen_ms - PART_MS  # one part may not have been written
        assert session in ("", viewer.session)
        session = viewer.session
        blows += blow != "none"
        if blow in ("everything", "ended"):
            victim.start()
            viewer.stream = replace(stream, server=victim.server)
    last_ms = media_ms(viewer.text)
    await viewer.stream.complete()
    (video_id,) = await recordings(client, viewer.stream)
    (path,) = victim.sources(video_id)
    data = path.read_bytes()
    assert whole_fragments(data).size_bytes == len(data)
    # To the begin of the last fragment, less the part that was not whole at each blow.
    assert whole_fragments(data).duration_s * 1000 >= last_ms - (1 + blows) * PART_MS

    async def all_told() -> bool:
        return len(await events_of(viewer.stream)) >= 3

    await until(all_told)
    started, *ends = await events_of(viewer.stream)
    assert started == "live-stream.broadcast.started"
    # Of the broadcast and of its file, each when it is over.
    assert sorted(ends) == ["live-stream.broadcast.ended", "video.source.recorded"]
    victim.fsck()


async def test_events_end_with_a_machine_that_is_not_back(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    settings = {"TELECINE_LIVE_END_ON_STOP": "true", "TELECINE_LIVE_LADDER": ""}
    victim = Victim(tmp_path / "data", settings)
    try:
        stream = await make_live_stream(victim.server)
        async with publishing(stream.publish_url, live_clip()):
            await until(partial(Follower(client, stream).has, 0, 2))
            victim.stop()
        victim.start()
        stream = replace(stream, server=victim.server)
        told = await events_of(stream)
        assert told[:2] == ["live-stream.broadcast.started", "live-stream.broadcast.ended"]
        assert len(await recordings(client, stream)) == 1
    finally:
        victim.stop()
