import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.encodings import sweeps
from telecine.domains.encodings.models import Asset, AssetState, Rendition
from telecine.storage.store import Store
from tests.integration.domains.encodings.test_recording import new_asset

pytestmark = pytest.mark.anyio

PLAYABLE_AT = clock.now()
BEFORE, AFTER = PLAYABLE_AT - timedelta(hours=1), PLAYABLE_AT + timedelta(hours=1)


async def successor(db: Database, asset: Asset, state: AssetState) -> Asset:
    """Cut the source anew."""
    epoch = asset.epoch + 1
    newer = Asset(
        project_id=asset.project_id,
        video_id=asset.video_id,
        source_id=asset.source_id,
        public_id=asset.public_id,
        prefix=asset.prefix.replace(f"/{asset.epoch}/", f"/{epoch}/"),
        epoch=epoch,
        state=state,
        playable_at=PLAYABLE_AT if state == AssetState.PLANNED else None,
    )
    async with db.transaction() as tx:
        tx.add(newer)
    return newer


async def store_some(store: Store, *assets: Asset) -> None:
    for asset in assets:
        await store.put(f"{asset.prefix}plan.json", b"{}")
        await store.put(f"{asset.prefix}240p/000000-0123456789ab.run", b"x")


async def left(db: Database, store: Store) -> tuple[set[int], set[str]]:
    async with db.transaction() as tx:
        epochs = set(await tx.scalars(select(Asset.epoch)))
    return epochs, {entry.key async for entry in store.list("")}


async def test_a_replaced_encoding_goes_once_its_viewers_have_finished(
    db: Database, store: Store
) -> None:
    old = await new_asset(db)
    new = await successor(db, old, AssetState.PLANNED)
    await store_some(store, old, new)
    await store.put(f"{old.project_id}/{old.public_id}/source/0123456789ab", b"x")
    assert await sweeps.drop_old_epochs(db, store, BEFORE) == 0
    assert len((await left(db, store))[1]) == 5
    assert await sweeps.drop_old_epochs(db, store, AFTER) == 1
    epochs, keys = await left(db, store)
    assert epochs == {new.epoch}
    assert {key for key in keys if "/source/" not in key} == {
        f"{new.prefix}plan.json",
        f"{new.prefix}240p/000000-0123456789ab.run",
    }
    assert len(keys) == 3
    assert await sweeps.drop_old_epochs(db, store, AFTER) == 0


@pytest.mark.parametrize("state", [AssetState.PROBING, AssetState.FAILED])
async def test_an_encoding_stays_while_its_successor_cannot_be_played(
    db: Database, store: Store, state: AssetState
) -> None:
    old = await new_asset(db)
    new = await successor(db, old, state)
    await store_some(store, old, new)
    assert await sweeps.drop_old_epochs(db, store, AFTER) == 0
    assert (await left(db, store))[0] == {old.epoch, new.epoch}


async def test_the_newest_of_three_stays(db: Database, store: Store) -> None:
    first = await new_asset(db)
    second = await successor(db, first, AssetState.FAILED)
    third = await successor(db, second, AssetState.PLANNED)
    await store_some(store, first, second, third)
    async with db.transaction() as tx:
        tx.add(
            Rendition(
                project_id=first.project_id,
                asset_id=first.id,
                name="240p",
                passthrough=False,
                state="encoding",
                pieces=1,
            )
        )
    dropped = await asyncio.gather(*(sweeps.drop_old_epochs(db, store, AFTER) for _ in range(3)))
    assert sum(dropped) == 2
    assert (await left(db, store))[0] == {third.epoch}
