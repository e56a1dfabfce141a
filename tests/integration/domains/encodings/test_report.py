"""What the report of a finished video says without being asked, and what it cannot say."""

from pathlib import Path
from typing import Any

import pytest

from telecine.domains.encodings import queries
from telecine.domains.encodings.handlers.finish import finish_rendition
from telecine.domains.encodings.handlers.ladder import encode_chunk
from telecine.domains.encodings.handlers.report import check_asset
from telecine.domains.encodings.jobs import CheckAsset, EncodeChunk, FinishRendition
from telecine.domains.encodings.models import Asset
from telecine.domains.sources.models import Source
from telecine.pipeline import similarity
from tests.integration.domains.encodings.cinema import House

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


async def encoded(house: House) -> None:
    """Store all of the one rendition that is encoded; the larger one is copied."""
    for chunk in range(len(house.asset.plan.chunk_segments) - 1):
        await encode_chunk(house.bench, EncodeChunk(asset_id=house.asset.id, chunk=chunk))
    row = house.asset.renditions["240p"]
    await finish_rendition(
        house.bench, FinishRendition(asset_id=house.asset.id, rendition_id=row.id)
    )


async def reported(house: House, *, compared: bool = False) -> dict[str, Json]:
    """Make a report as the job does; return it by rendition, and the step under no name."""
    await check_asset(house.bench, CheckAsset(asset_id=house.asset.id, compared=int(compared)))
    async with house.bench.db.transaction() as tx:
        asset = await tx.get(Asset, house.asset.id)
        (step,) = [each for each in await queries.steps_of(tx, house.asset.id)
                   if each.name == "report"]  # fmt: skip
    assert asset is not None
    assert asset.report is not None
    assert asset.report["compared"] is compared
    assert step.state == "done"
    return {"": step.detail} | {row["name"]: row for row in asset.report["renditions"]}


async def source_file(house: House, folder: Path) -> Path:
    async with house.bench.db.transaction() as tx:
        asset = await tx.get(Asset, house.asset.id)
        assert asset is not None
        source = await tx.get(Source, asset.source_id)
        assert source is not None
        (extent,) = source.extents
    (file,) = [each for each in folder.rglob("*") if str(each).endswith(str(extent["key"]))]
    return file


async def test_a_moment_of_every_encode_is_compared_unasked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind everything else: at the lowest priority, and held while viewers wait."""
    await encoded(house)
    runs: list[tuple[int, object]] = []
    run = house.bench.runner.run

    async def noted(*arguments: Any, **options: Any) -> Any:
        runs.append((options["limits"].niceness, options["brake"]))
        return await run(*arguments, **options)

    monkeypatch.setattr(house.bench.runner, "run", noted)
    found = await reported(house)
    assert runs == [(19, house.bench.brake)]
    (seen,) = found["240p"]["comparisons"]
    assert seen["segment"] == house.asset.plan.segments // 2
    assert seen["frames"] == 30
    assert 80 < seen["vmaf"] <= 100
    assert 0.95 < seen["ssim"] <= 1
    assert found["240p"]["remark"] is None
    assert found["360p"]["comparisons"] == found["audio"]["comparisons"] == []
    assert "of the source" in found["360p"]["remark"]
    assert "Sound" in found["audio"]["remark"]

    runs.clear()
    found = await reported(house, compared=True)
    assert runs == [(10, house.bench.brake)] * 3
    plan = house.asset.plan
    lengths = {n: end - first for n in range(plan.segments)
               for first, end in [plan.segment_frames(n)]}  # fmt: skip
    whole = {each["segment"]: each["frames"] for each in found["240p"]["comparisons"]}
    asked = (0, plan.segments // 2, plan.segments - 1)
    assert whole == {segment: lengths[segment] for segment in asked}


async def test_without_vmaf_the_report_is_made_and_says_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await encoded(house)
    monkeypatch.setattr(similarity, "_FILTER", "libvmaf_of_others")
    found = await reported(house)
    assert found["240p"]["comparisons"] == []
    assert "libvmaf" in found["240p"]["remark"]
    assert found["240p"]["passed"] is True


@pytest.mark.parametrize(
    ("cut", "words"), [(True, "cannot be read back"), (False, "can be decoded")]
)
async def test_with_a_source_that_broke_since_the_report_is_made_and_says_so(
    house: House, tmp_path: Path, cut: bool, words: str
) -> None:
    await encoded(house)
    file = await source_file(house, tmp_path / "store")
    size = file.stat().st_size
    file.chmod(0o600)
    with file.open("r+b") as media:
        if cut:
            media.truncate(size // 10)
        else:
            media.write(bytes(size))
    found = await reported(house)
    assert found["240p"]["comparisons"] == []
    assert words in found["240p"]["remark"]
    assert all(check["passed"] for check in found["240p"]["checks"])
