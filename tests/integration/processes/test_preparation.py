"""What a database needs before it can be used, and the first start."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from telecine import ids
from telecine.db import schema
from telecine.db.engine import Database
from telecine.db.release import RELEASE
from telecine.domains.accounts import queries
from telecine.domains.accounts.models import Environment, Project
from telecine.processes.preparation import is_prepared
from telecine.processes.prepare import first_start
from telecine.settings import Settings

pytestmark = pytest.mark.anyio

PRODUCTION, SANDBOX = "p" * 20, "s" * 20


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, api_key=PRODUCTION, api_key_sandbox=SANDBOX)


async def test_a_database_is_prepared_once_it_has_our_schema_and_a_project(
    empty_database_url: str, settings: Settings
) -> None:
    assert not await is_prepared(empty_database_url)
    await asyncio.to_thread(schema.migrate, empty_database_url)
    assert not await is_prepared(empty_database_url)
    await first_start(empty_database_url, settings)
    assert await is_prepared(empty_database_url)


@pytest.mark.parametrize(
    ("revision", "release", "expected"),
    [
        ("0000", RELEASE, False),
        ("9999", RELEASE + 1, True),
        ("9999", RELEASE + 2, False),
    ],
)
async def test_only_schemas_that_we_run_on_need_no_preparation(
    database_url: str, settings: Settings, revision: str, release: int, expected: bool
) -> None:
    await first_start(database_url, settings)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [revision])
        connection.execute("UPDATE schema_release SET release = %s", [release])
    assert await is_prepared(database_url) is expected


async def test_a_database_that_is_not_there_is_said() -> None:
    with pytest.raises(psycopg.OperationalError):
        await is_prepared("postgresql:///none?host=/nowhere")


async def test_the_first_start_makes_the_preset_keys(db: Database, settings: Settings) -> None:
    made = await first_start(db.url, settings)
    assert made is not None
    assert (made.production_key, made.sandbox_key) == (PRODUCTION, SANDBOX)
    async with db.transaction() as tx:
        for key, environment in (
            (PRODUCTION, Environment.PRODUCTION),
            (SANDBOX, Environment.SANDBOX),
        ):
            found = await queries.credential_of_key(tx, ids.digest(key))
            assert found is not None
            assert found.identity.environment == environment


async def test_without_preset_keys_it_makes_its_own(db: Database, tmp_path: Path) -> None:
    made = await first_start(db.url, Settings(data=tmp_path))
    assert made is not None
    assert len({made.production_key, made.sandbox_key}) == 2
    assert min(len(made.production_key), len(made.sandbox_key)) >= 20


async def test_nodes_that_start_at_once_make_one_project(db: Database, settings: Settings) -> None:
    made = await asyncio.gather(*(first_start(db.url, settings) for _ in range(4)))
    assert len([each for each in made if each is not None]) == 1
    async with db.transaction() as tx:
        halves = await tx.scalar(select(func.count()).select_from(Project))
    assert halves == 2
