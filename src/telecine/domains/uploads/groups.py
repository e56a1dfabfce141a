"""Which video a chunk belongs to whose client did not say it.

Official clients that send a file in chunks on an upload token do not all repeat the id
that they got in answer to the first chunk. The rule for a part without `videoId`:

* Its group is what it has in common with the other parts of its file: the token, the
  file's name, and the client (address, `User-Agent`, `AV-Origin-Client`).
* It goes to the newest video of its group that is still arriving in parts, agrees with it
  about the total (`*` agrees with every number), and neither holds nor awaits a part of
  its number. If there is none, it begins a video. The same goes for ranges of bytes.
* So two files of the same name at the same time are two videos: the second first part
  finds its number taken. Where both come from the same client and have as many parts,
  nothing but a `videoId` tells their later parts apart.
* A part that repeats, byte for byte, one that is stored and whose answer was lost belongs
  to the same video. That holds for files in one request, too.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true

from telecine.db.engine import Transaction
from telecine.domains.sources.models import Mode, Part, Source, SourceState
from telecine.domains.uploads.content_range import ByteRange, Range
from telecine.domains.uploads.models import UploadToken
from telecine.domains.uploads.tokens_queries import Bearer
from telecine.domains.videos.models import Video


@dataclass(frozen=True, slots=True)
class Group:
    """What the chunks of one file have in common: a token of a project, and `key`."""

    project_id: UUID
    token_id: UUID
    key: bytes


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A stored part whose client may not know that it is stored; of which video."""

    video_id: str
    part: Part


def key_of(file_name: str, *client: str) -> bytes:
    """Return the key of a file of that name from the client with these marks."""
    return hashlib.sha256("\0".join((file_name, *client)).encode()).digest()


async def lock_token(
    tx: Transaction, project_id: UUID, token_id: UUID, *, alone: bool = False
) -> bool:
    """Keep a token from being deleted; tell whether it still exists.

    `alone`: nobody else may decide meanwhile which video a chunk belongs to.
    """
    rows = select(UploadToken.id).where(
        UploadToken.project_id == project_id, UploadToken.id == token_id
    )
    return await tx.scalar(rows.with_for_update(read=not alone)) is not None


async def lacking(tx: Transaction, group: Group, given: Range) -> str | None:
    """Return the public id of the video that a part goes to, None if it begins one.

    The caller has locked the token, alone, and claims the part in the same transaction.
    """
    rows = _videos_of(group).where(
        Source.state == SourceState.UPLOADING,
        Source.mode == given.mode,
        _agrees(given),
        ~exists().where(Part.source_id == Source.id, _in_the_way(given)),
    )
    newest = rows.order_by(Source.created_at.desc(), Source.id.desc()).limit(1)
    return (await tx.scalars(newest)).one_or_none()


def _in_the_way(given: Range) -> ColumnElement[bool]:
    """Return the condition on parts, stored or awaited, that keep a part from joining them."""
    if isinstance(given, ByteRange):
        behind = Part.number + func.coalesce(Part.size_bytes, 1)
        taken = and_(Part.number <= given.last, behind > given.first)
        return taken if given.total is None else or_(taken, behind > given.total)
    taken = Part.number == given.part
    return taken if given.total is None else or_(taken, Part.number > given.total)


async def repeatable(
    tx: Transaction, group: Group, given: Range | None, size_bytes: int | None = None
) -> Repeatable | None:
    """Return the newest stored part that a request may be bringing a second time."""
    mode = Mode.WHOLE if given is None else given.mode
    rows = (
        _videos_of(group)
        .add_columns(Part)
        .join(Part, Part.source_id == Source.id)
        .where(
            Source.mode == mode,
            _agrees(given),
            Part.number == (1 if given is None else given.number),
            Part.stored_at.is_not(None),
            Part.answered.is_(False),
        )
    )
    if size_bytes is not None:
        rows = rows.where(Part.size_bytes == size_bytes)
    found = await tx.execute(rows.order_by(Source.created_at.desc(), Source.id.desc()).limit(1))
    row = found.one_or_none()
    return None if row is None else Repeatable(row[0], row[1])


async def began_with(tx: Transaction, bearer: Bearer, video_id: str | None = None) -> bool:
    """Tell whether any upload, or that of one video, began with a token."""
    began = exists().where(
        Source.project_id == bearer.identity.project_id,
        Source.upload_token_id == bearer.token_id,
    )
    if video_id is not None:
        began = began.where(Source.video_id == Video.id, Video.public_id == video_id)
    return bool(await tx.scalar(select(began)))


def _videos_of(group: Group) -> Select[str]:  # their public ids
    return (
        select(Video.public_id)
        .join(Source, Source.video_id == Video.id)
        .where(
            Video.project_id == group.project_id,
            Video.deleted_at.is_(None),
            Video.discarded_at.is_(None),
            Source.upload_token_id == group.token_id,
            Source.group_key == group.key,
        )
    )


def _agrees(given: Range | None) -> ColumnElement[bool]:
    """Return the condition that a source has the total of a part, or none yet."""
    if given is None:
        return true()
    if given.total is not None:
        return or_(Source.total.is_(None), Source.total == given.total)
    end = given.last + 1 if isinstance(given, ByteRange) else given.part
    return or_(Source.total.is_(None), Source.total >= end)
