"""A full disk: nothing is stored, nothing is lost, and the caller is told which."""

import errno
import io
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from PIL import Image
from psycopg.errors import DiskFull
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from telecine.db.engine import Database
from telecine.domains.sources.models import Part, Source
from telecine.domains.videos import operations
from telecine.http.app import Api
from telecine.http.services import Services
from telecine.storage.local import LocalStore
from tests.fixtures.application import ProjectKeys, connect
from tests.integration.domains.videos.test_api import make

pytestmark = [pytest.mark.anyio, pytest.mark.disk]

SIZE_BYTES = 6 << 20


def check(reply: httpx.Response) -> None:
    assert reply.status_code == 507
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["retry-after"] == "60"
    assert reply.json()["type"].endswith("/insufficient-storage")
    assert reply.json()["status"] == 507


def file() -> dict[str, tuple[str, io.BytesIO]]:
    return {"file": ("a.mp4", io.BytesIO(bytes(SIZE_BYTES)))}


def files(services: Services) -> list[Path]:
    assert isinstance(services.store, LocalStore)
    return [path for path in services.store.root.rglob("*") if path.is_file()]


async def rows(db: Database) -> int:
    async with db.transaction() as tx:
        counts = [await tx.scalar(select(func.count()).select_from(t)) for t in (Source, Part)]
    return sum(count or 0 for count in counts)


@pytest.mark.parametrize("content_range", [None, "part 1/2", "bytes 0-6291455/9999999"])
@pytest.mark.parametrize("first_failure", [0, 1])
async def test_an_upload_that_finds_no_room_can_be_repeated(
    client: httpx.AsyncClient,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    content_range: str | None,
    first_failure: int,
) -> None:
    """The disk is full from the beginning, or after a megabyte."""
    path = f"/videos/{(await make(client))['videoId']}/source"
    headers = {} if content_range is None else {"Content-Range": content_range}
    written = 0
    write = os.writev

    def fail(descriptor: int, pieces: Sequence[bytes | memoryview]) -> int:
        nonlocal written
        written += 1
        if written > first_failure:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, pieces)

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", fail)
        check(await client.post(path, files=file(), headers=headers))
    assert files(services) == []
    assert await rows(services.db) == 0
    assert (await client.post(path, files=file(), headers=headers)).status_code == 201


async def test_the_reserve_is_kept_for_the_database(
    client: httpx.AsyncClient, app: Api, services: Services, project: ProjectKeys
) -> None:
    path = f"/videos/{(await make(client))['videoId']}"
    assert isinstance(services.store, LocalStore)
    app.state.services = replace(services, store=LocalStore(services.store.root, 1 << 62))
    picture = io.BytesIO()
    Image.new("RGB", (16, 16)).save(picture, "JPEG")
    async with connect(app, project.production_key) as other:
        check(await other.post(f"{path}/source", files=file()))
        check(await other.post(f"{path}/thumbnail", files={"file": ("a.jpg", picture.getvalue())}))
        assert (await other.patch(path, json={"title": "Still possible"})).status_code == 200
        assert (await other.delete(path)).status_code == 204
    assert files(services) == []


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("INSERT", {}, DiskFull()),
        DiskFull(),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    ],
)
async def test_a_database_without_room_is_told_alike(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(operations, "create_video", fail)
        check(await client.post("/videos", json={"title": "t"}, headers={"Idempotency-Key": "k"}))
    reply = await client.post("/videos", json={"title": "t"}, headers={"Idempotency-Key": "k"})
    assert reply.status_code == 201
    assert "idempotent-replayed" not in reply.headers


async def test_other_failures_of_the_system_are_bugs(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(operations, "create_video", fail)
    assert (await client.post("/videos", json={"title": "t"})).status_code == 500
