"""One request of whoever knows an upload token: receive, find its video, record."""

from contextlib import AsyncExitStack

import anyio
from fastapi import Request

from telecine.db.engine import Transaction
from telecine.domains.sources import operations as sources
from telecine.domains.sources.models import Mode
from telecine.domains.sources.operations import Claim
from telecine.domains.sources.receiving import same_bytes
from telecine.domains.uploads import content_range, groups, ranged
from telecine.domains.uploads.groups import Group
from telecine.domains.uploads.ranged import Arrived, Begun, Target
from telecine.domains.uploads.reception import (
    VIDEO_ID,
    Expectation,
    OwnObject,
    Reception,
    Visit,
    begin,
    check_expiry,
    check_token,
    invalid_token,
)
from telecine.domains.videos import operations as videos
from telecine.http.multipart import Upload
from telecine.http.services import Services
from telecine.problems import Problem, bad_request, invalid_attribute
from telecine.storage.extents import Extents


async def receive(request: Request, services: Services, visit: Visit) -> Arrived:
    """Take the file of a request. Raises Problem, and then nothing has changed."""
    if visit.bearer.expired:
        async with services.db.transaction() as tx:
            await check_expiry(tx, visit)
    writers = AsyncExitStack()
    reception = Reception(services, visit, writers)
    delivery = Delivery(services, visit, reception)
    try:
        async with writers:
            given = content_range.parsed(visit.header)
            upload = await ranged.receive_part(request, reception, given, reception.announce)
        return await delivery.settle(upload)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await delivery.give_up()
        raise


class Delivery:
    """What one request brought, on its way to the video that it belongs to."""

    def __init__(self, services: Services, visit: Visit, reception: Reception) -> None:
        self._services = services
        self._visit = visit
        self._reception = reception
        self._claim: Claim | None = None
        self._is_own_ours = True  # False once a video may be made of the own object

    async def settle(self, upload: Upload) -> Arrived:
        """Record what has arrived where it belongs. Raises Problem."""
        named = upload.fields.get(VIDEO_ID)
        expected = self._reception.expected
        if expected is not None and (not named or named == expected.target.video_id):
            return await self._settle_as_expected(expected, upload)
        own = await self._own_object(upload)
        if not named:
            return await self._settle_unnamed(own, upload)
        target = self._visit.target(named)
        async with self._services.db.transaction() as tx:
            begun = await begin(tx, self._visit, target)
        return await self._bring(target, begun, own, upload)

    async def give_up(self) -> None:
        """Undo what was begun."""
        expected = self._reception.expected
        for claim in (self._claim, None if expected is None else expected.begun.claim):
            if claim is not None:
                await ranged.give_up(self._services, claim)
        if self._is_own_ours:
            await self._drop_own()

    async def _drop_own(self) -> None:
        await self._services.store.delete([self._reception.own_key])

    async def _settle_as_expected(self, expected: Expectation, upload: Upload) -> Arrived:
        begun = expected.begun
        if begun.repeated is not None:
            comparison = self._reception.comparison
            if comparison is None or not comparison.same:
                raise ranged.collision(begun.given, begun.repeated)
            return await ranged.told_again(self._services, expected.target, begun.repeated)
        assert self._reception.part is not None  # noqa: S101 - opened with the claim
        return await self._record(expected.target, begun, self._reception.part, upload)

    async def _own_object(self, upload: Upload) -> OwnObject:
        """Return the file as an object of its own, also if it was taken to another place."""
        own = OwnObject(self._reception.own_key, upload.size_bytes)
        if self._reception.expected is None:
            return own
        if self._reception.part is None:
            detail = "The values before and behind the file differ."
            raise bad_request([invalid_attribute(VIDEO_ID, detail)])
        placed = Extents(self._services.store, self._reception.part.extents)
        async with self._services.store.writer(own.key) as writer:
            async for piece in placed.stream(0, placed.size_bytes):
                await writer.write(piece)
        await self._give_up_expected()
        return own

    async def _give_up_expected(self) -> None:
        expected = self._reception.expected
        self._reception.expected = None
        if expected is not None and expected.begun.claim is not None:
            await ranged.give_up(self._services, expected.begun.claim)

    async def _settle_unnamed(self, own: OwnObject, upload: Upload) -> Arrived:
        """Find the video of a file by what it has in common with others, or make one."""
        group = self._visit.group(upload.file_name)
        again = await self._repetition(group, own)
        if again is not None:
            await self._drop_own()
            target = self._visit.target(again.video_id)
            return await ranged.told_again(self._services, target, again.part)
        given = self._visit.given
        try:
            async with self._services.db.transaction() as tx:
                await check_token(tx, self._visit, alone=True)
                video_id = None if given is None else await groups.lacking(tx, group, given)
                if video_id is None:
                    self._is_own_ours = False
                    return await self._make_video(tx, group, own, upload)
                target = self._visit.target(video_id)
                begun = await begin(tx, self._visit, target)
        except Problem:
            self._is_own_ours = True  # refused before the commit
            raise
        return await self._bring(target, begun, own, upload)

    async def _repetition(self, group: Group, own: OwnObject) -> groups.Repeatable | None:
        async with self._services.db.transaction() as tx:
            found = await groups.repeatable(tx, group, self._visit.given, own.size_bytes)
        if found is None:
            return None
        mine = Extents(self._services.store, own.extents)
        theirs = ranged.extents_of(self._services, found.part)
        return found if await same_bytes(mine, theirs) else None

    async def _make_video(
        self, tx: Transaction, group: Group, own: OwnObject, upload: Upload
    ) -> Arrived:
        """Make a video that begins with this file, and is named after it."""
        if self._visit.bearer.expired:
            raise invalid_token()
        fresh, given = self._reception.fresh, self._visit.given
        values = {"id": fresh.id, "public_id": fresh.public_id, "title": upload.file_name}
        await videos.create_video(tx, fresh.project_id, values)
        source = await sources.open_source(tx, fresh.owner, upload.file_name)
        source.upload_token_id, source.group_key = group.token_id, group.key
        mode, number = (Mode.WHOLE, 1) if given is None else (given.mode, given.number)
        if given is None or given.is_first:
            source.key = own.key  # what follows is written behind it
        length_bytes = None if given is None else given.length_bytes
        claim = await sources.claim(tx, source, mode, number, length_bytes)
        target = self._visit.target(fresh.public_id)
        arrived = await ranged.record(tx, target, given, claim, own, upload.file_name)
        assert isinstance(arrived, Arrived)  # noqa: S101 - nobody else knows the video
        return arrived

    async def _bring(self, target: Target, begun: Begun, own: OwnObject, upload: Upload) -> Arrived:
        """Give a file that arrived by itself to the video that it belongs to."""
        store = self._services.store
        if begun.repeated is not None:
            mine = Extents(store, own.extents)
            if not await same_bytes(mine, ranged.extents_of(self._services, begun.repeated)):
                raise ranged.collision(begun.given, begun.repeated)
            arrived = await ranged.told_again(self._services, target, begun.repeated)
        else:
            assert begun.claim is not None  # noqa: S101 - the other case of `Begun`
            self._claim = begun.claim
            await store.copy(own.key, begun.claim.own_key)
            moved = OwnObject(begun.claim.own_key, own.size_bytes)
            arrived = await self._record(target, begun, moved, upload)
        await self._drop_own()
        return arrived

    async def _record(
        self, target: Target, begun: Begun, part: ranged.Bytes, upload: Upload
    ) -> Arrived:
        assert begun.claim is not None  # noqa: S101 - what is recorded was claimed
        async with self._services.db.transaction() as tx:
            await check_token(tx, self._visit)
            outcome = await ranged.record(
                tx, target, begun.given, begun.claim, part, upload.file_name
            )
        if isinstance(outcome, Arrived):
            return outcome
        return await ranged.overtaken(self._services, target, begun, part, outcome)
