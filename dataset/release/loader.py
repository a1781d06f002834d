"""Loading a release with `datasets`, and taking frames out of it with `dataset.video`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dataset.errors import ReleaseError
from dataset.pose.keypoints import BODY_25
from dataset.release.tables import CONFIGS, LABELS
from dataset.video import read_pairs

#: Columns that hold videos, by configuration.
VIDEOS = {"recordings": ("video",), "pairs": ("real", "fake"), "poses": ()}


@dataclass(frozen=True)
class FrameSample:
    """Two consecutive frames of a video of a release.

    Attributes:
        id: of the row's video.
        label: "real" or "fake".
        subject, source_subject: who is seen, and whose motion it is.
        split: where the row stands, as its number in `dataset.release.splits.SPLITS`.
        index: number of the first frame.
        time: of the first frame, seconds.
        first, second: (H, W, 3) uint8 RGB.
        keypoints: (2, 25, 3) float32, x, y in pixels and confidence, of both frames.
    """

    id: str
    label: str
    subject: str
    source_subject: str
    split: int
    index: int
    time: float
    first: npt.NDArray[np.uint8]
    second: npt.NDArray[np.uint8]
    keypoints: npt.NDArray[np.float32]


def load(
    where: str | Path,
    config: str = "recordings",
    split: str | None = None,
    *,
    streaming: bool = False,
    columns: list[str] | None = None,
    **options: Any,
) -> Any:
    """`datasets.load_dataset` of a release, with videos left as bytes, so that torchcodec is not needed.

    Example:
        >>> rows = load("ORG/NAME", "recordings", split="train", streaming=True)  # doctest: +SKIP

    Args:
        where: a release's folder, or the name of a repository on the hub.
        config: "recordings", "pairs" or "poses".
        split: "train", "validation" or "test"; None loads all, as a dictionary.
        streaming: read rows as they are needed instead of preparing a local copy.
        columns: read only these.
        options: for `datasets.load_dataset`, such as ``revision`` (a version's tag) or ``token``.

    Returns:
        `datasets.Dataset` or, streaming, `datasets.IterableDataset`; dictionaries of them without a split.

    Raises:
        ReleaseError: there is no such configuration or split, or it cannot be read.
    """
    from datasets import Features, Video, load_dataset
    from datasets.exceptions import DatasetsError

    if config not in CONFIGS:
        raise ReleaseError(f"no configuration is called {config!r}", hint=f"one of {', '.join(CONFIGS)}")
    folder = Path(where)
    if folder.is_dir() and not (folder / "release.json").is_file():
        raise ReleaseError(
            "no release in this folder", path=folder, hint="name releases/<version> of a collection"
        )
    if columns is not None:
        options["columns"] = columns
    try:
        place = str(folder.absolute()) if folder.is_dir() else str(where)
        rows = load_dataset(place, config, split=split, streaming=streaming, **options)
    except (ValueError, DatasetsError, FileNotFoundError) as error:
        raise ReleaseError(
            f"{config} cannot be loaded ({error})", path=where, hint="check it with: dataset validate"
        ) from error

    def undecoded(one: Any) -> Any:
        kinds: Features = one.features
        for column in VIDEOS[config]:
            if column in kinds:
                one = one.cast_column(column, Video(decode=False))
        return one

    if isinstance(rows, dict):
        return type(rows)({name: undecoded(one) for name, one in rows.items()})
    return undecoded(rows)


@contextmanager
def video_file(video: Mapping[str, Any]) -> Iterator[Path]:
    """A file with the video of a row for as long as the block lasts.

    Args:
        video: ``row["video"]`` as `load` gives it: ``{"bytes": …, "path": …}``.

    Raises:
        ReleaseError: the row holds no bytes, and its path leads to no file.
    """
    content, path = video.get("bytes"), video.get("path")
    if content is None:
        if not path or not os.path.isfile(path):
            raise ReleaseError(f"a row's video has neither bytes nor a file ({path})")
        yield Path(path)
        return
    # In memory where the system offers that, and gone with the block whatever happens.
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.NamedTemporaryFile(suffix=".mp4", dir=shared) as file:
        file.write(content)
        file.flush()
        yield Path(file.name)


def frame_pairs(
    rows: Iterable[Mapping[str, Any]], per_video: int = 1, *, seed: int = 0, column: str = "video"
) -> Iterator[FrameSample]:
    """Consecutive frames at random times of each video, without decoding whole videos.

    A key frame stands at most `dataset.release.encode.GOP` frames before any other, so a pair costs the decoding of
    half as many on average, whatever the length of the video.

    Args:
        rows: of the configuration "recordings" (or "pairs", with `column` "real" or "fake"), as `load` gives them.
        per_video: pairs taken from each video, in order of time, at most one for each frame but the last.
        seed: of the choice; the same rows give the same pairs.
        column: which video of the row.

    Yields:
        One `FrameSample` for each pair; videos of a single frame give none.

    Raises:
        VideoError: a video that cannot be read.
    """
    for row in rows:
        yield from pairs_of(row, per_video, seed=seed, column=column)


def pairs_of(
    row: Mapping[str, Any], per_video: int, *, seed: int = 0, column: str = "video"
) -> list[FrameSample]:
    """The pairs of one row; see `frame_pairs`."""
    times = np.asarray(row["times"], float)
    count = min(per_video, len(times) - 1)
    if count < 1:
        return []
    # The row's own name seeds the choice, so that it does not depend on the rows before.
    random = np.random.default_rng([seed, *str(row["id"]).encode()])
    chosen = np.sort(random.choice(len(times) - 1, size=count, replace=False))
    label = column if column in LABELS else LABELS[row["label"]]
    body = np.asarray(row["keypoints"], np.float32).reshape(-1, len(BODY_25), 3)
    with video_file(row[column]) as path:
        return [
            FrameSample(
                str(row.get(f"{column}_id", row["id"])), label, row["subject"], row["source_subject"], row["split"],
                pair.first.index, pair.first.time, pair.first.image, pair.second.image,
                body[[pair.first.index, pair.second.index]],
            )
            for pair in read_pairs(path, [float(times[index]) for index in chosen], threads=1)
        ]  # fmt: skip
