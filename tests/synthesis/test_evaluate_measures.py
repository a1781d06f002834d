from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from synthesis_figures import standing, still, without

from dataset.errors import ModelError, SynthesisError
from dataset.pose.keypoints import PoseSequence
from synthesis.evaluate.flicker import MotionFinder
from synthesis.evaluate.frames import body_scores
from synthesis.evaluate.intervals import over_frames, over_subjects
from synthesis.evaluate.perceptual import open_distance
from synthesis.evaluate.poses import pose_errors
from synthesis.evaluate.regions import body_boxes, crop, face_boxes, window_scales
from synthesis.evaluate.ssim import ssim


def texture(seed: int, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def plain_ssim(real: np.ndarray, made: np.ndarray) -> float:
    """Wang et al. (2004), eq. 13, window by window."""
    axis = np.arange(11) - 5
    line = np.exp(-(axis**2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    values = []
    for channel in range(3):
        for top in range(real.shape[0] - 10):
            for left in range(real.shape[1] - 10):
                x = real[top : top + 11, left : left + 11, channel].astype(float)
                y = made[top : top + 11, left : left + 11, channel].astype(float)
                mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
                var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
                both = (weights * (x - mean_x) * (y - mean_y)).sum()
                c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
                values.append(
                    (2 * mean_x * mean_y + c1) * (2 * both + c2)
                    / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
                )  # fmt: skip
    return float(np.mean(values))


def test_ssim_is_that_of_its_definition():
    real, other = texture(1, (23, 19)), texture(2, (23, 19))
    made = cv2.addWeighted(real, 0.7, other, 0.3, 0)
    assert ssim(real, made) == pytest.approx(plain_ssim(real, made), abs=1e-9)
    assert ssim(real, real) == 1.0


def test_ssim_of_what_is_smaller_than_its_window_is_no_number():
    assert np.isnan(ssim(texture(1, (10, 40)), texture(1, (10, 40))))


def figure_with_face() -> PoseSequence:
    poses = still(320, 400, 200, 2)
    parts = poses.parts()
    face = parts["face"].copy()
    angle = np.linspace(0, 2 * np.pi, 70, endpoint=False)
    face[0, :, :2] = [320, 200] + 20 * np.stack([np.cos(angle), np.sin(angle)], 1)
    face[0, :, 2] = 1
    return poses.with_parts(parts | {"face": face})


def test_the_body_box_holds_everything_that_is_seen_and_a_margin():
    poses = figure_with_face()
    x0, y0, x1, y1 = body_boxes(poses)[0]
    points = np.concatenate([part[0][part[0][:, 2] > 0, :2] for part in poses.parts().values()])
    assert x0 < points[:, 0].min() - 5
    assert y0 < points[:, 1].min() - 5
    assert x1 > points[:, 0].max() + 5
    assert y1 > points[:, 1].max() + 5


def test_the_face_box_is_a_square_round_the_face_and_absent_without_one():
    boxes = face_boxes(figure_with_face())
    assert boxes[0] == pytest.approx([288, 168, 352, 232], abs=1)
    assert np.isnan(boxes[1]).all()


def test_boxes_end_at_the_frame_and_crops_of_no_box_are_empty():
    box = body_boxes(still(5, 400, 200, 1))[0]
    assert box[0] == 0
    image = np.zeros((480, 640, 3), np.uint8)
    assert crop(image, box).shape[:2] == (box[3] - box[1], box[2])
    assert crop(image, np.full(4, np.nan)).size == 0


def test_window_size_shrinks_large_people_and_enlarges_nobody():
    small, large = (window_scales(still(320, 450, height, 3))[0] for height in (100, 400))
    assert small == 1.0
    assert 0.3 < large < 0.7


def test_body_scores_pass_over_frames_without_a_box():
    real = [texture(seed) for seed in range(3)]
    made = [real[0], texture(9), texture(8)]
    boxes = np.array([[8, 8, 72, 72], [np.nan] * 4, [np.nan] * 4], float)
    assert body_scores(real, made, boxes) == pytest.approx((1.0, 0.0), abs=1e-6)
    worse = body_scores(real[2:], made[2:], boxes[:1])
    assert worse[0] < 0.5
    assert worse[1] > 0.5
    assert np.isnan(body_scores(real[:1], made[:1], boxes[1:2])).all()


def moved(image: np.ndarray, x: float) -> np.ndarray:
    matrix = np.array([[1, 0, x], [0, 1, 0]], float)
    return cv2.warpAffine(image, matrix, (image.shape[1], image.shape[0]), borderMode=cv2.BORDER_REFLECT)


def test_motion_is_not_flicker_but_a_change_of_light_is():
    before = texture(4)
    now = moved(before, 3)
    motion = MotionFinder().find(before, now)
    assert motion is not None
    own = motion.error(before, now)
    assert own < 0.5 * np.abs(before.astype(float) - now.astype(float)).mean()
    assert motion.error(before, now) == own
    brighter = np.clip(now.astype(int) + 25, 0, 255).astype(np.uint8)
    assert motion.error(before, brighter) > own + 15


def test_flow_needs_a_picture_large_enough():
    assert MotionFinder().find(texture(1, (10, 40)), texture(2, (10, 40))) is None


def test_a_pose_found_three_pixels_off_is_three_pixels_off():
    asked = still(320, 400, 200, 2)
    found = asked.transformed(1.0, np.array([3.0, 0.0]), asked.size)
    errors = pose_errors(asked, found)
    assert errors.distance == pytest.approx([3, 3], abs=1e-3)
    assert errors.share == pytest.approx([3 / errors_height(asked)] * 2, abs=1e-4)
    assert errors.missed_points == pytest.approx([0, 0])
    assert np.isnan(errors.hands).all()


def errors_height(poses: PoseSequence) -> float:
    from synthesis.windows import extents

    box = extents(poses)[0]
    return float(box[3] - box[1])


def test_missed_points_and_missed_frames_are_told_apart():
    asked = still(320, 400, 200, 2)
    found = without(asked, "LWrist", "RWrist", "LElbow", "RElbow", "Nose")
    gone = found.parts()["body"].copy()
    gone[1] = 0
    errors = pose_errors(asked, found.with_parts(found.parts() | {"body": gone}))
    assert errors.missed_points == pytest.approx([5 / 25, 1])
    assert errors.missed_frame == pytest.approx([0, 1])
    assert errors.distance[0] == pytest.approx(0)
    assert np.isnan(errors.distance[1])


def test_frames_without_anybody_in_the_input_do_not_count():
    asked = still(320, 400, 200, 2)
    body = asked.parts()["body"].copy()
    body[0] = 0
    errors = pose_errors(asked.with_parts(asked.parts() | {"body": body}), asked)
    assert np.isnan(errors.missed_frame[0])
    assert errors.missed_frame[1] == 0


def test_the_interval_holds_the_mean_and_widens_with_the_blocks():
    random = np.random.default_rng(0)
    slow = np.repeat(random.normal(size=40), 10)  # neighbouring frames are alike
    narrow, wide = over_frames(slow, 1), over_frames(slow, 10)
    assert narrow.value == wide.value == pytest.approx(slow.mean())
    assert wide.low < wide.value < wide.high
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_ratio_is_of_means_over_frames_that_have_both():
    figure = over_frames(
        np.array([np.nan, 2, 4, 6.0]), 25, bottom=np.array([1, 1, np.nan, 3.0]), missing="no flow"
    )
    assert figure.value == pytest.approx((2 + 6) / (1 + 3))
    assert (figure.count, figure.of) == (2, 4)
    assert "2 of 4 frames left out: no flow" in figure.reason
    assert np.isnan(figure.low)


def test_what_was_not_measured_says_why():
    figure = over_frames(np.full(5, np.nan), 2, missing="nobody is seen")
    assert figure.to_dict() == {
        "value": None, "low": None, "high": None, "count": 0, "of": 5, "reason": "nobody is seen",
    }  # fmt: skip


def test_subjects_count_alike_however_long_they_were_filmed():
    ones, zeros = over_frames(np.ones(100), 5), over_frames(np.zeros(10), 5)
    mean = over_subjects([ones, zeros])
    assert (mean.value, mean.count) == (0.5, 2)
    assert (mean.low, mean.high) == (0, 1)
    assert "one subject" in over_subjects([ones]).reason


def test_lpips_without_its_weights_says_where_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(
        ModelError, match=r"alexnet-owt-7be5be79.pth.*--lpips-weights.*--perceptual squeezenet1_1"
    ):
        open_distance()


@pytest.fixture(scope="module")
def other_weights(tmp_path_factory):
    """Random weights with torchvision's names."""
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    save_file(squeezenet1_1(weights=None).state_dict(), path)
    return path


def test_lpips_heads_on_other_weights_do_not_go_by_the_name_of_lpips(other_weights):
    distance = open_distance(backbone="squeeze", weights=other_weights)
    assert distance.label.endswith("not LPIPS")
    assert "mine.safetensors" in distance.label
    assert distance.key != "lpips_squeeze"
    assert distance(texture(1), texture(1)) == 0
    assert distance(texture(1), texture(2)) > 0
    assert np.isnan(distance(texture(1, (8, 8)), texture(1, (8, 8))))


def test_lpips_uses_the_weights_that_it_was_given(other_weights, tmp_path):
    from safetensors.torch import load_file

    scaled = tmp_path / "scaled.safetensors"
    state = load_file(other_weights)
    save_file({key: value.flip(0).contiguous() for key, value in state.items()}, scaled)
    one, two = (open_distance(backbone="squeeze", weights=path) for path in (other_weights, scaled))
    assert one(texture(1), texture(2)) != two(texture(1), texture(2))
    assert one.weights_sha256 != two.weights_sha256


def test_weights_of_another_network_are_refused(other_weights, tmp_path):
    with pytest.raises(ModelError, match="not the weights of this backbone"):
        open_distance(backbone="alex", weights=other_weights)
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be read"):
        open_distance(backbone="squeeze", weights=broken)


def test_a_substitute_is_named_as_one_and_unknown_names_are_refused():
    assert open_distance("squeezenet1_1").label == "perceptual distance (squeezenet1_1 features), not LPIPS"
    with pytest.raises(SynthesisError, match="there are: lpips, squeezenet1_1"):
        open_distance("guess")


def test_poses_of_walking_people_have_boxes_that_follow():
    feet = np.stack([np.linspace(200, 400, 5), np.full(5, 400.0)], 1)
    boxes = body_boxes(standing(feet, np.full(5, 150.0)))
    assert (np.diff(boxes[:, 0]) > 40).all()


def test_a_subject_without_a_model_in_a_column_is_left_out_of_its_mean_by_name():
    from pathlib import Path

    from synthesis.evaluate.held_out import HeldOut
    from synthesis.evaluate.results import ALL_ROWS, SubjectResult, averaged, summarise
    from synthesis.evaluate.scores import REAL, ClipScores

    clip = HeldOut(Path("none.mp4"), "", still(320, 400, 200, 20), 4, np.zeros((480, 640, 3), np.uint8))
    measures = {name for row in ALL_ROWS for name in (row.top, row.bottom) if name}
    scored = {name: np.full(16, 0.5) for name in measures}
    both = SubjectResult("ada", [ClipScores(clip, {"A": scored, "B": scored, REAL: scored})])
    one = SubjectResult(
        "ben", [ClipScores(clip, {"A": scored, REAL: scored})], absent={"B": "no model of ben"}
    )
    for subject in (both, one):
        summarise(subject, ["A", "B"], with_poses=True)
    means = averaged([both, one], ["A", "B"])
    assert one.figures["B"]["body/ssim/native"].reason == "no model of ben"
    assert means["A"]["body/ssim/native"].count == 2
    assert "1 of 2 subjects left out" in means["B"]["body/ssim/native"].reason
    assert means["B"]["flicker"].value == 1
