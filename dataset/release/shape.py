"""Whether a release is of the form that the rules read: which keys ``release.json`` has, which columns and values.

A release may come from anywhere. What is found here would make a rule stumble, so it is told under the rule "schema",
and the rules that rely on the form are not checked until it is mended (`dataset.release.validate`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset.release.splits import SPLITS
from dataset.release.tables import CONFIGS, LABELS, features

if TYPE_CHECKING:
    from dataset.release.opened import Opened

_SCHEMAS = Path(__file__).parent / "schema"
#: Columns in which nothing is a value.
_OPTIONAL = frozenset(("pair", "consent_expires"))
#: Faults of one file that are told; a file that is wrong throughout needs no line for each of its entries.
_MOST = 20


def faults(release: Opened) -> list[tuple[str, str]]:
    """Item and text of everything that the rules could not read.

    Rows are looked at only where the tables have the columns they should.
    """
    found = [("release.json", fault) for fault in description_faults(release.told)]
    of_tables = list(_tables(release))
    if not of_tables:
        for config, rows in release.rows.items():
            of_tables += list(_rows(config, rows))[:_MOST]
    return found + of_tables


def description_faults(told: Any) -> list[str]:
    """What is missing or of the wrong kind in a parsed ``release.json``, a line each, with its place."""
    return _against("release", told)


def _against(name: str, value: Any) -> list[str]:
    found = sorted(
        (".".join(str(part) for part in error.absolute_path), str(error.message).splitlines()[0])
        for error in _validator(name).iter_errors(value)
    )
    return [f"{place}: {_short(text)}" if place else _short(text) for place, text in found[:_MOST]]


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator, FormatChecker

    checker = FormatChecker(formats=())

    @checker.checks("date", raises=ValueError)
    def _day(value: object) -> bool:
        return not isinstance(value, str) or (len(value) == 10 and bool(date.fromisoformat(value)))

    schema = json.loads((_SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
    return Draft202012Validator(schema, format_checker=checker)


def _tables(release: Opened) -> Iterator[tuple[str, str]]:
    """Columns that are missing or of another type; one too many hinders nobody."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for config in CONFIGS:
        wanted = features(config).arrow_schema
        for path in release.shards(config):
            try:
                found = pq.read_schema(path)
            except (pa.ArrowException, OSError, ValueError):
                continue  # the rule "schema" tells it
            for field in wanted:
                kinds = [found.field(index).type for index in found.get_all_field_indices(field.name)]
                if not kinds:
                    yield release.relative(path), f"has no column {field.name}"
                elif len(kinds) > 1:
                    yield release.relative(path), f"has {len(kinds)} columns {field.name}"
                elif not kinds[0].equals(field.type):
                    yield release.relative(path), f"its column {field.name} is {kinds[0]}, not {field.type}"


def _rows(config: str, rows: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    columns = list(features(config))
    for number, row in enumerate(rows):
        item = row["id"] or f"row {number} of {config}"
        if empty := [name for name in columns if row[name] is None and name not in _OPTIONAL]:
            yield item, f"has nothing in {empty[0]}, in {config}"
            continue
        if any(row[name]["path"] is None for name in ("video", "real", "fake") if name in columns):
            yield item, f"has a video without a path, in {config}"
        if row["split"] not in range(len(SPLITS)) or row.get("label", 0) not in range(len(LABELS)):
            yield item, "has a label or split that does not exist"
        if any(time is None or not isfinite(time) for time in row["times"]):
            yield item, f"has a frame without a time, in {config}"
        try:
            lineage = json.loads(row["lineage"])
        except ValueError:
            yield item, f"has a lineage that is not JSON, in {config}"
            continue
        for fault in _against("lineage", lineage):
            yield item, f"has a lineage of another form ({fault})"


def _short(text: str) -> str:
    return text if len(text) < 120 else text[:117] + "…"
