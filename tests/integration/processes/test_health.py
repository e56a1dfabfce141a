"""What `/healthz` and `/readyz` say when something is wrong."""

from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text
from starlette.applications import Starlette

from telecine.db.engine import Database
from telecine.db.release import RELEASE, newest_revision
from telecine.processes.health import Health
from telecine.storage.local import LocalStore
from telecine.storage.store import StoreError

pytestmark = pytest.mark.anyio

WELL = {"database": "ok", "schema": "ok", "worker": "ok", "storage": "ok"}


TOO_NEW = f"""
WITH later AS (UPDATE alembic_version SET version_num = '9999')
UPDATE schema_release SET release = {RELEASE + 2}
"""


class BrokenStore(LocalStore):
    async def free_bytes(self) -> int:
        raise StoreError("the bucket is gone")


@pytest.fixture
async def working(db: Database) -> Database:
    """A database with a worker that gave a sign of life just now."""
    async with db.transaction() as tx:
        await tx.execute(text("INSERT INTO procrastinate_workers DEFAULT VALUES"))
    return db


def visitor(health: Health) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Starlette(routes=[*health.routes()]))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def asked(health: Health, path: str = "/readyz") -> httpx.Response:
    async with visitor(health) as client:
        reply = await client.get(path)
    assert reply.headers["cache-control"] == "no-store"
    return reply


def healthy(db: Database, folder: Path) -> Health:
    return Health(db, LocalStore(folder / "store"), reserve_mib=0)


async def test_all_is_well(working: Database, tmp_path: Path) -> None:
    reply = await asked(healthy(working, tmp_path))
    assert (reply.status_code, reply.json()) == (200, {"status": "ok", "checks": WELL})


@pytest.mark.parametrize(
    ("change", "part", "words"),
    [
        ("DELETE FROM procrastinate_workers", "worker", "no worker gave a sign of life"),
        (
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '11 seconds'",
            "worker",
            "no worker gave a sign of life",
        ),
        ("UPDATE alembic_version SET version_num = '0000'", "schema", "is 0000, should be"),
        ("DELETE FROM alembic_version", "schema", "none"),
        (
            TOO_NEW,
            "schema",
            f"is 9999, should be {newest_revision()}",
        ),
    ],
)
async def test_what_is_wrong_in_the_database_is_named(
    working: Database, tmp_path: Path, change: str, part: str, words: str
) -> None:
    async with working.transaction() as tx:
        await tx.execute(text(change))
    reply = await asked(healthy(working, tmp_path))
    assert reply.status_code == 503
    assert reply.json()["status"] == "unavailable"
    checks = reply.json()["checks"]
    assert words in checks.pop(part)
    assert set(checks.values()) == {"ok"}


async def test_the_schema_of_the_next_release_is_well(working: Database, tmp_path: Path) -> None:
    async with working.transaction() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await tx.execute(text(f"UPDATE schema_release SET release = {RELEASE + 1}"))
    assert (await asked(healthy(working, tmp_path))).json()["checks"] == WELL


async def test_a_disk_that_is_nearly_full_is_said(working: Database, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    reply = await asked(Health(working, store, reserve_mib=1 << 40))
    assert reply.status_code == 503
    assert f"{1 << 40} MiB wanted" in reply.json()["checks"]["storage"]


async def test_a_store_that_fails_is_said(working: Database, tmp_path: Path) -> None:
    reply = await asked(Health(working, BrokenStore(tmp_path), reserve_mib=0))
    assert reply.status_code == 503
    assert reply.json()["checks"] == {**WELL, "storage": "the bucket is gone"}


async def test_without_its_database_a_process_is_alive_but_not_ready(
    working: Database, postgres_url: str, tmp_path: Path
) -> None:
    name = conninfo_to_dict(working.url)["dbname"]
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
    health = healthy(working, tmp_path)
    assert (await asked(health, "/healthz")).json() == {"status": "ok"}
    reply = await asked(health)
    assert reply.status_code == 503
    assert reply.json()["checks"] == {
        "database": "unreachable",
        "schema": "unknown",
        "worker": "unknown",
        "storage": "ok",
    }
