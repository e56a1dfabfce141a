"""Joins the parts of delivery: caches, their wake-ups, the player page."""

from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from telecine.db.engine import Database
from telecine.db.notify import Listener
from telecine.delivery.app import Delivery
from telecine.delivery.arrivals import Arrivals
from telecine.delivery.gate import Gate
from telecine.delivery.live import LiveDelivery
from telecine.delivery.live_cache import LiveCache
from telecine.delivery.live_owners import LiveOwners
from telecine.delivery.live_page import LivePages
from telecine.delivery.live_playlists import LivePlaylists
from telecine.delivery.live_shortcut import LiveMediaShortcut
from telecine.delivery.media import MediaCache
from telecine.delivery.mp4 import Downloads
from telecine.delivery.page import PlayerPages
from telecine.delivery.restrictions import Restrictions
from telecine.delivery.segments import Segments
from telecine.delivery.shortcut import SegmentShortcut
from telecine.delivery.signers import Signers
from telecine.delivery.transport import TransportView
from telecine.domains.accounts.operations import PROJECT_CHANGED
from telecine.domains.encodings.operations import MEDIA_CHANGED
from telecine.domains.encodings.recording import PIECES_STORED
from telecine.domains.live_streams.operations import LIVE_CHANGED
from telecine.domains.players.operations import PLAYER_CHANGED
from telecine.http.services import PublicUrls
from telecine.live.edge import Edge
from telecine.live.nodes import Owners
from telecine.net.countries import Countries
from telecine.sealing import Sealer
from telecine.storage.store import Store

SEGMENT_WAIT_S = 8.0
"""How long a viewer waits for a segment that is being encoded; then 503."""


def build_gate(
    db: Database,
    listener: Listener,
    token_key: bytes,
    sealer: Sealer,
    restrictions: Restrictions,
) -> Gate:
    """Return what decides on viewers; run `listener` beside it.

    `token_key` signs tokens and sessions; `sealer` opens the signing keys of projects.
    """
    signers = Signers(db, sealer)

    def connected() -> None:
        signers.forget_all()
        signers.keeps = True

    def lost() -> None:
        signers.keeps = False
        signers.forget_all()

    listener.subscribe(PROJECT_CHANGED, lambda _: signers.forget_all())
    listener.watch(connected, lost)
    return Gate(db, token_key, signers, restrictions)


def restrictions_of(urls: PublicUrls, countries: Countries) -> Restrictions:
    """Return what applies the lists of projects."""
    return Restrictions(countries, frozenset({urlsplit(urls.embed).hostname or ""}))


def build_delivery(
    db: Database,
    store: Store,
    listener: Listener,
    urls: PublicUrls,
    gate: Gate,
    queue_limit: int,
) -> tuple[Delivery, SegmentShortcut]:
    """Return the application below `/vod/`, and the shortcut before it.

    Run `listener` beside them.

    `gate` decides on viewers; `queue_limit` is how many segments may
    wait to be encoded before viewers are turned away.
    """
    cache = MediaCache(db, store)
    segments = Segments(db, store, wait_s=SEGMENT_WAIT_S, queue_limit=queue_limit)

    def connected() -> None:
        cache.forget_all()
        cache.keeps = True

    def lost() -> None:
        cache.keeps = False
        cache.forget_all()

    listener.subscribe(MEDIA_CHANGED, cache.forget)
    listener.subscribe(PLAYER_CHANGED, cache.forget_player)
    listener.subscribe(PROJECT_CHANGED, lambda _: cache.forget_all())
    listener.subscribe(PIECES_STORED, lambda asset_id: segments.pieces_arrived(UUID(asset_id)))
    listener.watch(connected, lost)
    pages = PlayerPages(urls, gate)
    transport = TransportView(segments, store)
    downloads = Downloads(segments)
    arrivals = Arrivals(cache, SEGMENT_WAIT_S)
    application = Delivery(cache, segments, downloads, transport, store, pages, gate, arrivals)
    return application, SegmentShortcut(cache, segments, store, gate.session_end, gate.signed_end)


def build_live_edge(db: Database, listener: Listener, path: Path, node: str, key: bytes) -> Edge:
    """Return what mirrors live streams, of this node and of others; run `listener` beside it.

    `path`: the socket of the process that owns those of this node, which is `node`; `key`
    opens the doors of others.
    """
    owners = LiveOwners(db, node)
    listener.subscribe(LIVE_CHANGED, owners.forget)
    listener.watch(owners.connected, owners.lost)
    return Edge(Owners(path, owners.locate, key))


def build_live_delivery(
    db: Database,
    store: Store,
    listener: Listener,
    urls: PublicUrls,
    gate: Gate,
    edge: Edge,
) -> tuple[LiveDelivery, LiveMediaShortcut]:
    """Return the application of live streams, and the shortcut before it.

    Run `listener` and `edge` beside them.
    """
    cache = LiveCache(db)

    def connected() -> None:
        cache.forget_all()
        cache.keeps = True

    def lost() -> None:
        cache.keeps = False
        cache.forget_all()

    listener.subscribe(LIVE_CHANGED, cache.forget)
    listener.subscribe(PLAYER_CHANGED, cache.forget_player)
    listener.subscribe(PROJECT_CHANGED, lambda _: cache.forget_all())
    listener.watch(connected, lost)
    playlists = LivePlaylists()
    application = LiveDelivery(cache, edge, store, LivePages(urls, gate), gate, playlists)
    return application, LiveMediaShortcut(cache, edge, playlists)
