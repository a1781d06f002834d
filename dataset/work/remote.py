"""Results at an fsspec URL: a bucket, another machine, or memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

from dataset.errors import WorkError

#: Stores in which an object appears whole or not at all; elsewhere a file is written beside and renamed.
WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "hf"})


class RemoteResults:
    """A place that fsspec knows. It has no locks: two runs at once into the same place do the same items twice."""

    def __init__(self, url: str) -> None:
        import fsspec

        try:
            self._files, self._root = fsspec.core.url_to_fs(url.rstrip("/"))
        except (ValueError, ImportError) as error:
            raise WorkError(f"cannot be written to ({error})", path=url) from error
        protocol: Any = self._files.protocol
        self._whole = bool(WHOLE & {protocol, *([] if isinstance(protocol, str) else protocol)})

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See `dataset.work.results.Results`."""
        self._files.makedirs(self._root, exist_ok=True)
        yield

    def names(self) -> Iterator[str]:
        """See `dataset.work.results.Results`."""
        self._files.invalidate_cache()
        try:
            listed = self._files.ls(self._root, detail=False)
        except FileNotFoundError:
            return
        for path in listed:
            name = PurePosixPath(path).name
            if not name.startswith("."):
                yield name

    def read(self, name: str) -> str:
        """See `dataset.work.results.Results`."""
        return bytes(self._files.cat_file(f"{self._root}/{name}")).decode("utf-8")

    def write(self, name: str, text: str) -> None:
        """See `dataset.work.results.Results`."""
        path = f"{self._root}/{name}"
        if self._whole:
            self._files.pipe_file(path, text.encode("utf-8"))
            return
        temporary = f"{self._root}/.{name}.{uuid.uuid4().hex}.part"
        self._files.pipe_file(temporary, text.encode("utf-8"))
        self._files.mv(temporary, path)

    def remove(self, name: str) -> None:
        """See `dataset.work.results.Results`."""
        path = f"{self._root}/{name}"
        if self._files.exists(path):
            self._files.rm_file(path)
