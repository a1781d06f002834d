"""``dataset sample``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import progress
from cli.dataset.common import FILE
from cli.dataset.mannequin import Size


@click.command()
@click.argument("out", type=FILE)
@click.option(
    "--subjects", type=click.IntRange(1), default=12, show_default=True, help="How many mannequins."
)
@click.option("--takes", type=click.IntRange(1, 5), default=2, show_default=True, help="Recordings of each.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=4.0, show_default=True)
@click.option("--size", type=Size(), default="240x320", show_default=True, help="Width and height in pixels.")
@click.option("--fakes", type=FILE, help="A corpus that `synthesize fakes` made of these recordings.")
def sample(
    out: Path, subjects: int, takes: int, seconds: float, size: tuple[int, int], fakes: Path | None
) -> None:
    """Make the sample collection of mannequins in OUT: the same bytes every time, free of rights (CC0).

    Fakes are added from a corpus, because training generators takes hours.
    """
    from dataset.release.sample import make_sample

    with progress("filming", subjects * takes) as bar:
        collection = make_sample(
            out, subjects=subjects, takes=takes, seconds=seconds, size=size, fakes=fakes, progress=bar.update
        )
    click.echo(
        f"{out}: {len(collection.subjects())} mannequins, {len(collection.recordings())} recordings, "
        f"{len(collection.fakes())} fakes"
    )
    click.echo(f"next: dataset build {out}")
