import importlib
import importlib.util
import pkgutil
from importlib import resources
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql.base import ischema_names

import telecine.domains
from telecine.db import schema
from telecine.db.engine import Base, driver_url
from telecine.domains.webhooks.models import Xid8


def load_all_models() -> None:
    for domain in pkgutil.iter_modules(telecine.domains.__path__):
        name = f"telecine.domains.{domain.name}.models"
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)


def is_ours(item: Any, name: str | None, kind: str, *_: Any) -> bool:
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


def test_a_newer_schema_is_refused_and_left_alone(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(schema.SchemaTooNew, match="9999"):
        schema.migrate(database_url)
    assert schema.current(database_url) == "9999"


def test_the_queues_tables_are_those_that_the_migrations_made() -> None:
    """A newer procrastinate brings changes of its own: execute them in a new revision."""
    names = (file.name for file in (resources.files("procrastinate") / "sql/migrations").iterdir())
    newest = max(name for name in names if name.endswith(".sql"))
    assert newest == "03.04.00_50_post_add_retry_failed_job_procedure.sql"
