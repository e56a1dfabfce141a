"""Captions that nobody wrote: the sound of a video, written down by the operator's program."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from telecine import ids
from telecine.db.engine import Transaction
from telecine.domains.captions import operations, queries, receiving
from telecine.domains.captions.models import Caption
from telecine.domains.captions.operations import Stored
from telecine.domains.encodings import explanations
from telecine.domains.encodings.handlers import Bench
from telecine.domains.encodings.models import Asset, AssetState
from telecine.domains.sources.models import Source
from telecine.domains.videos import languages
from telecine.domains.videos import operations as videos
from telecine.domains.videos import queries as video_queries
from telecine.domains.webhooks import events
from telecine.domains.webhooks.operations import announce
from telecine.domains.words import commands
from telecine.domains.words import operations as words
from telecine.domains.words.commands import Command, CommandError, Commands
from telecine.domains.words.jobs import MakeTranscript
from telecine.domains.words.models import Transcript, TranscriptState
from telecine.domains.words.queries import transcript_of
from telecine.domains.words.workplace import workplace
from telecine.formats import webvtt
from telecine.formats.errors import FormatError
from telecine.jobs.job import Job
from telecine.jobs.worker import PermanentFailure
from telecine.pipeline.model import PACKET_SAMPLES, Plan
from telecine.pipeline.sound import wav_bytes, write_wav

log = structlog.get_logger()

PREFIX = "caption_"
NO_SOUND = "no-sound"
NO_SPEECH = "no-speech"


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for when the work began."""

    language: str | None
    round: int


@dataclass(frozen=True, slots=True)
class _Found:
    """What was said, as captions in the store."""

    language: str
    stored: Stored


def bind(bench: Bench, made_by: Commands) -> dict[type[Job], Callable[[Any], Awaitable[None]]]:
    """Return the handler of transcripts."""

    async def run(job: MakeTranscript) -> None:
        await make_transcript(bench, made_by, job)

    return {MakeTranscript: run}


async def make_transcript(bench: Bench, made_by: Commands, job: MakeTranscript) -> None:
    """Have the sound of an asset written down, unless that was done or nobody wants it."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].state != AssetState.PLANNED:
        return
    asset, source = found
    wish = await _wish(bench, asset, job.round)
    if wish is None:
        return
    async with bench.step(asset, "transcript") as detail:
        detail["language"] = wish.language or "auto"
        if await _kept(bench, asset, wish):
            detail["kept"] = wish.language
            return
        plan = (await bench.material(asset)).plan
        if plan.audio is None:
            detail["nothing"] = NO_SOUND
            await _end(bench, asset, wish.round, TranscriptState.UNPROCESSABLE, NO_SOUND)
            return
        if made_by.transcript is None:
            raise PermanentFailure(f"{words.NO_COMMAND}: TELECINE_TRANSCRIPT_COMMAND is empty")
        bench.store.check_room()
        text = await _heard(bench, made_by, made_by.transcript, asset, source, plan, wish)
        data, cues = await asyncio.to_thread(_read, text)
        detail["cues"] = len(cues)
        if not webvtt.spoken_text(cues):
            detail["nothing"] = NO_SPEECH
            await _end(bench, asset, wish.round, TranscriptState.UNPROCESSABLE, NO_SPEECH)
            return
        language = wish.language or _language(text)
        detail["language"] = language
        await _keep(bench, asset, wish, language, data)
    log.info("transcript made", video=asset.public_id, language=language)


async def _wish(bench: Bench, asset: Asset, round_: int) -> _Wish | None:
    async with bench.db.transaction() as tx:
        row = await transcript_of(tx, asset.project_id, asset.video_id)
        return None if row is None or not _waits(row, round_) else _Wish(row.language, round_)


async def _kept(bench: Bench, asset: Asset, wish: _Wish) -> bool:
    """Tell whether the customer's own captions are there already: these are the words."""
    if wish.language is None:
        return False
    async with bench.db.transaction() as tx:
        caption = await queries.track(tx, Caption, asset.project_id, asset.video_id, wish.language)
    if caption is None or caption.generated:
        return False
    await _end(bench, asset, wish.round, TranscriptState.COMPLETED, None, wish.language)
    return True


async def _heard(
    bench: Bench,
    made_by: Commands,
    command: Command,
    asset: Asset,
    source: Source,
    plan: Plan,
    wish: _Wish,
) -> bytes:
    """Return what the command writes about the sound."""
    assert plan.audio is not None  # noqa: S101 - for the type checker
    packets = plan.audio.segment_packets[-1]
    duration_s = packets * PACKET_SAMPLES / plan.audio.sample_rate_hz
    material = await bench.material(asset)
    with workplace(made_by.folder, wav_bytes(duration_s), made_by.reserve_bytes) as place:
        sound = place / "sound.wav"
        async with bench.spool.local(bench.source(source)) as reader:
            await write_wav(bench.runner, reader, material.probe, duration_s, sound)
        return await _run(command, place, sound, wish.language or "auto")


async def _run(command: Command, place: Path, sound: Path, language: str) -> bytes:
    try:
        return await commands.run(command, place, sound, "vtt", language, receiving.MAX_BYTES)
    except CommandError as error:
        if error.reason == "command-failed":
            raise
        # It would take as long again, and most likely end in the same way.
        raise PermanentFailure(str(error)) from error


def _read(text: bytes) -> tuple[bytes, list[webvtt.Cue]]:
    """Return what a command wrote as WebVTT, and its cues. Raises PermanentFailure."""
    try:
        data, track = receiving.understood(text)
    except FormatError as error:
        raise PermanentFailure(f"command-output: {error}") from None
    return data, list(track.cues)


def _language(text: bytes) -> str:
    """Return the language that a command has recognised. Raises PermanentFailure."""
    stated = webvtt.stated_language(text)
    if stated is None:
        detail = "its first lines do not tell the language: `Language: en`"
        raise PermanentFailure(f"command-output: {detail}")
    for tag in (stated.lower(), stated.lower().partition("-")[0]):
        if tag in languages.LANGUAGES:
            return tag
    raise PermanentFailure(f"command-output: there are no transcripts in {stated[:40]!r}")


async def _keep(bench: Bench, asset: Asset, wish: _Wish, language: str, data: bytes) -> None:
    """Store captions and record them; those that nobody needs any more are deleted."""
    key = receiving.new_key(asset.project_id, asset.public_id)
    await bench.store.put(key, data)
    stored = Stored(key, len(data), webvtt.parse(data).header_bytes)
    async with bench.db.transaction() as tx:
        unused = await _record(tx, asset, wish, _Found(language, stored))
    if unused is not None:
        await bench.store.delete([unused])


async def _record(tx: Transaction, asset: Asset, wish: _Wish, found: _Found) -> str | None:
    """Take captions over, with their event; return the key that nobody needs.

    The customer's own captions in this language stay, and nothing is announced then.
    """
    key, language, project_id = found.stored.key, found.language, asset.project_id
    video = await video_queries.video(tx, project_id, asset.public_id, lock=True)
    row = await transcript_of(tx, project_id, asset.video_id, lock=True)
    if video is None or row is None or not _waits(row, wish.round):
        return key
    theirs = await queries.track(tx, Caption, project_id, video.id, language)
    replaced: str | None = key
    if theirs is None or theirs.generated:
        _, _, replaced = await operations.put(
            tx, Caption, project_id, video.public_id, language, found.stored, generated=True
        )
        members = {
            "videoId": video.public_id,
            "captionId": ids.public_id(PREFIX),
            "generationMode": "transcript",
            "language": language,
        }
        await announce(tx, project_id, events.CAPTION_GENERATED, video.public_id, members)
    await videos.language_heard(tx, project_id, video, language)
    row.spoken = language
    await words.transcript_over(tx, row, TranscriptState.COMPLETED, None, asset.id)
    return replaced


def _waits(row: Transcript, round_: int) -> bool:
    return row.state == TranscriptState.WAITING and row.round == round_


async def _end(
    bench: Bench,
    asset: Asset,
    round_: int,
    state: TranscriptState,
    failure: str | None,
    spoken: str | None = None,
) -> None:
    """Write down that there will be no new captions."""
    async with bench.db.transaction() as tx:
        row = await transcript_of(tx, asset.project_id, asset.video_id, lock=True)
        if row is not None and _waits(row, round_):
            row.spoken = spoken
            await words.transcript_over(tx, row, state, failure, asset.id)


async def record_giving_up(bench: Bench, job: Job, reason: str) -> None:
    """Write down that a transcript failed for good."""
    if not isinstance(job, MakeTranscript):
        return
    found = await bench.asset(job.asset_id)
    if found is not None:
        failure = explanations.cleaned(reason).removeprefix("CommandError: ")
        await _end(bench, found[0], job.round, TranscriptState.FAILED, failure)
