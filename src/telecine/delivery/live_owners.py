"""Which node has the media of a live stream: read once, read again when that may have changed."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from telecine.db.engine import Database
from telecine.domains.live_streams import broadcasting

log = structlog.get_logger()

_MOST = 10_000
_PATIENCE_S = 2.0
"""A database that does not answer keeps nobody from the media of this machine."""


class LiveOwners:
    """Where the media of streams is, seen from the node `node`."""

    def __init__(self, db: Database, node: str) -> None:
        self._db = db
        self._node = node
        self._known: dict[str, str | None] = {}
        self._changes = 0
        self._hears = False

    def connected(self) -> None:
        """Note that changes are heard of from now on."""
        self.forget_all()
        self._hears = True

    def lost(self) -> None:
        """Note that changes may be missed: what is known is believed if nobody can be asked."""
        self._hears = False

    def forget(self, public_id: str) -> None:
        """Read anew where the media of a stream is."""
        self._changes += 1
        self._known.pop(public_id, None)

    def forget_all(self) -> None:
        """Read everything anew."""
        self._changes += 1
        self._known.clear()

    async def locate(self, public_id: str) -> str | None:
        """Return the address of another node (`live.nodes.Locate`)."""
        if self._hears and public_id in self._known:
            return self._known[public_id]
        changes = self._changes
        try:
            async with asyncio.timeout(_PATIENCE_S), self._db.transaction() as tx:
                found = await broadcasting.owner(tx, public_id)
        except (TimeoutError, OSError, SQLAlchemyError) as error:
            log.warning("owner not found", stream=public_id, reason=type(error).__name__)
            return self._known.get(public_id)
        address = None if found is None or found.node == self._node else found.address
        # An event that is over is forgotten some time, of which nobody tells.
        lasts = address is None or (found is not None and found.running)
        if lasts and changes == self._changes:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[public_id] = address
        return address
