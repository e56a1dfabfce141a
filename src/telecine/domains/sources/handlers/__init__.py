"""What workers do with the jobs of a source."""

from collections.abc import Mapping

from telecine.domains.sources import fetching
from telecine.domains.sources.handlers.bench import Bench, Bounds, Ended
from telecine.domains.sources.handlers.copying import copy
from telecine.domains.sources.handlers.download import download
from telecine.domains.sources.jobs import CopySource, DownloadSource
from telecine.jobs.job import Job
from telecine.jobs.worker import Handler

__all__ = ["Bench", "Bounds", "Ended", "bind", "record_giving_up"]


def bind(bench: Bench) -> Mapping[type[Job], Handler]:
    """Return the handlers of all jobs of this domain, working at `bench`."""

    async def run_download(job: DownloadSource) -> None:
        await download(bench, job)

    async def run_copy(job: CopySource) -> None:
        await copy(bench, job)

    return {DownloadSource: run_download, CopySource: run_copy}


async def record_giving_up(bench: Bench, job: Job, reason: str) -> None:
    """Write down that a source will never be complete; what is stored of it goes."""
    if not isinstance(job, DownloadSource | CopySource):
        return
    async with bench.db.transaction() as tx:
        source, keys = await fetching.give_up(tx, job.source_id, reason)
        if source is not None:
            await bench.failed(tx, source)
    await bench.store.delete(keys)
