"""Poses on real recordings, where they are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dataset.pose import PeopleFinder, body_box, estimate_poses
from dataset.pose.keypoints import B
from dataset.video import read_pairs


def test_a_signer_is_found_in_every_frame_with_hands_and_face(shared_clips: Path) -> None:
    poses = estimate_poses(shared_clips / "open" / "intel_asl_eat.mkv")
    assert poses.present().all()
    assert (poses.face[:, 68, 2] > 0).mean() > 0.95
    assert (poses.body[:, B["LShoulder"], 0] > poses.body[:, B["RShoulder"], 0]).all()
    assert (poses.face[:, 69, 0] > poses.face[:, 68, 0]).all()


def test_furniture_and_hands_are_nobody(shared_clips: Path) -> None:
    room, hands = (
        shared_clips / "open" / name for name in ("intel_one_by_one_person.mp4", "sam2_coffee.mp4")
    )
    with PeopleFinder() as finder:
        # Before 6 s the room is empty but for a table that a single look takes for a person.
        for video, times in ((room, np.arange(0.5, 5.5, 1.0)), (hands, np.arange(0.5, 9, 2.0))):
            assert [len(finder.find(pair.first.image)) for pair in read_pairs(video, list(times))] == [
                0
            ] * len(times)


def test_people_who_turn_their_backs_are_found(shared_clips: Path) -> None:
    room = shared_clips / "open" / "intel_one_by_one_person.mp4"
    with PeopleFinder() as finder:
        for pair in read_pairs(room, [12.0, 30.0, 60.0, 80.0, 105.0, 130.0]):
            (body,) = finder.find(pair.first.image)
            box = body_box(body)
            assert box is not None
            assert box[3] - box[1] > 150
