from datetime import timedelta

import pytest
from sqlalchemy import text

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.webhooks import outbox
from telecine.domains.webhooks.sweeps import forget_events
from tests.fixtures.application import ProjectKeys
from tests.fixtures.waiting import until
from tests.integration.domains.webhooks.telling import announce, subscribe

pytestmark = pytest.mark.anyio


async def test_old_events_go_unless_a_webhook_still_waits_for_them(
    db: Database, project: ProjectKeys
) -> None:
    later = clock.now() + timedelta(days=1)
    await subscribe(db, project.production_id, "https://example.com/")
    await announce(db, project.production_id, "waited for", 1)
    assert await forget_events(db, later) == 0  # nobody has read it yet

    async def fanned_out() -> bool:
        async with db.transaction() as tx:
            await outbox.fan_out(tx)
        async with db.transaction() as tx:
            return bool(await tx.scalar(text("SELECT count(*) FROM delivery")))

    await until(fanned_out)
    assert await forget_events(db, later) == 0
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE delivery SET state = 'failed'"))
    assert await forget_events(db, clock.now() - timedelta(days=1)) == 0
    assert await forget_events(db, later) == 1
    async with db.transaction() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM delivery")) == 0
