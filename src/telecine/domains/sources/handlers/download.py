"""Downloads: from a URL into the store, over as many jobs as it takes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from telecine import clock
from telecine.domains.sources import fetching
from telecine.domains.sources.fetching import Run, Superseded
from telecine.domains.sources.handlers.bench import Bench
from telecine.domains.sources.handlers.feed import Feed
from telecine.domains.sources.handlers.transfer import Progress, too_large, transfer
from telecine.domains.sources.handlers.web_file import WebFile, opened
from telecine.domains.sources.handlers.web_playlist import WebPlaylist, plan
from telecine.domains.sources.jobs import DownloadSource
from telecine.jobs.worker import PermanentFailure
from telecine.net.client import Limits
from telecine.net.errors import OutboundError, Refused, TooMuch

log = structlog.get_logger()


async def download(bench: Bench, job: DownloadSource) -> None:
    """Go on with a download until it is complete, fails, or its turn is over.

    Raises:
        PermanentFailure: the file may not or cannot be had.
        OutboundError: the next attempt may do better.
    """
    async with bench.db.transaction() as tx:
        run = await fetching.start(tx, job.source_id)
    if run is None:
        return
    progress = Progress(run.offset)
    try:
        async with recorded(bench, run):
            await _fetch(bench, run, progress)
    except (Refused, TooMuch) as error:
        raise PermanentFailure(str(error)) from error
    except Superseded:
        log.info("download is no longer wanted", source_id=run.source_id)
        return
    except OutboundError:
        # Attempts that bring the end nearer do not count.
        if not progress.continues:
            raise
    if not progress.complete:
        async with bench.db.transaction() as tx:
            await fetching.again(tx, job)


async def _fetch(bench: Bench, run: Run, progress: Progress) -> None:
    limits = limits_of(bench, run)
    # A playlist is asked for as a whole, however many of its segments are stored.
    wanted = replace(run, offset=0, validator=None) if run.position else run
    async with opened(bench.client, wanted, limits) as (file, offset):
        feed: Feed = file
        if offset == 0 and await file.is_playlist():
            feed = await _segments(bench, run, limits, file)
        elif file.total is not None and file.total > bench.bounds.source_bytes:
            raise too_large(bench)
        continues = feed.position == run.position and (offset or run.position)
        if run.offset and not continues:
            await _start_over(bench, run)
            progress.offset = 0
        await _store(bench, run, feed, progress)


async def _segments(bench: Bench, run: Run, limits: Limits, file: WebFile) -> WebPlaylist:
    """Return the playlist's segments after those that are stored, if it is still the same."""
    if not bench.allow_playlists:
        raise Refused("an HLS playlist, not a media file; the operator may allow these")
    base, parts = await plan(bench.client, limits, file.reply.url, await file.text())
    feed = WebPlaylist(bench.client, limits, base, parts, run.position)
    if feed.validator != run.validator:
        feed.position = 0
    return feed


async def _store(bench: Bench, run: Run, feed: Feed, progress: Progress) -> None:
    before, started_s = progress.offset, clock.monotonic_s()
    await transfer(bench, run, feed, progress)
    log.info(
        "source downloaded" if progress.complete else "download makes room for others",
        source_id=run.source_id,
        size_bytes=progress.offset,
        stored_bytes=progress.offset - before,
        seconds=round(clock.monotonic_s() - started_s, 3),
    )


async def _start_over(bench: Bench, run: Run) -> None:
    async with bench.db.transaction() as tx:
        keys = await fetching.start_over(tx, run)
    await bench.store.delete(keys)


def limits_of(bench: Bench, run: Run) -> Limits:
    """Return the bounds of one exchange. Raises PermanentFailure when time is up."""
    age_s = (clock.now() - run.created_at).total_seconds()
    if age_s >= bench.bounds.age_s:
        msg = f"not complete within {bench.bounds.age_s / 86400:.0f} days"
        raise PermanentFailure(msg)
    return Limits(
        total_s=bench.bounds.age_s - age_s,
        body_bytes=bench.bounds.source_bytes,
        idle_s=bench.bounds.idle_s,
        slowest_bps=bench.bounds.slowest_bps,
    )


@asynccontextmanager
async def recorded(bench: Bench, run: Run) -> AsyncIterator[None]:
    """Write down why the block failed, for whoever asks before the next attempt."""
    try:
        yield
    except (Superseded, PermanentFailure):
        raise
    except Exception as error:
        reason = str(error) if isinstance(error, OutboundError) else type(error).__name__
        log.warning("source not fetched yet", source_id=run.source_id, reason=reason)
        async with bench.db.transaction() as tx:
            await fetching.note_failure(tx, run, reason)
        raise
