"""``dataset poses``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.app import progress
from cli.dataset.common import FILE
from dataset.errors import DanceproofError, PoseError

if TYPE_CHECKING:
    from dataset.pose import PoseSequence


@click.command()
@click.argument("video", type=FILE, required=False)
@click.option("--out", type=FILE, required=True, help="Where to write the key points: a file, or a folder.")
@click.option(
    "--model",
    type=click.Choice(["holistic", "pose"]),
    default="holistic",
    show_default=True,
    help="Body, face and hands, or the body alone, which is faster.",
)
@click.option(
    "--person", default="main", show_default=True, help="Who: main, left, right, a number, or X,Y@SECONDS."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["npz", "openpose"]),
    default="npz",
    show_default=True,
    help="One file of arrays, or a folder with one JSON file a frame as OpenPose writes them.",
)
@click.option(
    "--layout",
    type=click.Choice(["BODY_25", "COCO-18", "BODY_23"]),
    default="BODY_25",
    show_default=True,
    help="Which body points the JSON files hold.",
)
@click.option("--from-openpose", type=FILE, help="Read key points here instead of estimating them.")
@click.option("--fps", type=click.FloatRange(min=0, min_open=True),
              help="With --from-openpose and no VIDEO: frames a second.")  # fmt: skip
@click.option("--size", help="With --from-openpose and no VIDEO: frame size, such as 1920x1080.")
def poses(
    video: Path | None,
    out: Path,
    model: str,
    person: str,
    form: str,
    layout: str,
    from_openpose: Path | None,
    fps: float | None,
    size: str | None,
) -> None:
    """Find the key points of one person in every frame of VIDEO, or convert those of another tool."""
    if video is not None and out.exists() and video.exists() and out.samefile(video):
        raise DanceproofError("the key points would replace the video", path=out, hint="choose another --out")
    if from_openpose is not None and out.resolve() == from_openpose.resolve():
        raise DanceproofError(
            "the key points would replace what is read", path=out, hint="choose another --out"
        )
    if (fps is not None or size is not None) and (from_openpose is None or video is not None):
        raise click.UsageError("--fps and --size go with --from-openpose and stand in for a video")
    if from_openpose is not None:
        sequence = _read(from_openpose, video, fps, size, person)
    elif video is None:
        raise click.UsageError("give a VIDEO, or --from-openpose FOLDER")
    else:
        from dataset.pose import estimate_poses

        with progress("finding poses") as bar:
            sequence = estimate_poses(video, model=model, person=person, progress=bar.update)
    if form == "openpose":
        from dataset.pose.openpose import write_openpose

        write_openpose(sequence, out, layout=layout, name="video" if video is None else video.stem)
    else:
        sequence.save(out)
    found = int(sequence.present().sum())
    click.echo(f"{out}: person found in {found} of {len(sequence)} frames ({found / len(sequence):.1%})")
    for note in sequence.notes:
        click.echo(f"note: {note}")


def _read(source: Path, video: Path | None, fps: float | None, size: str | None, person: str) -> PoseSequence:
    from dataset.pose.openpose import from_openpose, read_openpose

    if video is not None:
        from dataset.pose.cache import load_poses

        return load_poses(source, video, person=person)
    if fps is None or size is None:
        raise click.UsageError("--from-openpose needs the VIDEO, or both --fps and --size")
    width, _, height = size.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise PoseError(f"{size!r} is no frame size", hint="give it as WIDTHxHEIGHT, such as 1920x1080")
    count = len(read_openpose(source).frames)
    return from_openpose(
        source, size=(int(width), int(height)), times=[row / fps for row in range(count)], person=person
    )
