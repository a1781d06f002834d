"""``dataset poses``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import progress
from cli.dataset.common import FILE
from dataset.errors import DanceproofError


@click.command()
@click.argument("video", type=FILE)
@click.option("--out", type=FILE, required=True, help="Where to write the key points (.npz).")
@click.option(
    "--model",
    type=click.Choice(["holistic", "pose"]),
    default="holistic",
    show_default=True,
    help="Body, face and hands, or the body alone, which is faster.",
)
def poses(video: Path, out: Path, model: str) -> None:
    """Find the key points of the main person in every frame of VIDEO."""
    if out.exists() and video.exists() and out.samefile(video):
        raise DanceproofError("the key points would replace the video", path=out, hint="choose another --out")
    from dataset.pose import estimate_poses

    with progress("finding poses") as bar:
        sequence = estimate_poses(video, model=model, progress=bar.update)
    sequence.save(out)
    found = int(sequence.present().sum())
    click.echo(f"{out}: person found in {found} of {len(sequence)} frames ({found / len(sequence):.1%})")
    for note in sequence.notes:
        click.echo(f"note: {note}")
