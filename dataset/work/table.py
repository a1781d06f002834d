"""All results of a run as one table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset.errors import WorkError
from dataset.files import atomic_path
from dataset.work.results import DONE, FAILED, Results, results_at

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns that every table has, in front; a result's own entry of such a name is called ``result_<name>``.
FIRST = ("key", "uri", "error")


def results_table(out: str | Path) -> pa.Table:
    """The results in a folder, one row an item, in the order of their keys.

    Columns are ``key``, ``uri``, ``error`` (null for an item that was done) and, sorted by name, the entries of the
    results: text, numbers and truth values as they are, anything else as JSON.

    Args:
        out: as `dataset.work.run_items` was given it.

    Raises:
        WorkError: a file in it is no result.
    """
    import pyarrow as pa

    results = results_at(out)
    rows = [_row(results, name) for name in _chosen(results)]
    names = sorted({name for row in rows for name in row} - set(FIRST))
    columns = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in FIRST}
    for name in names:
        columns[name] = _column([row.get(name) for row in rows])
    return pa.table(columns)


def write_table(out: str | Path, path: Path) -> int:
    """Write `results_table` as one Parquet file, whole or not at all; returns the rows."""
    import pyarrow.parquet as pq

    table = results_table(out)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return int(table.num_rows)


def _chosen(results: Results) -> list[str]:
    """Names of the files in the order of their keys; of an item that failed and was done later only the second."""
    chosen: dict[str, str] = {}
    for name in results.names():
        if name.endswith(FAILED):
            chosen.setdefault(name[: -len(FAILED)], name)
        elif name.endswith(DONE):
            chosen[name[: -len(DONE)]] = name
    return [chosen[key] for key in sorted(chosen)]


def _row(results: Results, name: str) -> dict[str, Any]:
    try:
        told = json.loads(results.read(name))
        row = {
            "key": name.removesuffix(FAILED).removesuffix(DONE),
            "uri": told["uri"],
            "error": told.get("error"),
        }
        for entry, value in told.get("result", {}).items():
            row[f"result_{entry}" if entry in FIRST else entry] = value
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise WorkError("this is no result of a run", path=name) from error
    return row


def _column(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pa.array(values, pa.int64())
    if kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if kinds == {str}:
        return pa.array(values, pa.string())
    told = [
        None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True) for value in values
    ]
    return pa.array(told, pa.string())
