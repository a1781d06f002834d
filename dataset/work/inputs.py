"""From what somebody names to a list of items: files, folders, lists, globs, URLs, tar shards, data sets."""

from __future__ import annotations

import glob
import os
import tarfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlencode

from dataset.errors import WorkError
from dataset.work.items import Item
from dataset.work.sources import PARQUET, TAR, local_path, opened

#: Columns that hold a video, by their names in a Parquet file whose types do not tell.
VIDEOS = ("video", "real", "fake", "mp4")

_CONTAINERS = frozenset({".tar", ".parquet"})
_COMPRESSED = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")


def items_from(
    inputs: Iterable[str | os.PathLike[str]], suffixes: Collection[str], *, split: str | None = None
) -> list[Item]:
    """The items that inputs stand for, each once, in the order in which they are named and found.

    Args:
        inputs: each one of

            * a file, whatever its name;
            * a folder: the files with one of the suffixes in it and below, hidden ones left out, sorted by name; of a
              data set (``*.parquet`` files and no such files) its rows;
            * a glob, such as ``takes/**/*.mp4``: what it finds with one of the suffixes;
            * ``@FILE``: a text file with one input a line; empty lines and those that begin with ``#`` count nothing;
            * an fsspec URL of a file, a folder or a glob, such as ``s3://bucket/takes/*.mp4``;
            * a tar shard ``*.tar`` (WebDataset): its members with one of the suffixes;
            * a Parquet file: the videos in its rows; ``hf://datasets/ORG/NAME`` reads those of a data set on the hub
              where they are, without a download of the whole.
        suffixes: of what counts as an item, in lower case with the dot.
        split: of data sets only the Parquet files of this split, by the beginning of their names.

    Returns:
        Items with their size in bytes as weight.

    Raises:
        WorkError: an input stands for nothing, or cannot be read.
    """
    wanted = frozenset(suffixes)
    found: dict[str, Item] = {}
    for one in inputs:
        text = os.fspath(one)
        before = len(found)
        empty = True
        for item in _resolve(text, wanted, split, depth=0):
            empty = False
            found.setdefault(item.uri, item)
        if empty and len(found) == before:
            raise WorkError("there is nothing of that kind", path=text, hint=f"looked for {_spelled(wanted)}")
    return list(found.values())


def _resolve(text: str, wanted: frozenset[str], split: str | None, depth: int) -> Iterator[Item]:
    if text.startswith("@"):
        if depth:
            raise WorkError("a list names another list", path=text)
        for line in _lines(Path(text[1:])):
            yield from _resolve(line, wanted, split, depth + 1)
        return
    path = local_path(text)
    if path is None:
        yield from _remote(text, wanted, split)
    elif path.is_dir():
        names = list(_walk(path))
        files = [name for name in names if _is(name, wanted)]
        shards = [name for name in names if _is(name, _CONTAINERS)]
        if not files:
            files = [name for name in shards if _of_split(name, split)]
        for name in files:
            yield from _file(name, os.path.getsize(name), wanted)
    elif path.exists():
        yield from _file(str(path), path.stat().st_size, wanted)
    elif glob.has_magic(str(path)):
        for name in sorted(glob.glob(str(path), recursive=True)):
            if os.path.isfile(name) and _is(name, wanted | _CONTAINERS):
                yield from _file(name, os.path.getsize(name), wanted)
    else:
        raise WorkError("is not there", path=path)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WorkError(f"the list cannot be read ({error})", path=path) from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _walk(folder: Path) -> Iterator[str]:
    for inner, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield os.path.join(inner, name)


def _remote(url: str, wanted: frozenset[str], split: str | None) -> Iterator[Item]:
    import fsspec

    try:
        files, place = fsspec.core.url_to_fs(url)
        if glob.has_magic(place):
            listed = files.glob(place, detail=True)
            listed = {name: info for name, info in listed.items() if _is(name, wanted | _CONTAINERS)}
        elif files.isdir(place):
            listed = files.find(place, detail=True)
            if not any(_is(name, wanted) for name in listed):
                listed = {
                    name: info
                    for name, info in listed.items()
                    if _is(name, _CONTAINERS) and _of_split(name, split)
                }
            else:
                listed = {name: info for name, info in listed.items() if _is(name, wanted)}
        else:
            listed = {place: files.info(place)}
    except Exception as error:  # whatever the file system's library raises
        raise WorkError(f"cannot be listed ({type(error).__name__}: {error})", path=url) from error
    for name in sorted(listed):
        info: dict[str, Any] = listed[name]
        if info.get("type", "file") == "file" and not PurePosixPath(name).name.startswith("."):
            yield from _file(files.unstrip_protocol(name), info.get("size") or 0, wanted)


def _file(uri: str, size: float, wanted: frozenset[str]) -> Iterator[Item]:
    """A file as one item, or as many if it is a container of them."""
    if uri.endswith(_COMPRESSED):
        raise WorkError(
            "members of a compressed shard cannot be read one by one", path=uri, hint="make it a plain .tar"
        )
    if uri.endswith(".tar"):
        yield from _members(uri, wanted)
    elif uri.endswith(".parquet"):
        yield from _rows(uri)
    else:
        yield Item.of(uri, size)


def _members(uri: str, wanted: frozenset[str]) -> Iterator[Item]:
    try:
        with opened(uri) as file, tarfile.open(fileobj=file, mode="r:") as shard:
            # Only headers are read: what lies between them is passed over by a seek.
            for member in shard:
                if member.isfile() and _is(member.name, wanted):
                    part = {"name": member.name, "offset": member.offset_data, "size": member.size}
                    yield _part(TAR, uri, part, member.size, PurePosixPath(member.name).stem)
    except (tarfile.TarError, OSError) as error:
        raise WorkError(f"the shard cannot be read ({error})", path=uri) from error


def _rows(uri: str) -> Iterator[Item]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with opened(uri) as source:
            file = pq.ParquetFile(source)
            columns = _video_columns(file.schema_arrow)
            if not columns:
                raise WorkError(
                    "no column of it holds videos", path=uri, hint=f"looked for {', '.join(VIDEOS)}"
                )
            number = 0
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group)
                # The videos themselves stay where they are; all of a group count as equally long.
                weight = rows.total_byte_size / max(rows.num_rows, 1) / len(columns)
                names: Sequence[Any] = range(number, number + rows.num_rows)
                if "id" in file.schema_arrow.names:
                    names = file.read_row_group(group, columns=["id"]).column("id").to_pylist()
                for name in names:
                    for column in columns:
                        yield _part(
                            PARQUET, uri, {"row": number, "column": column}, weight, f"{name}-{column}"
                        )
                    number += 1
    except (pa.ArrowException, OSError) as error:
        raise WorkError(f"cannot be read as Parquet ({error})", path=uri) from error


def _video_columns(schema: Any) -> list[str]:
    """Columns of bytes, or of a path and bytes as `datasets` keeps files."""
    import pyarrow as pa

    def holds(kind: Any) -> bool:
        if pa.types.is_struct(kind):
            return any(kind.field(index).name == "bytes" for index in range(kind.num_fields))
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    return [field.name for field in schema if field.name in VIDEOS and holds(field.type)]


def _part(kind: str, uri: str, part: dict[str, Any], size: float, stem: str) -> Item:
    place = uri if "://" in uri else f"file://{os.path.abspath(uri)}"
    return Item.of(f"{kind}{place}#{urlencode(part)}", size, stem=stem)


def _is(name: str, wanted: frozenset[str]) -> bool:
    return PurePosixPath(name).suffix.lower() in wanted and not PurePosixPath(name).name.startswith(".")


def _of_split(name: str, split: str | None) -> bool:
    return split is None or not name.endswith(".parquet") or PurePosixPath(name).name.startswith(f"{split}-")


def _spelled(wanted: frozenset[str]) -> str:
    return " ".join(sorted(wanted))
