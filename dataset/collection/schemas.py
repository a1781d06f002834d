"""The JSON Schemas of a collection's files, and checking a file against its own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from dataset.errors import RecordError

#: Raised when a record's form changes; `dataset.collection.migrate` brings older collections up to it.
SCHEMA_VERSION = 2
SCHEMA_FOLDER = Path(__file__).parent / "schema"
NAMES = ("collection", "subject", "recording", "fake", "model", "detector")


def schema_name(name: str) -> str:
    """What stands under "schema" in a record, such as "danceproof/subject"."""
    return f"danceproof/{name}"


@cache
def load_schema(name: str) -> dict[str, Any]:
    """The published schema of one kind of record, one of `NAMES`."""
    schema: dict[str, Any] = json.loads((SCHEMA_FOLDER / f"{name}.schema.json").read_text("utf-8"))
    return schema


def check_version(version: Any, path: str | Path | None) -> None:
    """Let this version of the schema through and no other.

    Raises:
        RecordError: it is older, newer, or no version at all.
    """
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RecordError("it does not say which version of the schema it follows", path=path)
    if version > SCHEMA_VERSION:
        raise RecordError(
            f"written by a newer danceproof (schema version {version}, this one knows {SCHEMA_VERSION})",
            path=path,
            hint="update danceproof",
        )
    if version < SCHEMA_VERSION:
        raise RecordError(
            f"of schema version {version}, older than {SCHEMA_VERSION}",
            path=path,
            hint="bring it up to date with: dataset migrate COLLECTION",
        )


def validate(name: str, data: Any, path: str | Path | None = None) -> None:
    """Check a record against its schema.

    Args:
        name: which schema, one of `NAMES`.
        data: the parsed JSON.
        path: the file it came from, for the error.

    Raises:
        RecordError: it does not follow the schema; the first fault is told, with its place in the record.
    """
    from jsonschema.exceptions import best_match

    if not isinstance(data, dict) or data.get("schema") != schema_name(name):
        raise RecordError(f"not a {name} record of danceproof", path=path)
    check_version(data.get("schema_version"), path)
    error = best_match(_validator(name).iter_errors(data))
    if error is not None:
        place = ".".join(str(part) for part in error.absolute_path) or "the record"
        raise RecordError(f"{place}: {error.message}", path=path)


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(load_schema(name))


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        RecordError: it is missing, cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise RecordError("missing", path=path) from None
    except (OSError, ValueError) as error:
        raise RecordError(f"not readable as JSON ({error})", path=path) from error
