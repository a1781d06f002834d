"""Pictures of a recording that are made once, kept on disk, and mapped into memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dataset.errors import SynthesisError

Pictures = npt.NDArray[np.uint8]


def kept(target: Path, shape: tuple[int, ...], pictures: Iterable[Pictures]) -> Pictures:
    """The pictures in a file, which is written if it is not there yet, under its name when it is complete.

    Args:
        target: an .npy file.
        shape: of all pictures together; the first number is how many there are at most, the others are black.
        pictures: one after the other; not asked for where the file is there.

    Returns:
        An array of `shape` that is read from the disk as needed.

    Raises:
        SynthesisError: there is no room for them; nothing is left behind.
    """
    if not target.exists():
        temporary = target.with_suffix(f".{os.getpid()}.part.npy")
        try:
            stored = _reserve(temporary, shape)
            for row, picture in enumerate(pictures):
                stored[row] = picture
            stored.flush()
            del stored
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    mapped: Pictures = np.load(target, mmap_mode="r")
    return mapped


def _reserve(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """A new array on disk whose room the file system has set aside: a disk that is full later kills the process."""
    try:
        stored = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        raise SynthesisError(
            f"the recording's frames need {np.prod(shape) / 1e6:.0f} MB: {error.strerror}",
            path=path.parent,
            hint="make room and give the same command again",
        ) from error
    return stored
