"""What only a network can do wrong."""

import asyncio
import socket
from collections.abc import Mapping

import pytest

from telecine.storage.open import open_store
from telecine.storage.store import ObjectMissing, StoreError
from tests.fixtures.waiting import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.s3]


async def test_a_wrong_secret_is_an_error_of_the_store(
    s3_environment: Mapping[str, str], bucket_url: str
) -> None:
    store = open_store(bucket_url, {**s3_environment, "AWS_SECRET_ACCESS_KEY": "wrong"})
    with pytest.raises(StoreError) as caught:
        await store.put("a", b"x")
    assert not isinstance(caught.value, ObjectMissing)
    with pytest.raises(StoreError):
        await store.size("a")


async def test_a_writer_learns_that_the_upload_has_failed(
    s3_environment: Mapping[str, str], bucket_url: str
) -> None:
    store = open_store(bucket_url, {**s3_environment, "AWS_SECRET_ACCESS_KEY": "wrong"})

    async def write_for_ever() -> None:
        async with store.writer("a") as writer:
            while True:
                await writer.write(bytes(4 << 20))
                await asyncio.sleep(0)

    with pytest.raises(StoreError):
        await asyncio.wait_for(write_for_ever(), PATIENCE_S)


async def test_prefixes_are_separate(s3_environment: Mapping[str, str], bucket_url: str) -> None:
    one = open_store(f"{bucket_url}/one", s3_environment)
    other = open_store(f"{bucket_url}/other", s3_environment)
    await one.put("a", b"1")
    await other.put("b", b"2")
    assert [entry.key async for entry in one.list("")] == ["a"]
    assert await other.size("a") is None


async def test_an_absent_server_is_an_error_of_the_store(bucket_url: str) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{taken.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "k",
            "AWS_SECRET_ACCESS_KEY": "s",
        }
        with pytest.raises(StoreError):
            await asyncio.wait_for(open_store(bucket_url, environment).read("a"), PATIENCE_S)
