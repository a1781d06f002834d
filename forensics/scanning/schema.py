"""The published schema of what a scan says: for those who read the JSON, and for the tests."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from dataset.errors import RecordError

SCHEMA_FILE = Path(__file__).parents[1] / "schema" / "scan-result.schema.json"


@cache
def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12)."""
    loaded: dict[str, Any] = json.loads(SCHEMA_FILE.read_text("utf-8"))
    return loaded


def check(result: Any, path: str | Path | None = None) -> dict[str, Any]:
    """Give back a result that was read from JSON, if it is one.

    Args:
        result: JSON values.
        path: where they were read, for the error.

    Raises:
        RecordError: it does not follow the schema; the line says where and how.
    """
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema())
    for error in validator.iter_errors(result):
        where = "/".join(str(step) for step in error.absolute_path) or "the whole"
        raise RecordError(
            f"not a scan result of this version: {where}: {error.message[:200]}",
            path=path,
            hint="scan the video again",
        )
    checked: dict[str, Any] = result
    return checked
