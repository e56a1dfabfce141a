"""`video_count` says at any time what counting the rows would say."""

from uuid import UUID

import pytest
from sqlalchemy import Executable, delete, func, insert, select, update

from telecine import clock, ids
from telecine.db.engine import Database, Transaction
from telecine.domains.accounts.models import Project
from telecine.domains.videos.models import Video, VideoCount

pytestmark = pytest.mark.anyio


@pytest.fixture
async def project(db: Database) -> UUID:
    async with db.transaction() as tx:
        project = Project(public_id="pr1", environment="production", name="p", settings={})
        tx.add(project)
    return project.id


def video(project: UUID, **more: object) -> dict[str, object]:
    return {
        "project_id": project,
        "public_id": ids.public_id("vi"),
        "title": "t",
        "tags": [],
        "metadata_": [],
        "discarded_at": None,
        "deleted_at": None,
        **more,
    }


async def counted(tx: Transaction, project: UUID, *, listed: bool) -> int:
    total = await tx.scalar(
        select(func.sum(VideoCount.videos)).where(
            VideoCount.project_id == project, VideoCount.listed == listed
        )
    )
    return int(total or 0)


NOW = clock.now()


async def test_every_way_of_a_row_is_counted(db: Database, project: UUID) -> None:
    async def becomes(listed: int, discarded: int, statement: Executable) -> None:
        async with db.transaction() as tx:
            await tx.execute(statement)
        async with db.transaction() as tx:
            assert await counted(tx, project, listed=True) == listed
            assert await counted(tx, project, listed=False) == discarded

    rows = [video(project) for _ in range(5)]
    first, second, third = (Video.public_id == row["public_id"] for row in rows[:3])
    await becomes(5, 0, insert(Video).values(rows))
    await becomes(6, 1, insert(Video).values([video(project), video(project, discarded_at=NOW)]))
    await becomes(6, 1, insert(Video).values([video(project, deleted_at=NOW)]))
    await becomes(5, 2, update(Video).where(first).values(discarded_at=NOW))
    await becomes(5, 2, update(Video).where(first).values(title="other"))
    await becomes(6, 1, update(Video).where(first).values(discarded_at=None))
    await becomes(5, 1, update(Video).where(second).values(deleted_at=NOW))
    await becomes(5, 1, delete(Video).where(second))
    await becomes(4, 1, delete(Video).where(third))
    await becomes(4, 0, delete(Video).where(Video.discarded_at.is_not(None)))
    await becomes(0, 0, update(Video).values(deleted_at=NOW))


async def test_a_rollback_uncounts(db: Database, project: UUID) -> None:
    async def fail() -> None:
        async with db.transaction() as tx:
            await tx.execute(insert(Video).values(video(project)))
            assert await counted(tx, project, listed=True) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with db.transaction() as tx:
        assert await counted(tx, project, listed=True) == 0


async def test_a_project_takes_its_videos_and_counts_along(db: Database, project: UUID) -> None:
    async with db.transaction() as tx:
        await tx.execute(insert(Video).values([video(project) for _ in range(3)]))
    async with db.transaction() as tx:
        await tx.execute(delete(Project).where(Project.id == project))
    async with db.transaction() as tx:
        assert await tx.scalar(select(func.count()).select_from(Video)) == 0
        assert await tx.scalar(select(func.count()).select_from(VideoCount)) == 0
