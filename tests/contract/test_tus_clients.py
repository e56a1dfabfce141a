"""Clients for tus and its successor's drafts, as they are: cut, resumed, put together."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract import packages
from tests.contract.conftest import Tenant
from tests.contract.resending import upload_token
from tests.contract.upload_ways import TUS_JS, TUSPY
from tests.fixtures.media import padded
from tests.fixtures.server import TelecineServer
from tests.fixtures.stored import stored_source

SCRIPTS = Path(__file__).parent
FILE_BYTES = 30 * 1000 * 1000
CHUNK_BYTES = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def file(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tus") / "large.mp4"
    path.write_bytes(padded(clip.read_bytes(), FILE_BYTES))
    return path


def run_node(server: TelecineServer, key: str, scenario: str, file: Path) -> dict[str, Any]:
    folder = packages.node_package("tus-js-client", TUS_JS)
    script = SCRIPTS / "node" / "tus_client.cjs"
    argv = [packages.node_program("node"), script, folder, server.base_url, key, scenario, file]
    printed = packages.run(argv, env=packages.node_environment())
    found: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    return found


def assert_stored(server: TelecineServer, url: str, file: Path) -> None:
    assert url.startswith(f"{server.base_url}/tus/vi")
    assert stored_source(server, url.rpartition("/")[2]) == file.read_bytes()


@pytest.mark.node
@pytest.mark.parametrize(
    "scenario",
    [
        "tus-v1",
        "ietf-draft-03",
        "ietf-draft-05",
        "creation-with-upload",
        "draft-creation-with-upload",
        "chunks",
        "draft-chunks",
        "deferred",
        "override",
        "parallel",
    ],
)
def test_tus_js_client(
    telecine_server: TelecineServer, tenant: Tenant, file: Path, scenario: str
) -> None:
    made = run_node(telecine_server, tenant.key, scenario, file)
    assert_stored(telecine_server, made["url"], file)
    if scenario in {"chunks", "draft-chunks", "deferred"}:
        expected = list(range(0, FILE_BYTES, CHUNK_BYTES))
        assert made["offsets"][: len(expected)] == expected
    elif scenario == "override":
        assert made["methods"] == ["POST", "POST"]
    elif scenario == "parallel":
        assert made["offsets"] == [0, 0, 0]


@pytest.mark.node
def test_tus_js_client_gives_up(
    telecine_server: TelecineServer, tenant: Tenant, file: Path
) -> None:
    run_node(telecine_server, tenant.key, "terminated", file)


def run_python(script: str, *words: object) -> str:
    environment = {**os.environ, "PYTHONPATH": str(packages.python_package("tuspy", TUSPY))}
    argv = [sys.executable, SCRIPTS / "python" / script, *words]
    return packages.run(argv, env=environment).strip().splitlines()[-1]


def test_tuspy(telecine_server: TelecineServer, tenant: Tenant, file: Path) -> None:
    url = run_python("tus.py", telecine_server.base_url, tenant.key, file)
    assert_stored(telecine_server, url, file)


@pytest.mark.parametrize("credentials", ["key", "token"])
def test_tuspy_in_one_request(
    telecine_server: TelecineServer, tenant: Tenant, file: Path, credentials: str
) -> None:
    token = upload_token(telecine_server, tenant.key)
    key = tenant.key if credentials == "key" else f":{token}"
    url = run_python("tus_retry.py", telecine_server.base_url, key, file, FILE_BYTES)
    assert_stored(telecine_server, url.partition("?")[0], file)
