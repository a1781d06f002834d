"""``dataset add-detector``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.dataset.common import FILE


@click.command("add-detector")
@click.argument("collection", type=FILE)
@click.argument("detectors", type=FILE, nargs=-1, required=True, metavar="DETECTOR...")
def add_detector(collection: Path, detectors: tuple[Path, ...]) -> None:
    """Register detectors that may have seen people of COLLECTION, so that a withdrawal finds them."""
    from dataset.collection import Collection

    opened = Collection.open(collection)
    own = {subject.id for subject in opened.subjects()}
    for folder in detectors:
        record = opened.add_detector(folder)
        known = sorted(own.intersection(record.subjects))
        click.echo(
            f"{record.id}: {folder}, trained on {len(record.clip_sha256s)} clips of {len(record.subjects)} people, "
            f"of this collection {', '.join(known) or 'nobody by name'}"
        )
