"""The schema's version: what we need, what a database has, the way between.

Blocking: call these before the event loop serves, or in a thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from telecine.db.engine import driver_url

# One number per purpose in the database's space of advisory locks.
_MIGRATION_LOCK = 7_351_846_001


class SchemaTooNew(Exception):
    """A newer release has migrated the database; this one may not write to it."""


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


def migrate(url: str) -> None:
    """Bring a database to `head()`; concurrent callers wait for the first.

    Raises:
        SchemaTooNew: the database's revision is unknown to this release.
    """
    config = _config()
    with _connection(url) as connection:
        # Held by the session, hence over the transactions of all revisions; a
        # process that dies gives it back.
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
        connection.commit()
        revision = MigrationContext.configure(connection).get_current_revision()
        connection.commit()
        if revision is not None and not _is_known(config, revision):
            msg = (
                f"The database has schema {revision}, which is newer than this release "
                f"(it knows {head()}). Start the newer release again."
            )
            raise SchemaTooNew(msg)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _is_known(config: Config, revision: str) -> bool:
    try:
        ScriptDirectory.from_config(config).get_revision(revision)
    except CommandError:
        return False
    return True


def _config() -> Config:
    config = Config()
    folder = str(resources.files("telecine.db") / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    engine = create_engine(driver_url(url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
