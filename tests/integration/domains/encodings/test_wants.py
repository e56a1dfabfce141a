"""Wants and leases, on a real database."""

import uuid

import anyio
import pytest
from sqlalchemy import text

from telecine.db.engine import Database
from telecine.domains.accounts.models import Project
from telecine.domains.encodings import wants
from telecine.domains.encodings.models import Asset, AssetState, Rendition, RenditionState
from telecine.domains.encodings.operations import VideoRef
from telecine.domains.encodings.wants import Lease, Wanted
from telecine.domains.sources import operations as sources
from telecine.domains.videos.models import Video

pytestmark = pytest.mark.anyio


@pytest.fixture
async def wanted(db: Database) -> Wanted:
    """The first segment of a rendition that nobody has encoded."""
    async with db.transaction() as tx:
        project = Project(public_id="pr1", environment="production", name="p", settings={})
        tx.add(project)
        await tx.flush()
        video = Video(project_id=project.id, public_id=f"vi{uuid.uuid4().hex[:22]}", title="t")
        tx.add(video)
        await tx.flush()
        ref = VideoRef(video.id, project.id, video.public_id)
        source = await sources.open_source(tx, ref.owner, "a.mp4")
        asset = Asset(
            project_id=project.id,
            video_id=video.id,
            source_id=source.id,
            public_id=video.public_id,
            prefix="p/",
            epoch=1,
            state=AssetState.PLANNED,
        )
        tx.add(asset)
        await tx.flush()
        rendition = Rendition(
            project_id=project.id,
            asset_id=asset.id,
            name="240p",
            passthrough=False,
            state=RenditionState.WAITING,
            pieces=10,
        )
        tx.add(rendition)
        await tx.flush()
        return Wanted(project.id, asset.id, rendition.id, 0)


def at(wanted: Wanted, segment: int) -> Wanted:
    return Wanted(wanted.project_id, wanted.asset_id, wanted.rendition_id, segment)


async def ask(db: Database, wanted: Wanted) -> wants.Answer:
    async with db.transaction() as tx:
        return await wants.ask(tx, wanted)


async def renew(db: Database, wanted: Wanted) -> wants.Answer | None:
    async with db.transaction() as tx:
        return await wants.renew(tx, wanted)


async def claim(db: Database, owner: str = "me") -> Lease | None:
    async with db.transaction() as tx:
        return await wants.claim(tx, owner)


OVERDUE_S = 600.0


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is overdue only because a test takes its time."""
    monkeypatch.setattr(wants, "OVERDUE_S", OVERDUE_S)
    monkeypatch.setattr(wants, "RENEWED_S", OVERDUE_S)


async def later(db: Database, seconds: float) -> None:
    """Let it be that much later for all wants."""
    async with db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE jit_want SET asked_at = asked_at - make_interval(secs => :s),"
                " wanted_until = wanted_until - make_interval(secs => :s),"
                " lease_until = lease_until - make_interval(secs => :s)"
            ),
            {"s": seconds},
        )


async def test_the_newest_wish_comes_first(db: Database, wanted: Wanted) -> None:
    for segment in (3, 1, 2):
        assert (await ask(db, at(wanted, segment))).is_new
    assert await renew(db, at(wanted, 3)) == wants.Answer(is_new=False, waiting=True, failure=None)
    leases = [await claim(db) for _ in range(4)]
    assert [lease.segment if lease else None for lease in leases] == [2, 1, 3, None]


async def test_who_has_waited_for_long_is_not_passed_over_for_ever(
    db: Database, wanted: Wanted
) -> None:
    for segment in (1, 2):
        await ask(db, at(wanted, segment))
    async with db.transaction() as tx:
        past = text("UPDATE jit_want SET asked_at = asked_at - make_interval(secs => :s)")
        await tx.execute(past, {"s": OVERDUE_S})
    for segment in (3, 4):
        await ask(db, at(wanted, segment))
    leases = [await claim(db) for _ in range(4)]
    assert [lease.segment if lease else None for lease in leases] == [1, 2, 4, 3]


async def test_who_has_probably_left_is_passed_over(
    db: Database, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wants, "WANTED_S", OVERDUE_S)
    for segment in (1, 2, 3):
        await ask(db, at(wanted, segment))
    await later(db, OVERDUE_S / 2)
    monkeypatch.setattr(wants, "OVERDUE_S", OVERDUE_S / 4)
    monkeypatch.setattr(wants, "RENEWED_S", OVERDUE_S / 4)
    for segment in (1, 2):
        await renew(db, at(wanted, segment))
    async with db.transaction() as tx:
        await wants.leave(tx, at(wanted, 1))
    leases = [await claim(db) for _ in range(4)]
    assert [lease.segment if lease else None for lease in leases] == [2, 3, 1, None]


async def test_a_want_outlives_one_of_two_viewers(db: Database, wanted: Wanted) -> None:
    await ask(db, wanted)
    async with db.transaction() as tx:
        await wants.leave(tx, wanted)
    await renew(db, wanted)
    await later(db, wants.LEFT_S)
    assert await claim(db) is not None


async def test_a_want_ends_soon_after_its_only_viewer_has_left(
    db: Database, wanted: Wanted
) -> None:
    await ask(db, wanted)
    async with db.transaction() as tx:
        await wants.leave(tx, wanted)
    await later(db, wants.LEFT_S)
    assert await claim(db) is None


async def test_what_is_stored_is_not_wanted_anew(db: Database, wanted: Wanted) -> None:
    """Who has not noticed yet would have an encode ahead of somebody ended."""
    await ask(db, wanted)
    async with db.transaction() as tx:
        await wants.done(tx, wanted.rendition_id, 0, 0)
    assert await renew(db, wanted) is None
    async with db.transaction() as tx:
        assert await wants.waiting(tx) == 0


async def test_asking_again_is_a_new_wish(db: Database, wanted: Wanted) -> None:
    for segment in (1, 2, 1):
        await ask(db, at(wanted, segment))
    lease = await claim(db)
    assert lease is not None
    assert lease.segment == 1


async def test_many_workers_never_share_a_want(db: Database, wanted: Wanted) -> None:
    for segment in range(10):
        await ask(db, at(wanted, segment))
    leases: list[Lease | None] = []

    async def work(owner: str) -> None:
        leases.extend([await claim(db, owner) for _ in range(4)])

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(work, str(number))
    assert sorted(lease.segment for lease in leases if lease) == list(range(10))


async def test_a_want_ends_with_its_last_viewer(db: Database, wanted: Wanted) -> None:
    await ask(db, wanted)
    await later(db, wants.WANTED_S + 1)
    assert await claim(db) is None
    await ask(db, wanted)
    lease = await claim(db)
    assert lease is not None
    assert lease.attempt == 1
    async with db.transaction() as tx:
        assert await wants.keep(tx, lease)
    await later(db, wants.WANTED_S + 1)
    async with db.transaction() as tx:
        assert not await wants.keep(tx, lease)


async def test_the_want_of_a_dead_worker_is_taken_over(db: Database, wanted: Wanted) -> None:
    await ask(db, wanted)
    first = await claim(db, "dead")
    await renew(db, wanted)
    assert await claim(db, "other") is None
    await later(db, wants.LEASE_S + 0.5)
    await renew(db, wanted)
    second = await claim(db, "other")
    assert first is not None
    assert second is not None
    assert second.owner == "other"
    async with db.transaction() as tx:
        assert not await wants.keep(tx, first), "it lost its lease"


async def test_what_is_given_back_is_free_at_once(db: Database, wanted: Wanted) -> None:
    await ask(db, wanted)
    lease = await claim(db)
    assert lease is not None
    async with db.transaction() as tx:
        assert await wants.waiting(tx) == 0
        await wants.give_back(tx, lease)
        assert await wants.waiting(tx) == 1
    again = await claim(db, "other")
    assert again is not None
    assert again.attempt == 2


async def reserve(db: Database, lease: Lease | None) -> bool:
    assert lease is not None
    async with db.transaction() as tx:
        return await wants.reserve(tx, lease)


async def test_a_reserved_segment_is_left_to_who_encodes_it(db: Database, wanted: Wanted) -> None:
    await ask(db, wanted)
    mine = await claim(db)
    assert await reserve(db, mine)
    assert mine is not None
    answer = await ask(db, at(wanted, 1))
    assert not answer.is_new
    assert not answer.waiting
    assert await claim(db, "other") is None
    async with db.transaction() as tx:
        await wants.done(tx, wanted.rendition_id, 0, 0)
        assert await wants.keep(tx, mine), "the other one is wanted"
    await later(db, wants.WANTED_S + 1)
    async with db.transaction() as tx:
        assert not await wants.keep(tx, mine)


async def test_only_what_nobody_encodes_is_reserved(db: Database, wanted: Wanted) -> None:
    for segment in range(5):
        await ask(db, at(wanted, segment))
    leases = {
        lease.segment: lease for lease in [await claim(db, f"{n}") for n in range(5)] if lease
    }
    async with db.transaction() as tx:
        await wants.give_back(tx, leases[2])
        await wants.give_back(tx, leases[4], "undecodable: nothing")
    assert not await reserve(db, leases[0]), "somebody encodes it"
    assert await reserve(db, leases[1]), "somebody waits for it"
    assert not await reserve(db, leases[3]), "it cannot be encoded"


@pytest.mark.parametrize("failure", [None, "undecodable: nothing"])
async def test_what_was_reserved_is_free_when_the_encode_ends(
    db: Database, wanted: Wanted, failure: str | None
) -> None:
    for number, next_is_wanted in enumerate((True, False)):
        first = at(wanted, 10 * number)
        await ask(db, first)
        lease = await claim(db, f"{number}")
        assert await reserve(db, lease)
        assert lease is not None
        if next_is_wanted:
            await ask(db, at(wanted, first.segment + 1))
        async with db.transaction() as tx:
            await wants.done(tx, wanted.rendition_id, first.segment, first.segment)
            await wants.give_back(tx, lease, failure)
    again = await claim(db, "other")
    assert again is not None
    assert again.segment == 1
    assert await claim(db, "other") is None
    async with db.transaction() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM jit_want")) == 1


async def test_a_failure_is_told_to_those_who_ask_again(db: Database, wanted: Wanted) -> None:
    await ask(db, wanted)
    lease = await claim(db)
    assert lease is not None
    async with db.transaction() as tx:
        await wants.give_back(tx, lease, "undecodable: nothing")
    assert (await ask(db, wanted)).failure == "undecodable: nothing"
    assert await claim(db) is None


async def test_stored_and_old_wants_are_forgotten(db: Database, wanted: Wanted) -> None:
    for segment in range(4):
        await ask(db, at(wanted, segment))
    async with db.transaction() as tx:
        await wants.done(tx, wanted.rendition_id, 1, 2)
        assert await wants.waiting(tx) == 2
    lease = await claim(db)
    assert lease is not None
    await later(db, 100)
    async with db.transaction() as tx:
        await wants.keep(tx, lease)
        await wants.forget_old(tx)
        assert await tx.scalar(text("SELECT segment FROM jit_want")) == lease.segment
    await later(db, 100)
    async with db.transaction() as tx:
        await wants.forget_old(tx)
        assert await tx.scalar(text("SELECT count(*) FROM jit_want")) == 0


async def ask_ahead(db: Database, wanted: Wanted) -> None:
    async with db.transaction() as tx:
        await wants.ask_ahead(tx, wanted)


async def test_what_is_wanted_ahead_comes_behind_all_viewers(db: Database, wanted: Wanted) -> None:
    await ask_ahead(db, wanted)
    assert await claim(db) is None, "viewers who are there already come first"
    await later(db, 100)
    await ask(db, at(wanted, 5))
    first, second = await claim(db, "a"), await claim(db, "b")
    assert first is not None
    assert second is not None
    assert (first.segment, first.ahead) == (5, False)
    assert (second.segment, second.ahead) == (0, True)
    async with db.transaction() as tx:
        assert not await wants.keep(tx, second), "nobody wants it"
        assert await wants.waiting(tx) == 0
        assert await wants.reserve(tx, second)
        await wants.done(tx, wanted.rendition_id, 0, 0)
        assert await wants.left_ahead(tx, wanted.asset_id), "the one behind it"
        await wants.done(tx, wanted.rendition_id, 1, 1)
        assert not await wants.left_ahead(tx, wanted.asset_id)


async def test_a_viewer_may_want_what_is_wanted_ahead(db: Database, wanted: Wanted) -> None:
    await ask_ahead(db, wanted)
    assert not (await ask(db, wanted)).is_new
    lease = await claim(db)
    assert lease is not None
    assert not lease.ahead, "a viewer waits"


async def test_what_gave_way_to_viewers_is_wanted_as_before(db: Database, wanted: Wanted) -> None:
    await ask_ahead(db, wanted)
    for _ in range(wants.ATTEMPTS + 1):
        await later(db, 100)
        async with db.transaction() as tx:
            await wants.forget_old(tx)
        lease = await claim(db)
        assert lease is not None
        assert lease.attempt == 1
        async with db.transaction() as tx:
            await wants.give_back(tx, lease, given_up=True)
    await later(db, wants.AHEAD_KEPT_S)
    async with db.transaction() as tx:
        await wants.forget_old(tx)
    assert await claim(db) is None
