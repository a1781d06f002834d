"""What the commands of ``fakedetect`` share: how a detector is trained, and how figures are shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from forensics.crossfit import Recipe


def recipe_options(command: Any) -> Any:
    for option in reversed(
        (
            click.option(
                "--detector",
                default="patch",
                show_default=True,
                metavar="NAME",
                help="Kind of detector: patch (the paper's), pair, timm, surroundings, temporal, posemotion, fused.",
            ),
            click.option(
                "--set",
                "words",
                multiple=True,
                metavar="KEY=VALUE",
                help="Setting of the detector, such as ndf=32 or init=people; of its training: training.average=0.9; "
                "of a member of a fused one: patch.ndf=32, patch.training.steps=300. Repeatable.",
            ),
            click.option(
                "--steps", default=700, show_default=True, type=click.IntRange(1), help="Optimiser steps."
            ),
            click.option(
                "--batch",
                default=32,
                show_default=True,
                type=click.IntRange(2),
                help="Windows a step, half real.",
            ),
            click.option("--rate", default=3e-3, show_default=True, help="Learning rate."),
            click.option(
                "--pairs",
                default=8,
                show_default=True,
                type=click.IntRange(1),
                help="Frame pairs of each clip.",
            ),
            click.option("--seed", default=0, show_default=True, help="The whole run follows from it."),
            click.option("--threads", type=click.IntRange(1), help="CPU threads; default: PyTorch's choice."),
            click.option(
                "--train-only",
                multiple=True,
                default=("mannequin*", "refilmed_*", "backdrop_*"),
                show_default=True,
                help="Pattern of subjects or recordings that neither calibrate nor count as evidence. Repeatable.",
            ),
            click.option(
                "--cache",
                type=click.Path(path_type=Path),
                help="Folder for cut windows; default: in the corpus.",
            ),
        )
    ):
        command = option(command)
    return command


def make_recipe(
    *,
    folds: int,
    detector: str,
    words: tuple[str, ...],
    train_only: tuple[str, ...],
    pairs: int,
    **training: Any,
) -> Recipe:
    """From the values of `recipe_options`.

    Raises:
        DetectorError: there is no such detector or setting.
    """
    from forensics.recipe import Recipe
    from forensics.settings import parse_settings
    from forensics.train import TrainConfig
    from forensics.views import ViewConfig

    network, trained = parse_settings(detector, words, TrainConfig(**training))
    return Recipe(
        network=network,
        training=trained,
        views=ViewConfig(window=network.window, pairs=pairs),
        folds=folds,
        train_only=tuple(train_only),
    )


def print_tables(evaluation: Any) -> None:
    from rich.console import Console

    console = Console()
    for table in evaluation.tables():
        console.print(table)
    for note in evaluation.notes:
        click.echo(f"note: {note}")
