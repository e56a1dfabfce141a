"""Changes of watermarks, and their use in videos."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.domains.watermarks import queries
from telecine.domains.watermarks.models import Watermark, WatermarkUse
from telecine.domains.watermarks.pictures import Picture
from telecine.problems import bad_request, invalid_attribute, not_found

PREFIX = "watermark_"


async def create_watermark(tx: Transaction, project_id: UUID, picture: Picture) -> Watermark:
    """Create a watermark that nobody sees before `record_stored`."""
    public_id = ids.public_id(PREFIX)
    created = Watermark(
        project_id=project_id,
        public_id=public_id,
        key=f"{project_id}/watermarks/{public_id}.png",
        width_px=picture.width_px,
        height_px=picture.height_px,
        created_at=clock.now(),
    )
    tx.add(created)
    await tx.flush()
    return created


async def record_stored(tx: Transaction, project_id: UUID, watermark_id: UUID) -> None:
    """Show a watermark whose picture is stored."""
    rows = select(Watermark).where(Watermark.project_id == project_id, Watermark.id == watermark_id)
    stored = (await tx.scalars(rows)).one()
    stored.stored_at = clock.now()


async def delete_watermark(tx: Transaction, project_id: UUID, public_id: str) -> None:
    """Delete a watermark; videos that use it stay as they are. Raises Problem 404."""
    row = await queries.watermark(tx, project_id, public_id)
    if row is None:
        raise not_found("watermarkId")
    row.deleted_at = clock.now()


async def burning(tx: Transaction, project_id: UUID, wish: Mapping[str, str]) -> dict[str, Any]:
    """Return a wish (`id`, lengths) with what must be known of the picture to draw it.

    The watermark cannot go until the transaction ends, in which `note_use` follows.

    Raises:
        Problem: 400, there is no such watermark.
    """
    row = await queries.watermark(tx, project_id, wish["id"], keep=True)
    if row is None:
        detail = "This value must refer to an existing watermark."
        raise bad_request([invalid_attribute("watermark[id]", detail)])
    return {**wish, "key": row.key, "width_px": row.width_px, "height_px": row.height_px}


async def note_use(
    tx: Transaction, project_id: UUID, video_id: UUID, burnings: Collection[Mapping[str, Any]]
) -> None:
    """Keep the pictures that a new video shows for as long as it is there."""
    public_ids = {burning["id"] for burning in burnings}
    rows = select(Watermark.id).where(
        Watermark.project_id == project_id, Watermark.public_id.in_(public_ids)
    )
    used = [{"watermark_id": each, "video_id": video_id} for each in await tx.scalars(rows)]
    if used:
        await tx.execute(insert(WatermarkUse).values(used))
