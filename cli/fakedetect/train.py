"""``fakedetect train``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.app import Reporter, progress, use_threads
from cli.fakedetect.common import make_recipe, print_tables, recipe_options

if TYPE_CHECKING:
    from forensics.recipe import Recipe
    from synthesis.stage import World


@click.command()
@click.argument("corpus")
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
@click.option(
    "--compare",
    metavar="KEY=A,B",
    help="Train once for each value of a setting, such as init=random,people, and show the figures side by side.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that train a group each.",
)
@click.option(
    "--stream", is_flag=True, help="CORPUS is a release, or its name on the hub, and is read while training."
)
@recipe_options
def train(
    corpus: str,
    out: Path,
    folds: int,
    leave_out: tuple[str, ...],
    compare: str | None,
    workers: int,
    stream: bool,
    cache: Path | None,
    threads: int | None,
    **settings: Any,
) -> None:
    """Train a detector on CORPUS, calibrate it on people it had not seen, and say how good it is on them.

    Started again with the same settings after an interruption, it goes on where it was. By torchrun several processes
    train each detector together: torchrun --nproc-per-node 2 -m cli.fakedetect train CORPUS --out DIR
    """
    from synthesis.distributed import join

    use_threads(threads)
    if stream and (leave_out or compare or workers > 1):
        raise click.UsageError("--stream knows no --leave-out, --compare or --workers: a release has splits")
    values = [None] if compare is None else _values(compare)
    recipes = []
    for value in values:
        words = settings["words"] if value is None else (*settings["words"], value)
        recipes.append(make_recipe(folds=folds, **settings | {"words": words}))
        recipes[-1].check()
    with join("cpu") as world:
        for value, recipe in zip(values, recipes, strict=True):
            folder = out if value is None else out / value
            if stream:
                _from_release(corpus, folder, recipe, world)
            else:
                _from_corpus(Path(corpus), folder, recipe, leave_out, cache, workers, world)
        if compare is not None and world.leads:
            _side_by_side(out, [value for value in values if value is not None])


def _from_corpus(
    corpus: Path,
    out: Path,
    recipe: Recipe,
    leave_out: tuple[str, ...],
    cache: Path | None,
    workers: int,
    world: World,
) -> None:
    from dataset.records import Corpus
    from forensics.build import build_detector, clip_bits
    from forensics.crossfit import prepare
    from forensics.folds import without

    loaded = without(Corpus.load(corpus), leave_out)
    with _shown("cutting windows", world) as bar:
        windows = prepare(loaded, recipe, cache, _update(bar), world)
    with _shown("training", world) as bar:
        _, evaluation = build_detector(
            loaded, windows, out, recipe, _update(bar), world=world, workers=workers, bits=clip_bits(loaded)
        )
    if world.leads:
        print_tables(evaluation)
        click.echo(f"detector: {out}")


def _from_release(release: str, out: Path, recipe: Recipe, world: World) -> None:
    from forensics.build_stream import build_from_release

    with _shown("training", world) as bar:
        detector = build_from_release(release, out, recipe, _update(bar), world=world)
    if world.leads:
        facts = detector.facts
        click.echo(
            f"detector: {out}, calibrated on {facts['calibration_clips']} clips of the split validation"
        )


def _shown(what: str, world: World) -> AbstractContextManager[Reporter | None]:
    """Progress, in the leading process."""
    return progress(what) if world.leads else nullcontext()


def _update(bar: Reporter | None) -> Callable[..., None] | None:
    return None if bar is None else bar.update


def _values(told: str) -> list[str | None]:
    key, sign, values = told.partition("=")
    if not sign or len(values.split(",")) < 2:
        raise click.BadParameter(f"{told!r} is not like init=random,people", param_hint="--compare")
    return [f"{key}={value}" for value in values.split(",")]


def _side_by_side(out: Path, names: list[str]) -> None:
    """The figures on held-out people of several trainings."""
    import json

    from rich.console import Console
    from rich.table import Table

    table = Table("", "", "accuracy", "AUC", "EER", title="held-out subjects")
    for name in names:
        told = json.loads((out / name / "evaluation.json").read_text("utf-8"))["figures"]
        for level in ("pair", "video"):
            figures = told.get(level) or {}
            cells = [
                f"{figures[key]['value']:.3f}" if key in figures else "–"
                for key in ("accuracy", "auc", "eer")
            ]
            table.add_row(name, f"per {level}", *cells)
    Console().print(table)
