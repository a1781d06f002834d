"""``fakedetect evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.app import progress, use_threads
from cli.fakedetect.common import make_recipe, print_tables, recipe_options


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option(
    "--model", type=click.Path(path_type=Path), help="Judge with this detector instead of training new ones."
)
@click.option(
    "--folds",
    type=click.IntRange(2),
    help="Groups of subjects left out in turn; default: one subject at a time.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder to keep each group's detector and scores in."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
@recipe_options
def evaluate(
    corpus: Path,
    model: Path | None,
    folds: int | None,
    out: Path | None,
    json_path: Path | None,
    cache: Path | None,
    threads: int | None,
    **settings: Any,
) -> None:
    """Say how good detectors trained like this are on people they have not seen, or how good a given one is.

    Without --model, each subject (or group, with --folds) is left out of the training in turn and then judged.
    With --model, people whom that detector was trained on are reported apart.
    """
    from dataset.files import write_json
    from dataset.records import Corpus
    from forensics.crossfit import crossfit, prepare
    from forensics.detector import load_detector
    from forensics.evaluate import evaluate_crossfit, evaluate_detector

    use_threads(threads)
    loaded = Corpus.load(corpus)
    recipe = make_recipe(folds=folds or len(loaded.subjects()), **settings)
    with progress("cutting windows") as bar:
        windows = prepare(loaded, recipe, cache, bar.update)
    if model is not None:
        held_out, seen = evaluate_detector(
            load_detector(model), loaded, windows, train_only=recipe.train_only
        )
        told = {"held_out": held_out.to_dict(), "seen_in_training": None if seen is None else seen.to_dict()}
        shown = [held_out] if seen is None else [held_out, seen]
    else:
        with progress("training") as bar:
            shown = [evaluate_crossfit(crossfit(windows, recipe, out, bar.update))]
        told = shown[0].to_dict()
    for evaluation in shown:
        print_tables(evaluation)
    if json_path is not None:
        write_json(json_path, told)
