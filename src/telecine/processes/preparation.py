"""Whether a database needs anything before it can be used: one quick question.

Migrating and first start are another program's (`telecine.processes.prepare`): its
imports take longer than all the rest of a start.
"""

from dataclasses import dataclass

import psycopg

from telecine.db.release import SCHEMA_OF, Fit, fit

_HAS_PROJECT = "SELECT EXISTS (SELECT 1 FROM project)"


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """What first start made; the keys are shown once and stored hashed."""

    project: str
    production_key: str
    sandbox_key: str


async def is_prepared(url: str) -> bool:
    """Return whether the database has a schema that we run on, and a project.

    Raises:
        psycopg.OperationalError: it cannot be reached.
    """
    async with await psycopg.AsyncConnection.connect(url, connect_timeout=10) as connection:
        try:
            schema = await (await connection.execute(SCHEMA_OF)).fetchone()
            if schema is None or fit(*schema) not in {Fit.SAME, Fit.NEXT}:
                return False
            project = await (await connection.execute(_HAS_PROJECT)).fetchone()
        except psycopg.errors.UndefinedTable:
            return False
    return project is not None and bool(project[0])
