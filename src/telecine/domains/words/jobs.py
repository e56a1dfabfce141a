"""What workers can be asked to find out of what is said in a video."""

from dataclasses import dataclass
from uuid import UUID

from telecine.jobs.job import Job, Lane

LONGEST_COMMAND_S = 48 * 3600
"""The most that a command may be given; its job has a while more, for the sound."""


@dataclass(frozen=True, slots=True)
class MakeTranscript(Job):
    """Have the sound of an asset written down, as captions; for the request `round`."""

    lane, attempts, timeout_s = Lane.TRANSCRIPT, 3, LONGEST_COMMAND_S + 6 * 3600.0
    backoff_s = 10.0

    asset_id: UUID
    round: int


@dataclass(frozen=True, slots=True)
class MakeSummary(Job):
    """Have the words of an asset's video summed up."""

    lane, attempts, timeout_s = Lane.SUMMARY, 3, LONGEST_COMMAND_S + 3600.0
    backoff_s = 10.0

    asset_id: UUID
    summary_id: UUID
