"""What Alembic runs: the revisions, within the transaction of whoever lends the connection (lineage/upgrade.py)."""

from typing import Any

from alembic import context

lent = context.config.attributes


def taken(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
    lent["taken"].append(step.up_revision.doc)


context.configure(connection=lent["connection"], on_version_apply=taken)
context.run_migrations()
