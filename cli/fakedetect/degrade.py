"""``fakedetect degrade``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import progress

_CODECS = ("h264", "h265", "vp9")


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--codec", type=click.Choice(_CODECS), default="h264", show_default=True, help="Of the copies.")
@click.option(
    "--crf", type=click.IntRange(0, 63), default=30, show_default=True, help="Rate factor of the codec."
)
@click.option(
    "--scale", type=click.FloatRange(0.1, 1), default=1.0, show_default=True, help="Of width and height."
)
@click.option(
    "--fps", type=click.FloatRange(1, 120), help="Frame rate, by leaving frames out or repeating them."
)
@click.option("--again", metavar="CODEC:CRF", help="Compress the copies a second time.")
@click.option(
    "--mixed",
    type=click.IntRange(0),
    metavar="SEED",
    help="Draw all of these anew for each recording and its fakes, instead of one setting for all.",
)
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that encode."
)
def degrade(
    corpus: Path,
    codec: str,
    crf: int,
    scale: float,
    fps: float | None,
    again: str | None,
    mixed: int | None,
    workers: int,
) -> None:
    """Add to CORPUS a copy of every clip as an upload site would leave it: compressed again, and smaller."""
    from dataset.records import Corpus
    from forensics.copies import add_copies

    loaded = Corpus.load(corpus)
    with progress("copying") as bar:
        added = add_copies(
            loaded,
            crf=crf,
            scale=scale,
            codec=codec,
            fps=fps,
            again=None if again is None else _second(again),
            mixed=mixed,
            workers=workers,
            progress=bar.update,
        )
    click.echo(f"{corpus}: {added} copies added, {len(loaded.clips)} clips now")


def _second(told: str) -> tuple[str, int]:
    codec, _, crf = told.partition(":")
    if codec not in _CODECS or not crf.isdigit():
        raise click.BadParameter(f"{told!r} is not like vp9:36", param_hint="--again")
    return codec, int(crf)
