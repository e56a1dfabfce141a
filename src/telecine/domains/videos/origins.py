"""Videos whose file we get ourselves: from a URL, or from another video."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from telecine.db.engine import Transaction
from telecine.domains.sources import fetching
from telecine.domains.videos import operations, queries
from telecine.domains.videos.clips import Span
from telecine.domains.videos.naming import is_video_id
from telecine.domains.videos.queries import VideoRow
from telecine.problems import Problem, bad_request, invalid_attribute

MOST_WATERMARKS = 8
"""Copies of copies may each add one; every one costs time in every encode."""


async def create_from(
    tx: Transaction, project_id: UUID, values: Mapping[str, Any], source: str
) -> VideoRow:
    """Create a video of what `source` names: a URL that was checked, or a video's id.

    Only the file is copied from a video, and with it the clip and the watermarks that its
    viewers see; `values` are columns.

    Raises:
        Problem: 400, there is no such video, or the clip is outside of its own.
    """
    if not is_video_id(source):
        row = await operations.create_video(tx, project_id, values)
        await fetching.begin_download(tx, operations.reference(row, project_id).owner, source)
        return row
    original = await queries.video(tx, project_id, source, lock=True)
    if original is None:
        raise _invalid("source", "This value must refer to an existing video.")
    theirs = await operations.clip_of(tx, project_id, original.id)
    clip = Span.from_json(values.get("clip")).within(theirs)
    if clip.empty:
        detail = "This value must be before the end of the video that is copied."
        raise _invalid("clip[startTimecode]", detail)
    drawn = await operations.watermarks_of(tx, project_id, original.id)
    drawn += values.get("watermarks", ())
    if len(drawn) > MOST_WATERMARKS:
        raise _invalid("watermark", f"A video has at most {MOST_WATERMARKS} watermarks.")
    changed = {"clip": clip.as_json(), "watermarks": drawn or None}
    row = await operations.create_video(tx, project_id, {**values, **changed})
    owner = operations.reference(row, project_id).owner
    await fetching.begin_copy(tx, owner, original.public_id, original.id)
    return row


def _invalid(name: str, detail: str) -> Problem:
    return bad_request([invalid_attribute(name, detail)])
