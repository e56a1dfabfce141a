"""The process that takes encoders' media: started by the supervisor."""

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import structlog
import uvloop
from sqlalchemy.exc import SQLAlchemyError

from telecine.db.engine import Database
from telecine.db.notify import Listener
from telecine.domains.accounts.operations import PROJECT_CHANGED
from telecine.domains.live_streams import broadcasting
from telecine.domains.live_streams.events import StoredBroadcasts
from telecine.domains.live_streams.operations import LIVE_CHANGED
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.live.ladder import Transcoder
from telecine.live.nodes import Dialer, split_address
from telecine.live.origin import Origin
from telecine.live.rtmp_server import HANDSHAKE_S, RtmpConnection
from telecine.live.srt_server import SrtDoor
from telecine.live.strangers import Strangers
from telecine.live.studio import Studio
from telecine.live.thumbnail import Thumbnails
from telecine.net.policy import RTMP_PORTS
from telecine.processes import control
from telecine.processes.certificates import ServerTls, door_of
from telecine.processes.control import Briefing, Child
from telecine.processes.ingest import outbound_policy
from telecine.processes.onair import node_name, owner_socket
from telecine.processes.secrets import nodes_key, sealer
from telecine.settings import Settings
from telecine.storage.local import LocalStore
from telecine.storage.open import open_store
from telecine.storage.store import Store

log = structlog.get_logger()

_CONNECTIONS = 5
_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)


def recordings(settings: Settings, store: Store) -> LocalStore:
    """Return the store of files that are being written: the store itself, if it is a disk."""
    if isinstance(store, LocalStore):
        return store
    return LocalStore(settings.data / "recordings", settings.disk_reserve_mib << 20)


class Reviews:
    """Ends events whose end somebody asked for, and sends others where they are to go.

    Whoever asks does so in whatever process. What the database does not tell for the moment is
    asked again: nobody who is on the air is to notice.
    """

    def __init__(
        self, db: Database, studio: Studio, memory: StoredBroadcasts, group: asyncio.TaskGroup
    ) -> None:
        self._db = db
        self._studio = studio
        self._memory = memory
        self._group = group
        self._changed: set[str] = set()
        self._reviewed: set[str] = set()  # there is a task for each

    def all(self) -> None:
        """Look at every event: notifications may have been missed."""
        for public_id in self._studio.on_air:
            self.of(public_id)

    def of(self, public_id: str) -> None:
        """Look at the event of a stream that has changed."""
        if public_id not in self._studio.on_air:
            return
        self._changed.add(public_id)
        if public_id not in self._reviewed:
            self._reviewed.add(public_id)
            group = self._group
            group.create_task(self._keep_up(public_id))

    async def _keep_up(self, public_id: str) -> None:
        failures = 0
        while public_id in self._changed and public_id in self._studio.on_air:
            self._changed.discard(public_id)
            try:
                await self._review(public_id)
            except (SQLAlchemyError, OSError) as error:
                log.warning("change not seen yet", stream=public_id, reason=type(error).__name__)
                self._changed.add(public_id)
                await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
                failures += 1
            except Exception:  # all the others go on
                log.exception("change not seen", stream=public_id)
        self._changed.discard(public_id)
        self._reviewed.discard(public_id)

    async def _review(self, public_id: str) -> None:
        ours = self._studio.event(public_id)
        if ours is None or ours.event is None:
            return
        async with self._db.transaction() as tx:
            stream, event = await broadcasting.wanted(tx, public_id)
        if ours is not self._studio.event(public_id):
            return
        runs = event is not None and event.id == ours.event
        if stream is not None and not runs:  # another node did not hear of this one for long
            log.warning("broadcast lost", stream=public_id)
        if stream is None or event is None or not runs or event.completed_at is not None:
            log.info("broadcast completed", stream=public_id, closed=stream is None)
            self._studio.complete(public_id)
        else:
            ours.restreams.change(self._memory.destinations(stream))


async def _open_doors(
    child: Child, studio: Studio, tls: ServerTls, listeners: Sequence[socket.socket]
) -> list[asyncio.Server | SrtDoor]:
    """Let encoders in, by the sockets of the supervisor's that are for them."""
    settings, loop = child.settings, asyncio.get_running_loop()
    secret = settings.srt_passphrase
    passphrase = secret.get_secret_value() if secret else ""
    doors: list[asyncio.Server | SrtDoor] = []
    strangers = Strangers()
    for each in listeners:
        if each.type == socket.SOCK_DGRAM:
            _, door = await loop.create_datagram_endpoint(
                partial(SrtDoor, studio, passphrase), sock=each
            )
            doors.append(door)
            continue
        secure = each.getsockname()[1] == settings.rtmps_port
        doors.append(
            await loop.create_server(
                partial(RtmpConnection, studio, strangers),
                sock=each,
                ssl=tls.context if secure else None,
                ssl_handshake_timeout=HANDSHAKE_S if secure else None,
            )
        )
    return doors


async def _open_to_nodes(
    child: Child, briefing: Briefing, origin: Origin
) -> tuple[list[socket.socket], list[asyncio.Server]]:
    """Let other nodes in, if they are to come; return the sockets that are for encoders, too."""
    address = child.settings.live_node_address
    if not address:
        return [*child.listeners], []
    _, port = split_address(address)
    door = door_of(child.settings, nodes_key(briefing.secret_key))
    left, opened = list[socket.socket](), list[asyncio.Server]()
    for each in child.listeners:
        if each.type == socket.SOCK_STREAM and each.getsockname()[1] == port:
            opened.append(await origin.serve_others(each, door))
        else:
            left.append(each)
    log.info("other nodes are served", address=address)
    return left, opened


async def broadcast(child: Child, briefing: Briefing) -> None:
    """Take media until SIGTERM; then leave all events to the next start, or end them."""
    settings, stopping = child.settings, asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    db = Database(briefing.database_url, pool_size=_CONNECTIONS)
    store = open_store(settings.storage, os.environ, reserve_bytes=settings.disk_reserve_mib << 20)
    files = recordings(settings, store)
    memory = StoredBroadcasts(
        db,
        store,
        files,
        node_name(settings.data),
        sealer(settings, briefing),
        settings.live_node_address or None,
    )
    left = await memory.recover(settings.live_grace_s)
    ffmpeg = find_ffmpeg(str(settings.ffmpeg) if settings.ffmpeg else None)
    runner = Runner(ffmpeg, settings.sandbox)
    studio = Studio(
        memory,
        files,
        part_ms=settings.live_part_ms,
        window_s=settings.live_rewind_s,
        grace_s=settings.live_grace_s,
        transcoder=Transcoder(runner, settings.live_ladder),
        policy=replace(outbound_policy(settings), ports=RTMP_PORTS),
        dial=Dialer(nodes_key(briefing.secret_key)).dial,
    )
    listener = Listener(briefing.database_url)
    try:
        async with asyncio.TaskGroup() as group:
            reviews = Reviews(db, studio, memory, group)
            listener.subscribe(LIVE_CHANGED, reviews.of)
            listener.subscribe(PROJECT_CHANGED, lambda _: reviews.all())  # it may be suspended
            listener.watch(reviews.all, lambda: None)
            listening = group.create_task(listener.run())
            staying = group.create_task(memory.stay(lambda: bool(studio.on_air)))
            for event in left.events:
                studio.resume(event)
            # Hours of media may have to be stored, for which no encoder is to wait.
            finishing = group.create_task(memory.finish(left))
            thumbnails = Thumbnails(runner)
            origin = Origin(studio, owner_socket(settings.data), thumbnails)
            serving = [await origin.serve()]
            listeners, others = await _open_to_nodes(child, briefing, origin)
            serving += others
            tls = ServerTls.of(settings)
            renewing = group.create_task(tls.renew())
            doors = await _open_doors(child, studio, tls, listeners)
            child.announce_ready()
            await stopping.wait()
            for door in doors:
                if isinstance(door, SrtDoor):
                    door.admit_no_more()
                else:
                    door.close()
            await studio.close(ends=settings.live_end_on_stop)
            for server in serving:
                server.close()
            listening.cancel()
            staying.cancel()
            finishing.cancel()
            renewing.cancel()
    finally:
        await db.close()


def main(arguments: Sequence[str]) -> None:
    """Run this process."""
    child = control.join(arguments)
    uvloop.run(broadcast(child, child.wait_for_briefing()))
