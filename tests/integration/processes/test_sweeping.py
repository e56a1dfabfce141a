import asyncio
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import update

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.analytics.store import sweeps as analytics
from telecine.domains.encodings import sweeps as encodings
from telecine.domains.sources import sweeps as sources
from telecine.domains.videos import expiry
from telecine.domains.videos.models import Video
from telecine.domains.videos.operations import create_video
from telecine.domains.watermarks import sweeps as watermarks
from telecine.domains.webhooks import sweeps as webhooks
from telecine.http.services import Services
from telecine.processes import application, sweeping
from telecine.processes.control import Briefing
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


TIMED: list[tuple[str, str, object, str]] = [
    ("sandbox videos", "keep_sandbox_videos_h", expiry, "delete_sandbox"),
    ("empty videos", "keep_empty_videos_days", expiry, "delete_empty"),
    ("abandoned uploads", "keep_uploads_days", sources, "drop_abandoned"),
    ("claims", "keep_unfinished_h", sources, "drop_claims"),
    ("old encodings", "keep_old_encodings_h", encodings, "drop_old_epochs"),
    ("watermarks", "keep_unfinished_h", watermarks, "remove_unused"),
    ("events", "keep_events_days", webhooks, "forget_events"),
    ("analytics", "keep_analytics_days", analytics, "forget"),
    ("unfinished writes", "keep_unfinished_h", LocalStore, "sweep_unfinished"),
]
"""Sweeps whose garbage is as old as a setting says, and what is told that time."""

ENDS_BY_ITSELF = {
    "discarded videos",  # this and the next: at a time that a setting gave them
    "expired uploads",
    "expired tokens",
    "kept answers",  # after the 24 hours that the API promises
    "abandoned broadcasts",  # after a lease, and the time that encoders have to come back
    "closed playbacks",  # this and the next ones remove nothing
    "missing rollups",
    "rollups of the quality",
    "orphans",  # below
}


@pytest.mark.parametrize(("name", "setting", "place", "function"), TIMED)
async def test_a_sweep_has_its_time_from_the_settings(
    db: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    setting: str,
    place: object,
    function: str,
) -> None:
    now, told = clock.now(), list[datetime]()

    async def remove(*given: object) -> Any:
        told.extend(each for each in given if isinstance(each, datetime))
        return [] if place is LocalStore else 0

    monkeypatch.setattr(clock, "now", lambda: now)
    monkeypatch.setattr(place, function, remove)
    await sweeping.run(db, sweeps(db, tmp_path, **{setting: 9})[name])
    unit = timedelta(days=1) if setting.endswith("_days") else timedelta(hours=1)
    assert told[0] == now - 9 * unit


def test_orphans_have_their_times_from_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages: list[timedelta] = []
    monkeypatch.setattr(sweeping, "Orphans", lambda _db, _store, age: ages.append(age))
    database = Database("postgresql:///nowhere")  # nothing is asked of it
    found = sweeps(database, tmp_path, sweep_orphans_every_h=9, keep_orphans_h=5)
    assert found["orphans"].every_s == 9 * 3600
    assert ages == [timedelta(hours=5)]


def test_every_sweep_has_such_a_test(tmp_path: Path) -> None:
    database = Database("postgresql:///nowhere")
    known = {name for name, *_ in TIMED}
    assert sweeps(database, tmp_path).keys() == known | ENDS_BY_ITSELF


def test_what_ends_at_a_time_of_its_own_gets_it_from_the_settings(tmp_path: Path) -> None:
    briefing = Briefing("postgresql:///nowhere", "", "")

    def built(**settings: Any) -> Services:
        return application.services(Settings(data=tmp_path, **settings), briefing)

    assert built(keep_discarded_videos_days=9).discarded_kept == timedelta(days=9)
    assert built(keep_uploads_days=9).upload_lifetime == timedelta(days=9)
    assert built(keep_uploads_days=0).upload_lifetime is None


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
    text = "".join(
        (programs / name).read_text() for name in ("sweeping.py", "worker.py", "application.py")
    )
    names = [name for name in Settings.model_fields if name.startswith(("keep_", "sweep_"))]
    assert len(names) >= 8
    for name in names:
        assert f"settings.{name}" in text, name
        unit = {"days": "Days", "h": "Hours"}[name.rpartition("_")[2]]
        assert (Settings.model_fields[name].description or "").startswith(unit), name
