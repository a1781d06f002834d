"""``fakedetect degrade``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import progress


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--crf", type=click.IntRange(0, 51), default=30, show_default=True, help="H.264 rate factor.")
@click.option(
    "--scale", type=click.FloatRange(0.1, 1), default=1.0, show_default=True, help="Of width and height."
)
def degrade(corpus: Path, crf: int, scale: float) -> None:
    """Add to CORPUS a copy of every clip as an upload site would leave it: compressed again, and smaller."""
    from dataset.records import Corpus
    from forensics.degrade import add_copies

    loaded = Corpus.load(corpus)
    with progress("copying") as bar:
        added = add_copies(loaded, crf=crf, scale=scale, progress=bar.update)
    click.echo(f"{corpus}: {added} copies added, {len(loaded.clips)} clips now")
