"""What workers can be asked to do for a source that nobody uploads."""

from dataclasses import dataclass
from uuid import UUID

from telecine.jobs.job import Job, Lane


@dataclass(frozen=True, slots=True)
class DownloadSource(Job):
    """Download the file behind a URL, from where an earlier job stopped."""

    lane, attempts, timeout_s, backoff_s = Lane.INGEST, 4, 86400.0, 30.0

    source_id: UUID


@dataclass(frozen=True, slots=True)
class CopySource(Job):
    """Copy the file of another video, which is complete."""

    lane, attempts, timeout_s, backoff_s = Lane.INGEST, 4, 3600.0, 30.0

    source_id: UUID
