"""`/healthz` and `/readyz`: is the process alive, and can it do its work."""

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from telecine.db.engine import Database
from telecine.db.release import SCHEMA_OF, Fit, fit, newest_revision
from telecine.jobs.health import worker_alive
from telecine.storage.store import Store, StoreError

log = structlog.get_logger()

_TIMEOUT_S = 5.0
_MIB = 1 << 20
OK = "ok"


class Health:
    """What this process needs to do its work.

    `reserve_mib` is the room that the store must have left.
    """

    def __init__(self, db: Database, store: Store, reserve_mib: int) -> None:
        self._db = db
        self._store = store
        self._reserve_mib = reserve_mib

    def routes(self) -> Sequence[Route]:
        """Return the routes, for the application's front."""
        return (Route("/healthz", self._alive), Route("/readyz", self._ready))

    async def checks(self) -> dict[str, str]:
        """Return each part with "ok" or what is wrong with it."""
        found = await self._check_database()
        found["storage"] = await self._check_storage()
        return found

    async def _alive(self, _request: Request) -> Response:
        return JSONResponse({"status": OK}, headers=_UNCACHED)

    async def _ready(self, _request: Request) -> Response:
        checks = await self.checks()
        ready = all(state == OK for state in checks.values())
        body = {"status": OK if ready else "unavailable", "checks": checks}
        return JSONResponse(body, 200 if ready else 503, headers=_UNCACHED)

    async def _check_database(self) -> dict[str, str]:
        try:
            async with asyncio.timeout(_TIMEOUT_S), self._db.transaction() as tx:
                schema = (await tx.execute(text(SCHEMA_OF))).one_or_none()
                worker = await worker_alive(tx)
        except (TimeoutError, OSError, SQLAlchemyError) as error:
            reason = str(error.orig if isinstance(error, DBAPIError) else error) or "no answer"
            log.warning("database_unavailable", reason=reason.strip())
            return {"database": "unreachable", "schema": "unknown", "worker": "unknown"}
        return {
            "database": OK,
            "schema": _schema_state(*schema) if schema else "none",
            "worker": OK if worker else "no worker gave a sign of life within 10 s",
        }

    async def _check_storage(self) -> str:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                free_bytes = await self._store.free_bytes()
        except (TimeoutError, OSError, StoreError) as error:
            return str(error) or "no answer"
        if free_bytes is not None and free_bytes < self._reserve_mib * _MIB:
            return f"only {free_bytes // _MIB} MiB free, {self._reserve_mib} MiB wanted"
        return OK


def _schema_state(revision: str, release: int) -> str:
    if fit(revision, release) in {Fit.SAME, Fit.NEXT}:
        return OK
    return f"is {revision}, should be {newest_revision()}"


_UNCACHED = {"cache-control": "no-store"}
