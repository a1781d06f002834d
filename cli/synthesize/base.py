"""``synthesize base``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import use_threads
from cli.synthesize.common import FILE, stages, videos_among


@click.command()
@click.argument("recordings", type=FILE, nargs=-1, required=True)
@click.option("--out", type=FILE, required=True, help="Folder to train in; an unfinished run in it goes on.")
@click.option("--steps", type=click.IntRange(min=1), default=4500, show_default=True, help="Training steps.")
@click.option("--set", "settings", multiple=True, metavar="SECTION.FIELD=VALUE", help="Change any setting.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; all cores by default.")
def base(
    recordings: tuple[Path, ...], out: Path, steps: int, settings: tuple[str, ...], threads: int | None
) -> None:
    """Train the weights that `synthesize train` starts from, on RECORDINGS of many people, files or folders.

    What comes out can be given to `synthesize train --set network.base=FILE`. Use recordings of people who agreed to
    that, or whose licence allows it: the weights hold a little of everybody.
    """
    from dataclasses import replace

    from synthesis.compact.people import train_base
    from synthesis.config import changed, preset

    use_threads(threads)
    config = preset("compact")
    schedule = replace(config.schedule, steps=steps, warmup=0.45, lr=4e-4)
    config = replace(config, network=replace(config.network, base=""), schedule=schedule)
    with stages() as report:

        def step(done: int, total: int, note: str) -> None:
            report("training", done, total, note)

        written = train_base(
            videos_among(recordings), out, changed(config, settings), report=report, progress=step
        )
    click.echo(f"{written}: weights of {steps} steps on {len(videos_among(recordings))} recordings")
