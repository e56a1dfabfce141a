"""Races and repetitions of what the pipeline writes down."""

import uuid
from fractions import Fraction

import pytest
from sqlalchemy import func, select, text

from telecine.db.engine import Database
from telecine.domains.accounts.models import Project
from telecine.domains.encodings import operations, queries, recording
from telecine.domains.encodings.models import Asset, AssetState, Rendition, RenditionState, Run
from telecine.domains.encodings.operations import AssetOptions, VideoRef
from telecine.domains.encodings.recording import InitMismatch, PassthroughFacts, StoredRun
from telecine.domains.sources import operations as sources
from telecine.domains.sources.models import Mode
from telecine.domains.videos.models import Video
from telecine.domains.webhooks.events import QUALITY_COMPLETED
from telecine.domains.webhooks.models import Event
from telecine.pipeline.model import AudioRendition, Plan, VideoRendition
from telecine.storage.extents import Extent

pytestmark = pytest.mark.anyio

PIECES = 4


def quality(name: str, *, passthrough: bool = False) -> VideoRendition:
    return VideoRendition(
        name=name,
        width_px=426,
        height_px=240,
        rate_divisor=1,
        passthrough=passthrough,
        codecs="avc1.640015",
        profile="high",
        level="2.1",
        max_rate_bps=400_000,
        buffer_bits=800_000,
        crf=23,
    )


def make_plan(*renditions: VideoRendition, audio_copied: bool = True) -> Plan:
    audio = AudioRendition(
        passthrough=audio_copied,
        codecs="mp4a.40.2",
        sample_rate_hz=48_000,
        channels=2,
        bit_rate_bps=128_000,
        packets=375,
        segment_packets=(0, 94, 188, 282, 375),
    )
    return Plan(
        version=1,
        frame_rate=Fraction(25),
        frames=200,
        piece_cuts=(0, 50, 100, 150, 200),
        segment_pieces=(0, 1, 2, 3, 4),
        chunk_segments=(0, 2, 4),
        renditions=renditions,
        audio=audio,
        target_duration_s=2,
        width_px=426,
        height_px=240,
    )


async def new_asset(db: Database) -> Asset:
    async with db.transaction() as tx:
        project = Project(public_id="pr1", environment="production", name="p", settings={})
        tx.add(project)
        await tx.flush()
        video = Video(project_id=project.id, public_id=f"vi{uuid.uuid4().hex[:22]}", title="t")
        tx.add(video)
        await tx.flush()
        ref = VideoRef(video.id, project.id, video.public_id)
        source = await sources.open_source(tx, ref.owner, "a.mp4")
        claim = await sources.claim(tx, source, Mode.WHOLE, 1)
        assert await sources.store(tx, source, claim, [Extent("k", 10)])
        return await operations.make_asset(tx, ref, source, AssetOptions())


async def planned(db: Database, plan: Plan, facts: dict[str, PassthroughFacts]) -> Asset:
    asset = await new_asset(db)
    async with db.transaction() as tx:
        await recording.record_plan(tx, asset.id, plan, 1, facts, {"duration": 8}, 8.0)
    return asset


async def rendition(db: Database, asset: Asset, name: str) -> Rendition:
    async with db.transaction() as tx:
        return next(row for row in await queries.renditions_of(tx, asset.id) if row.name == name)


async def waiting_jobs(db: Database) -> dict[str, int]:
    async with db.transaction() as tx:
        rows = await tx.execute(
            text("SELECT task_name, count(*) FROM procrastinate_jobs GROUP BY task_name")
        )
        return {name.rpartition(".")[2]: count for name, count in rows}


async def events(db: Database) -> list[tuple[str, str]]:
    async with db.transaction() as tx:
        completed = Event.type == QUALITY_COMPLETED
        rows = await tx.scalars(
            select(Event.payload).where(completed).order_by(Event.xid, Event.id)
        )
        return [(row["encoding"], row["quality"]) for row in rows]


FACTS = PassthroughFacts(b"init", 500_000, 400_000)


async def test_a_complete_source_asks_for_the_probe_once(db: Database) -> None:
    asset = await new_asset(db)
    assert asset.state == AssetState.PROBING
    assert await waiting_jobs(db) == {"ProbeAsset": 1}


async def test_a_plan_recorded_twice_makes_one_set_of_renditions_and_jobs(db: Database) -> None:
    plan = make_plan(quality("240p"), quality("360p"))
    asset = await planned(db, plan, {"audio": FACTS})
    async with db.transaction() as tx:
        await recording.record_plan(tx, asset.id, plan, 1, {"audio": FACTS}, {}, 8.0)
    expected = {"ProbeAsset": 1, "TakeStill": 1, "EncodeChunk": 2}
    assert await waiting_jobs(db) == expected
    async with db.transaction() as tx:
        assert len(await queries.renditions_of(tx, asset.id)) == 3


async def test_a_copied_top_with_copied_audio_is_announced_at_once(db: Database) -> None:
    plan = make_plan(quality("240p"), quality("360p", passthrough=True))
    await planned(db, plan, {"360p": FACTS, "audio": FACTS})
    assert await events(db) == [("hls", "360p"), ("mp4", "360p")]


async def test_nothing_is_announced_while_the_audio_is_missing(db: Database) -> None:
    plan = make_plan(quality("240p", passthrough=True), audio_copied=False)
    asset = await planned(db, plan, {"240p": FACTS})
    assert await events(db) == []
    audio = await rendition(db, asset, "audio")
    async with db.transaction() as tx:
        await recording.record_finished(tx, asset.id, audio.id, "index", (1, 1))
    assert await events(db) == [("hls", "240p"), ("mp4", "240p")]


async def test_the_first_writer_of_a_piece_wins(db: Database) -> None:
    asset = await planned(db, make_plan(quality("240p")), {"audio": FACTS})
    row = await rendition(db, asset, "240p")
    async with db.transaction() as tx:
        early = StoredRun(row.id, 1, "early", b"i", (10, 20))
        assert await recording.record_runs(tx, asset.id, [early]) == set()
    async with db.transaction() as tx:
        late = StoredRun(row.id, 0, "late", b"i", (1, 2, 3, 4))
        assert await recording.record_runs(tx, asset.id, [late]) == set()
    async with db.transaction() as tx:
        runs = [
            (r.first_piece, r.object_key, r.offsets) for r in await queries.runs_of(tx, asset.id)
        ]
    assert runs == [(0, "late", [0, 1]), (1, "early", [0, 10, 30]), (3, "late", [6, 10])]
    row = await rendition(db, asset, "240p")
    assert (row.pieces_stored, row.state) == (PIECES, RenditionState.ENCODING)
    assert (await waiting_jobs(db))["FinishRendition"] == 1


async def test_a_run_that_brings_nothing_new_is_not_needed(db: Database) -> None:
    asset = await planned(db, make_plan(quality("240p")), {"audio": FACTS})
    row = await rendition(db, asset, "240p")
    run = StoredRun(row.id, 0, "first", b"i", (10,) * PIECES)
    again = StoredRun(row.id, 0, "second", b"i", (10,) * PIECES)
    async with db.transaction() as tx:
        await recording.record_runs(tx, asset.id, [run])
    async with db.transaction() as tx:
        assert await recording.record_runs(tx, asset.id, [again]) == {"second"}
    assert (await waiting_jobs(db))["FinishRendition"] == 1


async def test_another_init_segment_is_refused(db: Database) -> None:
    asset = await planned(db, make_plan(quality("240p")), {"audio": FACTS})
    row = await rendition(db, asset, "240p")
    async with db.transaction() as tx:
        await recording.record_runs(tx, asset.id, [StoredRun(row.id, 0, "a", b"i", (1,))])
    with pytest.raises(InitMismatch):
        async with db.transaction() as tx:
            await recording.record_runs(tx, asset.id, [StoredRun(row.id, 1, "b", b"j", (1,))])


async def test_finishing_twice_announces_once_and_drops_the_rows(db: Database) -> None:
    asset = await planned(db, make_plan(quality("240p")), {"audio": FACTS})
    row = await rendition(db, asset, "240p")
    async with db.transaction() as tx:
        await recording.record_runs(tx, asset.id, [StoredRun(row.id, 0, "a", b"i", (1,) * PIECES)])
    for expected in (True, False):
        async with db.transaction() as tx:
            taken = await recording.record_finished(tx, asset.id, row.id, "index", (9, 8))
            assert taken is expected
    assert await events(db) == [("hls", "240p"), ("mp4", "240p")]
    async with db.transaction() as tx:
        assert await tx.scalar(select(func.count()).select_from(Run)) == 0
    assert (await waiting_jobs(db))["SweepAsset"] == 1


async def test_the_lowest_rendition_asks_for_the_storyboard(db: Database) -> None:
    plan = make_plan(quality("240p"), quality("360p"))
    asset = await planned(db, plan, {"audio": FACTS})
    for name, jobs in (("360p", 0), ("240p", 1)):
        row = await rendition(db, asset, name)
        async with db.transaction() as tx:
            await recording.record_finished(tx, asset.id, row.id, "index", (9, 8))
        assert (await waiting_jobs(db)).get("MakeStoryboard", 0) == jobs


async def test_a_copied_lowest_rendition_asks_for_the_storyboard_at_once(db: Database) -> None:
    await planned(db, make_plan(quality("240p", passthrough=True)), {"240p": FACTS, "audio": FACTS})
    assert (await waiting_jobs(db))["MakeStoryboard"] == 1


async def test_the_first_storyboard_stays(db: Database) -> None:
    asset = await planned(db, make_plan(quality("240p")), {"audio": FACTS})
    for key, taken in (("a", True), ("b", False), (None, False)):
        async with db.transaction() as tx:
            sizes = [] if key is None else [10, 500, 400]
            assert await recording.record_storyboard(tx, asset.id, key, sizes) is taken
    async with db.transaction() as tx:
        found = await tx.get(Asset, asset.id)
        assert found is not None
        assert (found.storyboard_key, found.storyboard_offsets) == ("a", [0, 10, 510, 910])


async def test_failed_chunks_leave_finished_renditions_alone(db: Database) -> None:
    asset = await planned(db, make_plan(quality("240p"), quality("360p")), {"audio": FACTS})
    done = await rendition(db, asset, "240p")
    async with db.transaction() as tx:
        await recording.record_finished(tx, asset.id, done.id, "index", (9, 8))
    async with db.transaction() as tx:
        await recording.fail_renditions(tx, asset.id, {"240p", "360p"}, "why")
    assert (await rendition(db, asset, "240p")).state == RenditionState.ENCODED
    failed = await rendition(db, asset, "360p")
    assert (failed.state, failed.failure) == (RenditionState.FAILED, "why")


async def test_status_tells_video_and_audio_together(db: Database) -> None:
    plan = make_plan(quality("240p"), quality("360p", passthrough=True), audio_copied=False)
    asset = await planned(db, plan, {"360p": FACTS})
    async with db.transaction() as tx:
        status = await queries.status(tx, asset.video_id, mp4_support=True)
    assert status.playable
    assert [(q.type, q.name, q.state) for q in status.qualities] == [
        ("hls", "240p", "waiting"),
        ("hls", "360p", "encoding"),
        ("mp4", "360p", "encoding"),
    ]


async def test_a_thumbnail_picked_while_the_source_is_probed_is_the_first_still(
    db: Database,
) -> None:
    asset = await new_asset(db)
    async with db.transaction() as tx:
        await operations.pick_thumbnail(tx, asset.video_id, 1500)
    async with db.transaction() as tx:
        plan = make_plan(quality("240p"))
        await recording.record_plan(tx, asset.id, plan, 1, {"audio": FACTS}, {}, 8.0)
    async with db.transaction() as tx:
        query = text("SELECT args->>'at_ms' FROM procrastinate_jobs WHERE task_name LIKE '%Still'")
        assert (await tx.scalars(query)).all() == ["1500"]
