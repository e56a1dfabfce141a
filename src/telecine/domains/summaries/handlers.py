"""Summaries that nobody wrote: the captions of a video, summed up by the operator's program."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from telecine.db.engine import Transaction
from telecine.domains.captions import queries as captions
from telecine.domains.captions.models import Caption
from telecine.domains.encodings import explanations
from telecine.domains.encodings.handlers import Bench
from telecine.domains.encodings.models import Asset, AssetState
from telecine.domains.videos import queries as videos
from telecine.domains.webhooks import events
from telecine.domains.webhooks.operations import announce
from telecine.domains.words import commands, summing
from telecine.domains.words import operations as words
from telecine.domains.words.commands import Command, Commands
from telecine.domains.words.jobs import MakeSummary
from telecine.domains.words.models import SourceStatus, Summary, Transcript, TranscriptState
from telecine.domains.words.queries import summary_of, transcript_of
from telecine.domains.words.summing import Words
from telecine.domains.words.workplace import workplace
from telecine.formats import webvtt
from telecine.jobs.job import Job
from telecine.jobs.worker import PermanentFailure

log = structlog.get_logger()

TOO_SHORT = "few-words"


@dataclass(frozen=True, slots=True)
class _Task:
    """A summary that waits, and the captions that it is made of."""

    attributes: Sequence[str]
    language: str
    key: str


@dataclass(frozen=True, slots=True)
class _Hopeless:
    """There are no words, and will be none."""

    status: SourceStatus
    failure: str


def bind(bench: Bench, made_by: Commands) -> dict[type[Job], Callable[[Any], Awaitable[None]]]:
    """Return the handler of summaries."""

    async def run(job: MakeSummary) -> None:
        await make_summary(bench, made_by, job)

    return {MakeSummary: run}


async def make_summary(bench: Bench, made_by: Commands, job: MakeSummary) -> None:
    """Sum up what is said in a video; where nobody has written it down, that comes first."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].state != AssetState.PLANNED:
        return
    asset = found[0]
    async with bench.db.transaction() as tx:
        task = await _task(tx, asset, job)
    if task is None:
        return
    async with bench.step(asset, "summary") as detail:
        if isinstance(task, _Hopeless):
            detail["nothing"] = task.failure
            await _end(bench, asset, job, task)
            return
        if made_by.summary is None:
            raise PermanentFailure(f"{words.NO_COMMAND}: TELECINE_SUMMARY_COMMAND is empty")
        text = await _said(bench, task.key)
        detail |= {"language": task.language, "words": summing.count(text)}
        if summing.count(text) < summing.LEAST_WORDS:
            detail["nothing"] = TOO_SHORT
            await _end(bench, asset, job, _Hopeless(SourceStatus.UNPROCESSABLE, TOO_SHORT))
            return
        made = await _summed_up(made_by, made_by.summary, text, task)
        await _record(bench, asset, job, made)
    log.info("summary made", video=asset.public_id)


async def _task(tx: Transaction, asset: Asset, job: MakeSummary) -> _Task | _Hopeless | None:
    """Return what to do; None: nothing, or nothing yet."""
    video = await videos.video(tx, asset.project_id, asset.public_id, lock=True)
    # Locked: the transcript that ends now asks for this job again, or is seen to have ended.
    transcript = await transcript_of(tx, asset.project_id, asset.video_id, lock=True)
    row = await summary_of(tx, asset.project_id, asset.video_id)
    if video is None or row is None or not _waits(row, job):
        return None
    if transcript is not None and transcript.state == TranscriptState.WAITING:
        return None
    tracks = await captions.tracks(tx, Caption, asset.project_id, asset.video_id)
    chosen = _chosen(tracks, video.language)
    if chosen is not None:
        return _Task(row.attributes, chosen.language, chosen.key)
    if transcript is None or transcript.state == TranscriptState.COMPLETED:
        await words.ask_for_transcript(
            tx, asset.project_id, asset.video_id, video.language, asset.id, again=True
        )
        return None
    return _hopeless(transcript)


def _chosen(tracks: Sequence[Caption], language: str | None) -> Caption | None:
    """Return the captions in the video's language, else those that are shown, else any."""
    return min(
        tracks,
        key=lambda each: (each.language != language, not each.is_default, each.language),
        default=None,
    )


def _hopeless(transcript: Transcript) -> _Hopeless:
    if transcript.state == TranscriptState.UNPROCESSABLE:
        return _Hopeless(SourceStatus.UNPROCESSABLE, transcript.failure or "")
    return _Hopeless(SourceStatus.FAILED, f"transcript: {transcript.failure}")


def _waits(row: Summary, job: MakeSummary) -> bool:
    return row.id == job.summary_id and row.source_status == SourceStatus.WAITING


async def _said(bench: Bench, key: str) -> str:
    data = await bench.store.read(key)
    return await asyncio.to_thread(lambda: webvtt.spoken_text(webvtt.parse(data).cues))


async def _summed_up(made_by: Commands, command: Command, text: str, task: _Task) -> Words:
    data = text.encode()
    with workplace(made_by.folder, len(data), made_by.reserve_bytes) as place:
        read = place / "transcript.txt"
        await asyncio.to_thread(read.write_bytes, data)
        answer = await commands.run(command, place, read, "json", task.language, summing.MAX_BYTES)
    return summing.words_of(answer, task.attributes)


async def _record(bench: Bench, asset: Asset, job: MakeSummary, made: Words) -> None:
    async with bench.db.transaction() as tx:
        video = await videos.video(tx, asset.project_id, asset.public_id, lock=True)
        row = await summary_of(tx, asset.project_id, asset.video_id, lock=True)
        if video is None or row is None or not _waits(row, job):
            return  # deleted meanwhile
        row.abstract, row.takeaways = made.abstract, made.takeaways
        words.end_summary(row, SourceStatus.COMPLETED, None)
        members = {"videoId": video.public_id, "summaryId": row.public_id}
        await announce(tx, asset.project_id, events.SUMMARY_GENERATED, video.public_id, members)


async def _end(bench: Bench, asset: Asset, job: MakeSummary, why: _Hopeless) -> None:
    async with bench.db.transaction() as tx:
        row = await summary_of(tx, asset.project_id, asset.video_id, lock=True)
        if row is not None and _waits(row, job):
            words.end_summary(row, why.status, why.failure)


async def record_giving_up(bench: Bench, job: Job, reason: str) -> None:
    """Write down that a summary failed for good."""
    if not isinstance(job, MakeSummary):
        return
    found = await bench.asset(job.asset_id)
    if found is not None:
        failure = explanations.cleaned(reason).removeprefix("CommandError: ")
        await _end(bench, found[0], job, _Hopeless(SourceStatus.FAILED, failure))
