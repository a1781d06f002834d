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
                "--ndf", default=24, show_default=True, help="Channels after the first convolution."
            ),
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
                default=("mannequin*",),
                show_default=True,
                help="Pattern of subjects that are never evidence: neither calibrate nor count. Repeatable.",
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


def make_recipe(*, folds: int, train_only: tuple[str, ...], **settings: Any) -> Recipe:
    from forensics.crossfit import Recipe
    from forensics.detector import DetectorConfig
    from forensics.train import TrainConfig
    from forensics.views import ViewConfig

    return Recipe(
        network=DetectorConfig(ndf=settings["ndf"]),
        training=TrainConfig(
            steps=settings["steps"], batch=settings["batch"], rate=settings["rate"], seed=settings["seed"]
        ),
        views=ViewConfig(pairs=settings["pairs"]),
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
