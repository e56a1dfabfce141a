"""What really happens, as receivers and readers of the list are told of it: byte for byte."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from telecine.db.engine import Database, Transaction
from telecine.domains.encodings import recording
from telecine.domains.encodings.models import Asset
from telecine.domains.live_streams import broadcasting
from telecine.domains.live_streams.broadcasting import Finished
from telecine.domains.videos import operations as videos
from telecine.domains.webhooks.events import OWN, PUBLIC
from telecine.domains.webhooks.models import Event
from tests.fixtures.application import OPERATOR_KEY, ProjectKeys
from tests.fixtures.origin import Asked
from tests.fixtures.waiting import until
from tests.integration.domains.encodings.test_recording import FACTS, make_plan, quality
from tests.integration.domains.webhooks.telling import delivering, receiving, subscribe

pytestmark = pytest.mark.anyio

EMITTED = re.compile(r'"emittedAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"')
COPIED = {"720p": FACTS, "audio": FACTS}

Told = dict[str, list[str]]
"""Bodies by media, the time of each left out."""


async def make_video(client: httpx.AsyncClient) -> str:
    reply = await client.post("/videos", json={"title": "A video"})
    assert reply.status_code == 201, reply.text
    video_id: str = reply.json()["videoId"]
    return video_id


async def upload(client: httpx.AsyncClient) -> str:
    """Return the id of a video whose source is complete."""
    video_id = await make_video(client)
    files = {"file": ("clip.mp4", b"media")}
    reply = await client.post(f"/videos/{video_id}/source", files=files)
    assert reply.status_code == 201, reply.text
    return video_id


async def asset_of(tx: Transaction, video_id: str) -> Asset:
    return (await tx.scalars(select(Asset).where(Asset.public_id == video_id))).one()


async def plan_copies(db: Database, video_id: str) -> None:
    """Have it found out that a video needs no encoding."""
    async with db.transaction() as tx:
        asset = await asset_of(tx, video_id)
        plan = make_plan(quality("720p", passthrough=True))
        await recording.record_plan(tx, asset.id, plan, 1, COPIED, {}, 8.0)


async def broadcast(client: httpx.AsyncClient, db: Database, project: ProjectKeys) -> str:
    """Return the id of a stream that went on air and off again, and was recorded as `virec`."""
    stream_id: str = (await client.post("/live-streams", json={"name": "s"})).json()["liveStreamId"]
    async with db.transaction() as tx:
        event = await broadcasting.begin(tx, project.production_id, stream_id, "here")
        assert event is not None
        row = await broadcasting.begin_recording(tx, event.id, "live/file", kept=True)
    async with db.transaction() as tx:
        await broadcasting.end(tx, event.id)
    async with db.transaction() as tx:
        key = broadcasting.video_key(project.production_id, "virec")
        await broadcasting.recorded(tx, Finished(row.id, 1234, 5.0), "virec", key)
    await plan_copies(db, "virec")
    return stream_id


def without_time(body: bytes) -> str:
    text, count = EMITTED.subn('"emittedAt":""', body.decode())
    assert count == 1, body
    return text


def once_each(asked: list[Asked]) -> list[Asked]:
    """Leave out what came again, as it may on a machine that stood still."""
    first: dict[str, Asked] = {}
    for each in asked:
        first.setdefault(each.headers["x-telecine-event"], each)
    return [*first.values()]


def by_media(asked: list[Asked]) -> Told:
    told: Told = {}
    for each in once_each(asked):
        body = json.loads(each.body)
        of_stream = body["type"].startswith("live-stream.") or body["type"].endswith(".recorded")
        media_id = body["liveStreamId"] if of_stream else body["videoId"]
        told.setdefault(media_id, []).append(without_time(each.body))
    return told


async def listed(anonymous: httpx.AsyncClient) -> Told:
    """Return what the list of events has, in the same form."""
    headers = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    page = await anonymous.get("/_/events?limit=1000", headers=headers)
    told: Told = {}
    for event in page.raise_for_status().json()["data"]:
        payload = json.dumps(event["payload"], separators=(",", ":")).encode()
        told.setdefault(event["mediaId"], []).append(without_time(payload))
        assert event["type"] == event["payload"]["type"]
    return told


def only_public(told: Told) -> Told:
    """Return what a receiver gets that names the six of the contract."""
    left = {
        media_id: [body for body in bodies if json.loads(body)["type"] in PUBLIC]
        for media_id, bodies in told.items()
    }
    return {media_id: bodies for media_id, bodies in left.items() if bodies}


async def test_every_event_has_its_documented_members_in_their_order(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Database, project: ProjectKeys
) -> None:
    async with receiving() as everything, receiving() as contract, delivering(db):
        await subscribe(db, project.production_id, everything.origin.url(), *PUBLIC, *OWN)
        await subscribe(db, project.production_id, contract.origin.url(), *PUBLIC)
        copied = await upload(client)
        await plan_copies(db, copied)
        assert (await client.delete(f"/videos/{copied}")).status_code == 204
        broken = await upload(client)
        async with db.transaction() as tx:
            await recording.record_failure(tx, (await asset_of(tx, broken)).id, "not a video")
        partly = await upload(client)
        async with db.transaction() as tx:
            asset = await asset_of(tx, partly)
            await recording.record_plan(tx, asset.id, make_plan(quality("240p")), 1, {}, {}, 8.0)
        async with db.transaction() as tx:
            await recording.fail_renditions(tx, asset.id, {"240p"}, "why")
        stream = await broadcast(client, db, project)

        def plain(event: str, video_id: str) -> str:
            return f'{{"type":"{event}","emittedAt":"","videoId":"{video_id}"}}'

        def completed(video_id: str, encoding: str, more: str = "") -> str:
            return (
                f'{{"type":"video.encoding.quality.completed","emittedAt":"","videoId":"{video_id}"'
                f'{more},"encoding":"{encoding}","quality":"720p"}}'
            )

        def failed(video_id: str, qualities: str, reason: str) -> str:
            return (
                f'{{"type":"video.encoding.failed","emittedAt":"","videoId":"{video_id}"'
                f',"qualities":{qualities},"reason":"{reason}"}}'
            )

        def on_air(event: str, more: str = "") -> str:
            return f'{{"type":"{event}","emittedAt":"","liveStreamId":"{stream}"{more}}}'

        of_stream = f',"liveStreamId":"{stream}"'
        expected = {
            copied: [
                plain("video.source.uploaded", copied),
                plain("video.playable", copied),
                completed(copied, "hls"),
                completed(copied, "mp4"),
                plain("video.deleted", copied),
            ],
            broken: [plain("video.source.uploaded", broken), failed(broken, "[]", "not a video")],
            partly: [
                plain("video.source.uploaded", partly),
                plain("video.playable", partly),
                failed(partly, '["240p"]', "why"),
            ],
            stream: [
                on_air("live-stream.broadcast.started"),
                on_air("live-stream.broadcast.ended"),
                on_air("video.source.recorded", ',"videoId":"virec"'),
            ],
            "virec": [
                plain("video.source.uploaded", "virec"),
                plain("video.playable", "virec"),
                completed("virec", "hls", of_stream),
                completed("virec", "mp4", of_stream),
            ],
        }

        async def all_told() -> bool:
            pairs = ((everything, expected), (contract, only_public(expected)))
            return all(
                len(once_each(receiver.origin.asked)) >= sum(map(len, told.values()))
                for receiver, told in pairs
            )

        await until(all_told)
        assert by_media(everything.origin.asked) == expected
        assert by_media(contract.origin.asked) == only_public(expected)
        assert await listed(anonymous) == expected


def break_off() -> None:
    raise RuntimeError("the transaction breaks off")


Change = Callable[[Transaction], Awaitable[Any]]


async def test_a_change_that_is_taken_back_leaves_no_event(
    client: httpx.AsyncClient, db: Database, project: ProjectKeys
) -> None:
    video_id, made = await upload(client), await client.post("/live-streams", json={"name": "s"})
    stream_id = made.json()["liveStreamId"]
    async with db.transaction() as tx:
        asset_id = (await asset_of(tx, video_id)).id
    plan = make_plan(quality("720p", passthrough=True))
    changes: list[Change] = [
        lambda tx: videos.delete_video(tx, project.production_id, video_id),
        lambda tx: broadcasting.begin(tx, project.production_id, stream_id, "here"),
        lambda tx: recording.record_plan(tx, asset_id, plan, 1, COPIED, {}, 8.0),
        lambda tx: recording.record_failure(tx, asset_id, "not a video"),
    ]

    async def state() -> Any:
        answers = [
            await client.get(path)
            for path in (
                f"/videos/{video_id}",
                f"/videos/{video_id}/status",
                f"/live-streams/{stream_id}",
            )
        ]
        async with db.transaction() as tx:
            types = list(await tx.scalars(select(Event.type)))
        return [answer.raise_for_status().json() for answer in answers], types

    async def begin_and_break_off(change: Change, known: int) -> None:
        async with db.transaction() as tx:
            await change(tx)
            await tx.flush()
            written = await tx.scalar(select(func.count()).select_from(Event))
            assert written is not None
            assert written > known
            break_off()

    before = await state()
    for change in changes:
        with pytest.raises(RuntimeError, match="breaks off"):
            await begin_and_break_off(change, len(before[1]))
        assert await state() == before
    assert before[1] == ["video.source.uploaded"]


async def test_a_change_whose_event_cannot_be_written_does_not_happen(
    client: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_id = await make_video(client)

    async def broken(*_: Any) -> None:
        break_off()

    with monkeypatch.context() as patch:
        patch.setattr(videos, "announce", broken)
        assert (await client.delete(f"/videos/{video_id}")).status_code == 500
    assert (await client.get(f"/videos/{video_id}")).status_code == 200
    assert (await client.delete(f"/videos/{video_id}")).status_code == 204
    async with db.transaction() as tx:
        assert list(await tx.scalars(select(Event.type))) == ["video.deleted"]
