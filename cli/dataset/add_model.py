"""``dataset add-model``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.dataset.common import FILE


@click.command("add-model")
@click.argument("collection", type=FILE)
@click.argument("models", type=FILE, nargs=-1, required=True, metavar="MODEL...")
def add_model(collection: Path, models: tuple[Path, ...]) -> None:
    """Register generators that were trained on recordings of COLLECTION, so that a withdrawal finds them."""
    from dataset.collection import Collection

    opened = Collection.open(collection)
    for folder in models:
        record = opened.add_model(folder)
        research = ", for research only" if record.research_only else ""
        click.echo(f"{record.id}: {folder}, trained on {', '.join(record.subjects)}{research}")
