"""Where items come from: a file of an item for as long as it is worked on, wherever its content is.

/videos/a.mp4, file:///videos/a.mp4       a local file, used as it is
s3://bucket/a.mp4, memory://a.mp4 …       any fsspec URL, fetched to a temporary file
tar+URL#name=…&offset=…&size=…            a member of a tar shard: those bytes of it and no others are read
parquet+URL#row=…&column=…                a video in a column of a Parquet file, such as of a Hugging Face data set
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

from dataset.errors import WorkError
from dataset.work.items import Item

TAR, PARQUET = "tar+", "parquet+"
_CHUNK = 1 << 20


@contextmanager
def local_file(item: Item | str) -> Iterator[Path]:
    """A file with an item's content for as long as the block lasts.

    Raises:
        WorkError: it is not there, or cannot be read.
    """
    uri = item if isinstance(item, str) else item.uri
    if (path := local_path(uri)) is not None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="danceproof-") as folder:
        try:
            path = _fetch(uri, Path(folder))
        except WorkError:
            raise
        except (
            Exception
        ) as error:  # whatever the file system's library raises: of sockets, of accounts, of formats
            raise WorkError(f"cannot be fetched ({type(error).__name__}: {error})", path=uri) from error
        yield path


def local_path(uri: str) -> Path | None:
    """The path that a URI is, if it is one."""
    if uri.startswith("file://"):
        return Path(uri.removeprefix("file://"))
    return None if "://" in uri else Path(uri)


@contextmanager
def opened(uri: str) -> Iterator[IO[bytes]]:
    """A path or fsspec URL, opened for reading at any place."""
    if (path := local_path(uri)) is not None:
        with open(path, "rb") as file:
            yield file
        return
    import fsspec

    with fsspec.open(uri, "rb") as file:
        yield file


def _fetch(uri: str, folder: Path) -> Path:
    container, _, part = uri.partition("#")
    if uri.startswith(TAR):
        told = _told(part)
        target = folder / PurePosixPath(told["name"]).name
        with opened(container.removeprefix(TAR)) as source, open(target, "wb") as out:
            source.seek(int(told["offset"]))
            _copy(source, out, int(told["size"]))
        return target
    if uri.startswith(PARQUET):
        told = _told(part)
        with opened(container.removeprefix(PARQUET)) as source:
            name, content = _cell(source, int(told["row"]), told["column"])
        target = folder / (PurePosixPath(name or "video.mp4").name)
        target.write_bytes(content)
        return target
    target = folder / (PurePosixPath(urlsplit(uri).path).name or "item")
    with opened(uri) as source, open(target, "wb") as out:
        shutil.copyfileobj(source, out, _CHUNK)
    return target


def _told(part: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(part, strict_parsing=True).items()}


def _copy(source: IO[bytes], out: IO[bytes], size: int) -> None:
    while size:
        chunk = source.read(min(size, _CHUNK))
        if not chunk:
            raise WorkError("the shard ends before its member does")
        out.write(chunk)
        size -= len(chunk)


def _cell(source: IO[bytes], row: int, column: str) -> tuple[str | None, bytes]:
    """Name and bytes of a video; of its row group only this column is read, a row at a time."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source)
    begin = 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if row < begin + rows:
            for number, batch in enumerate(file.iter_batches(1, row_groups=[group], columns=[column])):
                if begin + number == row:
                    return _video(batch.column(0)[0].as_py(), row)
        begin += rows
    raise WorkError(f"there is no row {row}")


def _video(value: Any, row: int) -> tuple[str | None, bytes]:
    if isinstance(value, bytes):
        return None, value
    if not isinstance(value, dict) or value.get("bytes") is None:
        raise WorkError(f"row {row} holds no bytes of a video")
    return value.get("path"), value["bytes"]
