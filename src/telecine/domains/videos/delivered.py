"""The one read of a video that needs no project: a viewer knows only its id."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from telecine.db.engine import Transaction
from telecine.domains.accounts.access import Access
from telecine.domains.accounts.models import Project
from telecine.domains.videos.models import Video


@dataclass(frozen=True, slots=True)
class DeliveredVideo:
    """What viewers may learn of a video."""

    id: UUID
    project_id: UUID
    public_id: str
    title: str
    description: str
    public: bool
    panoramic: bool
    mp4_support: bool
    player_id: str | None
    thumbnail_key: str | None
    hls_format: str | None
    """The project's choice: "cmaf", "ts", or None for the default."""
    access: Access | None
    """From where it may be watched, None: from everywhere."""


async def delivered_video(tx: Transaction, public_id: str) -> DeliveredVideo | None:
    """Return a video that may be shown; None when unknown, discarded or deleted."""
    columns = (
        Video.id,
        Video.project_id,
        Video.public_id,
        Video.title,
        Video.description,
        Video.public,
        Video.panoramic,
        Video.mp4_support,
        Video.player_id,
        Video.thumbnail_key,
        Project.settings,
    )
    found = await tx.execute(
        select(*columns)
        .join(Project, Project.id == Video.project_id)
        .where(
            Video.public_id == public_id,
            Video.discarded_at.is_(None),
            Video.deleted_at.is_(None),
        )
    )
    row = found.mappings().one_or_none()
    if row is None:
        return None
    return DeliveredVideo(
        **{name: value for name, value in row.items() if name != "settings"},
        hls_format=row["settings"].get("hls_format"),
        access=Access.of(row["settings"]),
    )
