"""What can be asked of a worker: typed, serialisable payloads."""

import enum
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self, get_type_hints
from uuid import UUID


class Lane(enum.StrEnum):
    """A queue with slots of its own, so that slow work never delays quick work."""

    PROBE = "probe"
    GROWING = "growing"
    LADDER = "ladder"
    EXTRA = "extra"
    SYSTEM = "system"
    INGEST = "ingest"
    TRANSCRIPT = "transcript"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Job:
    """Base of all jobs: subclasses are frozen dataclasses of str, int and UUID.

    A job runs at least once; running it twice must change nothing. After a failure
    it waits for `backoff_s`, then twice as long each time, up to five minutes.
    """

    lane: ClassVar[Lane]
    attempts: ClassVar[int]
    timeout_s: ClassVar[float]
    backoff_s: ClassVar[float] = 1.0

    @classmethod
    def task_name(cls) -> str:
        """Return the stable name under which the queue knows this job."""
        return f"{cls.__module__.split('.')[-2]}.{cls.__name__}"

    def to_args(self) -> dict[str, Any]:
        """Return the payload as JSON values."""
        return {k: str(v) if isinstance(v, UUID) else v for k, v in asdict(self).items()}

    @classmethod
    def from_args(cls, args: dict[str, Any]) -> Self:
        """Rebuild the job from `to_args`."""
        hints = get_type_hints(cls)
        return cls(**{k: UUID(v) if hints[k] is UUID else v for k, v in args.items()})
