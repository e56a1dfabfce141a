"""Runs revisions on the connection that `telecine.db.schema` opened and locked.

For `alembic revision --autogenerate`, the caller also passes the tables in
`attributes["metadata"]`: this package may not import the domains.
"""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=attributes.get("metadata"),
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
