import pytest
from sqlalchemy import text

from telecine.db.engine import Database
from tests.integration.jobs.bench import Bench


@pytest.fixture
async def db(db: Database) -> Database:
    """The database, with a table in which programs under test leave words."""
    async with db.transaction() as tx:
        await tx.execute(
            text("CREATE TABLE trace (id bigint GENERATED ALWAYS AS IDENTITY, word text)")
        )
    return db


@pytest.fixture
def bench(db: Database) -> Bench:
    """A worker that runs when the test says so."""
    return Bench(db)
