"""What is written down when a job was tried as often as it may be."""

from uuid import UUID

from sqlalchemy import func, select

from telecine import clock
from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.encodings import explanations, growing, queries
from telecine.domains.encodings.handlers.bench import REASON_CHARACTERS, Bench
from telecine.domains.encodings.jobs import (
    EncodeAudio,
    EncodeChunk,
    EncodeExtra,
    FinishRendition,
    GrowAsset,
    MakeStoryboard,
    ProbeAsset,
    step_name,
)
from telecine.domains.encodings.models import (
    Asset,
    AssetState,
    Growth,
    Rendition,
    RenditionState,
    Step,
)
from telecine.domains.encodings.operations import MEDIA_CHANGED
from telecine.domains.encodings.recording import (
    fail_renditions,
    record_failure,
    record_storyboard,
)
from telecine.domains.words import operations as words
from telecine.jobs.job import Job
from telecine.pipeline.extra import codec_of


async def record_giving_up(bench: Bench, job: Job, error: str) -> None:
    """Turn a job that failed for good into a status that says so, with the reason."""
    failure = explanations.cleaned(error)
    async with bench.db.transaction() as tx:
        if isinstance(job, ProbeAsset):
            await record_failure(tx, job.asset_id, failure)
        elif isinstance(job, GrowAsset):
            # A look that failed is nothing; an end that failed begins anew.
            found = await growing.lock_growing(tx, job.asset_id)
            if found is not None and found[1].completed_at is not None:
                await growing.replace(tx, *found)
        elif isinstance(job, EncodeChunk):
            rows = await queries.renditions_of(tx, job.asset_id)
            names = {row.name for row in queries.ladder(rows) if not row.passthrough}
            await fail_renditions(tx, job.asset_id, names, failure)
        elif isinstance(job, EncodeExtra):
            rows = await queries.renditions_of(tx, job.asset_id)
            names = {row.name for row in rows if codec_of(row.name) == job.codec}
            await fail_renditions(tx, job.asset_id, names, failure)
        elif isinstance(job, EncodeAudio):
            await fail_renditions(tx, job.asset_id, {queries.AUDIO}, failure)
        elif isinstance(job, MakeStoryboard):
            await record_storyboard(tx, job.asset_id, None, [])
        elif isinstance(job, FinishRendition):
            row = await tx.get(Rendition, job.rendition_id)
            if row is not None:
                await fail_renditions(tx, job.asset_id, {row.name}, failure)
        await _end_step(tx, job, failure)
        if isinstance(job, EncodeChunk):
            await _fail_if_nothing_plays(tx, job.asset_id, failure)


async def _fail_if_nothing_plays(tx: Transaction, asset_id: UUID, failure: str) -> None:
    """What has a plan and not one picture is as failed as what cannot be read.

    Judged once every chunk that was handed out has failed: others follow those that are done.
    """
    asset = await queries.lock_asset(tx, asset_id)
    if asset is None or asset.state != AssetState.PLANNED or asset.growth == Growth.OPEN:
        return
    rows = queries.ladder(await queries.renditions_of(tx, asset_id))
    if any(row.pieces_stored or row.state != RenditionState.FAILED for row in rows):
        return
    chunks = (
        Step.project_id == asset.project_id,
        Step.asset_id == asset_id,
        Step.name.startswith("chunk "),
        Step.state == "failed",
    )
    if (await tx.scalar(select(func.count()).where(*chunks)) or 0) < asset.next_chunk:
        return
    asset.state, asset.failure = AssetState.FAILED, failure
    await words.media_failed(tx, asset.project_id, asset.video_id, failure)
    await notify(tx, MEDIA_CHANGED, asset.public_id)


async def _end_step(tx: Transaction, job: Job, failure: str) -> None:
    """No step is left as running or to be tried again when its job is not.

    One that was ended from outside, as its time was up or its worker died, could not say why.
    """
    name = step_name(job)
    asset = None if name is None else await tx.get(Asset, UUID(job.to_args()["asset_id"]))
    if asset is None:
        return
    told = select(Step).where(
        Step.project_id == asset.project_id,
        Step.asset_id == asset.id,
        Step.name == name,
        Step.state != "done",
    )
    for step in await tx.scalars(told.with_for_update()):
        detail = {key: value for key, value in step.detail.items() if key != "progress"}
        step.detail = {"reason": failure[:REASON_CHARACTERS], **detail}
        step.state, step.finished_at = "failed", clock.now()
    await tx.flush()
