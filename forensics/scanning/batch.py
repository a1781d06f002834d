"""Many videos, each once: what `dataset.work.run_items` does with a video, and what is made of the results."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset.errors import WorkError
from dataset.provenance import VERSION
from dataset.video.limits import at_most_threads
from dataset.work import Failure, Item, local_file
from dataset.work.results import DONE, results_at
from forensics.scanning import table
from forensics.scanning.page import overview, report, write_page
from forensics.scanning.result import SCHEMA
from forensics.scanning.schema import check

if TYPE_CHECKING:
    from forensics.detectors import Detector


@dataclass(frozen=True)
class ScanTask:
    """Scanning one video; loaded once in each worker.

    Attributes:
        model: the detector as `forensics.hub.named` takes it: a folder, a name on a hub, or None for what ships.
        pairs: frame pairs to look at.
        pictures: whether results hold pictures for the reports.
        clock: whether results tell when and how fast they were made. Without, their bytes are the same whichever
            worker on whichever machine has made them; the date of a result's file says when.
        alone: whether no other worker shares the machine, so that all of its cores may decode.
    """

    model: str | None = None
    pairs: int = 20
    pictures: bool = True
    clock: bool = False
    alone: bool = False

    @contextmanager
    def open(self) -> Iterator[Callable[[Item], dict[str, Any]]]:
        """See `dataset.work.Task`."""
        import torch

        from forensics.scanning.scanner import Scanner

        # As many workers as cores: threads of one would only take from the others.
        torch.set_num_threads(1)
        with (
            nullcontext() if self.alone else at_most_threads(1),
            Scanner(_detector(self.model), pairs=self.pairs, pictures=self.pictures) as scanner,
        ):

            def scan(item: Item) -> dict[str, Any]:
                with local_file(item) as path:
                    result = scanner.scan(path).to_dict()
                if not self.clock:
                    del result["date"], result["seconds"]
                return result | {"path": item.uri}

            yield scan

    def identity(self) -> dict[str, Any]:
        """What results depend on besides the videos: a folder holds results of one of these.

        Raises:
            ModelError: the detector is missing or damaged.
            HubError: it cannot be fetched.
        """
        detector = _detector(self.model)
        return {
            "version": VERSION,
            "schema": SCHEMA,
            "detector_sha256": detector.weights_sha256,
            "calibration_sha256": detector.calibration_sha256,
            "pairs": self.pairs,
            "pictures": self.pictures,
        }


def _detector(model: str | None) -> Detector:
    if model is None or Path(model).is_dir():
        from forensics.detectors import load_detector

        return load_detector(model)
    from forensics.hub import named  # brings what speaks to a hub

    return named(model)


def read_results(out: str | Path, items: Iterable[Item]) -> Iterator[tuple[Item, dict[str, Any]]]:
    """The results that a run has left, one at a time; items without one are passed over.

    Raises:
        WorkError, RecordError: a file is not a result of a scan.
    """
    results = results_at(out)
    names = set(results.names())
    for item in items:
        name = item.key + DONE
        if name not in names:
            continue
        try:
            told = json.loads(results.read(name))
            result = told["result"]
        except (ValueError, KeyError, TypeError) as error:
            raise WorkError("this is no result of a run", path=name, hint="remove it") from error
        yield item, check(result, name)


def write_reports(
    folder: Path, results: Iterable[tuple[Item, Mapping[str, Any]]], failures: Sequence[Failure]
) -> int:
    """A page for each video and ``index.html`` over all of them.

    Returns:
        How many reports were written.
    """
    seen: list[tuple[str, Mapping[str, Any]]] = []
    for item, result in results:
        write_page(folder / f"{item.key}.html", report(result))
        # The overview needs no pictures, and there may be many videos.
        seen.append((f"{item.key}.html", {**result, "people": ()}))
    write_page(
        folder / "index.html", overview(seen, [{"error": one.error, "uri": one.uri} for one in failures])
    )
    return len(seen)


def write_csv(
    path: Path, results: Iterable[tuple[Item, Mapping[str, Any]]], failures: Sequence[Failure]
) -> None:
    """One line a video, the failed ones too."""
    rows = [table.row(result) for _, result in results]
    table.write_table(path, [*rows, *(table.failed(one.uri, one.error) for one in failures)])
