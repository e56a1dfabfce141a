"""Operations that may be sent twice: the answer is kept with the change, or not at all.

    async with once.transaction() as tx:
        row = await operations.create_video(tx, …)
        return once.keep(reply(row))

On the second request the block is not entered: its first answer is sent again.
"""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, TypeVar
from uuid import UUID

import structlog
from fastapi import Depends, Header, Request
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from starlette.responses import Response

from telecine import clock
from telecine.db.engine import Transaction
from telecine.domains.accounts.auth import Caller
from telecine.domains.accounts.models import ANSWERS_KEPT, KeptAnswer
from telecine.http import idempotency
from telecine.http.body import MAX_JSON_BYTES, read_bounded
from telecine.http.idempotency import Answer, Replay
from telecine.http.services import AppServices, Services

log = structlog.get_logger()

R = TypeVar("R", bound=Response)

_KeyHeader = Annotated[
    str | None,
    Header(
        alias=idempotency.HEADER,
        description=idempotency.DESCRIPTION,
        json_schema_extra={"pattern": idempotency.PATTERN},
    ),
]


@dataclass(frozen=True, slots=True)
class _Request:
    """What makes two requests the same; `seal_key` is not derivable from the table."""

    project_id: UUID | None
    digest: bytes
    request_digest: bytes
    seal_key: bytes


class OnceOnly:
    """The transaction of one request; without a key it is an ordinary one."""

    def __init__(self, services: Services, request: _Request | None) -> None:
        self._db = services.db
        self._request = request
        self._response: Response | None = None

    def keep(self, response: R) -> R:
        """Note the answer, whose body is complete; return it."""
        self._response = response
        return response

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open the transaction in which change and answer are written.

        The block ends with `keep`. An exception, or a status that is no success,
        leaves nothing behind: the same key can be tried again.

        Raises:
            Problem: 409 while the first request is at work, 422 if it was another one.
            Replay: it was answered before.
        """
        async with self._db.transaction() as tx:
            if self._request is not None:
                await _begin(tx, self._request)
            yield tx
            if self._response is None:
                raise RuntimeError("an operation that may be sent twice kept no answer")
            if self._request is not None and self._response.status_code // 100 == 2:
                await _store(tx, self._request, Answer.of(self._response))


async def _begin(tx: Transaction, request: _Request) -> None:
    number = int.from_bytes(request.digest[:8], signed=True)
    # Given back when the transaction has ended and its rows are visible, and when
    # its process dies.
    if not await tx.scalar(select(func.pg_try_advisory_xact_lock(number))):
        raise idempotency.in_flight()
    # A statement of its own: its snapshot is younger than the lock.
    since = clock.now() - ANSWERS_KEPT
    rows = select(KeptAnswer).where(
        KeptAnswer.digest == request.digest,
        KeptAnswer.project_id.is_not_distinct_from(request.project_id),
        KeptAnswer.created_at > since,
    )
    kept = (await tx.scalars(rows)).one_or_none()
    if kept is None:
        return
    if kept.request_digest != request.request_digest:
        raise idempotency.other_request()
    raise Replay(Answer.unsealed(kept.sealed, request.seal_key))


async def _store(tx: Transaction, request: _Request, answer: Answer) -> None:
    row = insert(KeptAnswer).values(
        digest=request.digest,
        project_id=request.project_id,
        request_digest=request.request_digest,
        sealed=answer.sealed(request.seal_key),
        created_at=clock.now(),
    )
    changes = {
        name: row.excluded[name] for name in ("request_digest", "sealed", "created_at")
    }  # one that is over, and not swept yet
    await tx.execute(row.on_conflict_do_update(index_elements=["digest"], set_=changes))


async def _once(request: Request, services: Services, project_id: UUID | None) -> OnceOnly:
    key = idempotency.key_of(request.headers.getlist(idempotency.HEADER))
    if key is None:
        return OnceOnly(services, None)
    owner = "operator" if project_id is None else project_id.hex
    path: str = request.scope["path"]
    scope = idempotency.digest(owner, request.method, path, key)
    body = await read_bounded(request, MAX_JSON_BYTES)
    query: bytes = request.scope["query_string"]
    # With the key, which is stored nowhere: whoever has the table and our secret
    # still lacks it.
    seal_key = hmac.digest(services.token_key, b"kept answer: " + scope + key.encode(), "sha256")
    return OnceOnly(
        services, _Request(project_id, scope, idempotency.digest(query, body), seal_key)
    )


async def once_by_caller(
    request: Request, services: AppServices, caller: Caller, _key: _KeyHeader = None
) -> OnceOnly:
    """Return the transaction of an operation of a project. Raises Problem 400."""
    return await _once(request, services, caller.project_id)


async def once_by_operator(
    request: Request, services: AppServices, _key: _KeyHeader = None
) -> OnceOnly:
    """Return the transaction of an operation of the operator. Raises Problem 400."""
    return await _once(request, services, None)


async def never_again(request: Request) -> None:
    """Refuse the header where the answer holds a secret. Raises Problem 400."""
    if request.headers.getlist(idempotency.HEADER):
        raise idempotency.refused()


Once = Annotated[OnceOnly, Depends(once_by_caller)]
"""The transaction of an operation that may be sent twice."""

OperatorOnce = Annotated[OnceOnly, Depends(once_by_operator)]
"""Likewise, for the operator."""
