"""A Telecine of this module's own, whose settings let live streams out and in otherwise."""

import re
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import select

from telecine.domains.live_streams.models import Broadcast, LiveStream, Recording
from telecine.domains.live_streams.restreams import Restream
from telecine.domains.sources.models import Source
from telecine.formats.mp4.multitrack import whole_fragments
from tests.chaos.killing import child, is_live, kill
from tests.chaos.test_live_death import media_ms
from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.live_rules import observed
from tests.fixtures.server import TelecineServer, running_telecine
from tests.fixtures.stored import stored_object
from tests.fixtures.waiting import until
from tests.integration.live.test_on_air import streams_of
from tests.integration.live.test_srt import refused

PASSPHRASE = "a word of at least ten"

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TelecineServer]:
    data = tmp_path_factory.mktemp("doors") / "data"
    settings = {"TELECINE_OUTBOUND_ALLOW": "127.0.0.0/8", "TELECINE_SRT_PASSPHRASE": PASSPHRASE}
    with running_telecine(data, settings) as (_, server):
        yield server


@pytest.fixture
async def client(server: TelecineServer) -> AsyncIterator[httpx.AsyncClient]:
    async with observed(server.base_url) as client:
        yield client


def operator(server: TelecineServer) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.operator_key}"}


async def restreams_of(client: httpx.AsyncClient, stream: OnAir) -> dict[str, Any]:
    answer = await client.get(
        f"/_/live-streams/{stream.public_id}/restreams", headers=operator(stream.server)
    )
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert stream.key not in answer.text
    return told


async def check_health(client: httpx.AsyncClient, stream: OnAir) -> None:
    path = f"/_/live-streams/{stream.public_id}/health"

    async def told() -> dict[str, Any]:
        health: dict[str, Any] = (await client.get(path, headers=operator(stream.server))).json()
        return health

    async def steady() -> bool:  # an encoder that was late hurries for a while
        health = (await told())["health"]
        return bool(health["frameRate"] > 20 and 100_000 < health["bitrate"] < 2_000_000)

    await until(steady)
    found = await told()
    assert found["onAir"]
    health = found["health"]
    assert health["publishing"]
    assert health["protocol"] == "rtmp"
    assert [each["type"] for each in health["tracks"]] == ["video", "audio"]
    assert (health["tracks"][0]["width"], health["tracks"][0]["height"]) == (320, 180)
    assert health["keyFrameDistanceMs"] == pytest.approx(1000, abs=40)


async def test_where_encoders_publish_to(server: TelecineServer, client: httpx.AsyncClient) -> None:
    told = await client.get("/_/ingest", headers=operator(server))
    urls = [each["url"] for each in told.json()["data"]]
    assert urls == [server.rtmp_url, server.rtmps_url, f"{server.srt_url}?streamid="]


async def test_an_event_is_sent_on_and_edits_act_while_it_is_on_the_air(
    server: TelecineServer, client: httpx.AsyncClient
) -> None:
    second = await make_live_stream(server)
    wanted = {"name": "second", "serverUrl": server.rtmp_url, "streamKey": second.key}
    wrong = Restream("wrong", server.rtmp_url, "no such key")
    stream = await make_live_stream(server, wrong)
    told = await restreams_of(client, stream)
    assert [(each["name"], each["state"]) for each in told["data"]] == [("wrong", "off")]

    async def states(*expected: str) -> bool:
        return [each["state"] for each in (await restreams_of(client, stream))["data"]] == [
            *expected
        ]

    async def edit(*targets: dict[str, str]) -> None:
        path, auth = f"/live-streams/{stream.public_id}", (server.production_key, "")
        changed = await client.patch(path, json={"restreams": targets}, auth=auth)
        assert changed.status_code == 200, changed.text

    async with publishing(stream.publish_url, live_clip()):
        await until(lambda: states("waiting"))
        (refused,) = (await restreams_of(client, stream))["data"]
        assert "refused" in refused["reason"]
        await edit(wanted)
        await until(lambda: states("live"))

        async def watched() -> bool:
            return (await client.get(second.master_url)).status_code == 200

        await until(watched)
        await check_health(client, stream)
        text = (await client.get(second.master_url)).text
        assert "avc1" in text
        assert "mp4a" in text
        await edit()
        await until(states)
    await stream.complete()
    await second.complete()
    assert second.key not in server.log.read_text()


async def test_the_status_of_an_unknown_stream(
    server: TelecineServer, client: httpx.AsyncClient
) -> None:
    for name in ("restreams", "health"):
        path = f"/_/live-streams/li{'0' * 22}/{name}"
        assert (await client.get(path, headers=operator(server))).status_code == 404
        assert (await client.get(path, auth=(server.production_key, ""))).status_code == 401


async def test_encoders_publish_by_rtmps(server: TelecineServer, client: httpx.AsyncClient) -> None:
    stream = await make_live_stream(server)
    url = f"{server.rtmps_url}/{stream.key}"
    async with publishing(url, live_clip(), after=("-c", "copy", "-tls_verify", "0")):

        async def watched() -> bool:
            return (await client.get(stream.master_url)).status_code == 200

        await until(watched)
    await stream.complete()
    log = server.log.read_text()
    assert "self-signed certificate made" in log
    assert stream.key not in log


async def test_srt_with_a_passphrase_and_sent_on_by_rtmp(
    server: TelecineServer, client: httpx.AsyncClient
) -> None:
    second = await make_live_stream(server)
    stream = await make_live_stream(server, Restream("second", server.rtmp_url, second.key))
    url = f"{server.srt_url}?streamid={stream.key}"
    assert "Password required" in await refused(url)
    assert "Incorrect passphrase" in await refused(f"{url}&passphrase={PASSPHRASE[::-1]}")
    # Keys change about once a second.
    keys = "pbkeylen=32&kmrefreshrate=100&kmpreannounce=40&latency=2000000"
    encrypted = f"{url}&passphrase={PASSPHRASE}&{keys}"
    async with publishing(encrypted, live_clip(), form="mpegts"):

        async def watched() -> bool:
            return (await client.get(second.master_url)).status_code == 200

        await until(watched)

        async def changed() -> bool:
            path = f"/_/live-streams/{stream.public_id}/health"
            health = (await client.get(path, headers=operator(server))).json()["health"]
            # Two seconds of latency, as a busy machine holds packets up.
            assert health["interruptions"] == health["link"]["droppedPackets"] == 0
            return bool(health["link"]["receivedPackets"] > 250)

        await until(changed)
    await stream.complete()
    await second.complete()
    log = server.log.read_text()
    assert PASSPHRASE not in log
    assert stream.key not in log


async def test_the_newest_key_frame_is_the_thumbnail_while_on_the_air(
    server: TelecineServer, client: httpx.AsyncClient
) -> None:
    stream = await make_live_stream(server)
    uploaded = BytesIO()
    Image.new("RGB", (64, 36)).save(uploaded, "JPEG")
    path, auth = f"/live-streams/{stream.public_id}/thumbnail", (server.production_key, "")
    sent = await client.post(path, files={"file": ("a.jpg", uploaded.getvalue())}, auth=auth)
    assert sent.status_code == 201, sent.text
    url = f"/live/{stream.public_id}/thumbnail.jpg"

    async def size_px() -> tuple[int, int]:
        answer = await client.get(url)
        assert answer.status_code == 200
        return Image.open(BytesIO(answer.content)).size

    assert await size_px() == (64, 36)
    async with publishing(stream.publish_url, live_clip()):

        async def shown() -> bool:
            return await size_px() == (320, 180)

        await until(shown)
    await stream.complete()

    async def uploaded_again() -> bool:
        return await size_px() == (64, 36)

    await until(uploaded_again)


async def test_a_killed_process_costs_one_part_of_the_recording(
    server: TelecineServer, client: httpx.AsyncClient
) -> None:
    stream = await make_live_stream(server)
    folder = server.data / "media" / "live"
    others = {*folder.rglob("*")}
    async with publishing(stream.publish_url, live_clip()):

        async def seen_ms() -> float:
            """Return how long the media is that a viewer has been told of."""
            text = (await client.get(stream.playlist_url)).text
            return media_ms(text)

        async def written() -> bool:
            fresh = [each for each in folder.rglob("*") if each.is_file() and each not in others]
            return any(whole_fragments(each.read_bytes()).duration_s > 3 for each in fresh)

        await until(written)
        before_ms = await seen_ms()
        kill(child(server.pid, is_live))
    await stream.complete()  # its encoder has not come back

    async def source() -> Source | None:
        rows = (
            select(Source)
            .join(Recording, Source.prefix.contains(Recording.video_public_id))
            .join(Broadcast, Broadcast.id == Recording.broadcast_id)
            .join(LiveStream, LiveStream.id == Broadcast.live_stream_id)
            .where(LiveStream.public_id == stream.public_id)
        )
        async with stream.database() as db, db.transaction() as tx:
            return await tx.scalar(rows)

    async def finished() -> bool:
        return await source() is not None

    await until(finished)
    found = await source()
    assert found is not None
    (extent,) = found.extents
    whole = whole_fragments(stored_object(server, extent["key"]))
    # To the begin of the last fragment: that one, and the one that may be lost, are missing.
    assert whole.duration_s * 1000 >= before_ms - 2 * 210
    async with publishing(stream.publish_url, live_clip()):  # the key can be used again

        async def watched() -> bool:
            return (await client.get(stream.master_url)).status_code == 200

        await until(watched)
    await stream.complete()


async def test_old_players_get_segments_of_mpeg_ts(
    server: TelecineServer, client: httpx.AsyncClient
) -> None:
    projects = (await client.get("/_/projects", headers=operator(server))).json()["data"]

    async def choose(form: str | None) -> None:
        for each in projects:
            path = f"/_/projects/{each['projectId']}/settings"
            told = await client.patch(path, json={"hlsFormat": form}, headers=operator(server))
            assert told.status_code == 200, told.text

    await choose("ts")
    stream = await make_live_stream(server)
    async with publishing(stream.publish_url, live_clip()):

        async def three() -> bool:
            return (await client.get(stream.playlist_url)).text.count(".ts\n") >= 3

        await until(three)
        text = (await client.get(stream.playlist_url)).text
        assert "EXT-X-PART" not in text
        names = re.findall(r"^\d+\.ts$", text, re.MULTILINE)
        folder = stream.playlist_url.rpartition("/")[0]
        found = [await client.get(f"{folder}/{name}") for name in names]
        assert {each.headers["content-type"] for each in found} == {"video/mp2t"}
        said = streams_of(b"".join(each.content for each in found))
        assert "320x180" in said
        assert "48000 Hz" in said
    await stream.complete()

    async def ended() -> bool:
        return "#EXT-X-ENDLIST" in (await client.get(stream.playlist_url)).text

    await until(ended)
    await choose(None)
