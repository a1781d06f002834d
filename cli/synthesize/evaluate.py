"""``synthesize evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.app import use_threads
from cli.synthesize.common import FILE, stages, videos_among
from dataset.errors import SynthesisError

if TYPE_CHECKING:
    from synthesis.evaluate.systems import ModelRef


@click.command()
@click.argument("models", type=FILE, nargs=-1)
@click.option("--column", multiple=True, metavar="NAME=MODEL[,MODEL…]",
              help="A column of the table, a model of each subject, or MODEL@STEP; repeatable.")  # fmt: skip
@click.option("--recording", type=FILE, multiple=True,
              help="The models' recordings, files or folders; repeatable.")  # fmt: skip
@click.option("--out", type=FILE, default=Path("evaluation"), show_default=True, help="Folder to write to.")
@click.option(
    "--snapshots", is_flag=True, help="Evaluate each kept snapshot: quality against training minutes."
)
@click.option("--baseline", type=click.Choice(["nearest", "masked", "both", "none"]), default="both",
              show_default=True, help="Nearest pose in training: its whole window, only the person.")  # fmt: skip
@click.option("--perceptual", default="lpips", show_default=True, metavar="lpips|BACKBONE",
              help="LPIPS, or features of squeezenet1_1 …; outputs name the substitute.")  # fmt: skip
@click.option(
    "--lpips-backbone", type=click.Choice(["alex", "vgg", "squeeze"]), default="alex", show_default=True
)
@click.option("--lpips-weights", type=FILE,
              help="torchvision's weights of that backbone.  [default: torchvision's own cache]")  # fmt: skip
@click.option(
    "--on-training-frames", is_flag=True, help="Also look at models that held nothing out; outputs say so."
)
@click.option(
    "--no-poses", is_flag=True, help="Do not find the poses again in the output, which takes longest."
)
@click.option("--json", "as_json", is_flag=True, help="Print evaluation.json instead of the table.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; all cores by default.")
def evaluate(
    models: tuple[Path, ...],
    column: tuple[str, ...],
    recording: tuple[Path, ...],
    out: Path,
    snapshots: bool,
    baseline: str,
    perceptual: str,
    lpips_backbone: str,
    lpips_weights: Path | None,
    on_training_frames: bool,
    no_poses: bool,
    as_json: bool,
    threads: int | None,
) -> None:
    """Compare what MODELS make of held-out poses with the real frames, as in the paper.

    Writes evaluation.json, evaluation.md, evaluation.html (with the frames) and frames.csv into --out.
    """
    if bool(models) == bool(column):
        raise SynthesisError(
            "give either models or columns", hint="synthesize evaluate MODEL --recording FILE"
        )
    if snapshots and column:
        raise SynthesisError("--snapshots makes columns by itself", hint="name the models without --column")
    if not recording:
        raise SynthesisError("no recording was given", hint="name the models' recordings with --recording")
    from synthesis.evaluate.perceptual import open_distance
    from synthesis.evaluate.run import BASELINES, columns_of, snapshot_columns
    from synthesis.evaluate.run import evaluate as run

    use_threads(threads)
    distance = open_distance(perceptual, backbone=lpips_backbone, weights=lpips_weights)
    columns = snapshot_columns(models) if snapshots else _columns(column) if column else columns_of(models)
    plain, masked = BASELINES
    with stages() as report:
        evaluation = run(
            columns,
            videos_among(recording),
            out,
            distance,
            baselines={"nearest": [plain], "masked": [masked], "both": [plain, masked], "none": []}[baseline],
            on_training_frames=on_training_frames,
            with_poses=not no_poses,
            with_curves=snapshots,
            report=report,
        )
    if as_json:
        click.echo(json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False))
        return
    table = (out / "evaluation.md").read_text("utf-8").split("\n## Definitions")[0].split("\n## Subject")[0]
    click.echo(table.strip())
    click.echo(
        f"\n{out / 'evaluation.html'}: the frames; beside it evaluation.json, evaluation.md and frames.csv"
    )


def _columns(given: tuple[str, ...]) -> dict[str, list[ModelRef]]:
    from synthesis.evaluate.systems import ModelRef

    columns: dict[str, list[ModelRef]] = {}
    for text in given:
        name, _, folders = text.partition("=")
        if not name or not folders:
            raise SynthesisError(f"not a column: {text!r}", hint='write --column "FBF+TS=FOLDER,FOLDER"')
        if name in columns:
            raise SynthesisError(
                f"the column {name} is given twice", hint="put its models behind one name: A=x,y"
            )
        columns[name] = [ModelRef.parse(folder) for folder in folders.split(",")]
    return columns
