"""A video is deleted while its asset is being changed."""

import asyncio

import pytest
from sqlalchemy import select, text

from telecine.db.engine import Database
from telecine.domains.encodings.models import Asset, AssetState
from telecine.domains.encodings.queries import lock_asset
from telecine.domains.videos.models import Video
from telecine.domains.videos.operations import delete_video
from tests.fixtures.waiting import until
from tests.integration.domains.encodings.test_recording import new_asset

pytestmark = pytest.mark.anyio

_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def test_the_deletion_waits_for_the_asset_and_nobody_for_the_deletion(db: Database) -> None:
    """A row that is changed twice has its foreign keys looked at: the video must not be shut."""
    asset = await new_asset(db)

    async def delete() -> None:
        async with db.transaction() as tx:
            await delete_video(tx, asset.project_id, asset.public_id)

    async def it_waits() -> bool:
        async with db.transaction() as tx:
            return bool(await tx.scalar(_WAITING))

    async with asyncio.TaskGroup() as group, db.transaction() as tx:
        changed = await lock_asset(tx, asset.id)
        assert changed is not None
        changed.state = AssetState.PLANNED
        await tx.flush()
        group.create_task(delete())
        await until(it_waits)
        changed.next_chunk = 1
    async with db.transaction() as tx:
        assert await tx.scalar(select(Video.deleted_at).where(Video.id == asset.video_id))
        assert await tx.scalar(select(Asset.next_chunk).where(Asset.id == asset.id)) == 1
