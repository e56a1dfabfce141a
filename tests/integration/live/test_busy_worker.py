"""A recording can be played at once, however long the worker is busy with another video."""

import os
import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.chaos import killing
from tests.chaos.test_sudden_death import chunks
from tests.fixtures.broadcasting import live_clip, make_live_stream, publishing
from tests.fixtures.customer import Customer, finished
from tests.fixtures.media import barcode_mp4
from tests.fixtures.server import TelecineServer, running_telecine
from tests.fixtures.waiting import until
from tests.integration.live.test_on_air import Viewer, recordings, streams_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TelecineServer]:
    data = tmp_path_factory.mktemp("busy") / "data"
    settings = {"TELECINE_ENCODE_SLOTS": "1", "TELECINE_LIVE_LADDER": ""}
    with running_telecine(data, settings) as (_, server):
        yield server


class Encode:
    """The encode that occupies the only place for encodes."""

    def __init__(self, customer: Customer, server: TelecineServer, video_id: str) -> None:
        self._customer = customer
        self._server = server
        self._video_id = video_id
        self._held: list[int] = []

    async def is_held(self) -> bool:
        """Hold it still; tell whether there was one to be held."""
        worker = killing.child(self._server.pid, killing.is_worker)
        with killing.frozen(worker):  # it cannot begin another one meanwhile
            if chunks(self._customer, self._video_id, "running"):
                below = killing.descendants(worker)
                self._held = [pid for pid in below if "libx264" in killing.words(pid)]
                for pid in self._held:
                    os.kill(pid, signal.SIGSTOP)
        return bool(self._held)

    @property
    def goes_on(self) -> bool:
        """Tell whether it is the same one, and not done."""
        alive = all("libx264" in killing.words(pid) for pid in self._held)
        return alive and bool(chunks(self._customer, self._video_id, "running"))

    def let_go(self) -> None:
        for pid in self._held:
            os.kill(pid, signal.SIGCONT)


async def test_a_recording_is_playable_before_the_worker_has_time_for_it(
    client: httpx.AsyncClient, server: TelecineServer
) -> None:
    stream = await make_live_stream(server)
    viewer = Viewer(client, stream)
    other = barcode_mp4(frames=300, width_px=640, height_px=360, keyframe_interval=50)
    with Customer(server) as customer:
        busy = customer.upload(other)
        encode = Encode(customer, server, busy)
        await until(encode.is_held)
        try:
            async with publishing(stream.publish_url, live_clip()):
                await until(viewer.playable)
                await viewer.reload()
                await viewer.follow(5)
                await stream.complete()
            (video_id,) = await recordings(client, stream)
            shown = customer.watch(video_id)
            (first, *_) = shown.master.renditions
            found = shown.stream(first.uri.partition("/")[0])
            assert "Video: h264" in streams_of(found.init + found.segments[0])
            assert encode.goes_on
        finally:
            encode.let_go()
        for each in (busy, video_id):
            states = {
                quality["status"] for quality in (await finished(customer, each))["qualities"]
            }
            assert states == {"encoded"}
