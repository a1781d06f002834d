"""``dataset``: look into recordings, estimate poses, film a mannequin."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.app import DanceproofGroup, progress
from dataset.errors import DanceproofError
from dataset.provenance import VERSION, read_marks

if TYPE_CHECKING:
    from dataset.video import VideoInfo

# As in `dataset.mannequin.MOTIONS`, which takes too long to import for a help text; a test compares them.
MOTIONS = ("stand", "wave", "squat", "walk", "turn", "dance")

FILE = click.Path(path_type=Path)


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


@click.group(cls=DanceproofGroup)
@click.version_option(VERSION, prog_name="dataset")
def main() -> None:
    """Look into recordings, estimate poses, film a mannequin."""


@main.command()
@click.argument("video", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def info(video: Path, as_json: bool) -> None:
    """Tell the facts of VIDEO: size, times, streams, hash, marks."""
    from dataset.video import VideoInfo

    facts = VideoInfo.from_path(video)
    mark = read_marks(facts.metadata)
    if as_json:
        record = asdict(facts) | {"path": str(facts.path), "has_audio": facts.has_audio, "mark": mark}
        click.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return
    for name, value in _fact_lines(facts, mark):
        click.echo(f"{name:<11}{value}")


def _fact_lines(facts: VideoInfo, mark: str | None) -> list[tuple[str, str]]:
    turned = f", turned by {facts.rotation}° for display" if facts.rotation else ""
    rate = "constant" if facts.constant_rate else "variable"
    frames = "not told by the container" if facts.frame_count is None else str(facts.frame_count)
    lines = [
        ("file", str(facts.path)),
        ("bytes", str(facts.size_bytes)),
        ("sha256", facts.sha256),
        ("container", facts.container),
        ("video", f"{facts.codec}, {facts.pixel_format}"),
        ("size", f"{facts.width} × {facts.height}{turned}"),
        ("duration", f"{facts.duration:.3f} s"),
        ("frames", frames),
        ("rate", f"{facts.average_fps:.3f} a second on average, {rate}"),
    ]
    for stream in facts.streams:
        told = ", ".join(part for part in (stream.kind, stream.codec, stream.details) if part)
        lines.append((f"stream {stream.index}", told))
    lines.extend(("tag", f"{name} = {' '.join(text.split())}") for name, text in facts.metadata.items())
    lines.append(("mark", mark or "none: the file does not say that it was made"))
    return lines


@main.command()
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


@main.command()
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


if __name__ == "__main__":
    main()
