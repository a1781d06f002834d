"""Training data for the detector straight from a release, streaming: no corpus on disk, no estimator, no whole videos.

The windows are cut where the release's own key points say, at the same places in a fake and in the recording that it
mirrors, so the two differ in nothing but what the generator did.

    clips = stream_clips(load(release, "pairs", split="train", streaming=True), limit=200)
    detector = train_network(clips, PatchConfig(), TrainConfig())

    batches = torch.utils.data.DataLoader(WindowStream(rows), batch_size=32)      # or one window at a time

`forensics.stream_batches` trains without holding them, from the place in the stream where it was cut off.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import IterableDataset

from dataset.pose.keypoints import BODY_25, SEEN, body_box
from dataset.records import Clip
from dataset.release.loader import video_file
from dataset.video import read_pairs
from forensics.people import Sighting
from forensics.views import View, ViewConfig, choose_times, cut
from forensics.windows import MARGIN, ClipWindows

Row = Mapping[str, Any]


def stream_clips(
    rows: Iterable[Row], config: ViewConfig | None = None, *, limit: int | None = None
) -> list[ClipWindows]:
    """The windows of the first rows of the configuration "pairs", for `forensics.train.train_network`.

    Args:
        rows: as `dataset.release.load` gives them, streaming or not.
        config: windows and pairs of frames from each video.
        limit: fakes to take at most; windows are held in memory, about 10 MB a clip at eight pairs.

    Returns:
        For each row a clip of the recording and one of the fake; a recording with several fakes comes once.

    Raises:
        VideoError: a video that cannot be read.
    """
    view = config or ViewConfig()
    clips: dict[str, ClipWindows] = {}
    for row in islice(rows, limit):
        for label in ("real", "fake"):
            name = row[f"{label}_id"]
            if name not in clips:
                clips[name] = row_windows(row, label, view)
    return list(clips.values())


class WindowStream(IterableDataset[tuple[torch.Tensor, int]]):
    """Single windows with their labels, 1 for fake, as the rows come by; real and fake of a pair alternate.

    Holds the windows of one video at a time. In a `DataLoader` with workers each takes its own share of the rows.

    Args:
        rows: of the configuration "pairs".
        config: windows and pairs of frames from each video.

    Yields:
        (2, S, S, 3) uint8, two consecutive frames with the training margin, and the label.
    """

    def __init__(self, rows: Iterable[Row], config: ViewConfig | None = None) -> None:
        super().__init__()
        self._rows = rows
        self._config = config or ViewConfig()

    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        import datasets

        worker = torch.utils.data.get_worker_info()
        # `datasets` hands each worker its own shards already; a plain iterable is dealt out here.
        dealt = worker is None or isinstance(self._rows, datasets.IterableDataset)
        for number, row in enumerate(self._rows):
            if dealt or (worker is not None and number % worker.num_workers == worker.id):
                real, fake = (row_windows(row, label, self._config).pixels for label in ("real", "fake"))
                for one, other in zip(real, fake, strict=True):
                    yield torch.from_numpy(one), 0
                    yield torch.from_numpy(other), 1


def row_windows(row: Row, label: str, config: ViewConfig) -> ClipWindows:
    """The windows of one video of a row, at the recording's places."""
    body = np.asarray(row["keypoints"], np.float32).reshape(-1, len(BODY_25), 3)
    seen = [_sighting(body[index], time) for index, time in enumerate(row["times"])]
    times = choose_times(np.asarray(row["times"], float), config.pairs)
    groups: list[list[View]] = []
    with video_file(row[label]) as path:
        for pair in read_pairs(path, times, threads=1):
            place = seen[pair.first.index]
            groups.append([] if place is None else cut(pair, place, config, MARGIN))
    flat = [view for group in groups for view in group]
    side = config.window + 2 * MARGIN
    pixels: npt.NDArray[np.uint8] = (
        np.stack([view.pixels for view in flat]) if flat else np.zeros((0, 2, side, side, 3), np.uint8)
    )
    numbers = np.array([number for number, group in enumerate(groups) for _ in group], np.int64)
    return ClipWindows(_clip(row, label), pixels, numbers, tuple(view.part for view in flat))


def _sighting(body: npt.NDArray[np.float32], time: float) -> Sighting | None:
    box = body_box(body, SEEN)
    return None if box is None else Sighting(1, float(time), body, box)


def _clip(row: Row, label: str) -> Clip:
    real = label == "real"
    return Clip(
        path=row[label]["path"],
        label=label,
        subject=row["subject"],
        source_subject=row["source_subject"],
        source=row["source"],
        generator="" if real else row["generator"],
        kind="recording" if real else row["kind"],
        pair=None if real else row["real"]["path"],
        sha256=row[f"{label}_sha256"],
        origin={"lineage": json.dumps(json.loads(row["lineage"]), sort_keys=True)},
    )
