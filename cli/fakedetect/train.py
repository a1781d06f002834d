"""``fakedetect train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.app import progress, use_threads
from cli.fakedetect.common import make_recipe, print_tables, recipe_options


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the detector.")
@click.option(
    "--folds",
    default=4,
    show_default=True,
    type=click.IntRange(2),
    help="Groups of subjects left out in turn.",
)
@click.option(
    "--leave-out",
    multiple=True,
    metavar="SUBJECT",
    help="Somebody who is kept out of it altogether, with every clip they are seen in or give the motion to.",
)
@recipe_options
def train(
    corpus: Path,
    out: Path,
    folds: int,
    leave_out: tuple[str, ...],
    cache: Path | None,
    threads: int | None,
    **settings: Any,
) -> None:
    """Train a detector on CORPUS, calibrate it on people it had not seen, and say how good it is on them.

    Started again with the same settings after an interruption, it goes on after the last whole group.
    """
    from dataset.records import Corpus
    from forensics.build import build_detector
    from forensics.crossfit import prepare
    from forensics.folds import without

    use_threads(threads)
    recipe = make_recipe(folds=folds, **settings)
    loaded = without(Corpus.load(corpus), leave_out)
    with progress("cutting windows") as bar:
        windows = prepare(loaded, recipe, cache, bar.update)
    with progress("training") as bar:
        _, evaluation = build_detector(loaded, windows, out, recipe, bar.update)
    print_tables(evaluation)
    click.echo(f"detector: {out}")
