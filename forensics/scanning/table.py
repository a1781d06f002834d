"""One line a video, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dataset.files import atomic_path

#: In this order; a new one goes to the end.
COLUMNS = (
    "path", "verdict", "probability", "log10_lr", "low", "high", "reason", "people", "fake_spans",
    "duration", "width", "height", "codec", "container", "sha256", "c2pa_integrity", "c2pa_authenticity", "pairs",
    "version", "detector_sha256", "calibration_sha256", "date", "seconds", "error",
)  # fmt: skip


def row(result: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of one result, as `ScanResult.to_dict` gives it."""
    video, tool = result["video"], result["tool"]
    low, high = result["interval"] or (None, None)
    return {
        **{
            name: result.get(name)
            for name in ("path", "verdict", "probability", "log10_lr", "pairs", "date", "seconds")
        },
        **{name: video[name] for name in ("duration", "width", "height", "codec", "container", "sha256")},
        "low": low,
        "high": high,
        "reason": "; ".join(result["reasons"]),
        "people": len(result["people"]),
        "fake_spans": "; ".join(
            f"person {person['person']}: {span['begin']:.2f}-{span['end']:.2f} s"
            for person in result["people"]
            for span in person["spans"]
            if span["verdict"] == "fake"
        ),
        "c2pa_integrity": result["c2pa"]["integrity"],
        "c2pa_authenticity": result["c2pa"]["authenticity"],
        "version": tool["version"],
        "detector_sha256": tool["detector_sha256"],
        "calibration_sha256": tool["calibration_sha256"],
        "error": "",
    }


def failed(path: str, error: str) -> dict[str, Any]:
    """The columns of a file that could not be scanned."""
    return {"path": path, "error": error}


def write_table(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write them as CSV (RFC 4180, UTF-8), sorted by path, at once and whole."""
    out = io.StringIO()
    table = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
    table.writeheader()
    for line in sorted(rows, key=lambda line: str(line["path"])):
        table.writerow({name: _safe(value) for name, value in line.items()})
    with atomic_path(path) as temporary:
        temporary.write_text(out.getvalue(), "utf-8", newline="")


def _safe(value: Any) -> Any:
    """A spreadsheet takes text that begins so for a formula; file names come from others."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return "" if value is None else value
