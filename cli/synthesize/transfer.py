"""``synthesize transfer``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import use_threads
from cli.synthesize.common import FILE, stages
from dataset.errors import SynthesisError


@click.command()
@click.argument("model", type=FILE)
@click.option("--source", type=FILE, required=True, help="Video of the motion.")
@click.option("--out", type=FILE, required=True, help="Video to write (.mp4, .mov or .mkv).")
@click.option("--crf", type=click.IntRange(0, 51), default=18, show_default=True, help="H.264 rate factor.")
@click.option("--cache", type=FILE, help="Folder for the source's poses.  [default: MODEL/cache]")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; all cores by default.")
def transfer(model: Path, source: Path, out: Path, crf: int, cache: Path | None, threads: int | None) -> None:
    """Make the target of MODEL do what the person in the source video does."""
    from synthesis.model import TargetModel
    from synthesis.transfer import transfer as run

    use_threads(threads)
    if out.resolve() == source.resolve():
        raise SynthesisError("the source would be overwritten", path=out, hint="give another --out")
    target = TargetModel.load(model)
    with stages() as report:
        made = run(
            target,
            source,
            out,
            cache=cache or model / "cache",
            crf=crf,
            pose_progress=lambda done, total: report("poses", done, total),
            progress=lambda done, total: report("frames", done, total),
        )
    click.echo(f"{made.path}: {made.frames} frames of {target.subject}, marked as synthetic")
    if made.without_person:
        click.echo(f"  nobody in {made.without_person} of them, as in the source")
    for note in made.notes:
        click.echo(f"  {note}")
