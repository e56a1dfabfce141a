"""Official clients whose server dies in the middle of a part: they send it again."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import pytest

from tests.chaos.conftest import Victim
from tests.contract import resending
from tests.contract.resending import (
    CLIENTS,
    SCENARIOS,
    TUS_CLIENTS,
    Running,
    assert_stored,
    older_clients,
    tus_video,
    upload_token,
)
from tests.fixtures.media import barcode_mp4
from tests.fixtures.ports import free_port
from tests.fixtures.proxy import Fault, proxy_to
from tests.fixtures.stored import stored_source

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.xdist_group("own-server"),
]

HALF_BYTES = 400_000  # of the small file, too


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """A victim that comes back on the port that its clients know."""
    data = tmp_path_factory.mktemp("steady") / "data"
    victim = Victim(data, {"TELECINE_PORT": str(free_port())})
    yield victim
    victim.fsck()
    victim.stop()


@pytest.fixture
def steady(lasting: Victim) -> Victim:
    lasting.spare()
    return lasting


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clip = barcode_mp4(frames=25, width_px=320, height_px=180, keyframe_interval=25)
    return resending.write_files(tmp_path_factory.mktemp("killed"), clip)


async def strike(victim: Victim, struck: str, *faults: Fault) -> None:
    """Kill what serves the requests that are on hold."""
    for fault in faults:
        await fault.happened.wait()
    if struck == "api":
        victim.kill_api()
    else:
        url = victim.server.base_url
        await asyncio.to_thread(victim.kill_everything)
        await asyncio.to_thread(victim.start)
        assert victim.server.base_url == url


@pytest.mark.parametrize(
    ("scenario", "struck"),
    [("small", "api"), ("session", "api"), ("token", "api"), ("session", "everything")],
)
@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_second_call_goes_through(
    steady: Victim, files: Path, kind: str, scenario: str, struck: str
) -> None:
    key = steady.server.production_key
    async with proxy_to(steady.server.base_url) as proxy:
        fault = proxy.hold(SCENARIOS[scenario], HALF_BYTES)
        url = f"http://{proxy.authority}"
        async with resending.client(kind, url, key, scenario, files) as client:
            async with asyncio.TaskGroup() as group:
                group.create_task(strike(steady, struck, fault))
                group.create_task(client.broken())
            await client.again()
            printed = await client.ended()
    assert_stored(steady.server, files, printed)


@pytest.mark.parametrize("struck", ["api", "everything"])
@pytest.mark.parametrize("kind", TUS_CLIENTS)
async def test_tus_clients_go_on_by_themselves(
    steady: Victim, files: Path, kind: str, struck: str
) -> None:
    file, key = files / "large.mp4", steady.server.production_key
    async with proxy_to(steady.server.base_url) as proxy:
        fault = proxy.hold(b"PATCH /tus/", HALF_BYTES)
        url = f"http://{proxy.authority}"
        async with (
            resending.client(kind, url, key, "patient", file) as client,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(strike(steady, struck, fault))
            printed = await client.ended()
    assert stored_source(steady.server, tus_video(printed)) == file.read_bytes()


@pytest.mark.node
async def test_older_clients_whose_server_dies_under_all_of_them(
    steady: Victim, files: Path
) -> None:
    """One death, and one start, for every client; each is in the middle of a part."""
    key = steady.server.production_key
    token = upload_token(steady.server, key)
    chosen = [cast("tuple[str, str, str]", each.values) for each in older_clients(["token"])]
    async with AsyncExitStack() as ends:
        faults: list[Fault] = []

        async def begun(
            mark: bytes, kind: str, key: str, scenario: str, path: Path, version: str | None = None
        ) -> Running:
            proxy = await ends.enter_async_context(proxy_to(steady.server.base_url))
            faults.append(proxy.slow(mark, HALF_BYTES))
            url = f"http://{proxy.authority}"
            running = resending.client(kind, url, key, scenario, path, version)
            return await ends.enter_async_context(running)

        file = files / "large.mp4"
        bearer = await begun(b"PATCH /tus/", "tuspy", f":{token}", "patient", file)
        clients = [
            await begun(SCENARIOS[scenario], kind, key, scenario, files, version)
            for kind, version, scenario in chosen
        ]
        async with asyncio.TaskGroup() as group:
            group.create_task(strike(steady, "everything", *faults))
            for client in clients:
                group.create_task(client.broken())
        for client in clients:
            await client.again()
        for client in clients:
            assert_stored(steady.server, files, await client.ended())
        printed = await bearer.ended()
    assert stored_source(steady.server, tus_video(printed)) == file.read_bytes()
