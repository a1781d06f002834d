"""``dataset migrate``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.dataset.common import FILE


@click.command()
@click.argument("collection", type=FILE)
def migrate(collection: Path) -> None:
    """Bring COLLECTION up to the present version of the schema; the old records are kept in backup/."""
    from dataset.collection.migrate import migrate as bring_up
    from dataset.collection.migrate import schema_version
    from dataset.collection.schemas import SCHEMA_VERSION

    before = schema_version(collection) if (collection / "collection.json").is_file() else SCHEMA_VERSION
    changed = bring_up(collection)
    if not changed:
        click.echo(f"{collection}: of schema version {SCHEMA_VERSION} already")
        return
    click.echo(
        f"{collection}: {len(changed)} records brought from schema version {before} to {SCHEMA_VERSION}"
    )
    click.echo(f"the records of before are in {collection / 'backup' / f'schema-{before}'}")
