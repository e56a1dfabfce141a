"""Viewers with api.video's own analytics package, told of by all official clients."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.contract import packages
from tests.contract.conftest import MakeTenant, Tenant, accepted
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.node, pytest.mark.anyio]

HERE = Path(__file__).parent
NODE, PYTHON = HERE / "node", HERE / "python"
PACKAGE = ("@api.video/player-analytics", "1.0.9")


@dataclass(frozen=True, slots=True)
class Watched:
    video_id: str
    stream_id: str
    session_id: str


@pytest.fixture(scope="module")
def watched(base_url: str, api: httpx.Client) -> Watched:
    """A video and a live stream that were watched by the unmodified package."""
    video_id = accepted(api.post("/videos", json={"title": "watched"}))["videoId"]
    stream_id = accepted(api.post("/live-streams", json={"name": "watched"}))["liveStreamId"]
    folder = packages.node_package(*PACKAGE)
    argv = [packages.node_program("node"), NODE / "player_analytics.cjs", folder]
    environment = packages.node_environment()
    said = packages.run([*argv, f"{base_url}/vod", video_id, "vod"], env=environment)
    packages.run([*argv, f"{base_url}/live", stream_id, "live"], env=environment)
    return Watched(video_id, stream_id, said.split()[-1])


async def stored(api: httpx.Client, watched: Watched) -> None:
    async def there() -> bool:
        events = api.get(f"/analytics/sessions/{watched.session_id}/events")
        live = accepted(api.get(f"/analytics/live-streams/{watched.stream_id}"))
        return events.is_success and live["data"] != []

    await until(there)


@pytest.mark.parametrize("version", ["1.3.0", "1.2.0"])
async def test_python_clients_read_sessions(
    base_url: str, api: httpx.Client, tenant: Tenant, watched: Watched, version: str
) -> None:
    await stored(api, watched)
    environment = {**os.environ, "PYTHONPATH": str(packages.python_client(version))}
    ids = [watched.video_id, watched.stream_id, watched.session_id]
    packages.run(
        [sys.executable, PYTHON / "sessions.py", base_url, tenant.key, *ids], env=environment
    )


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("@api.video/nodejs-client", "2.1.1"),
        ("@api.video/nodejs-client", "2.5.4"),
        ("@api.video/nodejs-sdk", "1.10.4"),
        ("@api.video/nodejs-sdk", "2.0.1"),
    ],
)
async def test_node_clients_read_sessions(
    base_url: str, api: httpx.Client, tenant: Tenant, watched: Watched, package: str, version: str
) -> None:
    await stored(api, watched)
    folder = packages.node_package(package, version)
    argv = [packages.node_program("node"), NODE / "sessions.cjs", folder, package, version]
    ids = [watched.video_id, watched.stream_id, watched.session_id]
    packages.run([*argv, base_url, tenant.key, *ids], env=packages.node_environment())


@pytest.mark.parametrize("version", ["1.3.0", "1.3.2"])
async def test_python_clients_count_plays(
    base_url: str, api: httpx.Client, tenant: Tenant, watched: Watched, version: str
) -> None:
    """Only these two have the operations."""
    await stored(api, watched)
    counted = {"filterBy[mediaId]": watched.stream_id}

    async def both() -> bool:  # loads of the page, which other processes may have been told of
        answer = accepted(api.get("/data/metrics/play/count", params=counted))
        return int(answer["data"]) == 2

    await until(both)
    environment = {**os.environ, "PYTHONPATH": str(packages.python_client(version))}
    ids = [watched.video_id, watched.stream_id]
    packages.run([sys.executable, PYTHON / "plays.py", base_url, tenant.key, *ids], env=environment)


@pytest.mark.parametrize("minutes", [None, 60])
async def test_old_python_clients_know_what_an_account_is(
    base_url: str, make_tenant: MakeTenant, operator: httpx.Client, minutes: int | None
) -> None:
    """None of PyPI ever had the operation; up to this one they had its model."""
    tenant = make_tenant("account")
    settings = f"/_/projects/{tenant.project_id}/settings"
    accepted(operator.patch(settings, json={"quotaMinutes": minutes}))
    environment = {**os.environ, "PYTHONPATH": str(packages.python_client("0.0.16"))}
    argv = [sys.executable, PYTHON / "account.py", base_url, tenant.key, minutes or ""]
    packages.run(argv, env=environment)


async def test_the_newest_python_client_reads_numbers(
    base_url: str, api: httpx.Client, tenant: Tenant, watched: Watched
) -> None:
    await stored(api, watched)
    argv = [sys.executable, PYTHON / "data.py", base_url, tenant.key]
    packages.run([*argv, watched.video_id, watched.stream_id])


async def test_the_newest_node_client_reads_numbers(
    base_url: str, api: httpx.Client, tenant: Tenant, watched: Watched
) -> None:
    await stored(api, watched)
    folder = packages.node_package("@api.video/nodejs-client", "2.6.8")
    argv = [packages.node_program("node"), NODE / "data.cjs", folder, base_url, tenant.key]
    ids = [watched.video_id, watched.stream_id]
    packages.run([*argv, *ids], env=packages.node_environment())
