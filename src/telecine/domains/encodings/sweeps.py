"""Earlier cuttings of a source, of all projects: any worker may sweep at any time."""

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import delete, exists, select
from sqlalchemy.orm import aliased

from telecine.db.engine import Database
from telecine.domains.encodings.models import Asset, AssetState
from telecine.jobs import queue
from telecine.storage.store import Store

log = structlog.get_logger()

_BATCH = 100


async def drop_old_epochs(db: Database, store: Store, before: datetime) -> int:
    """Drop assets whose successor became playable `before`; return how many.

    Whoever began to watch the old one has had that time to finish.
    """
    newer = aliased(Asset)
    replaced = exists().where(
        newer.video_id == Asset.video_id,
        newer.epoch > Asset.epoch,
        newer.state == AssetState.PLANNED,
        newer.playable_at < before,
    )
    dropped, last = 0, UUID(int=0)
    while True:
        rows = select(Asset.id, Asset.public_id, Asset.epoch, Asset.prefix)
        old = rows.where(replaced, Asset.id > last).order_by(Asset.id).limit(_BATCH)
        async with db.transaction() as tx:
            found = (await tx.execute(old)).all()
        for asset_id, public_id, epoch, prefix in found:
            async with db.transaction() as tx:
                await queue.cancel(tx, asset_id=str(asset_id))
            # The row last: until then the next sweep finds what this one left.
            await store.delete_prefix(prefix)
            async with db.transaction() as tx:
                gone = await tx.scalar(
                    delete(Asset).where(Asset.id == asset_id).returning(Asset.id)
                )
            if gone is not None:
                log.info("old encoding dropped", video=public_id, epoch=epoch, asset=str(asset_id))
                dropped += 1
        if len(found) < _BATCH:
            return dropped
        last = found[-1][0]
