"""Run by Alembic with the connection that `database` opened; never finds one by itself."""

from alembic import context

from sync_server.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
