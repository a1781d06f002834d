"""``dataset add-recording``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import progress
from cli.dataset.common import FILE
from dataset.errors import DanceproofError


@click.command("add-recording")
@click.argument("collection", type=FILE)
@click.argument("videos", type=FILE, nargs=-1, required=True, metavar="VIDEO...")
@click.option("--subject", required=True, metavar="ID", help="Who is seen.")
@click.option("--motion", default="", help="What they do, in a word.")
@click.option("--filmed", help="The day, as 2026-05-01.")
@click.option("--id", help="Of the recording; made of subject, motion and content if left out.")
@click.option("--force", is_flag=True, help="Take it in although a check refuses it; needs --reason.")
@click.option("--reason", default="", help="Why; it is recorded.")
@click.option("--verbose", is_flag=True, help="Tell the checks that passed as well.")
def add_recording(
    collection: Path,
    videos: tuple[Path, ...],
    subject: str,
    motion: str,
    filmed: str | None,
    id: str | None,
    force: bool,
    reason: str,
    verbose: bool,
) -> None:
    """Check each VIDEO and import its bytes unchanged as a recording of a subject.

    A recording that a check refuses is left out, and the others are taken in; the status is 2 then.
    """
    from dataset.collection import Collection
    from dataset.collection.intake import add_recording as take_in

    if id is not None and len(videos) > 1:
        raise click.UsageError("--id names one recording, but several videos were given")
    opened = Collection.open(collection)
    refused: list[DanceproofError] = []
    for video in videos:
        try:
            with progress(f"checking {video.name}") as bar:
                recording = take_in(
                    opened, video, subject, motion=motion, id=id, filmed=filmed,
                    force=force, reason=reason, progress=bar.update,
                )  # fmt: skip
        except DanceproofError as error:
            refused.append(error)
            if len(videos) > 1:
                click.echo(f"refused: {error}", err=True)
            continue
        click.echo(
            f"{recording.id}: {video.name}, {recording.duration:.1f} s, sha256 {recording.sha256[:12]}…"
        )
        for name, result in recording.checks.items():
            if verbose or result.outcome != "passed":
                click.echo(f"  {result.outcome:<8}{name}: {result.text}")
    if len(videos) == 1 and refused:
        raise refused[0]
    if refused:
        raise DanceproofError(f"{len(refused)} of {len(videos)} videos were refused")
