"""How a Telecine ends: the status, the sentence, and what is left behind."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import psycopg
import pytest

from telecine.db.embedded import running_url
from telecine.db.release import RELEASE
from telecine.processes.exits import Exit
from tests.fixtures.ports import free_port
from tests.fixtures.server import TelecineProcess, running_telecine, telecine
from tests.fixtures.waiting import PATIENCE_S, until, until_now
from tests.integration.processes.conftest import Running
from tests.integration.processes.family import children, descendants, is_alive

pytestmark = pytest.mark.anyio


def ended(folder: Path, settings: dict[str, str]) -> tuple[int, str]:
    """Start a Telecine that cannot start; return its status and what it said."""
    process = TelecineProcess(folder, settings)
    try:
        status = process.wait()
    finally:
        process.stop()
    return status, process.log.read_text()


def say_newer(folder: Path, release: int) -> None:
    """Make the running database say that a program of a later release migrated it."""
    url = running_url(folder)
    assert url is not None
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE schema_release SET release = %s", [release])


def test_a_stop_leaves_no_process(folder: Path) -> None:
    with running_telecine(folder) as (process, server):
        family = descendants(server.pid)
        assert len(family) > 5
        assert process.stop() == Exit.DONE
    until_now(lambda: not any(is_alive(pid) for pid in family))
    assert not (folder / "postgres" / "postmaster.pid").exists()


async def test_killing_the_supervisor_ends_everything_and_keys_are_shown_once(folder: Path) -> None:
    with running_telecine(folder) as (process, server):
        family = descendants(server.pid)
        process.wait_until_told("not shown again")
        process.process.kill()

        async def all_ended() -> bool:
            return not any(is_alive(pid) for pid in family)

        await until(all_ended)
    told = dict(re.split(r"\s{2,}", line) for line in process.told.splitlines() if "  " in line)
    assert told["Project"].startswith("pr")
    assert told["Production key"] == process.production_key
    assert told["Sandbox key"] == process.sandbox_key
    assert told["Dashboard"].endswith("/dashboard")
    with running_telecine(folder) as (again, _):
        pass
    assert f"Telecine serves {again.base_url}" in again.told
    assert "key" not in again.told


async def test_a_second_signal_waits_for_nobody(folder: Path) -> None:
    with running_telecine(folder) as (process, server):
        frozen = children(server.pid)["worker-0"]
        os.kill(frozen, signal.SIGSTOP)
        process.process.terminate()

        async def stopping() -> bool:
            return "api-0" not in children(server.pid)

        await until(stopping)
        process.process.terminate()
        assert process.wait() == Exit.DONE
        until_now(lambda: not is_alive(frozen))
    log = server.log.read_text()
    assert "stopping_at_once" in log
    assert "child_stop_slow" not in log


async def test_a_child_that_keeps_dying_ends_it(folder: Path) -> None:
    with running_telecine(folder) as (process, server):
        killed: set[int] = set()

        async def over() -> bool:
            worker = children(server.pid).get("worker-0")
            if worker is not None and worker not in killed:
                os.kill(worker, signal.SIGKILL)
                killed.add(worker)
            return process.process.poll() is not None

        await until(over)
        assert process.wait() == Exit.KEEPS_DYING
        assert len(killed) == 5
    assert "worker-0 died 5 times" in server.log.read_text()


def test_a_taken_port_is_named(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        status, said = ended(folder, {"TELECINE_PORT": str(port)})
    assert status == Exit.PORT_TAKEN
    assert f"Port {port} on 127.0.0.1 is in use" in said
    assert not (folder / "postgres").exists()


def test_a_taken_port_of_encoders_is_named(folder: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        status, said = ended(folder, {"TELECINE_SRT_PORT": str(port)})
    assert status == Exit.PORT_TAKEN
    assert f"Port {port} on 127.0.0.1 is in use" in said
    assert "TELECINE_SRT_PORT" in said


def test_a_taken_metrics_port_is_named(folder: Path, running: Running) -> None:
    port = running[0].environment["TELECINE_METRICS_PORT"]
    status, said = ended(folder, {"TELECINE_METRICS_PORT": port})
    assert status == Exit.PORT_TAKEN
    assert "TELECINE_METRICS_PORT" in said


def test_a_second_one_on_the_folder_is_refused(running: Running, folder: Path) -> None:
    process, server = running
    status, said = ended(folder, {"TELECINE_DATA": str(server.data)})
    assert status == Exit.FOLDER_LOCKED
    assert f"(process {server.pid})" in said
    assert process.process.poll() is None


@pytest.mark.parametrize(
    ("settings", "expected", "words"),
    [
        ({"TELECINE_PORTT": "1"}, Exit.SETTINGS_WRONG, "unknown setting TELECINE_PORTT"),
        ({"TELECINE_DISK_RESERVE_MIB": "999999999"}, Exit.DISK_FULL, "MiB are free"),
        ({"TELECINE_FFMPEG": "/nowhere/ffmpeg"}, Exit.FFMPEG_MISSING, "/nowhere/ffmpeg"),
        ({"TELECINE_DATA": "/dev/null/data"}, Exit.FOLDER_UNUSABLE, "/dev/null/data"),
        ({"TELECINE_STORAGE": "file:///dev/null/x"}, Exit.FOLDER_UNUSABLE, "/dev/null/x"),
    ],
)
def test_what_is_missing_is_named(
    folder: Path, settings: dict[str, str], expected: Exit, words: str
) -> None:
    status, said = ended(folder, settings)
    assert status == expected
    assert words in said
    assert "Traceback" not in said


def test_a_database_of_the_next_release_is_worked_with_and_a_later_one_is_left_alone(
    folder: Path,
) -> None:
    with running_telecine(folder):
        say_newer(folder, RELEASE + 1)
    with running_telecine(folder) as (_, server):
        assert (
            httpx.get(f"{server.base_url}/readyz", timeout=PATIENCE_S).json()["checks"]["schema"]
            == "ok"
        )
        say_newer(folder, RELEASE + 2)
        assert (
            "9999"
            in httpx.get(f"{server.base_url}/readyz", timeout=PATIENCE_S).json()["checks"]["schema"]
        )
    status, said = ended(folder, {})
    assert status == Exit.DATABASE_NEWER
    assert "9999" in said
    assert "Traceback" not in said


def test_api_alone_needs_a_database(folder: Path) -> None:
    process = TelecineProcess(folder, {"TELECINE_PORT": str(free_port())}, command="api")
    assert process.wait() == Exit.DATABASE_FAILED
    process.stop()
    assert "DATABASE_URL" in process.log.read_text()


def test_words_that_are_no_command_are_refused(folder: Path) -> None:
    process = subprocess.run(telecine("srve"), capture_output=True, check=False, text=True)
    assert process.returncode == Exit.USAGE
