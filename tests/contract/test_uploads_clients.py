"""Every way to upload of official clients, as they are: the store has what was sent."""

import hashlib
import json
import os
import sys
from itertools import repeat
from pathlib import Path

import pytest

from tests.contract import packages
from tests.contract.conftest import Tenant
from tests.contract.upload_ways import (
    NEWEST_NODE,
    NEWEST_PYTHON,
    NODE_SDK,
    OLDER_NODE,
    OLDER_PYTHON,
)
from tests.fixtures.media import padded
from tests.fixtures.server import TelecineServer
from tests.fixtures.stored import stored_source

SCRIPTS = Path(__file__).parent

CHUNK_BYTES = 5 * 1024 * 1024
LAST_CHUNK_BYTES = 60_860


@pytest.fixture(scope="module")
def files(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small file, and large ones of two and of three chunks."""
    folder = tmp_path_factory.mktemp("uploads")
    small = clip.read_bytes()
    (folder / "small.mp4").write_bytes(small)
    (folder / "even.mp4").write_bytes(padded(small, 2 * CHUNK_BYTES))
    large = padded(small, 2 * CHUNK_BYTES + LAST_CHUNK_BYTES)
    (folder / "large.mp4").write_bytes(large)
    for number, letter in enumerate("abc"):
        chunk = large[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]
        (folder / f"large.mp4.part.{letter}").write_bytes(chunk)
    return folder


def check_store(server: TelecineServer, files: Path, printed: str, videos: int) -> None:
    """Compare the sources of videos with the files that a client says it has sent."""
    made: dict[str, str] = json.loads(printed.strip().splitlines()[-1])
    assert len(made) == videos
    for video_id, name in made.items():
        sent = hashlib.sha256((files / name).read_bytes()).hexdigest()
        assert hashlib.sha256(stored_source(server, video_id)).hexdigest() == sent, name


def run_python(
    server: TelecineServer, key: str, wanted: str, files: Path, client: Path | None
) -> str:
    environment = dict(os.environ)
    if client is not None:
        environment["PYTHONPATH"] = str(client)
    script = SCRIPTS / "python" / "uploads.py"
    argv = [sys.executable, script, server.base_url, key, wanted, files]
    return packages.run(argv, env=environment)


def test_the_newest_python_client(
    telecine_server: TelecineServer, tenant: Tenant, files: Path
) -> None:
    wanted = NEWEST_PYTHON
    printed = run_python(telecine_server, tenant.key, wanted, files, None)
    check_store(telecine_server, files, printed, 8)


@pytest.mark.parametrize("wanted", OLDER_PYTHON)
def test_older_python_clients(
    telecine_server: TelecineServer, tenant: Tenant, files: Path, wanted: str
) -> None:
    client = packages.python_client(wanted)
    printed = run_python(telecine_server, tenant.key, wanted, files, client)
    check_store(telecine_server, files, printed, 8)


@pytest.mark.node
@pytest.mark.parametrize(
    ("package", "wanted", "script", "videos"),
    [
        ("@api.video/nodejs-client", NEWEST_NODE, "uploads_client.cjs", 9),
        *[("@api.video/nodejs-client", old, "uploads_client.cjs", 7) for old in OLDER_NODE],
        *zip(repeat("@api.video/nodejs-sdk"), NODE_SDK, repeat("uploads_sdk.cjs"), (3, 2)),
    ],
)
def test_node_clients(
    telecine_server: TelecineServer,
    tenant: Tenant,
    files: Path,
    package: str,
    wanted: str,
    script: str,
    videos: int,
) -> None:
    folder = packages.node_package(package, wanted)
    node = packages.node_program("node")
    path = SCRIPTS / "node" / script
    argv = [node, path, folder, wanted, telecine_server.base_url, tenant.key, files]
    printed = packages.run(argv, env=packages.node_environment())
    check_store(telecine_server, files, printed, videos)


@pytest.fixture(scope="module")
def huge(files: Path) -> Path:
    """Larger than the 50 MiB, or 64, that clients send at a time if nobody tells them."""
    path = files / "huge.mp4"
    path.write_bytes(padded((files / "small.mp4").read_bytes(), (65 << 20) + 1))
    return path


def test_python_in_chunks_of_its_own_choice(
    telecine_server: TelecineServer, tenant: Tenant, huge: Path
) -> None:
    script = SCRIPTS / "python" / "default_chunks.py"
    argv = [sys.executable, script, telecine_server.base_url, tenant.key, huge]
    printed = packages.run(argv, env=dict(os.environ))
    check_store(telecine_server, huge.parent, printed, 1)


@pytest.mark.node
def test_node_in_chunks_of_its_own_choice(
    telecine_server: TelecineServer, tenant: Tenant, huge: Path
) -> None:
    folder = packages.node_package("@api.video/nodejs-client", NEWEST_NODE)
    script = SCRIPTS / "node" / "default_chunks.cjs"
    node = packages.node_program("node")
    argv = [node, script, folder, telecine_server.base_url, tenant.key, huge]
    printed = packages.run(argv, env=packages.node_environment())
    check_store(telecine_server, huge.parent, printed, 1)
