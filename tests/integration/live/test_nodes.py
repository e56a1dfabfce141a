"""Viewers at one node watch what encoders publish at another: its media comes by TCP."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from telecine import ids
from telecine.processes.exits import Exit
from tests.chaos.killing import child, frozen, is_live, kill_family
from tests.fixtures.broadcasting import OnAir, live_clip, publishing
from tests.fixtures.rtmp_encoder import encoding
from tests.fixtures.server import TelecineProcess, TelecineServer
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.live.test_on_air import Viewer
from tests.integration.live.test_srt import health_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

_ESTABLISHED = "01"


@dataclass(slots=True)
class Nodes:
    """One node that answers viewers, and one that takes encoders' media."""

    api: TelecineProcess
    server: TelecineServer
    live: TelecineProcess
    settings: dict[str, str]

    def start_live(self) -> None:
        self.live = live_node(self.live.data, self.settings)

    @property
    def streams_url(self) -> str:
        return f"{self.server.base_url}/live-streams"

    @property
    def auth(self) -> tuple[str, str]:
        return self.server.production_key, ""

    async def stream(self, client: httpx.AsyncClient, **values: object) -> OnAir:
        body = {"name": "Far away", **values}
        made = (await client.post(self.streams_url, json=body, auth=self.auth)).json()
        return OnAir(made["liveStreamId"], made["streamKey"], UUID(int=0), self.server)

    def publish_url(self, stream: OnAir) -> str:
        return f"{self.live.rtmp_url}/{stream.key}"

    async def complete(self, client: httpx.AsyncClient, stream: OnAir) -> None:
        url = f"{self.streams_url}/{stream.public_id}/complete"
        assert (await client.put(url, auth=self.auth)).status_code == 202


def live_node(data: Path, settings: dict[str, str]) -> TelecineProcess:
    """Start the process of live streams alone, on any free port for other nodes."""
    own = {**settings, "TELECINE_LIVE_NODE_ADDRESS": "127.0.0.1:0"}
    process = TelecineProcess(data, own, command="live")
    process.wait_until_told("Encoders publish to")
    process.wait_until_told("\n")
    process.rtmp_url = process.told.split("Encoders publish to ")[1].split()[0]
    return process


@pytest.fixture
def nodes(empty_database_url: str, tmp_path: Path) -> Iterator[Nodes]:
    settings = {
        "DATABASE_URL": empty_database_url,
        "TELECINE_SECRET_KEY": ids.secret(),
        "TELECINE_STORAGE": (tmp_path / "shared").as_uri(),
        "TELECINE_API_PROCESSES": "1",
        "TELECINE_LIVE_LADDER": "off",
        # However long a slow machine takes to start again, the encoder is in time.
        "TELECINE_LIVE_GRACE_S": "600",
    }
    api = TelecineProcess(tmp_path / "api", settings, command="api")
    try:
        server = api.wait_until_ready()
        live = live_node(tmp_path / "live", settings)
        found = Nodes(api, server, live, settings)
        try:
            yield found
        finally:
            assert found.live.stop() == Exit.DONE
    finally:
        assert api.stop() == Exit.DONE


def node_port(nodes: Nodes) -> int:
    (told,) = re.findall(r'address["=: ]+127\.0\.0\.1:(\d+)', nodes.live.log.read_text())[-1:]
    return int(told)


def followers(port: int) -> int:
    """Return how many connections there are to a port of this machine."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    ends = [line.split()[1:4] for line in lines]
    return sum(far.endswith(f":{port:04X}") and state == _ESTABLISHED for _, far, state in ends)


async def test_a_stream_is_watched_at_another_node(nodes: Nodes, client: httpx.AsyncClient) -> None:
    stream = await nodes.stream(client)
    viewers = [Viewer(client, stream) for _ in range(3)]
    assert not await viewers[0].playable()
    async with publishing(nodes.publish_url(stream), live_clip()):
        for viewer in viewers:
            await until(viewer.playable)
            await viewer.reload()
            await viewer.follow(6)
        port = node_port(nodes)

        async def pulled_once() -> bool:  # questions are asked on connections of their own
            return followers(port) == 1

        await until(pulled_once)
        part = re.findall(r'EXT-X-PART:DURATION=[\d.]+,URI="([^"]+)"', viewers[0].text)[-1]
        assert (await viewers[0].get(part))[4:8] == b"moof"
        picture = await client.get(
            f"{stream.server.base_url}/live/{stream.public_id}/thumbnail.jpg"
        )
        assert picture.content[:2] == b"\xff\xd8"
        assert (await health_of(client, stream))["publishing"] is True
        await nodes.complete(client, stream)

        async def ended() -> bool:
            return "#EXT-X-ENDLIST" in await viewers[0].reload()

        await until(ended)
    session = session_of(viewers[0])
    async with publishing(nodes.publish_url(stream), live_clip()):

        async def another_event() -> bool:
            answer = await client.get(stream.playlist_url)
            return answer.status_code == 200 and session not in answer.text

        await until(another_event)


def session_of(viewer: Viewer) -> str:
    found = re.search(r"(\w{12})-init", viewer.text)
    assert found is not None
    return found[1]


async def test_viewers_go_back_to_what_only_the_other_node_has(
    nodes: Nodes, client: httpx.AsyncClient
) -> None:
    stream, clip = await nodes.stream(client), live_clip("source.flv", 8)
    viewer = Viewer(client, stream)

    async def viewed(seconds: float) -> bool:
        lengths = re.findall(r"#EXTINF:([\d.]+)", await viewer.reload())
        return sum(map(float, lengths)) >= seconds

    async with encoding(nodes.publish_url(stream)) as encoder:
        end_ms = 0
        for round_ in range(4):
            end_ms = await encoder.send(clip, end_ms + 33)
            if not round_:
                await until(viewer.playable)
            await until(lambda after=round_: viewed(7 * (after + 1)))  # type: ignore[misc]  # bound at once
        first, *_ = re.findall(r"^\w+-\d+\.m4s$", viewer.text, re.MULTILINE)
        assert (await viewer.get(first))[4:8] == b"moof"
        await nodes.complete(client, stream)


async def test_private_streams_need_a_token_at_every_node(
    nodes: Nodes, client: httpx.AsyncClient
) -> None:
    stream = await nodes.stream(client, public=False)
    async with publishing(nodes.publish_url(stream), live_clip()):
        url = f"{nodes.streams_url}/{stream.public_id}"

        async def shown() -> bool:
            told = (await client.get(url, auth=nodes.auth)).json()
            return (await client.get(told["assets"]["hls"])).status_code == 200

        await until(shown)
        for each in (stream.master_url, stream.playlist_url):
            assert (await client.get(each)).status_code == 404
        await nodes.complete(client, stream)


async def test_viewers_elsewhere_do_not_lose_an_event_whose_node_dies(
    nodes: Nodes, client: httpx.AsyncClient
) -> None:
    stream = await nodes.stream(client)
    viewer = Viewer(client, stream)
    async with publishing(nodes.publish_url(stream), live_clip()):
        await until(viewer.playable)
        await viewer.reload()
        await viewer.follow(6)
        kill_family(nodes.live.process.pid)
    nodes.live.stop()
    session = session_of(viewer)
    await viewer.reload()  # they keep what there is
    assert session_of(viewer) == session
    nodes.start_live()  # at another port, which the database tells
    async with publishing(nodes.publish_url(stream), live_clip()):

        async def goes_on() -> bool:
            return "#EXT-X-DISCONTINUITY\n" in await viewer.reload()

        await until(goes_on)
        assert session_of(viewer) == session
        await viewer.follow(4)
    await nodes.complete(client, stream)


async def refused(url: str) -> bool:
    """Try to publish as encoders do; tell whether that was refused."""
    async with publishing(url, live_clip()) as encoder, asyncio.timeout(PATIENCE_S):
        assert encoder.stderr is not None
        told = await encoder.stderr.read()
        return await encoder.wait() != 0 and b"refused" in told


async def test_an_event_goes_on_whichever_node_its_encoder_comes_to(
    nodes: Nodes, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    stream = await nodes.stream(client)
    viewer = Viewer(client, stream)
    other = live_node(tmp_path / "other", nodes.settings)
    url = f"{other.rtmp_url}/{stream.key}"

    async def goes_on() -> bool:
        return "#EXT-X-DISCONTINUITY\n" in await viewer.reload()

    async with publishing(nodes.publish_url(stream), live_clip()) as first:
        await until(viewer.playable)
        await viewer.reload()
        session = session_of(viewer)
        assert await refused(url)
        await viewer.follow(4)  # and nobody noticed
        with frozen(first.pid):  # without a word, as a network that is gone

            async def taken() -> bool:
                async with publishing(url, live_clip()) as second:
                    while second.returncode is None:
                        if await goes_on():
                            assert await refused(nodes.publish_url(stream))
                            assert (await health_of(client, stream))["publishing"] is True
                            await viewer.follow(4)
                            return True
                return False

            await until(taken)
    assert session_of(viewer) == session
    log = other.log.read_text()
    assert "broadcast started" not in log
    await nodes.complete(client, stream)
    videos = f"{stream.server.base_url}/videos?liveStreamId={stream.public_id}"

    async def recorded() -> bool:
        found = (await client.get(videos, auth=nodes.auth)).json()["data"]
        return len(found) == 1

    await until(recorded)
    assert other.stop() == Exit.DONE


async def test_another_node_takes_encoders_whose_node_does_not_answer(
    nodes: Nodes, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    stream = await nodes.stream(client)
    viewer = Viewer(client, stream)
    async with publishing(nodes.publish_url(stream), live_clip()):
        await until(viewer.playable)
        await viewer.reload()
        before = session_of(viewer)
        other = live_node(tmp_path / "other", nodes.settings)
        with frozen(child(nodes.live.process.pid, is_live)):

            async def watched_anew() -> bool:
                answer = await client.get(stream.playlist_url)
                return answer.status_code == 200 and before not in answer.text

            async def taken() -> bool:
                """Publish as encoders do, which come again after they were refused."""
                url = f"{other.rtmp_url}/{stream.key}"
                async with publishing(url, live_clip()) as encoder:
                    while encoder.returncode is None:
                        if await watched_anew():
                            return True
                return False

            await until(taken)

        async def gives_it_up() -> bool:  # the one that was held still
            lines = nodes.live.log.read_text().splitlines()
            return any("broadcast ended" in line and stream.public_id in line for line in lines)

        await until(gives_it_up)
        assert "broadcast lost" in nodes.live.log.read_text()
    await nodes.complete(client, stream)
    assert other.stop() == Exit.DONE
