"""What a killed process left behind is finished at the next start."""

import asyncio
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from telecine.db.engine import Database
from telecine.delivery.media import MediaCache
from telecine.domains.live_streams import events, operations
from telecine.domains.live_streams.events import StoredBroadcasts
from telecine.domains.live_streams.models import Broadcast, LiveStream, Recording
from telecine.domains.sources.models import Source
from telecine.domains.webhooks.models import Event
from telecine.live.broadcast import Broadcast as Live
from telecine.live.journal import SUFFIX, Journal, Left
from telecine.live.model import Init, Part
from telecine.live.packager import Packager
from telecine.live.ports import Stream
from telecine.live.recording_file import File
from telecine.live.studio import Studio
from telecine.sealing import Sealer
from telecine.storage.local import LocalStore
from telecine.storage.store import StoreError
from tests.fixtures.application import OPERATOR_KEY, ProjectKeys
from tests.fixtures.waiting import PATIENCE_S, until
from tests.unit.live.test_packager import AUDIO, VIDEO, merged, pictures, run, sounds
from tests.unit.live.test_studio import Encoder, feed

pytestmark = pytest.mark.anyio

SEALER = Sealer(["secret"])


class Begun(NamedTuple):
    """An event on the air: `broadcasts` is what its process writes down by."""

    store: LocalStore
    broadcasts: StoredBroadcasts
    row: LiveStream
    stream: Stream
    id: UUID


async def begun(db: Database, project: ProjectKeys, folder: Path) -> Begun:
    store = LocalStore(folder)
    broadcasts = StoredBroadcasts(db, store, store, "node", SEALER)
    sealer = Sealer(["s" * 32])
    async with db.transaction() as tx:
        row = await operations.create(tx, project.production_id, sealer, {"name": "Live"})
    stream = await broadcasts.authorise(sealer.open(row.sealed_key, row.public_id))
    assert stream is not None
    event = await broadcasts.started(stream)
    assert event is not None
    return Begun(store, broadcasts, row, stream, event)


async def recovered(successor: StoredBroadcasts, grace_s: float = 0.0) -> Sequence[Left]:
    """Let a process find what its predecessor left, and do with it what there is to do."""
    left = await successor.recover(grace_s)
    await successor.finish(left)
    return left.events


def media() -> list[bytes]:
    """Return the init segment and the parts of five seconds."""
    sent = [(0, VIDEO), (0, AUDIO), *merged(pictures(30, 5, gop_s=1), sounds(5))]
    return [each.data for each in run(Packager(200), sent) if isinstance(each, Init | Part)]


async def test_only_the_sandbox_is_cut(db: Database, project: ProjectKeys, tmp_path: Path) -> None:
    """Events after 30 minutes, what is sent on after 2."""
    store, sealer = LocalStore(tmp_path), Sealer(["s" * 32])
    broadcasts = StoredBroadcasts(db, store, store, "node", SEALER)
    limits = []
    for owner in (project.production_id, project.sandbox_id):
        async with db.transaction() as tx:
            row = await operations.create(tx, owner, sealer, {"name": "Live"})
        stream = await broadcasts.authorise(sealer.open(row.sealed_key, row.public_id))
        assert stream is not None
        limits.append((stream.longest_s, stream.longest_restream_s))
    assert limits == [(None, None), (1800.0, 120.0)]


async def test_a_recording_that_was_killed_becomes_a_video_of_its_whole_parts(
    db: Database, project: ProjectKeys, tmp_path: Path
) -> None:
    store, dead, _, _, event = await begun(db, project, tmp_path)
    place = await dead.recording_started(event, kept=True)
    written = media()
    whole = b"".join(written[:-1])
    path = store.local_path(place.key)
    path.parent.mkdir(parents=True)
    path.write_bytes(whole + written[-1][:-1])  # it died inside its last part
    (path.parent / "forgotten").write_bytes(b"of a recording that ended before")

    await recovered(StoredBroadcasts(db, store, store, "another", SEALER))
    assert path.exists()
    for _ in range(2):  # the second time finds nothing
        await recovered(StoredBroadcasts(db, store, store, "node", SEALER))
        async with db.transaction() as tx:
            source = (await tx.scalars(select(Source))).one()
            recording = (await tx.scalars(select(Recording))).one()
            ended = (await tx.scalars(select(Broadcast))).one()
        assert ended.ended_at is not None
        assert recording.video_public_id is not None
        assert source.size_bytes == len(whole)
        assert await store.read(source.extents[0]["key"]) == whole
        assert not list(path.parent.iterdir())


async def test_events_go_on_while_a_recording_of_hours_is_stored(
    db: Database, project: ProjectKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings, dead, _, stream, event = await begun(db, project, tmp_path / "recordings")
    store, stored = LocalStore(tmp_path / "store"), asyncio.Event()

    places = [await dead.recording_started(event, kept=True) for _ in range(2)]
    for place in places:
        file = File.create(recordings, place, b"".join(media()))
        file.close()
    alive = StoredBroadcasts(db, store, recordings, "node", SEALER)
    publish = alive._publish

    async def slowly(key: str, target: str) -> None:
        await stored.wait()
        if key == places[0].key:
            raise RuntimeError("nobody foresaw this")
        await publish(key, target)

    monkeypatch.setattr(alive, "_publish", slowly)
    left = await asyncio.wait_for(alive.recover(), PATIENCE_S)
    assert not left.events
    finishing = asyncio.ensure_future(alive.finish(left))
    again = await alive.started(stream)  # its key is free at once
    assert again is not None
    fresh = await alive.recording_started(again, kept=True)
    File.create(recordings, fresh, b"the next event").close()
    stored.set()
    await asyncio.wait_for(finishing, PATIENCE_S)
    assert recordings.local_path(fresh.key).read_bytes() == b"the next event"
    # One is tried again at the next start; the other one is a video.
    assert recordings.local_path(places[0].key).exists()
    assert not recordings.local_path(places[1].key).exists()
    async with db.transaction() as tx:
        rows = {row.key: row for row in await tx.scalars(select(Recording))}
    assert rows[places[0].key].ended_at is None
    assert rows[places[1].key].video_public_id is not None


async def test_a_recording_that_cannot_be_read_is_kept_for_a_person(
    db: Database,
    project: ProjectKeys,
    client: httpx.AsyncClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, dead, _, _, event = await begun(db, project, tmp_path)
    place = await dead.recording_started(event, kept=True)
    path = store.local_path(place.key)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"an hour of somebody's life")

    def broken_disk(_: Path) -> None:
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(events, "salvage", broken_disk)
    for _ in range(2):
        await recovered(StoredBroadcasts(db, store, store, "node", SEALER))
        async with db.transaction() as tx:
            recording = (await tx.scalars(select(Recording))).one()
        assert recording.failure is not None
        assert "I/O error" in recording.failure
        status = (await client.get(f"/videos/{recording.video_public_id}/status")).json()
        failed = {"type": "hls", "quality": "240p", "status": "failed"}
        assert status["encoding"]["qualities"] == [failed]
        assert not status["encoding"]["playable"]
        work = await client.get(
            f"/_/videos/{recording.video_public_id}/jobs",
            headers={"Authorization": f"Bearer {OPERATOR_KEY}"},
            auth=None,
        )
        assert work.json()["state"] == "failed"
        assert "I/O error" in work.json()["reason"]
        shown = await MediaCache(db, store).get(recording.video_public_id or "")
        assert shown is not None
        assert shown.failed  # the page does not wait
        assert path.read_bytes() == b"an hour of somebody's life"


@pytest.mark.parametrize("kept", [True, False], ids=["not begun", "not wanted"])
async def test_what_was_not_begun_or_nobody_wants_makes_no_failed_video(
    db: Database,
    project: ProjectKeys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kept: bool,
) -> None:
    store, dead, _, _, event = await begun(db, project, tmp_path)
    place = await dead.recording_started(event, kept=kept)
    path = store.local_path(place.key)
    path.parent.mkdir(parents=True)  # of recordings before
    if not kept:
        path.write_bytes(b"a lower quality")

        def broken_disk(_: Path) -> None:
            raise OSError(errno.EIO, "I/O error")

        monkeypatch.setattr(events, "salvage", broken_disk)
    await recovered(StoredBroadcasts(db, store, store, "node", SEALER))
    async with db.transaction() as tx:
        recording = (await tx.scalars(select(Recording))).one()
        assert recording.ended_at is not None
        assert (recording.failure, recording.video_public_id) == (None, None)
        assert (await tx.scalars(select(Source))).all() == []


async def test_where_no_recording_is_left_the_disk_may_be_another_one(
    db: Database, project: ProjectKeys, tmp_path: Path
) -> None:
    _, dead, _, _, event = await begun(db, project, tmp_path)
    await dead.recording_started(event, kept=True)
    store = LocalStore(tmp_path / "not the same")
    await recovered(StoredBroadcasts(db, store, store, "node", SEALER))
    async with db.transaction() as tx:
        recording = (await tx.scalars(select(Recording))).one()
    assert recording.failure == "The recording cannot be read: No such file or directory."
    assert recording.video_public_id is not None


@pytest.mark.parametrize("elsewhere", [False, True], ids=["one disk", "another store"])
@pytest.mark.parametrize("number", [errno.ENOENT, errno.EIO])
async def test_a_recording_that_cannot_be_read_at_its_end_is_not_tried_for_ever(
    db: Database,
    project: ProjectKeys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: bool,
    number: int,
) -> None:
    recordings, alive, _, _, event = await begun(db, project, tmp_path)
    if elsewhere:
        there = LocalStore(tmp_path / "there")
        alive = StoredBroadcasts(db, there, recordings, "node", SEALER)
    place = await alive.recording_started(event, kept=True)
    path = recordings.local_path(place.key)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"an hour of somebody's life")

    def broken_disk(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(os, "link", broken_disk)
        broken.setattr(LocalStore, "_opened", broken_disk)
        ended = alive.recording_ended(place.id, place.key, 26, 3600.0)
        await asyncio.wait_for(ended, PATIENCE_S / 4)
    async with db.transaction() as tx:
        recording = (await tx.scalars(select(Recording))).one()
        source = (await tx.scalars(select(Source))).one()
    assert recording.failure == source.failure
    assert recording.failure == f"The recording cannot be read: {os.strerror(number)}."
    await alive.recording_dropped(place.id, place.key)  # nobody can go back any more
    assert path.read_bytes() == b"an hour of somebody's life"


async def test_a_file_that_cannot_be_deleted_waits_for_the_next_start(
    db: Database, project: ProjectKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, alive, _, _, event = await begun(db, project, tmp_path)
    place = await alive.recording_started(event, kept=False)
    File.create(store, place, b"a lower quality").close()

    async def read_only(*_: object) -> None:
        raise StoreError("Read-only file system")

    with monkeypatch.context() as broken:
        broken.setattr(LocalStore, "delete", read_only)
        await asyncio.wait_for(alive.recording_dropped(place.id, place.key), PATIENCE_S / 4)
    assert store.local_path(place.key).exists()
    await recovered(StoredBroadcasts(db, store, store, "node", SEALER))
    assert not store.local_path(place.key).exists()


async def test_a_damaged_recording_goes_the_way_of_any_other_file(
    db: Database, project: ProjectKeys, tmp_path: Path
) -> None:
    store, dead, _, _, event = await begun(db, project, tmp_path)
    place = await dead.recording_started(event, kept=True)
    path = store.local_path(place.key)
    path.parent.mkdir(parents=True)
    damaged = b"\0\0\0\x24moov\0\0\0\x1ctrak\0\0\0\x14mdia\0\0\0\x0cmdhd\0\0\0\0"
    path.write_bytes(damaged)
    await recovered(StoredBroadcasts(db, store, store, "node", SEALER))
    async with db.transaction() as tx:
        source = (await tx.scalars(select(Source))).one()
    assert source.failure is None
    assert await store.read(source.extents[0]["key"]) == damaged


@pytest.mark.parametrize(
    "why_not",
    [None, "asked to end", "deleted", "away for too long", "no journal", "a broken journal"],
)
async def test_an_event_that_was_killed_may_go_on(
    db: Database, project: ProjectKeys, tmp_path: Path, why_not: str | None
) -> None:
    store, dead, row, stream, event = await begun(db, project, tmp_path)
    place = await dead.recording_started(event, kept=True)
    lower = await dead.recording_started(event, kept=False)
    File.create(store, lower, b"a lower quality")
    journal, file = Journal("0" * 12), None
    sent = [(0, VIDEO), (0, AUDIO), *merged(pictures(30, 5, gop_s=1), sounds(5))]
    for output in run(Packager(200), sent):
        if isinstance(output, Init):
            file = File.create(store, place, output.data, journal.opening(output))
        elif file is not None and isinstance(output, Part):
            file.append(output, journal.part(output))
    path = store.local_path(place.key)
    if why_not == "asked to end":
        async with db.transaction() as tx:
            await operations.complete(tx, project.production_id, row.public_id)
    elif why_not == "deleted":
        async with db.transaction() as tx:
            await operations.delete(tx, project.production_id, row.public_id)
    elif why_not == "away for too long":
        os.utime(path, (0, 0))
    elif why_not == "no journal":
        path.with_name(path.name + SUFFIX).unlink()
    elif why_not is not None:
        path.with_name(path.name + SUFFIX).write_bytes(b"{}\n")

    left = await recovered(StoredBroadcasts(db, store, store, "node", SEALER), 60)
    async with db.transaction() as tx:
        running = (await tx.scalars(select(Broadcast))).one().ended_at is None
        videos = [each.video_public_id for each in await tx.scalars(select(Recording))]
    assert running == bool(left) == (why_not is None)
    if why_not is None:
        assert left[0].event == event
        assert left[0].stream == stream
        assert left[0].history.place == place
        assert videos == [None, None]
        assert {each.name for each in path.parent.iterdir()} == {path.name, path.name + SUFFIX}
    else:
        assert sum(each is not None for each in videos) == 1
        assert not list(path.parent.iterdir())


async def test_an_encoder_that_comes_back_too_late_begins_another_event(
    db: Database, project: ProjectKeys, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    sealer = Sealer(["s" * 32])
    studio = Studio(
        StoredBroadcasts(db, store, store, "node", SEALER),
        store,
        part_ms=200,
        window_s=60,
        grace_s=0.05,
    )
    async with db.transaction() as tx:
        row = await operations.create(tx, project.production_id, sealer, {"name": "Live"})
    key, sessions = sealer.open(row.sealed_key, row.public_id), set()
    for _ in range(2):
        encoder = Encoder()
        event = await studio.admit(key, encoder)
        assert isinstance(event, Live)
        sessions.add(event.session)
        feed(event)
        studio.gone(event, encoder)
        await asyncio.wait_for(event.over.wait(), PATIENCE_S)

        async def recorded() -> bool:
            async with db.transaction() as tx:
                rows = (await tx.scalars(select(Recording))).all()
                made = [each.video_public_id for each in rows]
            return len({*made} - {None}) == len(sessions)

        await until(recorded)
    assert len(sessions) == 2
    async with db.transaction() as tx:
        broadcasts = (await tx.scalars(select(Broadcast))).all()
        told = (await tx.scalars(select(Event.type).order_by(Event.id))).all()
    assert [each.ended_at is not None for each in broadcasts] == [True, True]
    once = ["live-stream.broadcast.started", "live-stream.broadcast.ended", "video.source.recorded"]
    assert [each for each in told if each != "video.source.uploaded"] == once * 2
    await studio.close()
