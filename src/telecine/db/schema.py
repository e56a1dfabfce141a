"""The schema's version: what we need, what a database has, the way between.

Blocking: call these before the event loop serves, or in a thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Integer,
    Table,
    create_engine,
    inspect,
    select,
    text,
    true,
)
from sqlalchemy.pool import NullPool

from telecine.db.engine import Base, driver_url
from telecine.db.release import RELEASE

# One number per purpose in the database's space of advisory locks.
_MIGRATION_LOCK = 7_351_846_001

MIGRATIONS = Path(str(resources.files("telecine.db") / "migrations"))

SCHEMA_RELEASE = Table(
    "schema_release",
    Base.metadata,
    Column(
        "id",
        Boolean,
        CheckConstraint("id", name="one_row"),
        primary_key=True,
        server_default=true(),
    ),
    Column("release", Integer, nullable=False),
)
"""One row: the release of the newest revision, for programs that do not know that revision."""


class SchemaTooNew(Exception):
    """A release after the next has migrated the database; this one may not write to it."""


def head() -> str:
    """Return the revision that this release works with."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        msg = "the package holds no migrations"
        raise RuntimeError(msg)
    return revision


def current(url: str) -> str | None:
    """Return the revision of a database, None before its first migration."""
    with _connection(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def releases() -> dict[str, int]:
    """Return the schema release of each revision that this program knows."""
    scripts = ScriptDirectory.from_config(_config())
    return {script.revision: script.module.release for script in scripts.walk_revisions()}


def migrate(url: str) -> None:
    """Bring a database to `head()`; concurrent callers wait for the first.

    A database of the next release is left as it is: this one runs on it.

    Raises:
        SchemaTooNew: the database's schema is of a release after the next.
    """
    config = _config()
    with _connection(url) as connection:
        # Held by the session, hence over the transactions of all revisions; a
        # process that dies gives it back.
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
        connection.commit()
        revision = MigrationContext.configure(connection).get_current_revision()
        if revision is not None and revision not in releases():
            _check_newer(connection, revision)
            return
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _check_newer(connection: Connection, revision: str) -> None:
    release = None
    if inspect(connection).has_table(SCHEMA_RELEASE.name):
        release = connection.scalar(select(SCHEMA_RELEASE.c.release))
    if release is None or release > RELEASE + 1:
        msg = (
            f"The database has schema {revision} (schema release {release or 'unknown'}), which "
            f"is too new: this program knows {head()} and works on the schema releases "
            f"{RELEASE} and {RELEASE + 1}. Start the newer program again."
        )
        raise SchemaTooNew(msg)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    engine = create_engine(driver_url(url), poolclass=NullPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
