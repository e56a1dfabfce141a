"""What a writer hands to the disk early is the same bytes, and no less durable."""

import os
from pathlib import Path

import pytest

from telecine.storage import local, write_behind
from telecine.storage.local import LocalStore

pytestmark = pytest.mark.anyio


async def test_the_disk_is_told_every_few_megabytes_and_the_end_is_still_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    begin, sync = write_behind.start_writing, os.fsync

    def starting(descriptor: int) -> None:
        calls.append("start")
        begin(descriptor)

    def syncing(descriptor: int) -> None:
        calls.append("sync")
        sync(descriptor)

    monkeypatch.setattr(local, "start_writing", starting)
    monkeypatch.setattr(os, "fsync", syncing)
    piece = os.urandom(3 << 20)
    store = LocalStore(tmp_path)
    async with store.writer("a/b") as writer:
        for _ in range(7):
            await writer.write(piece)
    assert await store.read("a/b") == piece * 7
    assert calls[:3] == ["start", "start", "sync"]


def test_a_descriptor_that_is_no_file_does_no_harm() -> None:
    reading, writing = os.pipe()
    try:
        write_behind.start_writing(writing)
    finally:
        os.close(reading)
        os.close(writing)
