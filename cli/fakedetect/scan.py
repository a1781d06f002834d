"""``fakedetect scan``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.app import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from forensics.scan import ScanResult

STATUS_FAKE = 10
STATUS_INCONCLUSIVE = 11

_SAMPLES = Path(__file__).resolve().parents[2] / "forensics" / "samples"


@click.command()
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
