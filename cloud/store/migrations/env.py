"""What alembic runs for each command: our metadata, on the connection `cloud.store.migrate` opened."""

from alembic import context

from cloud.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite cannot alter a table in place; alembic copies it instead, the same on both engines.
    render_as_batch=True,
    compare_type=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
