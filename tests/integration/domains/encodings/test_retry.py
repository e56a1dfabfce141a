"""What failed is tried again; what is stored stays."""

import pytest
from sqlalchemy import text

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.encodings import operations, queries, recording, schedule
from telecine.domains.encodings.models import Asset, AssetState, RenditionState
from telecine.domains.encodings.recording import StoredRun
from telecine.domains.encodings.remarks import remark
from telecine.domains.words import operations as words
from telecine.domains.words.models import Transcript, TranscriptState
from tests.integration.domains.encodings.test_recording import make_plan, new_asset, quality

pytestmark = pytest.mark.anyio


async def waiting(db: Database) -> list[str]:
    async with db.transaction() as tx:
        rows = await tx.scalars(text("SELECT task_name FROM procrastinate_jobs ORDER BY id"))
        return list(rows)


async def forget_jobs(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("DELETE FROM procrastinate_jobs"))


async def retry(db: Database, asset: Asset) -> None:
    async with db.transaction() as tx:
        await operations.retry(tx, asset)


async def test_a_source_that_could_not_be_read_is_probed_again_once(db: Database) -> None:
    asset = await new_asset(db)
    async with db.transaction() as tx:
        await recording.record_failure(tx, asset.id, "unreadable: x")
    await forget_jobs(db)
    await retry(db, asset)
    await retry(db, asset)
    assert await waiting(db) == ["encodings.ProbeAsset"]
    async with db.transaction() as tx:
        found = await tx.get_one(Asset, asset.id)
        assert (found.state, found.failure, found.epoch) == (AssetState.PROBING, None, 1)


async def planned(db: Database) -> Asset:
    asset = await new_asset(db)
    made = make_plan(quality("240p"), quality("360p"), audio_copied=False)
    async with db.transaction() as tx:
        await recording.record_plan(tx, asset.id, made, 1, {}, {}, 8.0)
    return asset


async def test_qualities_that_failed_are_made_and_the_rest_is_kept(db: Database) -> None:
    asset = await planned(db)
    async with db.transaction() as tx:
        low, high, sound = await queries.renditions_of(tx, asset.id)
    async with db.transaction() as tx:
        await recording.record_runs(tx, asset.id, [StoredRun(low.id, 0, "a", b"i", (9, 9))])
        await recording.fail_renditions(tx, asset.id, {"240p", "360p"}, "stalled: x")
    await forget_jobs(db)
    await retry(db, asset)
    assert await waiting(db) == ["encodings.RetryAsset"]
    async with db.transaction() as tx:
        rows = await queries.renditions_of(tx, asset.id)
        assert [(row.state, row.failure) for row in rows] == [
            (RenditionState.ENCODING, None),
            (RenditionState.WAITING, None),
            (RenditionState.WAITING, None),
        ]
        assert rows[0].pieces_stored == 2
        await schedule.enqueue_missing(tx, asset.id, rows, 1)
    jobs = ["EncodeAudio", "EncodeChunk", "EncodeChunk"]
    assert await waiting(db) == [f"encodings.{name}" for name in ("RetryAsset", *jobs)]
    assert {high.id, sound.id} < {row.id for row in rows}


async def test_words_that_failed_with_everything_are_asked_for_again(db: Database) -> None:
    asset = await planned(db)
    now = clock.now()
    async with db.transaction() as tx:
        tx.add(
            Transcript(
                video_id=asset.video_id,
                project_id=asset.project_id,
                state=TranscriptState.WAITING,
                created_at=now,
                updated_at=now,
            )
        )
        await recording.fail_renditions(tx, asset.id, {"240p", "360p", "audio"}, "stalled: x")
        (await tx.get_one(Asset, asset.id)).state = AssetState.FAILED
        await words.media_failed(tx, asset.project_id, asset.video_id, "stalled: x")
    async with db.transaction() as tx:
        transcript = await tx.get_one(Transcript, asset.video_id)
        assert (transcript.state, transcript.failure) == ("unprocessable", "stalled: x")
    await forget_jobs(db)
    await retry(db, asset)
    assert await waiting(db) == ["encodings.RetryAsset", "words.MakeTranscript"]
    async with db.transaction() as tx:
        transcript = await tx.get_one(Transcript, asset.video_id)
        assert (transcript.state, transcript.failure) == ("waiting", None)


async def test_work_that_goes_on_is_left_alone(db: Database) -> None:
    asset = await planned(db)
    with pytest.raises(operations.NothingFailed):
        await retry(db, asset)


async def test_remarks_are_made_once(db: Database) -> None:
    asset = await planned(db)
    for what in ("damaged", "cut-off", "damaged"):
        async with db.transaction() as tx:
            await remark(tx, asset.id, what)
    async with db.transaction() as tx:
        assert (await tx.get_one(Asset, asset.id)).remarks == ["damaged", "cut-off"]
