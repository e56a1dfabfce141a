"""Brings a database to our schema and, once, makes the first project and its keys.

A process of its own, run by the supervisor when `preparation.is_prepared` says no.
It answers with one line of JSON.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from telecine.db import schema
from telecine.db.engine import Database
from telecine.domains.accounts import operations
from telecine.domains.accounts.models import Environment, Project
from telecine.processes import control
from telecine.processes.exits import Exit
from telecine.processes.preparation import FirstKeys
from telecine.settings import Settings

# One number per purpose in the database's space of advisory locks.
_FIRST_START_LOCK = 7_351_846_002
_PROJECT_NAME = "Default"


async def first_start(database_url: str, settings: Settings) -> FirstKeys | None:
    """Make a project with its keys if there is none; None if there was one."""
    database = Database(database_url)
    try:
        async with database.transaction() as tx:
            await tx.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _FIRST_START_LOCK})
            if await tx.scalar(select(func.count()).select_from(Project)):
                return None
            halves = await operations.create_project(tx, _PROJECT_NAME)
            presets = {
                Environment.PRODUCTION: settings.api_key,
                Environment.SANDBOX: settings.api_key_sandbox,
            }
            secrets = {}
            for environment, half in halves.items():
                preset = presets[environment]
                secret = preset.get_secret_value() if preset else None
                _, secrets[environment] = await operations.create_key(
                    tx, half.id, "First key", secret
                )
            return FirstKeys(
                halves[Environment.PRODUCTION].public_id,
                secrets[Environment.PRODUCTION],
                secrets[Environment.SANDBOX],
            )
    finally:
        await database.close()


def main(arguments: Sequence[str]) -> None:
    """Prepare the database that the supervisor names."""
    child = control.join(arguments)
    url = child.wait_for_briefing().database_url
    try:
        schema.migrate(url)
        made = asyncio.run(first_start(url, child.settings))
        answer: dict[str, object] = {"made": asdict(made) if made else None}
    except schema.SchemaTooNew as error:
        answer = {"status": Exit.DATABASE_NEWER, "message": str(error)}
    except OperationalError as error:
        answer = {"status": Exit.DATABASE_FAILED, "message": str(error.orig or error)}
    child.control.sendall(json.dumps(answer).encode() + b"\n")
