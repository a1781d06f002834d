"""``fakedetect scan``."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.app import VIDEO_SUFFIXES, progress
from cli.fakedetect.scan_show import show, show_counts, show_line
from cli.work import limit_options

if TYPE_CHECKING:
    from dataset.work import Failure, Item
    from forensics.scanning.batch import ScanTask

STATUS_FAKE = 10
STATUS_INCONCLUSIVE = 11

#: With --out, up to so many results are shown in full.
SHOWN = 10

_SAMPLES = Path(__file__).resolve().parents[2] / "forensics" / "samples"


@click.command()
@click.argument("inputs", nargs=-1, metavar="[FILE|FOLDER|@LIST]…")
@click.option("--sample", is_flag=True, help="Scan the two videos that come with the package.")
@click.option(
    "--model",
    metavar="FOLDER|ORG/NAME[@REVISION]",
    help="A detector, in a folder or on a hub; default: the one that ships.",
)
@click.option(
    "--pairs", default=20, show_default=True, type=click.IntRange(1, 200), help="Pairs of frames to look at."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, one line a video.")
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Write the report as a page: FILE.html for one video, else a folder with a page a video and an index.",
)
@click.option("--csv", type=click.Path(path_type=Path), metavar="FILE", help="Write one line a video as CSV.")
@click.option(
    "--out",
    metavar="DIR",
    help="Keep a result file of each video there; what is there already is not scanned again.",
)
@click.option("--retry", is_flag=True, help="With --out: try those again that failed before.")
@click.option(
    "--workers", type=click.IntRange(1), help="Processes to scan in; default with --out: one a core."
)
@click.option("--ray", metavar="ADDRESS", help='Scan on a Ray cluster: its address, or "auto".')
@limit_options
@click.option(
    "--exit-code", is_flag=True, help="Put the worst verdict in the exit status: 10 fake, 11 inconclusive."
)
@click.pass_context
def scan(
    ctx: click.Context,
    inputs: tuple[str, ...],
    sample: bool,
    model: str | None,
    pairs: int,
    as_json: bool,
    html: Path | None,
    csv: Path | None,
    out: str | None,
    retry: bool,
    workers: int | None,
    ray: str | None,
    time_limit: float | None,
    memory_limit: int | None,
    exit_code: bool,
) -> None:
    """Scan videos: files, folders with all videos in them, lists (@FILE, one path a line), patterns, URLs.

    Exit status: 0 every video was scanned; 2 one or more could not be, which one line each on stderr explains, and all
    others were scanned. A verdict is in the exit status only with --exit-code; 10 then goes before 2, and 2 before 11.
    """
    from forensics.scanning.batch import ScanTask, write_csv, write_reports

    if not inputs and not sample:
        raise click.UsageError("name a video or a folder, or use --sample")
    if retry and out is None:
        raise click.UsageError("--retry needs the --out of the run before")
    items, failures = _items([*inputs, *(_samples() if sample else ())])
    if html is not None and html.suffix.lower() in (".html", ".htm") and len(items) > 1:
        raise click.UsageError(f"{html} can hold the report of one video; give a folder for {len(items)}")
    work = _Work(
        task=ScanTask(
            _pinned(model),
            pairs,
            pictures=html is not None or out is not None,
            clock=out is None,
        ),
        items=items,
        failures=failures,
        verdict=_json_line if as_json else show,
    )
    where = _Where(workers, ray, time_limit, memory_limit, retry)
    with _runner(work, out, where) as results:
        if html is not None:
            if html.suffix.lower() in (".html", ".htm"):
                _write_one(html, results())
            else:
                write_reports(html, results(), work.failures)
        if csv is not None:
            write_csv(csv, results(), work.failures)
    if exit_code and work.counts["fake"]:
        ctx.exit(STATUS_FAKE)
    if work.failures:
        ctx.exit(2)
    if exit_code and work.counts["inconclusive"]:
        ctx.exit(STATUS_INCONCLUSIVE)


def _pinned(model: str | None) -> str | None:
    if model is None or Path(model).exists() or re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", model) is None:
        return model
    from forensics.hub import pinned

    return pinned(model)


@dataclass(frozen=True)
class _Where:
    """Where the work is done, and within which limits; as it stands, in this process."""

    workers: int | None = None
    ray: str | None = None
    time_limit: float | None = None
    memory_limit: int | None = None
    retry: bool = False


Results = Callable[[], "Iterator[tuple[Item, dict[str, Any]]]"]


@dataclass
class _Work:
    """What is to be scanned, and what came of it.

    Attributes:
        task: how to scan.
        items: what.
        failures: what could not be found or scanned, and why.
        verdict: shows one result.
        counts: verdicts so far.
    """

    task: ScanTask
    items: list[Item]
    failures: list[Failure]
    verdict: Callable[[dict[str, Any]], None]
    counts: Counter[str] = field(default_factory=Counter)

    def here(self) -> Results:
        """One after the other in this process, each shown when it is done."""
        from dataset.errors import DanceproofError
        from dataset.work import Failure

        done: list[tuple[Item, dict[str, Any]]] = []
        with replace(self.task, alone=True).open() as scan_one:
            for item in self.items:
                try:
                    result = scan_one(item)
                except DanceproofError as error:
                    self._failed(Failure(item.key, item.uri, str(error)))
                    continue
                self.counts[result["verdict"]] += 1
                self.verdict(result)
                done.append((item, result))
        return lambda: iter(done)

    def spread(self, out: str, where: _Where) -> Results:
        """In processes of this machine or on a cluster, each result kept in a file."""
        from dataset.work import run_items
        from forensics.scanning.batch import read_results

        with progress("scanning", total=len(self.items)) as bar:
            summary = run_items(
                self.items,
                self.task,
                out,
                workers=where.workers,
                ray=where.ray,
                time_limit=where.time_limit,
                memory_limit=where.memory_limit,
                retry=where.retry,
                identity=self.task.identity(),
                progress=lambda done, failed, total: bar.update(
                    done + failed, total, f"{failed} failed" if failed else ""
                ),
            )
        for failure in summary.failed:
            self._failed(failure)
        # Of many, only what asks for somebody's attention is told here; the rest is in the files.
        many = self.verdict is show and len(self.items) > SHOWN
        for _, result in read_results(out, self.items):
            self.counts[result["verdict"]] += 1
            if not many:
                self.verdict(result)
            elif result["verdict"] != "real":
                show_line(result)
        if self.verdict is show and len(self.items) > 1:
            show_counts(self.counts, len(self.failures), summary.seconds)
        return lambda: read_results(out, self.items)

    def _failed(self, failure: Failure) -> None:
        if failure.uri not in failure.error:  # that it took too long does not say what did
            failure = replace(failure, error=f"{failure.uri}: {failure.error}")
        click.echo(f"error: {failure.error}", err=True)
        self.failures.append(failure)


@contextmanager
def _runner(work: _Work, out: str | None, where: _Where) -> Iterator[Results]:
    """Do it; the results can be read as often as needed while the block lasts."""
    if out is not None:
        yield work.spread(out, where)
    elif where == _Where():
        yield work.here()
    else:
        with tempfile.TemporaryDirectory(prefix="fakedetect-") as folder:
            workers = where.workers or (None if where.ray else 1)
            yield work.spread(folder, replace(where, workers=workers))


def _items(inputs: list[str]) -> tuple[list[Item], list[Failure]]:
    """What the inputs stand for; one that stands for nothing is told, and does not stop the others."""
    from dataset.errors import WorkError
    from dataset.work import Failure, items_from

    items: dict[str, Item] = {}
    failures = []
    for one in inputs:
        try:
            found = items_from([one], VIDEO_SUFFIXES)
        except WorkError as error:
            click.echo(f"error: {error}", err=True)
            failures.append(Failure("", one, str(error)))
            continue
        items |= {item.key: item for item in found}
    return list(items.values()), failures


def _samples() -> list[str]:
    from dataset.errors import VideoError

    samples = [_SAMPLES / "mannequin_real.mp4", _SAMPLES / "mannequin_fake.mp4"]
    for sample in samples:
        if not sample.is_file():
            raise VideoError(
                "the sample is missing from this copy", path=sample, hint="install the package again"
            )
    return [os.fspath(sample) for sample in samples]


def _json_line(result: dict[str, Any]) -> None:
    click.echo(json.dumps(result, ensure_ascii=False, allow_nan=False))


def _write_one(path: Path, results: Iterator[tuple[Item, dict[str, Any]]]) -> None:
    from forensics.scanning.page import report, write_page

    for _, result in results:
        write_page(path, report(result))
