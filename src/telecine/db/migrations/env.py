"""Runs revisions on the connection that `telecine.db.schema` opened and locked.

For `alembic revision --autogenerate`, the caller also passes the tables in
`attributes["metadata"]`: this package may not import the domains.
"""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from sqlalchemy import text

NOTE_RELEASE = text(
    "INSERT INTO schema_release (release) VALUES (:release)"
    " ON CONFLICT (id) DO UPDATE SET release = excluded.release"
)


def note_release(
    ctx: MigrationContext,
    step: MigrationInfo,
    heads: Collection[Any],
    run_args: Mapping[str, Any],
) -> None:
    """Tell programs that do not know a revision which release it is of."""
    del heads, run_args
    revision = step.up_revision
    if ctx.connection is not None and isinstance(revision, Script):
        ctx.connection.execute(NOTE_RELEASE, {"release": revision.module.release})


attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=attributes.get("metadata"),
    transaction_per_migration=True,
    on_version_apply=note_release,
)
with context.begin_transaction():
    context.run_migrations()
