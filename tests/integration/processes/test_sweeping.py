import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import update

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.videos.models import Video
from telecine.domains.videos.operations import create_video
from telecine.processes import sweeping
from telecine.processes.sweeping import Sweep
from telecine.settings import Settings
from telecine.storage.local import LocalStore
from telecine.storage.spool import Spool
from tests.fixtures.application import make_project

pytestmark = pytest.mark.anyio


def sweeps(db: Database, folder: Path, **settings: Any) -> dict[str, Sweep]:
    store, spool = LocalStore(folder / "store"), Spool(folder / "spool")
    found = sweeping.sweeps(Settings(data=folder, **settings), db, store, spool)
    return {sweep.name: sweep for sweep in found}


def swept(name: str) -> float:
    return REGISTRY.get_sample_value("telecine_swept_total", {"sweep": name}) or 0


async def test_what_is_kept_for_ever_is_not_swept(db: Database, tmp_path: Path) -> None:
    usual = sweeps(db, tmp_path)
    assert {"abandoned uploads", "empty videos"} <= usual.keys()
    fewer = sweeps(db, tmp_path, keep_uploads_days=0, keep_empty_videos_days=0)
    assert usual.keys() - fewer.keys() == {"abandoned uploads", "empty videos"}


async def test_every_sweep_runs_where_there_is_nothing(db: Database, tmp_path: Path) -> None:
    for sweep in sweeps(db, tmp_path).values():
        before = swept(sweep.name)
        await sweeping.run(db, sweep)
        assert swept(sweep.name) == before


async def test_times_come_from_the_settings(db: Database, tmp_path: Path) -> None:
    """One video without a file, changed four days ago; one write given up as long ago."""
    project = await make_project(db)
    days_ago = clock.now() - timedelta(days=4)
    async with db.transaction() as tx:
        row = await create_video(tx, project.production_id, {"title": "t"})
        await tx.execute(update(Video).where(Video.id == row.id).values(updated_at=days_ago))
    left = tmp_path / "store" / ".stage" / "left"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    os.utime(left, (days_ago.timestamp(), days_ago.timestamp()))
    for days, removed in ((5, 0), (3, 1)):
        found = sweeps(db, tmp_path, keep_empty_videos_days=days, keep_unfinished_h=24 * days)
        for name in ("empty videos", "unfinished writes"):
            before = swept(name)
            await sweeping.run(db, found[name])
            assert swept(name) - before == removed, name
    assert not left.exists()


async def test_some_sweeps_are_done_by_one_worker_at_a_time(db: Database) -> None:
    at_work, go = asyncio.Event(), asyncio.Event()

    async def slow() -> int:
        at_work.set()
        await go.wait()
        return 5

    first = asyncio.ensure_future(sweeping.run_alone(db, Sweep("one", 1, slow, alone=True)))
    await at_work.wait()
    second = Sweep("one", 1, slow, alone=True)
    assert await sweeping.run_alone(db, second) == 0
    go.set()
    assert await first == 5
    assert await sweeping.run_alone(db, second) == 5


async def test_a_sweep_that_fails_lets_others_try(db: Database) -> None:
    async def fail() -> int:
        raise ZeroDivisionError

    async def succeed() -> int:
        return 1

    with pytest.raises(ZeroDivisionError):
        await sweeping.run_alone(db, Sweep("one", 1, fail, alone=True))
    assert await sweeping.run_alone(db, Sweep("one", 1, succeed, alone=True)) == 1


def test_every_time_is_used_and_says_its_unit() -> None:
    programs = Path(sweeping.__file__).parent
    text = "".join((programs / name).read_text() for name in ("sweeping.py", "worker.py"))
    names = [name for name in Settings.model_fields if name.startswith(("keep_", "sweep_"))]
    assert len(names) >= 8
    for name in names:
        assert f"settings.{name}" in text, name
        unit = {"days": "Days", "h": "Hours"}[name.rpartition("_")[2]]
        assert (Settings.model_fields[name].description or "").startswith(unit), name
