import asyncio
from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy import select

from telecine import clock, ids
from telecine.db.engine import Database
from telecine.domains.accounts import operations, sweeps
from telecine.domains.accounts.models import ANSWERS_KEPT, ApiKey, KeptAnswer, Token
from tests.fixtures.application import ProjectKeys

pytestmark = pytest.mark.anyio

NOW = clock.now()
A_MOMENT = timedelta(seconds=1)


async def keep_answers(db: Database, project: ProjectKeys, *moments: datetime) -> None:
    async with db.transaction() as tx:
        for moment in moments:
            tx.add(
                KeptAnswer(
                    digest=ids.random_bytes(32),
                    project_id=project.production_id,
                    request_digest=b"r",
                    sealed=b"s",
                    created_at=moment,
                )
            )


async def test_answers_are_kept_for_a_day(db: Database, project: ProjectKeys) -> None:
    kept = NOW - ANSWERS_KEPT + A_MOMENT
    await keep_answers(db, project, NOW - ANSWERS_KEPT, NOW - ANSWERS_KEPT - A_MOMENT, kept, NOW)
    assert await sweeps.forget_answers(db, NOW) == 2
    assert await sweeps.forget_answers(db, NOW) == 0
    async with db.transaction() as tx:
        left = await tx.scalars(select(KeptAnswer.created_at))
        assert {moment.timestamp() for moment in left} == {kept.timestamp(), NOW.timestamp()}


async def test_many_workers_forget_each_answer_once(
    db: Database, project: ProjectKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "_BATCH", 3)
    await keep_answers(db, project, *[NOW - ANSWERS_KEPT] * 20)
    found = await asyncio.gather(*(sweeps.forget_answers(db, NOW) for _ in range(4)))
    assert sum(found) + await sweeps.forget_answers(db, NOW) == 20


async def test_expired_tokens_are_forgotten_and_others_work(
    db: Database, project: ProjectKeys, anonymous: httpx.AsyncClient
) -> None:
    async with db.transaction() as tx:
        issued = await operations.issue_tokens(tx, project.production_key)
    assert await sweeps.forget_tokens(db, clock.now()) == 0
    bearer = {"Authorization": f"Bearer {issued.access_token}"}
    assert (await anonymous.get("/videos", headers=bearer)).status_code == 200
    access_over = clock.now() + timedelta(seconds=operations.ACCESS_LIFETIME_S + 1)
    assert await sweeps.forget_tokens(db, access_over) == 1
    async with db.transaction() as tx:
        assert [token.kind for token in await tx.scalars(select(Token))] == ["refresh"]
    assert await sweeps.forget_tokens(db, access_over + operations.REFRESH_LIFETIME) == 1
    async with db.transaction() as tx:
        assert (await tx.scalars(select(Token))).all() == []
        assert len((await tx.scalars(select(ApiKey))).all()) == 2
