"""``dataset show``, which is also what ``dataset info`` does for a collection."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli.dataset.common import FILE


@click.command()
@click.argument("collection", type=FILE)
@click.option("--subject", metavar="ID", help="Tell what was made of this subject instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def show(collection: Path, subject: str | None, as_json: bool) -> None:
    """Tell who and what is in COLLECTION, and whose consent covers what today."""
    if subject is not None:
        _show_subject(collection, subject, as_json)
    else:
        show_collection(collection, as_json=as_json)


def show_collection(folder: Path, *, as_json: bool = False) -> None:
    """Print the facts of a collection."""
    from dataset.collection import Collection
    from dataset.collection.overview import overview, overview_lines

    opened = Collection.open(folder)
    if as_json:
        click.echo(json.dumps(overview(opened), indent=2, ensure_ascii=False))
        return
    for line in overview_lines(opened):
        click.echo(line)


def _show_subject(folder: Path, id: str, as_json: bool) -> None:
    from dataset.collection import Collection
    from dataset.collection.overview import lineage_lines, lineage_of

    opened = Collection.open(folder)
    if as_json:
        click.echo(json.dumps(lineage_of(opened, id), indent=2, ensure_ascii=False))
        return
    for line in lineage_lines(opened, id):
        click.echo(line)
