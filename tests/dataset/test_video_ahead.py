from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from video_files import make_video, truncate

from dataset.errors import NotAVideoError
from dataset.video import pairs, read_pairs
from dataset.video.ahead import ahead
from dataset.video.limits import at_most_threads, decoder_threads


def test_items_come_in_order_and_are_made_before_they_are_asked_for() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(6):
            made.append(number)
            yield number

    iteration = ahead(items(), 2)
    assert next(iteration) == 0
    until = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < until:
        time.sleep(0.01)
    assert made == [0, 1, 2, 3]  # one handed out, two waiting, one that waits for room
    assert list(iteration) == [1, 2, 3, 4, 5]


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second cannot be made")

    iteration = ahead(items(), 3)
    assert next(iteration) == 1
    with pytest.raises(ValueError, match="the second cannot be made"):
        next(iteration)


def test_giving_up_ends_the_thread_and_closes_what_it_iterated() -> None:
    closed: list[str] = []

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(threading.current_thread().name)

    iteration = ahead(items(), 1)
    assert next(iteration) == 0
    iteration.close()  # type: ignore[attr-defined]
    assert closed == ["decoding ahead"]
    assert "decoding ahead" not in {thread.name for thread in threading.enumerate()}


def test_pairs_decoded_in_the_background_are_the_same_and_so_are_their_problems(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mkv", 60, options={"g": "12", "bf": "2"})
    truncate(path, 0.6)
    times = [0.2, 0.24, 1.0, 2.3]
    told: list[list[str]] = [[], []]
    here = list(read_pairs(path, times, problems=told[0]))
    there = list(read_pairs(path, times, problems=told[1], in_background=True))
    assert [pair.first.index for pair in here] == [pair.first.index for pair in there]
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.second.image, other.second.image)
    assert told[0] == told[1] != []


def test_a_file_that_is_no_video_is_refused_in_the_background_too(tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(NotAVideoError):
        list(read_pairs(tmp_path / "noise.mp4", [0.0], in_background=True))


def test_with_one_thread_allowed_nothing_is_decoded_in_the_background(tmp_path: Path, monkeypatch) -> None:
    path = make_video(tmp_path / "take.mp4", 30)
    times = [0.0, 0.5]
    beside = list(read_pairs(path, times, in_background=True))
    used: list[int] = []
    monkeypatch.setattr(pairs, "ahead", lambda items, depth: used.append(depth) or items)
    with at_most_threads(1):
        assert decoder_threads() == 1
        alone = list(read_pairs(path, times, in_background=True))
        assert used == []
    if decoder_threads() > 1:
        list(read_pairs(path, times, in_background=True))
        assert used == [1]
    for one, other in zip(beside, alone, strict=True):
        np.testing.assert_array_equal(one.second.image, other.second.image)
