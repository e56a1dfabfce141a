import os
from datetime import timedelta
from pathlib import Path

import pytest

from telecine import clock
from telecine.storage.extents import Extent, Extents
from telecine.storage.local import LocalStore
from telecine.storage.spool import LocalFile, Spool

pytestmark = pytest.mark.anyio


@pytest.fixture
async def source(tmp_path: Path) -> Extents:
    """A file in two objects: no program can read it as it is."""
    store = LocalStore(tmp_path / "store")
    await store.put("a", b"01234")
    await store.put("b", b"56789")
    return Extents(store, [Extent("a", 5), Extent("b", 5)])


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


async def local_file(spool: Spool, source: Extents) -> LocalFile:
    found = await spool.local(source)
    assert isinstance(found, LocalFile)
    return found


async def test_a_source_in_pieces_becomes_a_file(spool: Spool, source: Extents) -> None:
    file = await local_file(spool, source)
    assert file.local_path.read_bytes() == b"0123456789"
    assert await file.read(3, 4) == b"3456"
    assert await local_file(spool, source) == file


async def test_what_nobody_used_is_swept_and_what_is_used_stays(
    spool: Spool, source: Extents
) -> None:
    assert await spool.sweep(clock.now()) == []
    file = await local_file(spool, source)
    broken_off = file.local_path.with_suffix(".0123456789ab")
    broken_off.write_bytes(b"012")
    old = (clock.now() - timedelta(days=2)).timestamp()
    for path in (file.local_path, broken_off):
        os.utime(path, (old, old))
    await local_file(spool, source)  # used again
    since = clock.now() - timedelta(days=1)
    assert await spool.sweep(since) == [broken_off.name]
    os.utime(file.local_path, (old, old))
    assert await spool.sweep(since) == [file.local_path.name]
    assert await local_file(spool, source) == file
    assert file.local_path.read_bytes() == b"0123456789"


async def test_a_file_that_is_dropped_while_it_is_asked_for_comes_back_whole(
    spool: Spool, source: Extents, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await local_file(spool, source)
    utime = os.utime

    def too_late(path: Path) -> None:
        monkeypatch.setattr(os, "utime", utime)
        path.unlink()
        utime(path)

    monkeypatch.setattr(os, "utime", too_late)
    assert (await local_file(spool, source)).local_path.read_bytes() == b"0123456789"
    assert file.local_path.exists()
