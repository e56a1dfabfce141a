"""What workers do with the jobs of an asset."""

from collections.abc import Mapping

from telecine.domains.encodings import jobs
from telecine.domains.encodings.handlers.audio import encode_audio_span
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.handlers.extra import encode_extra
from telecine.domains.encodings.handlers.failure import record_giving_up
from telecine.domains.encodings.handlers.finish import finish_rendition, sweep_asset
from telecine.domains.encodings.handlers.growing import grow_asset
from telecine.domains.encodings.handlers.ladder import encode_chunk
from telecine.domains.encodings.handlers.probe import probe_asset
from telecine.domains.encodings.handlers.removal import remove_media
from telecine.domains.encodings.handlers.report import check_asset
from telecine.domains.encodings.handlers.retry import retry_asset
from telecine.domains.encodings.handlers.still import take_still
from telecine.domains.encodings.handlers.storyboard import make_storyboard
from telecine.jobs.job import Job
from telecine.jobs.worker import Handler

__all__ = ["Bench", "bind", "record_giving_up"]

_HANDLERS = {
    jobs.ProbeAsset: probe_asset,
    jobs.GrowAsset: grow_asset,
    jobs.EncodeChunk: encode_chunk,
    jobs.EncodeExtra: encode_extra,
    jobs.EncodeAudio: encode_audio_span,
    jobs.FinishRendition: finish_rendition,
    jobs.TakeStill: take_still,
    jobs.MakeStoryboard: make_storyboard,
    jobs.CheckAsset: check_asset,
    jobs.RetryAsset: retry_asset,
    jobs.SweepAsset: sweep_asset,
    jobs.RemoveMedia: remove_media,
}


_MAKE_ROOM = frozenset({jobs.SweepAsset, jobs.RemoveMedia})
"""What is done on a full disk, too."""


def bind(bench: Bench) -> Mapping[type[Job], Handler]:
    """Return the handlers of all jobs of this domain, working at `bench`."""

    def bound(handler: object) -> Handler:
        async def run(job: Job) -> None:
            if type(job) not in _MAKE_ROOM:
                bench.store.check_room()  # before work whose result could not be kept
            await handler(bench, job)  # type: ignore[operator]  # the table pairs them

        return run

    return {kind: bound(handler) for kind, handler in _HANDLERS.items()}
