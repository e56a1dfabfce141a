"""Official clients whose connection is cut in the middle of a part: they send it again."""

from pathlib import Path

import pytest

from tests.contract import resending
from tests.contract.conftest import Tenant
from tests.contract.resending import (
    CALLED_AGAIN,
    CLIENTS,
    SCENARIOS,
    TUS_CLIENTS,
    assert_stored,
    older_clients,
    tus_video,
)
from tests.fixtures.proxy import proxy_to
from tests.fixtures.server import TelecineServer
from tests.fixtures.stored import stored_source

pytestmark = pytest.mark.anyio

HALF_BYTES = 400_000  # of the small file, too


@pytest.fixture(scope="module")
def files(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return resending.write_files(tmp_path_factory.mktemp("cut"), clip)


@pytest.mark.parametrize("scenario", CALLED_AGAIN)
@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_second_call_goes_through(
    telecine_server: TelecineServer, tenant: Tenant, files: Path, kind: str, scenario: str
) -> None:
    async with proxy_to(telecine_server.base_url) as proxy:
        fault = proxy.cut(SCENARIOS[scenario], HALF_BYTES)
        url = f"http://{proxy.authority}"
        async with resending.client(kind, url, tenant.key, scenario, files) as client:
            await client.broken()
            assert fault.happened.is_set()
            await client.again()
            printed = await client.ended()
    assert_stored(telecine_server, files, printed)


@pytest.mark.parametrize(
    ("kind", "version", "scenario"), older_clients(("first", "session", "token"))
)
async def test_a_second_call_of_older_clients_goes_through(
    telecine_server: TelecineServer,
    tenant: Tenant,
    files: Path,
    kind: str,
    version: str,
    scenario: str,
) -> None:
    async with proxy_to(telecine_server.base_url) as proxy:
        fault = proxy.cut(SCENARIOS[scenario], HALF_BYTES)
        url, key = f"http://{proxy.authority}", tenant.key
        async with resending.client(kind, url, key, scenario, files, version) as client:
            await client.broken()
            assert fault.happened.is_set()
            await client.again()
            printed = await client.ended()
    assert_stored(telecine_server, files, printed)


async def test_the_python_client_tries_again_by_itself(
    telecine_server: TelecineServer, tenant: Tenant, files: Path
) -> None:
    async with proxy_to(telecine_server.base_url) as proxy:
        faults = [proxy.cut(b"part %d/3" % part, HALF_BYTES) for part in (1, 2)]
        url = f"http://{proxy.authority}"
        async with resending.client("python", url, tenant.key, "retried", files) as client:
            printed = await client.ended()
    assert all(fault.happened.is_set() for fault in faults)
    assert_stored(telecine_server, files, printed)


@pytest.mark.parametrize("kind", TUS_CLIENTS)
async def test_tus_clients_go_on_by_themselves(
    telecine_server: TelecineServer, tenant: Tenant, files: Path, kind: str
) -> None:
    file = files / "large.mp4"
    async with proxy_to(telecine_server.base_url) as proxy:
        faults = [proxy.cut(b"PATCH /tus/", HALF_BYTES * times) for times in (1, 2)]
        url = f"http://{proxy.authority}"
        async with resending.client(kind, url, tenant.key, "patient", file) as client:
            printed = await client.ended()
    assert all(fault.happened.is_set() for fault in faults)
    assert stored_source(telecine_server, tus_video(printed)) == file.read_bytes()
