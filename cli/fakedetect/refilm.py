"""``fakedetect refilm``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import progress


@click.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the recordings made.")
@click.option(
    "--cameras", type=click.IntRange(1, 99), default=2, show_default=True, help="For each recording."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.5),
    default=10.0,
    show_default=True,
    help="Of each, from its beginning.",
)
@click.option("--seed", default=0, show_default=True, help="Of the cameras and their noise.")
def refilm(recordings: tuple[Path, ...], out: Path, cameras: int, seconds: float, seed: int) -> None:
    """Film RECORDINGS anew as other cameras might have: for training generators on, and detectors on their fakes.

    A corpus of few cameras teaches a detector those cameras. Clips of refilmed recordings are trained on, but neither
    calibrate nor count (--train-only).
    """
    from forensics.camera import refilm_all

    with progress("filming") as bar:
        made = refilm_all(recordings, out, cameras=cameras, seed=seed, seconds=seconds)
        for number, _ in enumerate(made, 1):
            bar.update(number, cameras * len(recordings))
    click.echo(f"{out}: {cameras * len(recordings)} recordings")
