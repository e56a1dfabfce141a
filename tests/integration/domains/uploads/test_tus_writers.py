"""One request writes at a time; the next one takes over, from the living and from the dead."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select, update
from starlette.types import Message

from telecine import clock, ids
from telecine.domains.sources.models import Source
from telecine.domains.uploads.models import UploadWriter
from telecine.domains.uploads.tus import writing as tus_writing
from tests.fixtures.waiting import until
from tests.integration.domains.uploads.resuming import CHUNK, TUS, Resumer, scope_of

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(200))


class Slow:
    """A request that sends some bytes, and no more until it is told to."""

    def __init__(self, resumer: Resumer, path: str, offset: int) -> None:
        self.sent: list[Message] = []
        self.goes_on = asyncio.Event()
        self._resumer = resumer
        self._path = path
        self._offset = offset
        self._pieces = [CONTENT[offset : offset + 50], CONTENT[offset + 50 :]]

    async def run(self) -> None:
        authorization = httpx.BasicAuth(self._resumer.project.production_key, "")._auth_header
        headers = {**TUS, **CHUNK, "Authorization": authorization}
        headers |= {"Upload-Offset": str(self._offset), "Transfer-Encoding": "chunked"}
        scope = scope_of("PATCH", self._path, headers)
        await self._resumer.app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if len(self._pieces) == 1:
            await self.goes_on.wait()
        return {
            "type": "http.request",
            "body": self._pieces.pop(0),
            "more_body": bool(self._pieces),
        }

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    async def writes(self) -> bool:
        """Tell whether it has begun to."""
        return len(self._pieces) == 1


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus_writing, "BEAT_S", 0.05)


@pytest.mark.disk
@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
async def test_a_new_request_ends_the_old_one(resumer: Resumer, hasty: None, method: str) -> None:
    path = await resumer.create(200)
    old = Slow(resumer, path, 0)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(old.run())
        await until(old.writes)
        if method == "HEAD":
            assert await resumer.offset(path) == 50, "what the old one brought is kept"
        elif method == "PATCH":
            assert (await resumer.patch(path, 50, CONTENT[50:])).status_code == 204
        else:
            assert (await resumer.client.delete(path, headers=TUS)).status_code == 204
        await running
    assert old.status == 409
    if method != "DELETE":
        offset = await resumer.offset(path)
        await resumer.append(path, offset, CONTENT[offset:])
        assert await resumer.content(path) == CONTENT
        assert len(await resumer.objects()) == 1, "the place of the old one was given back"


async def put_writer(resumer: Resumer, age: timedelta) -> None:
    async with resumer.db.transaction() as tx:
        source_id = (await tx.scalars(select(Source.id))).one()
        seen_at = clock.now() - age
        tx.add(UploadWriter(source_id=source_id, id=ids.row_key(), ending=False, seen_at=seen_at))


async def test_the_dead_are_replaced(resumer: Resumer) -> None:
    path = await resumer.create(200)
    await resumer.append(path, 0, CONTENT[:10])
    await put_writer(resumer, tus_writing.DEAD_AFTER)
    assert await resumer.offset(path) == 10
    await resumer.append(path, 10, CONTENT[10:])
    assert await resumer.content(path) == CONTENT


async def test_the_dying_are_waited_for(resumer: Resumer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus_writing, "DEAD_AFTER", timedelta(seconds=0.4))
    path = await resumer.create(200)
    await resumer.append(path, 0, CONTENT[:10])
    await put_writer(resumer, timedelta(0))
    assert await resumer.offset(path) == 10


async def test_who_lives_and_does_not_end_keeps_others_out(
    resumer: Resumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tus_writing, "PATIENCE_S", 0.2)
    path = await resumer.create(200)
    await resumer.append(path, 0, CONTENT[:10])
    await put_writer(resumer, timedelta(0))
    for method in ("HEAD", "PATCH", "DELETE"):
        sent = {**TUS, **CHUNK, "Upload-Offset": "10"}
        reply = await resumer.client.request(method, path, headers=sent)
        assert reply.status_code == 423
        assert reply.headers["retry-after"] == "2"


async def test_who_was_taken_for_dead_records_nothing(resumer: Resumer) -> None:
    path = await resumer.create(200)
    await resumer.append(path, 0, CONTENT[:10])
    old = Slow(resumer, path, 10)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(old.run())
        await until(old.writes)
        async with resumer.db.transaction() as tx:
            await tx.execute(update(UploadWriter).values(seen_at=clock.now() - timedelta(hours=1)))
        assert await resumer.append(path, 10, CONTENT[10:20]) == 20
        old.goes_on.set()
        await running
    assert old.status == 409
    assert await resumer.offset(path) == 20
    await resumer.append(path, 20, CONTENT[20:])
    assert await resumer.content(path) == CONTENT
