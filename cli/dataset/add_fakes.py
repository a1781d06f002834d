"""``dataset add-fakes``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import progress
from cli.dataset.common import FILE


@click.command("add-fakes")
@click.argument("collection", type=FILE)
@click.argument("corpus", type=FILE)
def add_fakes(collection: Path, corpus: Path) -> None:
    """Import the fakes of CORPUS, which ``synthesize fakes`` made of recordings of COLLECTION."""
    from dataset.collection import Collection
    from dataset.collection.intake import add_fakes as take_in

    opened = Collection.open(collection)
    with progress("importing fakes") as bar:
        added = take_in(opened, corpus, progress=bar.update)
    by_kind = {kind: sum(fake.kind == kind for fake in added) for kind in ("self", "cross")}
    click.echo(
        f"{collection}: {len(added)} fakes added ({by_kind['self']} self-re-enactments, {by_kind['cross']} with "
        f"another's motion), {len(opened.fakes())} in all"
    )
    if research := sum(fake.research_only for fake in added):
        click.echo(f"{research} of them are for research only and will not be released")
