"""Processes on their own, around a database that others run."""

from pathlib import Path

import httpx
import pytest

from telecine import ids
from telecine.processes.exits import Exit
from tests.fixtures.server import TelecineProcess, running_telecine
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.processes.family import children

pytestmark = pytest.mark.anyio


async def checks(url: str) -> dict[str, str]:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        found: dict[str, str] = (await client.get(f"{url}/readyz")).json()["checks"]
        return found


async def test_api_and_worker_run_apart(empty_database_url: str, tmp_path: Path) -> None:
    settings = {
        "DATABASE_URL": empty_database_url,
        "TELECINE_SECRET_KEY": ids.secret(),
        "TELECINE_STORAGE": (tmp_path / "shared").as_uri(),
        "TELECINE_API_PROCESSES": "1",
    }
    api = TelecineProcess(tmp_path / "api", settings, command="api")
    try:
        server = api.wait_until_ready()
        assert set(children(server.pid)) == {"zygote", "api-0"}
        assert (await checks(server.base_url))["worker"] != "ok"
        worker = TelecineProcess(tmp_path / "worker", settings, command="worker")
        try:

            async def all_well() -> bool:
                return set((await checks(server.base_url)).values()) == {"ok"}

            await until(all_well)
        finally:
            assert worker.stop() == Exit.DONE
    finally:
        assert api.stop() == Exit.DONE


def test_nodes_agree_on_a_secret(empty_database_url: str, tmp_path: Path) -> None:
    api = TelecineProcess(tmp_path / "api", {"DATABASE_URL": empty_database_url}, command="api")
    assert api.wait() == Exit.SETTINGS_WRONG
    api.stop()
    assert "TELECINE_SECRET_KEY" in api.log.read_text()


def test_a_second_machine_needs_shared_storage(empty_database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": empty_database_url, "TELECINE_API_PROCESSES": "1"}
    with running_telecine(tmp_path / "first", settings) as (_, first):
        assert "postgres" not in children(first.pid)
        second = TelecineProcess(tmp_path / "second", settings)
        assert second.wait() == Exit.STORAGE_NOT_SHARED
        second.stop()
        assert "TELECINE_STORAGE" in second.log.read_text()
    with running_telecine(tmp_path / "second", settings):
        pass  # the first has left
