"""Whether a database needs anything before it can be used: one quick question.

Migrating and first start are another program's (`telecine.processes.prepare`): its
imports take longer than all the rest of a start.
"""

import re
from dataclasses import dataclass
from importlib import resources

import psycopg

_REVISION_FILE = re.compile(r"(\d{4})_\w+\.py")

_IS_PREPARED = """
SELECT (SELECT array_agg(version_num::text) FROM alembic_version) = ARRAY[%s::text]
   AND EXISTS (SELECT 1 FROM project)
"""


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """What first start made; the keys are shown once and stored hashed."""

    project: str
    production_key: str
    sandbox_key: str


def newest_revision() -> str:
    """Return the schema's newest revision by the names of the migrations' files."""
    folder = resources.files("telecine.db") / "migrations" / "versions"
    found = [_REVISION_FILE.fullmatch(file.name) for file in folder.iterdir()]
    return max(match[1] for match in found if match)


async def is_prepared(url: str) -> bool:
    """Return whether the database has our schema and a project.

    Raises:
        psycopg.OperationalError: it cannot be reached.
    """
    async with await psycopg.AsyncConnection.connect(url, connect_timeout=10) as connection:
        try:
            row = await (await connection.execute(_IS_PREPARED, [newest_revision()])).fetchone()
        except psycopg.errors.UndefinedTable:
            return False
    return row is not None and bool(row[0])
