import importlib
import importlib.util
import pkgutil
import re
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.exc import ProgrammingError

import telecine.domains
from telecine.db import schema
from telecine.db.engine import Base, driver_url
from telecine.db.release import RELEASE
from telecine.domains.webhooks.models import Xid8


def load_all_models() -> None:
    importlib.import_module("telecine.jobs.models")
    for domain in pkgutil.iter_modules(telecine.domains.__path__):
        name = f"telecine.domains.{domain.name}.models"
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)


PARTITION = re.compile(r"(playback|play_event)_(open|\d{8})")


def is_ours(item: Any, name: str | None, kind: str, *_: Any) -> bool:
    if kind == "table" and PARTITION.fullmatch(name or ""):
        return False  # made by and by, of its parent's columns
    return not (name or "").startswith(("procrastinate_", "ix_procrastinate_"))


@pytest.fixture
def known_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """Types that SQLAlchemy cannot name when it reads a table back."""
    monkeypatch.setitem(ischema_names, "xid8", Xid8)


@pytest.mark.usefixtures("known_types")
def test_the_migrations_make_exactly_the_tables_of_the_models(database_url: str) -> None:
    load_all_models()
    engine = create_engine(driver_url(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_object": is_ours,
            },
        )
        differences = compare_metadata(context, Base.metadata)
    engine.dispose()
    assert differences == []


def test_an_empty_database_is_brought_to_head_and_stays_there(empty_database_url: str) -> None:
    assert schema.current(empty_database_url) is None
    schema.migrate(empty_database_url)
    assert schema.current(empty_database_url) == schema.head()
    schema.migrate(empty_database_url)
    assert schema.current(empty_database_url) == schema.head()


NEWER = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
release = {release}

def upgrade():
    op.add_column("video", sa.Column("added_in_{revision}", sa.Integer(), nullable=True))
"""


def migrate_with(later: dict[str, int], folder: Path, url: str) -> None:
    """Migrate as a later program does: ours, then revisions of the given releases."""
    shutil.copytree(schema.MIGRATIONS, folder / "migrations")
    before = schema.head()
    for revision, release in later.items():
        text = NEWER.format(revision=revision, before=before, release=release)
        (folder / "migrations" / "versions" / f"{revision}_later.py").write_text(text)
        before = revision
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", folder / "migrations")
        schema.migrate(url)


def release_in(url: str) -> list[tuple[int]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT release FROM schema_release").fetchall()


def test_a_database_tells_the_release_of_its_schema(empty_database_url: str) -> None:
    schema.migrate(empty_database_url)
    assert release_in(empty_database_url) == [(RELEASE,)]


@pytest.mark.parametrize("start", ["empty", "ours"])
def test_the_next_releases_schema_is_worked_with_and_left_alone(
    empty_database_url: str, tmp_path: Path, start: str
) -> None:
    if start == "ours":
        schema.migrate(empty_database_url)
    migrate_with({"9998": RELEASE + 1, "9999": RELEASE + 1}, tmp_path, empty_database_url)
    assert release_in(empty_database_url) == [(RELEASE + 1,)]
    schema.migrate(empty_database_url)
    assert schema.current(empty_database_url) == "9999"


def test_the_schema_of_two_releases_later_is_refused_and_left_alone(
    database_url: str, tmp_path: Path
) -> None:
    migrate_with({"9998": RELEASE + 1, "9999": RELEASE + 2}, tmp_path, database_url)
    with pytest.raises(schema.SchemaTooNew, match="9999"):
        schema.migrate(database_url)
    assert schema.current(database_url) == "9999"
    assert release_in(database_url) == [(RELEASE + 2,)]


def test_an_unknown_schema_that_tells_no_release_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("DROP TABLE schema_release")
    with pytest.raises(schema.SchemaTooNew, match="9999"):
        schema.migrate(database_url)


def test_a_revision_that_fails_leaves_nothing(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE video ADD COLUMN added_in_9999 integer")
    with pytest.raises(ProgrammingError, match="added_in_9999"):
        migrate_with({"9999": RELEASE + 1}, tmp_path, database_url)
    assert schema.current(database_url) == schema.head()
    assert release_in(database_url) == [(RELEASE,)]


def test_there_is_one_release(database_url: str) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.IntegrityError):
        connection.execute("INSERT INTO schema_release (id, release) VALUES (false, 7)")


def test_the_queues_tables_are_those_that_the_migrations_made() -> None:
    """A newer procrastinate brings changes of its own: execute them in a new revision."""
    names = (file.name for file in (resources.files("procrastinate") / "sql/migrations").iterdir())
    newest = max(name for name in names if name.endswith(".sql"))
    assert newest == "03.04.00_50_post_add_retry_failed_job_procedure.sql"
