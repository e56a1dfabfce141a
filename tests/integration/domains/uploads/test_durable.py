"""What is answered is on the disk: every byte, and every name on the way to it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from starlette.types import Message, Receive, Scope, Send

from telecine.domains.sources.models import Part
from telecine.http import batches
from telecine.http.app import Api
from telecine.storage.extents import Extent
from telecine.storage.local import LocalStore
from tests.integration.domains.uploads.resuming import Resumer
from tests.integration.domains.uploads.sending import Uploads
from tests.integration.domains.uploads.visiting import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.disk]


@dataclass(frozen=True)
class Event:
    """What happened to a file or folder; `names` are those in a folder that is synced."""

    what: str
    inode: int = 0
    names: Sequence[str] = ()


@dataclass
class Journal:
    """What the process did with its disk and told its clients, in order."""

    root: Path
    events: list[Event] = field(default_factory=list)

    def note(self, what: str, descriptor: int) -> None:
        folder = Path(f"/proc/self/fd/{descriptor}")
        names = [each.name for each in folder.iterdir()] if folder.is_dir() else ()
        self.events.append(Event(what, os.fstat(descriptor).st_ino, names))

    def assert_durable(self, path: Path) -> None:
        """Check that nothing of a file was new when the last answer began."""
        answered = max(n for n, event in enumerate(self.events) if event.what == "answered")
        before = self.events[:answered]
        inode = path.stat().st_ino
        written = max(n for n, e in enumerate(before) if (e.what, e.inode) == ("written", inode))
        assert Event("synced", inode) in before[written:], "the bytes"
        while path != self.root.parent:
            folder = path.parent.stat().st_ino
            assert any(
                event.what == "synced" and event.inode == folder and path.name in event.names
                for event in before
            ), f"the name of {path}"
            path = path.parent


@pytest.fixture
def journal(app: Api, monkeypatch: pytest.MonkeyPatch) -> Journal:
    store = app.state.services.store
    assert isinstance(store, LocalStore)
    journal = Journal(store.root)

    def noting(what: str, call: Any) -> Any:
        def noted(descriptor: int, *arguments: Any) -> Any:
            done = call(descriptor, *arguments)
            journal.note(what, descriptor)
            return done

        return noted

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, noting("synced", getattr(os, name)))
    monkeypatch.setattr(os, "writev", noting("written", os.writev))
    answer = Api.__call__

    async def answered(self: Api, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                journal.events.append(Event("answered"))
            await send(message)

        await answer(self, scope, receive, noted)

    monkeypatch.setattr(Api, "__call__", answered)
    return journal


async def parts(uploads: Uploads | Resumer | Visitor) -> list[Path]:
    """Return the files of all stored parts, once each."""
    async with uploads.db.transaction() as tx:
        found = await tx.scalars(select(Part.extents).where(Part.stored_at.is_not(None)))
    store = uploads.services.store
    assert isinstance(store, LocalStore)
    keys = {Extent.from_json(each).key for extents in found for each in extents}
    return [store.local_path(key) for key in sorted(keys)]


async def test_a_whole_file(uploads: Uploads, journal: Journal) -> None:
    await uploads.accept(b"m" * 100_000)
    (path,) = await parts(uploads)
    journal.assert_durable(path)


@pytest.mark.parametrize(
    "headers",
    [
        ("part 1/3", "part 2/3", "part 3/3"),
        ("part 3/3", "part 2/3", "part 1/3"),  # the first two know of no place
        ("bytes 0-99/300", "bytes 100-199/300", "bytes 200-299/300"),
        ("bytes 200-299/*", "bytes 0-99/300", "bytes 100-199/300"),
    ],
)
async def test_each_part(uploads: Uploads, journal: Journal, headers: Sequence[str]) -> None:
    seen: set[Path] = set()
    for header in headers:
        await uploads.accept(b"m" * 100, header)
        new = [path for path in await parts(uploads) if path not in seen]
        for path in new or seen:
            journal.assert_durable(path)
        seen.update(new)
    assert await uploads.content() == b"m" * 300


@pytest.mark.parametrize("before", [True, False])
async def test_a_file_on_a_token(
    visitor: Visitor, client: httpx.AsyncClient, journal: Journal, before: bool
) -> None:
    video_id = (await client.post("/videos", json={"title": "Named"})).json()["videoId"]
    await visitor.accept(b"m" * 500)
    await visitor.accept(b"m" * 500, video_id=video_id, before=before)
    for path in await parts(visitor):
        if video_id in path.parts:
            journal.assert_durable(path)


async def test_a_stretch_by_tus(resumer: Resumer, journal: Journal) -> None:
    path = await resumer.create(300)
    for offset in (0, 100, 200):
        assert await resumer.append(path, offset, b"m" * 100) == offset + 100
        (file,) = await parts(resumer)
        journal.assert_durable(file)


async def test_the_offset_after_a_cut(
    resumer: Resumer, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a client learns from HEAD was on the disk before it was recorded."""
    monkeypatch.setattr(batches, "MOST_BYTES", 16)
    path = await resumer.create(300)
    await resumer.append_and_cut(path, 0, [b"m" * 100, b"m" * 50], 300)
    assert await resumer.offset(path) == 150
    (file,) = await parts(resumer)
    journal.assert_durable(file)
