"""How fast machines encode: measured once on each, the slowest counts."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from telecine import clock
from telecine.db.engine import Database
from telecine.delivery import playlists
from telecine.delivery.media import AssetView, MediaCache
from telecine.domains.encodings import speeds
from telecine.domains.encodings.models import MachineSpeed
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from tests.fixtures.media import barcode_mp4
from tests.integration.domains.encodings.cinema import House, planned

pytestmark = pytest.mark.anyio


@pytest.fixture
def runner() -> Runner:
    return Runner(find_ffmpeg(None), "required")


async def rows(db: Database) -> list[MachineSpeed]:
    async with db.transaction() as tx:
        return list(await tx.scalars(select(MachineSpeed).order_by(MachineSpeed.host)))


async def slowest(db: Database) -> int | None:
    async with db.transaction() as tx:
        return await speeds.slowest_px_per_s(tx)


async def machine(db: Database, host: str, px_per_s: int, days_ago: float = 0) -> None:
    seen_at = clock.now() - timedelta(days=days_ago)
    async with db.transaction() as tx:
        tx.add(MachineSpeed(host=host, kind="k", px_per_s=px_per_s, seen_at=seen_at))


async def test_a_machine_is_measured_once(db: Database, runner: Runner) -> None:
    assert await slowest(db) is None
    await speeds.announce(db, runner, 2, None)
    [first] = await rows(db)
    assert 1_000_000 < first.px_per_s < 10_000_000_000
    await speeds.announce(db, runner, 2, None)
    [again] = await rows(db)
    assert again.px_per_s == first.px_per_s
    assert again.seen_at > first.seen_at
    # As another processor is.
    await speeds.announce(db, runner, 1, None)
    [other] = await rows(db)
    assert other.kind != first.kind


async def test_what_its_operator_says_wins(db: Database, runner: Runner) -> None:
    await speeds.announce(db, runner, 2, 7_000_000)
    await speeds.announce(db, runner, 2, 8_000_000)
    assert await slowest(db) == 8_000_000


async def test_the_slowest_of_those_that_are_there_counts(db: Database) -> None:
    await machine(db, "quick", 90_000_000)
    await machine(db, "slow", 20_000_000)
    await machine(db, "gone", 10_000_000, days_ago=2)
    assert await slowest(db) == 20_000_000


async def test_machines_that_never_come_back_are_forgotten(db: Database, runner: Runner) -> None:
    await machine(db, "away", 30_000_000, days_ago=2)
    await machine(db, "gone", 20_000_000, days_ago=31)
    await speeds.announce(db, runner, 2, 40_000_000)
    assert [row.px_per_s for row in await rows(db) if row.host in {"away", "gone"}] == [30_000_000]
    assert len(await rows(db)) == 2


async def test_a_machine_that_cannot_be_measured_says_nothing(db: Database, tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    await speeds.announce(db, Runner(program, "off"), 2, None)
    assert await rows(db) == []


async def test_what_slow_machines_cannot_make_in_time_is_not_listed(house: House) -> None:
    """From a machine's row to the master playlist: viewers are promised what will come."""
    db, store = house.bench.db, house.bench.store
    clip = barcode_mp4(frames=60, width_px=1280, height_px=720)
    video_id, unmeasured = await planned(house.bench, clip)

    async def shown() -> AssetView:
        media = await MediaCache(db, store).get(video_id)
        assert media is not None
        assert media.asset is not None
        return media.asset

    copied = {r.name for r in unmeasured.plan.renditions if r.passthrough}
    everything = {"240p", "360p", "480p", "720p"}
    assert unmeasured.viewer_px_per_s is None
    assert (copied, listed(unmeasured)) == ({"720p"}, everything)
    await machine(db, "slow", 1)
    assert (slow := await shown()).viewer_px_per_s == 1
    assert listed(slow) == {"240p", *copied}  # the lowest comes late, but it comes
    async with db.transaction() as tx:
        row = await tx.get_one(MachineSpeed, "slow")
        row.px_per_s = 1_000_000_000
    assert listed(await shown()) == everything


def listed(asset: AssetView) -> set[str]:
    """Return the renditions of the master playlist."""
    lines = playlists.master(asset).splitlines()
    return {line.partition("/")[0] for line in lines if line.endswith("/manifest.m3u8")}
