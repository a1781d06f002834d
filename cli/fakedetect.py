"""``fakedetect``: is the person in this video filmed, or made to move by motion transfer?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.app import VIDEO_SUFFIXES, DanceproofGroup, progress, use_threads
from dataset.provenance import VERSION

if TYPE_CHECKING:
    from forensics.crossfit import Recipe
    from forensics.scan import ScanResult

STATUS_FAKE = 10
STATUS_INCONCLUSIVE = 11

_SAMPLES = Path(__file__).resolve().parents[1] / "forensics" / "samples"


@click.group(cls=DanceproofGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="fakedetect")
def main() -> None:
    """Tell whether a video of a moving person was filmed or synthesised by motion transfer."""


@main.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--sample", is_flag=True, help="Scan the two videos that come with the package.")
@click.option(
    "--model", type=click.Path(path_type=Path), help="Folder of a detector; default: the one that ships."
)
@click.option(
    "--pairs", default=20, show_default=True, type=click.IntRange(1, 1000), help="Pairs of frames to look at."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, one line a video.")
@click.option(
    "--exit-code", is_flag=True, help="Put the worst verdict in the exit status: 10 fake, 11 inconclusive."
)
@click.pass_context
def scan(
    ctx: click.Context,
    paths: tuple[Path, ...],
    sample: bool,
    model: Path | None,
    pairs: int,
    as_json: bool,
    exit_code: bool,
) -> None:
    """Scan videos, or all videos in folders.

    Exit status: 0 every video was scanned; 2 one or more could not be, which one line each on stderr explains, and all
    others were scanned. A verdict is in the exit status only with --exit-code; 10 then goes before 2, and 2 before 11.
    """
    from dataset.errors import DanceproofError
    from forensics.detector import load_detector
    from forensics.scan import Scanner

    if not paths and not sample:
        raise click.UsageError("name a video or a folder, or use --sample")
    wanted = [*paths, *(_samples() if sample else ())]
    verdicts, failed = set(), False
    with Scanner(load_detector(model), pairs=pairs) as scanner:
        for path in _videos(wanted):
            try:
                result = scanner.scan(path)
            except DanceproofError as error:
                click.echo(f"error: {error}", err=True)
                failed = True
                continue
            verdicts.add(result.verdict)
            if as_json:
                click.echo(json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False))
            else:
                _show(result)
    if exit_code and "fake" in verdicts:
        ctx.exit(STATUS_FAKE)
    if failed:
        ctx.exit(2)
    if exit_code and "inconclusive" in verdicts:
        ctx.exit(STATUS_INCONCLUSIVE)


def _recipe_options(command: Any) -> Any:
    for option in reversed(
        (
            click.option(
                "--steps", default=700, show_default=True, type=click.IntRange(1), help="Optimiser steps."
            ),
            click.option(
                "--batch",
                default=32,
                show_default=True,
                type=click.IntRange(2),
                help="Windows a step, half real.",
            ),
            click.option("--rate", default=3e-3, show_default=True, help="Learning rate."),
            click.option(
                "--ndf", default=24, show_default=True, help="Channels after the first convolution."
            ),
            click.option(
                "--pairs",
                default=8,
                show_default=True,
                type=click.IntRange(1),
                help="Frame pairs of each clip.",
            ),
            click.option("--seed", default=0, show_default=True, help="The whole run follows from it."),
            click.option("--threads", type=click.IntRange(1), help="CPU threads; default: PyTorch's choice."),
            click.option(
                "--train-only",
                multiple=True,
                default=("mannequin*",),
                show_default=True,
                help="Pattern of subjects that are never evidence: neither calibrate nor count. Repeatable.",
            ),
            click.option(
                "--cache",
                type=click.Path(path_type=Path),
                help="Folder for cut windows; default: in the corpus.",
            ),
        )
    ):
        command = option(command)
    return command


@main.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the detector.")
@click.option(
    "--folds",
    default=4,
    show_default=True,
    type=click.IntRange(2),
    help="Groups of subjects left out in turn.",
)
@click.option(
    "--leave-out",
    multiple=True,
    metavar="SUBJECT",
    help="Somebody who is kept out of it altogether, with every clip they are seen in or give the motion to.",
)
@_recipe_options
def train(
    corpus: Path,
    out: Path,
    folds: int,
    leave_out: tuple[str, ...],
    cache: Path | None,
    threads: int | None,
    **settings: Any,
) -> None:
    """Train a detector on CORPUS, calibrate it on people it had not seen, and say how good it is on them.

    Started again with the same settings after an interruption, it goes on after the last whole group.
    """
    from dataset.records import Corpus
    from forensics.build import build_detector
    from forensics.crossfit import prepare
    from forensics.folds import without

    use_threads(threads)
    recipe = _recipe(folds=folds, **settings)
    loaded = without(Corpus.load(corpus), leave_out)
    with progress("cutting windows") as bar:
        windows = prepare(loaded, recipe, cache, bar.update)
    with progress("training") as bar:
        _, evaluation = build_detector(loaded, windows, out, recipe, bar.update)
    _print_tables(evaluation)
    click.echo(f"detector: {out}")


@main.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option(
    "--model", type=click.Path(path_type=Path), help="Judge with this detector instead of training new ones."
)
@click.option(
    "--folds",
    type=click.IntRange(2),
    help="Groups of subjects left out in turn; default: one subject at a time.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder to keep each group's detector and scores in."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
@_recipe_options
def evaluate(
    corpus: Path,
    model: Path | None,
    folds: int | None,
    out: Path | None,
    json_path: Path | None,
    cache: Path | None,
    threads: int | None,
    **settings: Any,
) -> None:
    """Say how good detectors trained like this are on people they have not seen, or how good a given one is.

    Without --model, each subject (or group, with --folds) is left out of the training in turn and then judged.
    With --model, people whom that detector was trained on are reported apart.
    """
    from dataset.files import write_json
    from dataset.records import Corpus
    from forensics.crossfit import crossfit, prepare
    from forensics.detector import load_detector
    from forensics.evaluate import evaluate_crossfit, evaluate_detector

    use_threads(threads)
    loaded = Corpus.load(corpus)
    recipe = _recipe(folds=folds or len(loaded.subjects()), **settings)
    with progress("cutting windows") as bar:
        windows = prepare(loaded, recipe, cache, bar.update)
    if model is not None:
        held_out, seen = evaluate_detector(
            load_detector(model), loaded, windows, train_only=recipe.train_only
        )
        told = {"held_out": held_out.to_dict(), "seen_in_training": None if seen is None else seen.to_dict()}
        shown = [held_out] if seen is None else [held_out, seen]
    else:
        with progress("training") as bar:
            shown = [evaluate_crossfit(crossfit(windows, recipe, out, bar.update))]
        told = shown[0].to_dict()
    for evaluation in shown:
        _print_tables(evaluation)
    if json_path is not None:
        write_json(json_path, told)


@main.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--crf", type=click.IntRange(0, 51), default=30, show_default=True, help="H.264 rate factor.")
@click.option(
    "--scale", type=click.FloatRange(0.1, 1), default=1.0, show_default=True, help="Of width and height."
)
def degrade(corpus: Path, crf: int, scale: float) -> None:
    """Add to CORPUS a copy of every clip as an upload site would leave it: compressed again, and smaller."""
    from dataset.records import Corpus
    from forensics.degrade import add_copies

    loaded = Corpus.load(corpus)
    with progress("copying") as bar:
        added = add_copies(loaded, crf=crf, scale=scale, progress=bar.update)
    click.echo(f"{corpus}: {added} copies added, {len(loaded.clips)} clips now")


def _recipe(*, folds: int, train_only: tuple[str, ...], **settings: Any) -> Recipe:
    from forensics.crossfit import Recipe
    from forensics.detector import DetectorConfig
    from forensics.train import TrainConfig
    from forensics.views import ViewConfig

    return Recipe(
        network=DetectorConfig(ndf=settings["ndf"]),
        training=TrainConfig(
            steps=settings["steps"], batch=settings["batch"], rate=settings["rate"], seed=settings["seed"]
        ),
        views=ViewConfig(pairs=settings["pairs"]),
        folds=folds,
        train_only=tuple(train_only),
    )


def _samples() -> list[Path]:
    from dataset.errors import VideoError

    samples = [_SAMPLES / "mannequin_real.mp4", _SAMPLES / "mannequin_fake.mp4"]
    for sample in samples:
        if not sample.is_file():
            raise VideoError(
                "the sample is missing from this copy", path=sample, hint="install the package again"
            )
    return samples


def _videos(paths: list[Path]) -> Iterator[Path]:
    """Files as they are, folders as the videos in them, sorted."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(
            Path(folder) / name
            for folder, _, names in os.walk(path)
            for name in names
            if Path(name).suffix.lower() in VIDEO_SUFFIXES and not name.startswith(".")
        )
        # A folder without videos goes on as it is: the scan then says that it is no video.
        yield from found or [path]


def _show(result: ScanResult) -> None:
    colour = {"fake": "red", "real": "green"}.get(result.verdict, "yellow")
    verdict = click.style(result.verdict.upper(), fg=colour, bold=True)
    probability = "" if result.probability is None else f"  probability of a fake {result.probability:.3f}"
    click.echo(f"{result.path}: {verdict}{probability}")
    for reason in result.reasons:
        click.echo(f"  {reason}")
    if result.statement:
        click.echo(f"  the file says about itself: {result.statement}")
    if result.c2pa["integrity"] != "none":
        for line in result.c2pa["lines"]:
            click.echo(f"  c2pa: {line}")
    for person in result.people:
        shown = "" if person.probability is None else f" {person.probability:.3f}"
        click.echo(
            f"  person {person.person}: {person.verdict}{shown}, {person.height:.0f} pixels high, "
            f"{person.first_seen:.1f}–{person.last_seen:.1f} s, {person.pairs_judged} of {result.pairs} frame pairs"
        )
        for pair in person.telling:
            click.echo(f"    weighed most: {pair.time:.2f} s, {pair.part}, score {pair.score:+.2f}")
    for problem in result.problems:
        click.echo(f"  problem: {problem}")
    click.echo(
        f"  {result.pairs} frame pairs in {result.seconds:.1f} s, "
        f"sha256 {result.video['sha256'][:16]}…, detector {result.tool['detector_sha256'][:16]}…"
    )


def _print_tables(evaluation: Any) -> None:
    from rich.console import Console

    console = Console()
    for table in evaluation.tables():
        console.print(table)
    for note in evaluation.notes:
        click.echo(f"note: {note}")


if __name__ == "__main__":
    main()
