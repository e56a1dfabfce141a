"""What customers do to a live stream while somebody publishes to it, over HTTP."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from telecine.domains.live_streams.models import Broadcast, LiveStream, Recording
from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.live_rules import observed
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def viewer(telecine_server: TelecineServer) -> AsyncIterator[httpx.AsyncClient]:
    async with observed(telecine_server.base_url) as client:
        yield client


class Customer:
    """The owner of a live stream."""

    def __init__(self, http: httpx.AsyncClient, stream: OnAir) -> None:
        self._http = http
        self._path = f"/live-streams/{stream.public_id}"
        self._auth = (stream.server.production_key, "")

    async def ask(self, method: str, rest: str = "", **json: object) -> httpx.Response:
        body = json or None
        return await self._http.request(method, self._path + rest, json=body, auth=self._auth)

    async def is_broadcasting(self) -> bool:
        answer = await self.ask("GET")
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["broadcasting"])

    async def is_idle(self) -> bool:
        return not await self.is_broadcasting()


async def test_an_event_of_a_project_that_is_suspended_ends(
    viewer: httpx.AsyncClient, telecine_server: TelecineServer
) -> None:
    operator = {"Authorization": f"Bearer {telecine_server.operator_key}"}
    made = await viewer.post("/_/projects", json={"name": "Late payers"}, headers=operator)
    path = f"/_/projects/{made.json()['projectId']}"
    made = await viewer.post(f"{path}/keys", json={}, headers=operator)
    server = replace(telecine_server, production_key=made.json()["apiKey"])
    stream = await make_live_stream(server)

    async def watched() -> bool:
        return (await viewer.get(stream.playlist_url)).status_code == 200

    async def refused() -> bool:
        return (await viewer.get(stream.playlist_url)).status_code == 404

    async def over() -> bool:
        health = f"/_/live-streams/{stream.public_id}/health"
        return not (await viewer.get(health, headers=operator)).json()["onAir"]

    async with publishing(stream.publish_url, live_clip()):
        await until(watched)
        assert not await over()
        await viewer.patch(path, json={"suspended": True}, headers=operator)
        await until(refused)
        await until(over)
        await viewer.patch(path, json={"suspended": False}, headers=operator)
        await until(Customer(viewer, stream).is_idle)


async def test_an_event_from_begin_to_end_and_the_next_one(
    viewer: httpx.AsyncClient, telecine_server: TelecineServer
) -> None:
    stream = await make_live_stream(telecine_server)
    customer = Customer(viewer, stream)
    assert not await customer.is_broadcasting()

    async def watched() -> bool:
        return (await viewer.get(stream.playlist_url)).status_code == 200

    async def refused() -> bool:
        return (await viewer.get(stream.playlist_url)).status_code == 404

    async with publishing(stream.publish_url, live_clip()):
        await until(customer.is_broadcasting)
        await until(watched)
        text = (await viewer.get(stream.playlist_url)).text
        names = re.findall(r'URI="(\w+-(?:init-)?[\d.]+(?:m4s|mp4))"', text)
        names += re.findall(r"^[^#].*m4s$", text, re.MULTILINE)
        folder = stream.playlist_url.rpartition("/")[0]
        assert (await customer.ask("PATCH", public=False)).json()["public"] is False
        await until(refused)
        for name in names[:4] + names[-1:]:
            assert (await viewer.get(f"{folder}/{name}")).status_code == 404, name
        assert (await viewer.get(stream.master_url)).status_code == 404
        await customer.ask("PATCH", public=True, name="Renamed")
        await until(watched)
        assert await customer.is_broadcasting()
        assert (await customer.ask("PUT", "/complete")).status_code == 202
        await until(customer.is_idle)
        ended = (await viewer.get(stream.playlist_url)).text
        assert "#EXT-X-ENDLIST" in ended
        assert (await customer.ask("PUT", "/complete")).status_code == 202  # nothing happens
    async with publishing(stream.publish_url, live_clip()):  # the key is free at once
        await until(customer.is_broadcasting)

        async def another() -> bool:
            text = (await viewer.get(stream.playlist_url)).text
            return "#EXT-X-ENDLIST" not in text

        await until(another)
        assert (await customer.ask("DELETE")).status_code == 204
        await until(refused)
        assert (await customer.ask("GET")).status_code == 404

        async def over() -> bool:
            async with stream.database() as db, db.transaction() as tx:
                rows = (
                    select(Broadcast)
                    .join(LiveStream, LiveStream.id == Broadcast.live_stream_id)
                    .where(LiveStream.public_id == stream.public_id)
                )
                return all(each.ended_at is not None for each in await tx.scalars(rows))

        await until(over)


async def test_what_is_not_to_be_recorded_becomes_no_video(
    viewer: httpx.AsyncClient, telecine_server: TelecineServer
) -> None:
    stream = await make_live_stream(telecine_server, record=False)
    customer = Customer(viewer, stream)

    async def recordings() -> list[Recording]:
        async with stream.database() as db, db.transaction() as tx:
            rows = (
                select(Recording)
                .join(Broadcast, Broadcast.id == Recording.broadcast_id)
                .join(LiveStream, LiveStream.id == Broadcast.live_stream_id)
                .where(LiveStream.public_id == stream.public_id)
            )
            return [*await tx.scalars(rows)]

    async def three() -> bool:
        answer = await viewer.get(stream.playlist_url)
        return answer.text.count("#EXTINF") >= 3

    async with publishing(stream.publish_url, live_clip()):
        await until(three)
        (begun, *_) = await recordings()
        assert begun.kept is False  # for viewers who go back
        # A change acts from the next event on.
        async with stream.database() as db, db.transaction() as tx:
            row = await tx.scalar(
                select(LiveStream).where(LiveStream.public_id == stream.public_id)
            )
            assert row is not None
            row.record = True
        await customer.ask("PUT", "/complete")
        await until(customer.is_idle)
    query: dict[str, Any] = {"liveStreamId": stream.public_id}
    auth = (telecine_server.production_key, "")
    listed = await viewer.get("/videos", params=query, auth=auth)
    assert listed.json()["data"] == []
    async with publishing(stream.publish_url, live_clip()):
        await until(customer.is_broadcasting)

        async def kept() -> bool:
            return any(each.kept for each in await recordings())

        await until(kept)
    await stream.complete()
