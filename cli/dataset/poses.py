"""``dataset poses``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.app import VIDEO_SUFFIXES, progress
from cli.dataset.common import FILE
from cli.work import limit_options, stands_for_many, tell, where_options
from dataset.errors import DanceproofError, PoseError

if TYPE_CHECKING:
    from dataset.pose import PoseSequence


@click.command()
@click.argument("videos", nargs=-1)
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
@where_options
@limit_options
@click.option("--retry", is_flag=True, help="Of many videos, try those again that failed before.")
def poses(
    videos: tuple[str, ...],
    out: Path,
    model: str,
    person: str,
    form: str,
    layout: str,
    from_openpose: Path | None,
    fps: float | None,
    size: str | None,
    workers: int | None,
    ray: str | None,
    time_limit: float | None,
    memory_limit: int | None,
    retry: bool,
) -> None:
    """Find the key points of one person in every frame of a video, or convert those of another tool.

    Of several VIDEOS, of a folder, a glob, @LIST, a tar shard or any URL that fsspec knows, --out is a folder with a
    file for each; what is there already is passed over.
    """
    if len(videos) > 1 or stands_for_many(*videos):
        if from_openpose is not None:
            raise click.UsageError("--from-openpose goes with one VIDEO")
        _many(
            videos, out, model=model, person=person, form=form, layout=layout, workers=workers, ray=ray,
            time_limit=time_limit, memory_limit=memory_limit, retry=retry,
        )  # fmt: skip
        return
    if (workers, ray, time_limit, memory_limit, retry) != (None, None, None, None, False):
        raise click.UsageError("--workers, --ray, limits and --retry go with several videos")
    video = Path(videos[0]) if videos else None
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


def _many(videos: tuple[str, ...], out: Path, **options: Any) -> None:
    from dataset.collection.extract import extract_files
    from dataset.work import items_from

    items = items_from(videos, VIDEO_SUFFIXES)
    with progress("finding poses", len(items)) as bar:
        summary = extract_files(
            items, out, progress=lambda done, failed, total: bar.update(done + failed, total), **options
        )
    tell(summary, out)


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
