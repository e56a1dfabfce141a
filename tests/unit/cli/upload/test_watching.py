from typing import Any

import httpx
import pytest

from telecine import clock
from telecine.cli.upload.api import Video
from telecine.cli.upload.patience import Patience
from telecine.cli.upload.watching import Watcher
from telecine.cli.upload.wishes import Wait
from telecine.processes.exits import CannotGoOn
from tests.unit.cli.upload.fake_server import (
    BASE,
    TOKEN,
    FakeServer,
    Seen,
    StoredVideo,
    encoded,
)

pytestmark = pytest.mark.anyio

VIDEO = Video("vi0", "a", f"{BASE}/vod/vi0", f"{BASE}/vod/vi0/hls", None)


class Watched:
    def __init__(self, **access: Any) -> None:
        self.server = FakeServer()
        self.server.videos["vi0"] = StoredVideo("vi0", "a", parts={1: b"x"}, total=1)
        self.access = access
        self.seen = Seen()
        self.told = 0

    async def pause(self, seconds: float) -> None:
        del seconds

    async def watch(self, wait: Wait, limit_s: float = 600) -> None:
        patience = Patience(limit_s, self.seen.note, self.pause)
        async with self.server.api(**self.access) as api:
            watcher = Watcher(api, patience, self.seen, wait, self.pause)
            await watcher.watch("a.mp4", VIDEO, self.tell)

    def tell(self) -> None:
        self.told += 1


async def test_until_all_qualities_are_encoded() -> None:
    watched = Watched()
    watched.server.encodings = [
        encoded(playable=False),
        encoded("waiting", "encoding"),
        encoded("encoded", "encoding"),
        encoded("encoded", "encoded"),
    ]
    await watched.watch(Wait.ENCODED)
    assert watched.told == 1
    assert watched.seen.stages == [("preparing", 0, 0), ("encoding", 0, 2), ("encoding", 1, 2)]


async def test_until_it_plays() -> None:
    watched = Watched()
    watched.server.encodings = [encoded(playable=False), encoded("waiting")]
    await watched.watch(Wait.PLAYABLE)
    assert watched.told == 1
    assert watched.server.encodings == []


async def test_not_at_all() -> None:
    watched = Watched()
    await watched.watch(Wait.NONE)
    assert (watched.told, watched.server.lines) == (0, [])


@pytest.mark.parametrize("wait", [Wait.PLAYABLE, Wait.ENCODED])
async def test_what_fails_is_said(wait: Wait) -> None:
    watched = Watched()
    watched.server.encodings = [encoded("failed", playable=False)]
    with pytest.raises(CannotGoOn, match="could not be encoded"):
        await watched.watch(wait)
    assert watched.told == 0


async def test_trouble_is_waited_out() -> None:
    watched = Watched()
    watched.server.encodings = [encoded("encoded")]
    watched.server.fail("/status", httpx.Response(503))
    await watched.watch(Wait.ENCODED)
    assert watched.told == 1


async def test_with_a_token_the_playlist_tells() -> None:
    watched = Watched(token=TOKEN)
    watched.server.manifests = [202, 202, 200]
    await watched.watch(Wait.PLAYABLE)
    assert watched.told == 1
    assert watched.server.manifests == []


async def test_a_download_that_ended_without_a_file_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched()
    watched.server.videos["vi0"].source = "https://example.com/a.mp4"
    watched.server.encodings = [encoded(playable=False) for _ in range(20)]
    seconds = iter(range(0, 10_000, 40))
    monkeypatch.setattr(clock, "monotonic_s", lambda: float(next(seconds)))
    with pytest.raises(CannotGoOn, match=r"Nothing arrives.*/_/videos/vi0/jobs"):
        await watched.watch(Wait.PLAYABLE, limit_s=100)
    assert watched.seen.stages[0] == ("fetching, 0.0 MB", 0, 0)
