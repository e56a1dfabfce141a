"""What the jobs of this domain work with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from telecine.db.engine import Database, Transaction
from telecine.domains.sources.models import Source
from telecine.net.client import OutboundClient
from telecine.storage.store import Store

Ended = Callable[[Transaction, Source], Awaitable[None]]
"""Acts on the end of a source, in the transaction that brings it; its video's row and its
own are locked."""

MAX_SOURCE_BYTES = 30 << 30
MAX_AGE_S = 7 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one source may take. After `turn_s` a download makes room for others.

    `piece_bytes`: how much may be lost with a worker. `look_s`: how often a transfer
    looks whether anybody still wants it.
    """

    source_bytes: int = MAX_SOURCE_BYTES
    age_s: float = MAX_AGE_S
    piece_bytes: int = 64 << 20
    turn_s: float = 600.0
    look_s: float = 15.0
    slowest_bps: int = 64_000
    idle_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Database, store and client of one worker process.

    `complete` makes something of a source that has come, `failed` hears of one that never will.
    """

    db: Database
    store: Store
    client: OutboundClient
    complete: Ended
    failed: Ended
    allow_playlists: bool = False
    bounds: Bounds = field(default_factory=Bounds)
