"""A Telecine of this module's own, whose settings let live streams out and in otherwise."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from telecine.domains.live_streams.restreams import Restream
from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.server import TelecineServer, running_telecine
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TelecineServer]:
    data = tmp_path_factory.mktemp("doors") / "data"
    with running_telecine(data, {"TELECINE_OUTBOUND_ALLOW": "127.0.0.0/8"}) as (_, server):
        yield server


@pytest.fixture
async def client(server: TelecineServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.base_url, timeout=30) as client:
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
    path = f"/_/live-streams/li{'0' * 22}/restreams"
    assert (await client.get(path, headers=operator(server))).status_code == 404
    assert (await client.get(path, auth=(server.production_key, ""))).status_code == 401
