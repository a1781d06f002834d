"""``dataset mannequin``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.app import progress
from cli.dataset.common import FILE

# As in `dataset.mannequin.MOTIONS`, which takes too long to import for a help text; a test compares them.
MOTIONS = ("stand", "wave", "squat", "walk", "turn", "dance")


class Size(click.ParamType):
    """Width and height in pixels, typed as 480x640."""

    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """A pair of positive numbers, or a usage error."""
        width, _, height = str(value).lower().partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            self.fail(f"{value!r} is not a size such as 480x640", param, ctx)
        return int(width), int(height)


@click.command()
@click.argument("out", type=FILE)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Which performer, clothes, room and light."
)
@click.option(
    "--motion", type=click.Choice(MOTIONS), default="dance", show_default=True, help="What they do."
)
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=8.0, show_default=True)
@click.option("--size", type=Size(), default="480x640", show_default=True, help="Width and height in pixels.")
@click.option("--fps", type=click.FloatRange(0, min_open=True), default=25.0, show_default=True)
@click.option("--truth", type=FILE, help="Write the true key points here as well (.npz).")
def mannequin(
    out: Path, seed: int, motion: str, seconds: float, size: tuple[int, int], fps: float, truth: Path | None
) -> None:
    """Film a mannequin, a performer that is nobody, into OUT."""
    from dataset.mannequin import Performer, film

    performer = Performer.from_seed(seed)
    with progress("filming") as bar:
        key_points = film(
            out, performer, motion, seconds=seconds, fps=fps, size=size, seed=seed, progress=bar.update
        )
    click.echo(f"{out}: {len(key_points)} frames of {motion}, performer {seed}")
    if truth is not None:
        key_points.save(truth)
        click.echo(f"{truth}: the true key points")
