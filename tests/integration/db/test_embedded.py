"""The server's life, with deaths. One cluster for all tests: initdb takes a second."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from telecine.db import embedded
from telecine.db.account import EmbeddedError
from telecine.db.embedded import DataFolderInUse, EmbeddedPostgres, running_url
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("embedded")]

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def pristine() -> Iterator[Path]:
    """A data folder whose server was started and stopped once."""
    folder = Path(tempfile.mkdtemp(prefix="telecine-embedded-"))

    async def make() -> None:
        postgres = EmbeddedPostgres(folder / "data")
        await postgres.start()
        await postgres.stop()

    asyncio.run(make())
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def home(pristine: Path) -> Iterator[Path]:
    """A copy of it, below a folder that only its owner may enter."""
    folder = Path(tempfile.mkdtemp(prefix="telecine-embedded-"))
    home = folder / "data"
    shutil.copytree(pristine, home)
    status = (pristine / "postgres").stat()
    for path in [home / "postgres", *(home / "postgres").rglob("*")]:
        os.chown(path, status.st_uid, status.st_gid)
    yield home
    shutil.rmtree(folder)


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(home)
    await postgres.start()
    try:
        yield postgres
    finally:
        await postgres.stop()


@asynccontextmanager
async def supervised(home: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run a supervisor as a process; yield it and the server's pid."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.db.supervisor", str(home)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield process, int(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def servers(home: Path) -> list[int]:
    return embedded._servers_in(home / "postgres")


async def nobody_serves(home: Path) -> None:
    async def so() -> bool:
        return not servers(home)

    await until(so)


async def test_it_serves_unicode_to_a_role_without_power(home: Path) -> None:
    async with running(home) as postgres:
        assert ask(postgres.url, "SELECT lower('ÉÑ')") == "éñ"
        assert ask(postgres.url, "SELECT current_setting('is_superuser')") == "off"
        assert ask(postgres.url, "SELECT pg_has_role('pg_read_server_files', 'member')") is False
        assert running_url(home) == postgres.url
        assert (home / "postgres").stat().st_mode & 0o777 == 0o700
    assert running_url(home) is None


async def test_what_is_committed_is_on_the_disk(home: Path) -> None:
    async with running(home) as postgres:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert ask(postgres.url, f"SHOW {setting}") == "on"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another account")
async def test_root_lends_the_server_nothing_but_the_way_to_its_folder(home: Path) -> None:
    before = home.parent.stat().st_mode
    async with running(home) as postgres:
        assert postgres.process is not None
        status = Path(f"/proc/{postgres.process.pid}/status").read_text().splitlines()
        fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
        assert "0" not in fields["Uid"].split() + fields["Gid"].split()
        assert fields["Groups"].strip() == ""
        assert int(fields["CapEff"], 16) in (0, 1 << 2)
    assert home.parent.stat().st_mode == before


async def test_a_killed_server_comes_back_with_its_data(home: Path) -> None:
    async with running(home) as postgres:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        assert not await postgres.ensure()
        assert postgres.process is not None
        postgres.process.kill()
        assert await postgres.wait() == -signal.SIGKILL
        assert await postgres.ensure()
        assert ask(postgres.url, "SELECT answer FROM kept") == 42


async def test_the_server_ends_with_its_supervisor(home: Path) -> None:
    async with supervised(home) as (supervisor, server):
        assert server in servers(home)
        supervisor.kill()
        await supervisor.wait()
        await nobody_serves(home)
    async with running(home) as postgres:
        assert ask(postgres.url, "SELECT 1") == 1


async def test_supervisor_and_server_killed_at_once(home: Path) -> None:
    async with supervised(home) as (supervisor, server):
        os.kill(server, signal.SIGKILL)
        supervisor.kill()
    assert (home / "postgres" / "postmaster.pid").exists()
    async with running(home) as postgres:
        assert ask(postgres.url, "SELECT 1") == 1


async def test_an_orphan_is_stopped_before_the_start(home: Path) -> None:
    async with supervised(home) as (supervisor, server):
        # A server that a stopped supervisor left: without the lock, still at work.
        os.kill(server, signal.SIGSTOP)
        supervisor.kill()
        await supervisor.wait()
        assert server in servers(home)
        os.kill(server, signal.SIGCONT)
        async with running(home) as postgres:
            assert postgres.process is not None
            assert postgres.process.pid != server
            assert ask(postgres.url, "SELECT 1") == 1


async def test_a_stale_pid_file_does_not_block(home: Path) -> None:
    # The number belongs to a process that lives, but is no server of ours.
    stale = f"{os.getpid()}\n{home / 'postgres'}\n1700000000\n5432\n{home / 'postgres'}\n"
    (home / "postgres" / "postmaster.pid").write_text(stale)
    async with running(home) as postgres:
        assert ask(postgres.url, "SELECT 1") == 1


async def test_a_second_supervisor_is_refused(home: Path) -> None:
    async with running(home) as postgres:
        with pytest.raises(DataFolderInUse, match=str(home)):
            await EmbeddedPostgres(home).start()
        assert ask(postgres.url, "SELECT 1") == 1


async def test_another_major_version_is_refused_and_left_alone(home: Path) -> None:
    (home / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 17"):
        await EmbeddedPostgres(home).start()
    assert (home / "postgres" / "PG_VERSION").read_text() == "17\n"


async def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    (home / "postgres" / "postgresql.auto.conf").write_text("nonsense = 1\n")
    with pytest.raises(EmbeddedError, match="nonsense"):
        await EmbeddedPostgres(home).start()
    # and gives the folder back
    (home / "postgres" / "postgresql.auto.conf").write_text("")
    async with running(home) as postgres:
        assert ask(postgres.url, "SELECT 1") == 1


async def test_an_interrupted_initdb_is_done_again(home: Path) -> None:
    shutil.rmtree(home / "postgres")
    (home / "postgres.init").mkdir()
    (home / "postgres.init" / "PG_VERSION").write_text("18\n")
    async with running(home) as postgres:
        assert ask(postgres.url, "SELECT 1") == 1
    assert not (home / "postgres.init").exists()


async def test_a_long_path_has_its_socket_in_a_closed_folder(home: Path) -> None:
    long = home / ("long" * 25)
    long.mkdir()
    (home / "postgres").rename(long / "postgres")
    async with running(long) as postgres:
        assert ask(postgres.url, "SELECT 1") == 1
        assert running_url(long) == postgres.url
        folder = postgres._socket_folder
        assert folder != long / "postgres"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert postgres.process is not None
        # Killed and started again, it leaves no folder behind.
        postgres.process.kill()
        await postgres.wait()
        await postgres.ensure()
        assert ask(postgres.url, "SELECT 1") == 1
        assert not folder.exists()
        folder = postgres._socket_folder
    assert not folder.exists()


async def test_only_the_main_thread_may_start_it(home: Path) -> None:
    with pytest.raises(RuntimeError, match="main thread"):
        await asyncio.to_thread(asyncio.run, EmbeddedPostgres(home).start())
