"""A server that dies while a file arrives: what it had recorded need not be sent again."""

from collections.abc import AsyncIterator

import httpx
import pytest

from telecine.domains.uploads.tus.body import CHECKPOINT_BYTES
from tests.chaos.conftest import Victim
from tests.chaos.test_sudden_death import assert_nothing_is_lost, clip
from tests.fixtures.media import padded
from tests.fixtures.stored import database_of, stored_source
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.xdist_group("own-server"),
]

FRAMES = 240
FILE_BYTES = CHECKPOINT_BYTES + (8 << 20)
TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return padded(clip(FRAMES).read_bytes(), FILE_BYTES)


def ask(victim: Victim, statement: str) -> int:
    with database_of(victim.server) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0] or 0)


RECORDED = "SELECT sum(size_bytes) FROM source_part WHERE stored_at IS NOT NULL"
OLD_ENOUGH = (
    "SELECT count(*) FROM upload_writer JOIN source_part USING (source_id)"
    " WHERE stored_at IS NULL AND seen_at > claimed_at + interval '1.5 seconds'"
)


async def test_an_upload_goes_on_after_the_sudden_death_of_its_server(
    victim: Victim, content: bytes
) -> None:
    created = victim.customer.http.post(
        "/tus/", headers={**TUS, "Upload-Length": str(len(content))}
    )
    path = created.headers["location"]
    before = ask(victim, RECORDED)

    async def recorded() -> bool:
        return ask(victim, RECORDED) > before

    async def old_enough() -> bool:
        return ask(victim, OLD_ENOUGH) > 0

    async def body() -> AsyncIterator[bytes]:
        yield content[: CHECKPOINT_BYTES + 1]
        await until(old_enough)
        yield content[CHECKPOINT_BYTES + 1 :][: 2 << 20]
        await until(recorded)
        victim.kill_api()
        yield content[CHECKPOINT_BYTES + 1 + (2 << 20) :]

    auth = httpx.BasicAuth(victim.server.production_key, "")
    async with httpx.AsyncClient(
        base_url=victim.server.base_url, auth=auth, timeout=PATIENCE_S
    ) as client:
        length = {"Content-Length": str(len(content))}
        with pytest.raises(httpx.TransportError):
            await client.patch(
                path, content=body(), headers={**CHUNK, **length, "Upload-Offset": "0"}
            )
        told = await client.head(path, headers=TUS)
        assert told.status_code == 200
        offset = int(told.headers["upload-offset"])
        assert CHECKPOINT_BYTES <= offset < len(content)
        resumed = {**CHUNK, "Upload-Offset": str(offset)}
        reply = await client.patch(path, content=content[offset:], headers=resumed)
        assert reply.status_code == 204
    video_id = path.rsplit("/", 1)[1]
    assert stored_source(victim.server, video_id) == content
    await assert_nothing_is_lost(victim, {video_id: FRAMES})
