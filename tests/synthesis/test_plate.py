"""The background of a recording: what the camera would see without the mannequin."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset.mannequin import Performer, film
from dataset.mannequin.film import Studio
from dataset.video import VideoWriter, read_frames
from synthesis.plate import _fill, background

SIZE = (240, 320)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plate") / "walk.mp4"


def test_the_person_is_gone_and_the_room_is_as_it_is(recording: Path) -> None:
    performer = Performer.from_seed(4)
    poses = film(recording, performer, "walk", seconds=4, fps=12, size=SIZE)
    plate = background(recording, poses)
    empty = cv2.pow(np.clip(Studio(performer, SIZE)._room, 0, 0.7), 1 / 2.2) * 255
    off = np.abs(plate.astype(np.float32) - empty).max(2)[np.clip(empty, 0, 216).max(2) < 216]
    # The soft shadow at the feet stays in the median here and there; of the figure itself nothing may.
    assert np.median(off) < 3
    assert (off > 25).mean() < 0.01


def test_frames_that_the_camera_exposed_otherwise_leave_no_trace(recording: Path, tmp_path: Path) -> None:
    poses = film(recording, Performer.from_seed(4), "walk", seconds=4, fps=12, size=SIZE)
    plain = background(recording, poses).astype(np.float32)
    darker = tmp_path / "darker.mp4"
    with read_frames(recording) as frames, VideoWriter(darker, SIZE, crf=10) as writer:
        for row, frame in enumerate(frames):
            image = (frame.image * 0.85).astype(np.uint8) if row < len(poses) // 3 else frame.image
            writer.write(image, time=frame.time)
    off = np.abs(background(darker, poses) - plain).max(2)
    assert np.median(off) <= 1
    assert (off > 8).mean() < 0.01


def test_a_hole_is_continued_from_what_is_round_it_and_nothing_else_changes() -> None:
    stripes = np.repeat((120 + 60 * np.sin(np.arange(SIZE[0]) / 2.5)).astype(np.uint8)[None], SIZE[1], 0)
    plate = np.repeat(stripes[..., None], 3, 2)
    hidden = np.zeros(plate.shape[:2], np.bool_)
    hidden[150:170, 90:110] = True
    damaged = plate.copy()
    damaged[hidden] = (255, 0, 0)
    filled = _fill(damaged, hidden)
    assert np.abs(filled[hidden].astype(int) - plate[hidden]).mean() < 3
    far = cv2.dilate(hidden.astype(np.uint8), np.ones((25, 25), np.uint8)) == 0
    assert np.array_equal(filled[far], plate[far])
