"""The end of uploads that their client gives up."""

from sqlalchemy import select

from telecine import clock
from telecine.db.engine import Transaction
from telecine.domains.encodings import operations as encodings
from telecine.domains.sources.models import Part
from telecine.domains.uploads.tus import state as tus_state
from telecine.domains.uploads.tus import writing as tus_writing
from telecine.domains.uploads.tus.access import Access
from telecine.domains.uploads.tus.expiry import remove_partial
from telecine.domains.uploads.tus.receiving import when_free
from telecine.domains.uploads.tus.state import Located
from telecine.domains.videos import operations as videos
from telecine.http.services import Services
from telecine.problems import Problem, problem

Ended = tuple[Located, list[str], list[str]]
"""What was ended, and the keys and folders that go with it."""


def complete_upload() -> Problem:
    """A token is for uploading: it deletes no video."""
    title = "This upload is complete, and an upload token cannot delete its video."
    return problem(403, "upload-complete", title, "uploadId")


async def terminate(services: Services, access: Access, public_id: str) -> None:
    """Delete an upload with what has come of it. Raises Problem 403, 404, 410 or 423.

    The video goes with it if it was made for it, or if it is complete; a container
    that was there before is empty again.
    """
    located, keys, folders = await when_free(services, lambda tx: _end(tx, access, public_id))
    if located.row is None and located.upload is not None:
        await remove_partial(services.db, services.store, located.upload)
    await services.store.delete(keys)
    for folder in folders:
        await services.store.delete_prefix(folder)


async def _end(tx: Transaction, access: Access, public_id: str) -> Ended | None:
    located = await tus_state.locate(tx, access, public_id, lock=True)
    if not await tus_writing.vacate(tx, located.source):
        return None
    if located.row is None:
        assert located.upload is not None  # noqa: S101 - it is one of both
        located.upload.expires_at = clock.now()  # nobody finds it any more
        return located, [], []
    if located.complete and access.token_id is not None:
        raise complete_upload()
    made = located.upload is not None and located.upload.made_video
    if located.complete or made:
        await videos.delete_video(tx, access.project_id, public_id)
        return located, [], []
    return located, *await _empty(tx, access, located)


async def _empty(tx: Transaction, access: Access, located: Located) -> tuple[list[str], list[str]]:
    """Forget what has come of a video's source; return keys and folders of its objects."""
    if located.upload is not None:
        await tx.delete(located.upload)
    source = located.source
    if source is None:
        return [], []
    parts = select(Part.own_key).where(
        Part.project_id == access.project_id, Part.source_id == source.id
    )
    keys = [source.key, *(await tx.scalars(parts))]
    folders = await encodings.forsake(tx, source.id)
    await tx.delete(source)
    await tx.flush()
    if located.row is not None:
        await videos.update_video(tx, access.project_id, located.public_id, {})
    return keys, folders
