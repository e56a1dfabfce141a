"""New uploads: of a video, partial ones, and concatenations of these."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import anyio
from sqlalchemy import update

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.domains.sources import operations as sources
from telecine.domains.sources import queries
from telecine.domains.sources.models import Mode, SourceState
from telecine.domains.sources.operations import Claim
from telecine.domains.uploads.content_range import MAX_SOURCE_BYTES
from telecine.domains.uploads.models import TusUpload
from telecine.domains.uploads.ranged import closed
from telecine.domains.uploads.reception import invalid_token
from telecine.domains.uploads.tus import state as tus_state
from telecine.domains.uploads.tus.access import Access
from telecine.domains.uploads.tus.fields import Final, Partial
from telecine.domains.uploads.tus.requests import Creation, too_large
from telecine.domains.uploads.tus.state import NEVER, PARTIAL_ID, Located
from telecine.domains.videos import operations as videos
from telecine.domains.videos.queries import VideoRow
from telecine.http.multipart import empty_file
from telecine.http.services import Services
from telecine.problems import Problem, not_found, problem, with_headers
from telecine.storage.extents import Extent, join

VIDEO_ID = "videoId"

KEPT_WHEN_USED = timedelta(hours=1)
"""How long a part may be used again after a concatenation."""


def already_begun(location: str) -> Problem:
    """The video has got a part of its source already."""
    title = "An upload to this video is under way."
    error = problem(409, "upload-already-begun", title, VIDEO_ID, f"It continues at {location}.")
    return with_headers(error, {"Location": location})


def unfinished(public_id: str) -> Problem:
    """A partial upload has to be complete before it can be concatenated."""
    title = "An upload that is to be concatenated is not complete, or is not a partial one."
    return problem(400, "upload-not-concatenable", title, "Upload-Concat", public_id)


def location_of(public_id: str) -> str:
    """Return the path of an upload."""
    return f"/tus/{public_id}"


async def create(
    tx: Transaction, access: Access, creation: Creation, values: Mapping[str, Any], file_name: str
) -> Located:
    """Create an upload; `values` are columns of the video that it makes.

    Metadata may name an empty container instead. Raises Problem 400, 401, 404 or 409.
    """
    if access.expired:
        raise invalid_token()
    now = clock.now()
    upload = TusUpload(
        project_id=access.project_id,
        made_video=False,
        length_bytes=creation.length,
        file_name=file_name,
        metadata_header=creation.metadata_header,
        concat_header=None if creation.concat is None else creation.concat.header,
        upload_token_id=access.token_id,
        created_at=now,
        expires_at=NEVER if access.lifetime is None else now + access.lifetime,
    )
    if isinstance(creation.concat, Partial):
        located = Located(ids.public_id(PARTIAL_ID), None, upload, None, access.lifetime)
    elif creation.length == 0:
        raise empty_file()
    else:
        located = await _of_video(tx, access, creation, values, upload)
    upload.public_id = located.public_id
    tx.add(upload)
    await tx.flush()
    return located


async def _of_video(
    tx: Transaction,
    access: Access,
    creation: Creation,
    values: Mapping[str, Any],
    upload: TusUpload,
) -> Located:
    public_id = creation.metadata.get(VIDEO_ID)
    if not public_id:
        row = await videos.create_video(tx, access.project_id, values)
        upload.made_video = True
    else:
        row = await _container(tx, access, public_id)
    upload.video_id = row.id
    return Located(row.public_id, row, upload, None, access.lifetime)


async def _container(tx: Transaction, access: Access, public_id: str) -> VideoRow:
    """Return an existing video of which nothing has come; an upload to it is forgotten."""
    try:
        found = await tus_state.locate(tx, access, public_id, lock=True)
    except Problem as error:
        if error.status != 404:
            raise
        found = None
    if found is None or found.row is None:
        raise not_found(VIDEO_ID)
    if found.source is not None and found.source.state != SourceState.UPLOADING:
        raise closed(found.source)
    if found.source is not None and (await queries.held(tx, found.source)).parts:
        raise already_begun(location_of(public_id))
    if found.upload is not None:
        await tx.delete(found.upload)
        await tx.flush()
    return found.row


async def concatenate(
    services: Services,
    access: Access,
    creation: Creation,
    final: Final,
    values: Mapping[str, Any],
    file_name: str,
) -> Located:
    """Make one upload of partial ones, which stay what they are. Raises Problem."""
    async with services.db.transaction() as tx:
        extents, held_bytes = await _parts(tx, access, final.public_ids)
        grown_bytes = sum(each.size_bytes for each in extents) - held_bytes
        located = await create(tx, access, creation, values, file_name)
        source = located.source = await sources.open_source(tx, located.owner(access), file_name)
        source.upload_token_id = access.token_id
        claim = await sources.claim(tx, source, Mode.WHOLE, 1)
    keys = {key: sources.new_key(source.prefix) for key in {each.key for each in extents}}
    try:
        for key, copy in keys.items():
            await services.store.copy(key, copy)
        mine = [Extent(keys[each.key], each.size_bytes, each.offset) for each in extents]
        async with services.db.transaction() as tx:
            return await _finish(tx, access, final, located.public_id, claim, mine, grown_bytes)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await _undo(services, access, located, claim, keys.values())
        raise


async def _parts(
    tx: Transaction, access: Access, public_ids: Sequence[str]
) -> tuple[list[Extent], int]:
    """Return what a concatenation consists of, and how many bytes its parts are by themselves.

    They count for the quota until they go, soon; each once, however often it is used.
    """
    extents: list[Extent] = []
    held: dict[str, int] = {}
    for public_id in public_ids:
        part = await tus_state.locate(tx, access, public_id)
        if part.row is not None or not part.complete:
            raise unfinished(public_id)
        stored = [] if part.source is None else part.source.extents
        mine = [Extent.from_json(each) for each in stored]
        held[public_id] = sum(each.size_bytes for each in mine)
        extents += mine
    size_bytes = sum(extent.size_bytes for extent in extents)
    if size_bytes > MAX_SOURCE_BYTES:
        raise too_large(MAX_SOURCE_BYTES)
    if size_bytes == 0:
        raise empty_file()
    return join(extents), sum(held.values())


async def _finish(
    tx: Transaction,
    access: Access,
    final: Final,
    public_id: str,
    claim: Claim,
    extents: Sequence[Extent],
    grown_bytes: int,
) -> Located:
    located = await tus_state.locate(tx, access, public_id, lock=True)
    source = located.source
    if source is None or located.row is None or source.state != SourceState.UPLOADING:
        raise already_begun(location_of(public_id))
    await access.allowance.settle(tx, grown_bytes)
    complete = await sources.store(tx, source, claim, extents)
    await _shorten(tx, access, final)
    located.row = await videos.source_arrived(
        tx, access.project_id, located.row, source, complete=complete, sandbox=access.sandbox
    )
    return located


async def _shorten(tx: Transaction, access: Access, final: Final) -> None:
    """Keep the parts for a while only: whoever lost the answer asks again."""
    soon = clock.now() + KEPT_WHEN_USED
    await tx.execute(
        update(TusUpload)
        .where(TusUpload.project_id == access.project_id)
        .where(TusUpload.public_id.in_(final.public_ids), TusUpload.expires_at > soon)
        .values(expires_at=soon)
    )


async def _undo(
    services: Services, access: Access, located: Located, claim: Claim, keys: Iterable[str]
) -> None:
    async with services.db.transaction() as tx:
        left = await sources.release(tx, claim)
        if located.upload is not None and located.upload.made_video:
            await videos.delete_video(tx, access.project_id, located.public_id)
    await services.store.delete([*left, *keys])
