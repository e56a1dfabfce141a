"""The table of worker processes; that of jobs is the queue's own."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from telecine.db.engine import Base


class WorkerProcess(Base):
    """A process that does jobs, as it said itself at its last sign of life."""

    __tablename__ = "worker"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    slots: Mapped[dict[str, int]] = mapped_column(JSONB)  # by lane
    # The queue knows a lane of a process as a worker of its own.
    queue_workers: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    free_bytes: Mapped[int | None] = mapped_column(BigInteger)  # of its data folder's disk
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
