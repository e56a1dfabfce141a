"""What an API process knows of where live streams are, as long as it hears of changes."""

import pytest

from telecine.db.engine import Database
from telecine.delivery.live_owners import LiveOwners
from telecine.domains.live_streams import broadcasting
from telecine.domains.live_streams.models import Broadcast
from tests.fixtures.application import ProjectKeys
from tests.integration.domains.live_streams.test_broadcasting import make_stream

pytestmark = pytest.mark.anyio


async def test_owners_are_looked_up_once_until_something_changes(
    db: Database, project: ProjectKeys
) -> None:
    stream, _ = await make_stream(db, project.production_id)
    owners = LiveOwners(db, "here")
    owners.connected()
    assert await owners.locate(stream.public_id) is None
    async with db.transaction() as tx:
        event = await broadcasting.begin(
            tx, project.production_id, stream.public_id, "there", "there:1937"
        )
        assert event is not None
    assert await owners.locate(stream.public_id) is None  # it was told of nothing
    owners.forget(stream.public_id)
    assert await owners.locate(stream.public_id) == "there:1937"
    assert await LiveOwners(db, "there").locate(stream.public_id) is None  # on this machine
    async with db.transaction() as tx:
        await broadcasting.back(tx, "there", "there:1938")
    assert await owners.locate(stream.public_id) == "there:1937"
    owners.lost()
    assert await owners.locate(stream.public_id) == "there:1938"  # it asks each time
    owners.connected()
    async with db.transaction() as tx:
        await broadcasting.end(tx, event.id)
    owners.forget(stream.public_id)
    assert await owners.locate(stream.public_id) == "there:1938"
    async with db.transaction() as tx:
        row = await tx.get_one(Broadcast, event.id)
        assert row.ended_at is not None
        row.ended_at -= 2 * broadcasting.REWATCHED
    assert await owners.locate(stream.public_id) is None  # and where an event is over


async def test_without_a_database_what_is_known_is_believed(
    db: Database, database_url: str, project: ProjectKeys
) -> None:
    stream, _ = await make_stream(db, project.production_id)
    async with db.transaction() as tx:
        await broadcasting.begin(tx, project.production_id, stream.public_id, "there", "there:1937")
    other = Database(database_url)
    owners = LiveOwners(other, "here")
    owners.connected()
    assert await owners.locate(stream.public_id) == "there:1937"
    owners.lost()

    def away() -> None:
        raise OSError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(other, "transaction", away)
        assert await owners.locate(stream.public_id) == "there:1937"
        assert await owners.locate("li-unknown") is None
    await other.close()
