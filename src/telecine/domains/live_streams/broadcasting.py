"""What the process that broadcasts records: events and recordings from begin to end.

Streams are found by their keys and rows by theirs: the process serves all projects.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.accounts.models import Environment, Project
from telecine.domains.encodings.queries import current_asset
from telecine.domains.encodings.remarks import remark
from telecine.domains.live_streams import queries
from telecine.domains.live_streams.models import Broadcast, LiveStream, Recording
from telecine.domains.live_streams.operations import LIVE_CHANGED
from telecine.domains.players import queries as players
from telecine.domains.sources import operations as sources
from telecine.domains.sources.models import Mode, Part, Source, SourceState
from telecine.domains.videos import operations as videos
from telecine.domains.webhooks import events
from telecine.domains.webhooks.operations import announce
from telecine.storage.extents import Extent

SHORTEST_RECORDING = timedelta(seconds=1)
"""What is shorter is dropped."""

LEASE = timedelta(seconds=20)
"""How long an event is its owner's that is not heard of: then another node may begin one."""

RENEW_S = 5.0
"""How often an owner is heard of."""

_LATE = func.coalesce(Broadcast.alive_at, func.now()) < func.now() - LEASE

REWATCHED = timedelta(hours=1)
"""How long at most an owner keeps what can be watched of an event that is over."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A recording that has ended: its whole fragments, and how long they last.

    `remark`: what is to be told of it with its video, a key of `explanations.REMARKS`.
    """

    recording_id: UUID
    size_bytes: int
    duration_s: float
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """The node that has an event, and where it is reached by others, None: nowhere."""

    node: str
    address: str | None
    running: bool


async def elsewhere(tx: Transaction, stream_id: UUID, node: str) -> Owner | None:
    """Return which other node has an event of a stream that runs, and is heard of."""
    rows = select(Broadcast.node, Broadcast.address).where(
        Broadcast.live_stream_id == stream_id,
        Broadcast.node != node,
        Broadcast.ended_at.is_(None),
        ~_LATE,
    )
    found = (await tx.execute(rows)).one_or_none()
    return None if found is None else Owner(found.node, found.address, running=True)


async def authorised(tx: Transaction, stream_key: str) -> tuple[LiveStream, str] | None:
    """Return the stream of a key and its project's environment; None: no such key."""
    return await _usable(tx, LiveStream.key_digest == ids.digest(stream_key))


async def continuable(tx: Transaction, event: Broadcast) -> tuple[LiveStream, str] | None:
    """Return the stream of an event that may go on, as `authorised` does; None: it may not."""
    if event.completed_at is not None:
        return None
    return await _usable(tx, LiveStream.id == event.live_stream_id)


async def _usable(tx: Transaction, condition: ColumnElement[bool]) -> tuple[LiveStream, str] | None:
    """Return a stream and its environment; None: it was deleted, or its project is suspended."""
    rows = (
        select(LiveStream, Project.environment)
        .join(Project, Project.id == LiveStream.project_id)
        .where(condition, LiveStream.deleted_at.is_(None), Project.suspended_at.is_(None))
    )
    found = (await tx.execute(rows)).one_or_none()
    return None if found is None else (found[0], found[1])


async def begin(
    tx: Transaction, project_id: UUID, public_id: str, node: str, address: str | None = None
) -> Broadcast | None:
    """Record that an event begins on a stream; None: it is gone, or one runs already.

    `address`: where other nodes get its media. The event of a node that is gone is over.
    """
    stream = await queries.live_stream(tx, project_id, public_id, lock=True)
    if stream is None:
        return None
    running = await queries.running(tx, project_id, stream.id)
    if running is not None:
        if running.node == node or not await _abandoned(tx, running):
            return None
        await end(tx, running.id)
    event = Broadcast(
        project_id=project_id,
        live_stream_id=stream.id,
        node=node,
        address=address,
        alive_at=func.now(),
        started_at=clock.now(),
    )
    tx.add(event)
    await tx.flush()
    stream.broadcasting = True
    await _announce(tx, stream, events.BROADCAST_STARTED)
    await notify(tx, LIVE_CHANGED, stream.public_id)
    return event


async def begin_recording(tx: Transaction, event_id: UUID, key: str, *, kept: bool) -> Recording:
    """Record that a file of an event begins to be written, before its first byte."""
    event = await tx.get_one(Broadcast, event_id)
    row = Recording(
        project_id=event.project_id,
        broadcast_id=event_id,
        key=key,
        kept=kept,
        started_at=clock.now(),
    )
    tx.add(row)
    await tx.flush()
    return row


async def end(tx: Transaction, event_id: UUID) -> None:
    """Record that an event is over, once."""
    event = await tx.get_one(Broadcast, event_id)
    stream = await tx.scalar(
        select(LiveStream).where(LiveStream.id == event.live_stream_id).with_for_update()
    )
    await tx.refresh(event)
    if stream is None or event.ended_at is not None:
        return
    event.ended_at = clock.now()
    stream.broadcasting = False
    await _announce(tx, stream, events.BROADCAST_ENDED)
    await notify(tx, LIVE_CHANGED, stream.public_id)


async def project_of(tx: Transaction, recording_id: UUID) -> UUID:
    """Return the project of a recording."""
    row = await tx.get_one(Recording, recording_id)
    return row.project_id


def video_key(project_id: UUID, video_public_id: str) -> str:
    """Return a key for a recording below the folder of the video that it becomes."""
    return sources.new_key(f"{project_id}/{video_public_id}/")


async def recorded(
    tx: Transaction, finished: Finished, video_public_id: str, key: str
) -> str | None:
    """Make the video of a recording whose bytes are under `key`; return its id.

    None where the recording has ended before, which includes that of an earlier try.
    """
    row, stream = await _locked(tx, finished.recording_id)
    if row.ended_at is not None:
        return row.video_public_id if row.video_public_id == video_public_id else None
    source = await _begin_video(tx, row, stream, video_public_id)
    claim = await sources.claim(tx, source, Mode.WHOLE, 1)
    extents = [Extent(key, finished.size_bytes)]
    if not await sources.store(tx, source, claim, extents, last=True):
        raise RuntimeError("a recording did not complete its source")
    part = await tx.get_one(Part, claim.id)
    part.answered = True  # no client can be repeating it
    await videos.source_ingested(tx, source)
    if finished.remark is not None and source.video_id is not None:
        asset = await current_asset(tx, source.video_id)
        if asset is not None:
            await remark(tx, asset.id, finished.remark)
    row.ended_at, row.size_bytes = clock.now(), finished.size_bytes
    row.video_public_id = video_public_id
    await _announce(tx, stream, events.SOURCE_RECORDED, videoId=video_public_id)
    return video_public_id


async def lost(tx: Transaction, recording_id: UUID, video_public_id: str, reason: str) -> None:
    """Make a video that tells why there is nothing of a recording that can be read."""
    row, stream = await _locked(tx, recording_id)
    if row.ended_at is not None:
        return
    source = await _begin_video(tx, row, stream, video_public_id)
    source.failure = reason
    row.ended_at, row.failure, row.video_public_id = clock.now(), reason, video_public_id


async def _begin_video(
    tx: Transaction, row: Recording, stream: LiveStream, video_public_id: str
) -> Source:
    """Create the video of a recording; return its source, of which nothing is stored yet."""
    values = {
        "public_id": video_public_id,
        "title": stream.name,
        "public": stream.public,
        "player_id": await _theme_of(tx, stream),
        "live_stream_id": stream.public_id,
        "published_at": row.started_at,
        "created_at": row.started_at,
    }
    video = await videos.create_video(tx, row.project_id, values)
    owner = videos.reference(video, row.project_id).owner
    return await sources.open_source(tx, owner, f"{stream.public_id}.mp4", SourceState.INGESTING)


async def _theme_of(tx: Transaction, stream: LiveStream) -> str | None:
    """Return the theme of a stream, None if it is gone: no reason to lose a recording."""
    if stream.player_id is None:
        return None
    theme = await players.theme(tx, stream.project_id, stream.player_id)
    return None if theme is None else stream.player_id


async def dropped(tx: Transaction, recording_id: UUID) -> None:
    """Record that no video comes of a recording."""
    row, _ = await _locked(tx, recording_id)
    if row.ended_at is None:
        row.ended_at = clock.now()


async def _abandoned(tx: Transaction, event: Broadcast) -> bool:
    """Tell whether nothing was heard of the owner of an event for too long."""
    return await tx.scalar(select(Broadcast.id).where(Broadcast.id == event.id, _LATE)) is not None


async def owner(tx: Transaction, public_id: str) -> Owner | None:
    """Return who has the media of a stream, None if there is nothing to watch any more."""
    still_watched = Broadcast.ended_at.is_(None) | (Broadcast.ended_at > func.now() - REWATCHED)
    rows = (
        select(Broadcast.node, Broadcast.address, Broadcast.ended_at.is_(None))
        .join(LiveStream, LiveStream.id == Broadcast.live_stream_id)
        .where(LiveStream.public_id == public_id, still_watched)
        .order_by(Broadcast.ended_at.desc().nulls_first())  # what runs, else what ran last
        .limit(1)
    )
    found = (await tx.execute(rows)).one_or_none()
    return None if found is None else Owner(*found)


async def alive(tx: Transaction, node: str) -> None:
    """Record that the process of that name still has its events."""
    own = Broadcast.node == node, Broadcast.ended_at.is_(None)
    await tx.execute(update(Broadcast).where(*own).values(alive_at=func.now()))


async def back(tx: Transaction, node: str, address: str | None) -> None:
    """Record that there is a process of that name again, and where other nodes reach it."""
    own = (
        update(Broadcast)
        .where(
            Broadcast.node == node,
            Broadcast.ended_at.is_(None),
            LiveStream.id == Broadcast.live_stream_id,
        )
        .values(address=address, alive_at=func.now())
        .returning(LiveStream.public_id)
    )
    for public_id in (await tx.scalars(own)).all():
        await notify(tx, LIVE_CHANGED, public_id)


async def unfinished(tx: Transaction, node: str) -> Sequence[Broadcast]:
    """Return the events that a process of that name left behind."""
    rows = select(Broadcast).where(Broadcast.node == node, Broadcast.ended_at.is_(None))
    return (await tx.scalars(rows.order_by(Broadcast.id))).all()


async def unfinished_recordings(tx: Transaction, node: str) -> Sequence[Recording]:
    """Return the recordings that a process of that name left behind."""
    rows = (
        select(Recording)
        .join(Broadcast, Broadcast.id == Recording.broadcast_id)
        .where(Broadcast.node == node, Recording.ended_at.is_(None))
    )
    return (await tx.scalars(rows.order_by(Recording.id))).all()


async def unreadable(tx: Transaction, keys: Collection[str]) -> set[str]:
    """Return which of these files could not be finished: they are kept for a person."""
    rows = select(Recording.key).where(Recording.key.in_(keys), Recording.failure.is_not(None))
    return set(await tx.scalars(rows))


async def wanted(tx: Transaction, public_id: str) -> tuple[LiveStream | None, Broadcast | None]:
    """Return a stream, None if it may not go on (see `_usable`), and its running event."""
    found = await _usable(tx, LiveStream.public_id == public_id)
    if found is None:
        return None, None
    stream, _ = found
    return stream, await queries.running(tx, stream.project_id, stream.id)


def is_sandbox(environment: str) -> bool:
    """Tell whether events of a project are short ones."""
    return environment == Environment.SANDBOX


async def _locked(tx: Transaction, recording_id: UUID) -> tuple[Recording, LiveStream]:
    """Lock the stream of a recording, then the recording."""
    owner = (
        select(Broadcast.live_stream_id)
        .join(Recording, Recording.broadcast_id == Broadcast.id)
        .where(Recording.id == recording_id)
        .scalar_subquery()
    )
    stream = await tx.scalar(select(LiveStream).where(LiveStream.id == owner).with_for_update())
    row = await tx.scalar(select(Recording).where(Recording.id == recording_id).with_for_update())
    if stream is None or row is None:
        raise LookupError(f"no recording {recording_id}")
    return row, stream


async def _announce(tx: Transaction, stream: LiveStream, type_: str, **told: str) -> None:
    members = {"liveStreamId": stream.public_id, **told}
    await announce(tx, stream.project_id, type_, stream.public_id, members)
