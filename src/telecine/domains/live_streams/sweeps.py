"""What processes that broadcast leave behind when they are gone for good.

Any worker may run this at any time.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, select

from telecine.db.engine import Database
from telecine.domains.live_streams import broadcasting
from telecine.domains.live_streams.broadcasting import LEASE
from telecine.domains.live_streams.models import Broadcast, LiveStream

log = structlog.get_logger()


class Abandoned:
    """Ends events whose owners were not heard of for longer than `grace` and a lease.

    Only those that were late in the look before, too: when the database was away nobody
    was heard of, and all of them are about to be. Files stay where they are: an owner that
    comes back at last makes videos of them.
    """

    def __init__(self, db: Database, grace: timedelta) -> None:
        self._db = db
        self._patience = LEASE + grace
        self._seen: dict[UUID, datetime] = {}

    async def sweep(self) -> int:
        """End them; return how many."""
        heard = func.coalesce(Broadcast.alive_at, Broadcast.started_at)
        late = (Broadcast.ended_at.is_(None), heard < func.now() - self._patience)
        async with self._db.transaction() as tx:
            rows = (await tx.execute(select(Broadcast.id, heard).where(*late))).all()
        seen, self._seen = self._seen, {row[0]: row[1] for row in rows}
        gone = [event for event, heard_at in self._seen.items() if seen.get(event) == heard_at]
        ended = 0
        for event in gone:
            async with self._db.transaction() as tx:
                # The stream first, as everybody locks them.
                one = select(Broadcast.live_stream_id).where(Broadcast.id == event)
                stream = select(LiveStream.id).where(LiveStream.id == one.scalar_subquery())
                await tx.execute(stream.with_for_update())
                node = await tx.scalar(select(Broadcast.node).where(Broadcast.id == event, *late))
                if node is None:
                    continue  # it was heard of meanwhile, or is over
                await broadcasting.end(tx, event)
            log.warning("broadcast abandoned", broadcast=str(event), node=node)
            ended += 1
        return ended
