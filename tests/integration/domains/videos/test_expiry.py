from datetime import timedelta

import pytest
from sqlalchemy import select, update

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.videos.expiry import SANDBOX_LIFETIME, delete_expired
from telecine.domains.videos.models import Video
from telecine.domains.videos.operations import create_video
from tests.fixtures.application import make_project

pytestmark = pytest.mark.anyio


async def test_only_old_videos_of_the_sandbox_are_deleted(db: Database) -> None:
    project = await make_project(db)
    kept = set()
    async with db.transaction() as tx:
        old = clock.now() - SANDBOX_LIFETIME - timedelta(seconds=1)
        for half in (project.sandbox_id, project.production_id):
            for created in (old, clock.now()):
                row = await create_video(tx, half, {"title": "t"})
                changed = update(Video).where(Video.id == row.id).values(created_at=created)
                await tx.execute(changed)
                if half == project.production_id or created is not old:
                    kept.add(row.public_id)
    assert await delete_expired(db) == 1
    assert await delete_expired(db) == 0
    async with db.transaction() as tx:
        left = await tx.scalars(select(Video.public_id).where(Video.deleted_at.is_(None)))
        assert set(left) == kept
