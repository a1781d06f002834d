"""Frames of the clips where a detector was most wrong, and their pairs' scores, for people to look at."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2

from dataset.errors import DetectorError, VideoError
from dataset.records import Corpus
from dataset.video import frame_times, read_pairs

#: Where in the clip frames are taken, and how high they are shown, pixels.
_PLACES, _TALL = (1 / 6, 1 / 2, 5 / 6), 200
_QUALITY = 80


@dataclass(frozen=True)
class Frame:
    """A frame as it stands in a page.

    Attributes:
        time: seconds.
        uri: a ``data:`` URI.
    """

    time: float
    uri: str


@dataclass(frozen=True)
class Case:
    """One clip.

    Attributes:
        row: of the evaluation.
        frames: of the clip; empty where there is no corpus or its file cannot be read.
        problem: why there are none.
        bars: (height in percent, whether it speaks for a fake) of each frame pair's score.
    """

    row: dict[str, Any]
    frames: tuple[Frame, ...]
    problem: str
    bars: tuple[tuple[float, bool], ...]


def worst_cases(
    rows: Sequence[dict[str, Any]],
    corpus: Corpus | None,
    count: int,
    progress: Callable[[int, int | None], None] | None = None,
) -> list[Case]:
    """The first clips of an evaluation that were judged, with frames.

    Args:
        rows: the worst first.
        corpus: where their files are; None: no frames.
        count: how many.
        progress: called with clips done and in all.
    """
    chosen = [row for row in rows if row["score"] is not None][:count]
    cases = []
    for number, row in enumerate(chosen):
        frames, problem = _frames(row, corpus)
        cases.append(Case(row, frames, problem, _bars(row["pair_scores"])))
        if progress is not None:
            progress(number + 1, len(chosen))
    return cases


def _frames(row: dict[str, Any], corpus: Corpus | None) -> tuple[tuple[Frame, ...], str]:
    if corpus is None:
        return (), "no corpus was named, so its file is not known"
    path = corpus.root / row["clip"]
    try:
        times = frame_times(path)[:-1]
        wanted = sorted({float(times[int(place * len(times))]) for place in _PLACES}) if len(times) else []
        found = tuple(Frame(pair.first.time, _uri(pair.first.image)) for pair in read_pairs(path, wanted))
    except VideoError as error:
        return (), error.problem
    return found, "" if found else "no frame could be decoded"


def _uri(image: Any) -> str:
    height, width = image.shape[:2]
    size = (max(round(width * _TALL / height), 1), _TALL)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if height > _TALL else cv2.INTER_LINEAR)
    ok, data = cv2.imencode(
        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    if not ok:
        raise DetectorError("a picture of the report cannot be encoded")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _bars(scores: Sequence[float]) -> tuple[tuple[float, bool], ...]:
    highest = max((abs(score) for score in scores), default=1.0) or 1.0
    return tuple((round(100 * abs(score) / highest, 1), score > 0) for score in scores)
