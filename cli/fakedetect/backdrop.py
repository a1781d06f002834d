"""``fakedetect backdrop``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import progress


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
def backdrop(corpus: Path) -> None:
    """Add to CORPUS a copy of each recording with a still picture behind the person, as in a video call.

    A detector that is trained on them looks at the person and not at the background, which stands still in every fake.
    They are trained on, but neither calibrate nor count (--train-only).
    """
    from dataset.records import Corpus
    from forensics.backdrop import add_backdrops

    loaded = Corpus.load(corpus)
    with progress("cutting out") as bar:
        added = add_backdrops(loaded, bar.update)
    click.echo(f"{corpus}: {added} recordings added, {len(loaded.clips)} clips now")
