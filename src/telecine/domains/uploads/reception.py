"""Where the bytes go of a file whose video is named behind it, or not at all.

It begins to arrive before its video is known. Where that can be told at its first byte,
the file goes straight to its place; otherwise it becomes an object of its own.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from sqlalchemy import update

from telecine import ids
from telecine.db.engine import Transaction
from telecine.domains.accounts.models import Environment
from telecine.domains.encodings.operations import VideoRef
from telecine.domains.sources import operations as sources
from telecine.domains.sources.models import Source
from telecine.domains.sources.receiving import Comparison, PartSink, receiving
from telecine.domains.uploads import content_range, groups, ranged
from telecine.domains.uploads.content_range import Range
from telecine.domains.uploads.groups import Group
from telecine.domains.uploads.ranged import Begun, Target
from telecine.domains.uploads.room import Allowance
from telecine.domains.uploads.tokens_queries import Bearer
from telecine.http.multipart import Sink
from telecine.http.services import Services
from telecine.problems import Problem, problem
from telecine.storage.extents import Extent
from telecine.storage.store import ObjectWriter

VIDEO_ID = "videoId"


def invalid_token() -> Problem:
    """There is no such upload token, or it has expired."""
    title = "The upload token is invalid or expired."
    return problem(401, "authentication-invalid-upload-token", title, "token")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a token's bearer.

    `client` are the marks by which clients are told apart; `header` is the request's
    `Content-Range`.
    """

    bearer: Bearer
    client: tuple[str, ...]
    header: str | None
    allowance: Allowance

    @property
    def given(self) -> Range | None:
        """Return what the header says. Raises Problem: so asked only if no video is named."""
        return None if self.header is None else content_range.parse(self.header)

    def target(self, video_id: str) -> Target:
        """Return a video of the token's project."""
        identity = self.bearer.identity
        sandbox = identity.environment == Environment.SANDBOX
        return Target(identity.project_id, video_id, sandbox, self.allowance)

    def group(self, file_name: str) -> Group:
        """Return what the chunks of a file have in common."""
        key = groups.key_of(file_name, *self.client)
        return Group(self.bearer.identity.project_id, self.bearer.token_id, key)


@dataclass(frozen=True, slots=True)
class OwnObject:
    """A file that arrived as an object of its own."""

    key: str
    size_bytes: int

    @property
    def extents(self) -> list[Extent]:
        """Return where its bytes lie."""
        return [Extent(self.key, self.size_bytes)]


@dataclass(frozen=True, slots=True)
class Expectation:
    """A video that a file is taken to belong to, and what the request may do there."""

    target: Target
    begun: Begun


class Reception:
    """The sink of one request.

    `expected` is None while nobody knows where the file belongs; it is then the object
    `own_key`, in the folder of a video that may be made of it, `fresh`.
    """

    def __init__(self, services: Services, visit: Visit, writers: AsyncExitStack) -> None:
        self._services = services
        self._visit = visit
        self._writers = writers
        self._sink: Sink | ObjectWriter | None = None
        project_id = visit.bearer.identity.project_id
        self.fresh = VideoRef(ids.row_key(), project_id, ids.public_id("vi"))
        self.own_key = sources.new_key(self.fresh.prefix)
        self.expected: Expectation | None = None
        self.part: PartSink | None = None
        self.comparison: Comparison | None = None

    async def announce(self, file_name: str, fields: Mapping[str, str]) -> None:
        """Decide where the bytes go, by what is known before the first of them."""
        async with self._services.db.transaction() as tx:
            target = await self._target(tx, file_name, fields)
            if target is not None:
                self.expected = Expectation(target, await begin(tx, self._visit, target))
        self._sink = await self._open()

    async def _open(self) -> Sink | ObjectWriter:
        store = self._services.store
        if self.expected is None:
            return await self._writers.enter_async_context(store.writer(self.own_key))
        begun = self.expected.begun
        if begun.repeated is not None:
            self.comparison = Comparison(ranged.extents_of(self._services, begun.repeated))
            return self.comparison
        assert begun.claim is not None  # noqa: S101 - the other case of `Begun`
        self.part = await self._writers.enter_async_context(receiving(store, begun.claim))
        return self.part

    async def _target(
        self, tx: Transaction, file_name: str, fields: Mapping[str, str]
    ) -> Target | None:
        if fields.get(VIDEO_ID):
            return self._visit.target(fields[VIDEO_ID])
        given = self._visit.given
        if given is None:
            return None
        group = self._visit.group(file_name)
        await check_token(tx, self._visit, alone=True)
        if await groups.repeatable(tx, group, given) is not None:
            return None  # compared with that once it is here
        video_id = await groups.lacking(tx, group, given)
        return None if video_id is None else self._visit.target(video_id)

    async def write(self, *pieces: bytes | memoryview) -> None:
        """Append bytes. Raises Problem 403 where they would be too many to keep."""
        assert self._sink is not None  # noqa: S101 - it was announced
        if self.comparison is None:
            self._visit.allowance.take(sum(map(len, pieces)))
        await self._sink.write(*pieces)


async def check_token(tx: Transaction, visit: Visit, *, alone: bool = False) -> None:
    """Lock the token. Raises Problem 401 if it was deleted meanwhile."""
    project_id = visit.bearer.identity.project_id
    if not await groups.lock_token(tx, project_id, visit.bearer.token_id, alone=alone):
        raise invalid_token()


async def check_expiry(tx: Transaction, visit: Visit, video_id: str | None = None) -> None:
    """Raise Problem 401 if the token has expired, unless an upload began with it in time.

    That of `video_id`, if there is one. Such an upload may go on to its end.
    """
    if visit.bearer.expired and not await groups.began_with(tx, visit.bearer, video_id):
        raise invalid_token()


async def begin(tx: Transaction, visit: Visit, target: Target) -> Begun:
    """Check a request for a known video, and claim what it brings. Raises Problem."""
    await check_token(tx, visit)
    await check_expiry(tx, visit, target.video_id)
    begun = await ranged.begin(tx, target, visit.header)
    if begun.claim is not None:
        await tx.execute(
            update(Source)
            .where(Source.project_id == target.project_id, Source.id == begun.claim.source_id)
            .where(Source.upload_token_id.is_(None))
            .values(upload_token_id=visit.bearer.token_id)
        )
    return begun
