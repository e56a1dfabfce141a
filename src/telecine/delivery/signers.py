"""The signing keys of projects, opened and kept in memory until a notification drops them."""

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

import structlog

from telecine.db.engine import Database
from telecine.domains.accounts import signing_keys
from telecine.sealing import Sealer, SealError

log = structlog.get_logger()

_MOST = 10_000


class SigningKeys(Protocol):
    """Secrets of signing keys by their public ids."""

    async def of(self, project_id: UUID) -> Mapping[str, str]:
        """Return the keys of a project."""

    def known(self, project_id: UUID) -> Mapping[str, str]:
        """Return those that are in memory: none, if the project's were not asked for lately."""


class Signers:
    """Signing keys by project. Keeps nothing while changes may be missed."""

    def __init__(self, db: Database, sealer: Sealer) -> None:
        self._db = db
        self._sealer = sealer
        self._known: dict[UUID, Mapping[str, str]] = {}
        self._changes = 0
        self.keeps = False

    async def of(self, project_id: UUID) -> Mapping[str, str]:
        """Return the secrets of a project's keys by their public ids."""
        known = self._known.get(project_id)
        if known is not None:
            return known
        changes = self._changes
        async with self._db.transaction() as tx:
            rows = await signing_keys.of_project(tx, project_id)
        opened = {}
        for row in rows:
            try:
                opened[row.public_id] = self._sealer.open(row.sealed_secret, row.public_id)
            except SealError as error:
                log.warning("signing key unreadable", reason=str(error))
        if self.keeps and changes == self._changes:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[project_id] = opened
        return opened

    def known(self, project_id: UUID) -> Mapping[str, str]:
        """Return the secrets of a project's keys, as far as they are in memory."""
        return self._known.get(project_id, {})

    def forget_all(self) -> None:
        """Read all keys anew."""
        self._changes += 1
        self._known.clear()
