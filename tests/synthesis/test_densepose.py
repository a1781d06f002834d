from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from synthesis_figures import still

from dataset.errors import PoseError
from synthesis.densepose import PART_STEP, DensePose, LabelSource, Moved, StickFigures, label_source, read_iuv
from synthesis.stickfigure import draw
from synthesis.windows import Windows

SIZE = (64, 48)


def iuv_map(scale: int = 1) -> np.ndarray:
    """Part 7 in the left half of a box, part 24 in the right one; U rises to the right."""
    iuv = np.zeros((48, 64, 3), np.uint8)
    iuv[10:40, 20:30, 0], iuv[10:40, 30:40, 0] = 7, 24
    iuv[10:40, 20:40, 1] = 200 + np.arange(20)
    iuv[10:40, 20:40, 2] = 99
    return np.kron(iuv, np.ones((scale, scale, 1), np.uint8))


def window(x: float = 32, y: float = 24, height: float = 48, shape: tuple[int, int] = SIZE) -> Windows:
    return Windows(np.array([[x, y]]), np.array([height]), shape)


def folder(path: Path, count: int = 3, first: int = 0) -> Path:
    path.mkdir()
    for number in range(first, first + count):
        assert cv2.imwrite(str(path / f"clip_{number:06d}_IUV.png"), iuv_map())
    return path


def test_a_window_of_the_whole_frame_shows_the_map_itself(tmp_path):
    source = DensePose.open(folder(tmp_path / "iuv"), size=SIZE, frames=3)
    label = source.label(1, window())
    expected = iuv_map()
    assert np.array_equal(label[..., 0], expected[..., 0] * PART_STEP)
    assert np.array_equal(label[..., 1:], expected[..., 1:])


def test_parts_are_never_mixed_however_the_window_is_scaled(tmp_path):
    source = DensePose.open(folder(tmp_path / "iuv"), size=SIZE, frames=3)
    label = source.label(0, window(31.3, 25.8, 37.7, (96, 128)))
    assert label.shape == (128, 96, 3)
    assert set(np.unique(label[..., 0])) == {0, 7 * PART_STEP, 24 * PART_STEP}
    assert set(np.unique(label[..., 2])) == {0, 99}


def test_the_window_takes_the_place_that_it_takes_of_the_picture(tmp_path):
    source = DensePose.open(folder(tmp_path / "iuv"), size=SIZE, frames=1 + 2)
    # 24 pixels high, centre on the seam between the parts, twice as large.
    label = source.label(0, window(30, 25, 24, (48, 48)))
    assert label[24, 22, 0] == 7 * PART_STEP
    assert label[24, 25, 0] == 24 * PART_STEP


def test_smaller_and_larger_maps_are_scaled_to_the_frame(tmp_path):
    (tmp_path / "iuv").mkdir()
    cv2.imwrite(str(tmp_path / "iuv" / "0.png"), iuv_map(scale=3))
    source = DensePose.open(tmp_path / "iuv", size=SIZE, frames=1)
    assert np.array_equal(source.label(0, window())[..., 0], iuv_map()[..., 0] * PART_STEP)


def test_png_in_either_order_and_npz_are_the_same(tmp_path):
    expected = iuv_map()
    cv2.imwrite(str(tmp_path / "bgr.png"), expected)
    cv2.imwrite(str(tmp_path / "rgb.png"), expected[..., ::-1])
    np.savez(tmp_path / "plain.npz", iuv=expected)
    np.savez(tmp_path / "shares.npz", iuv=(expected / [1, 255, 255]).transpose(2, 0, 1).astype(np.float32))
    for name in ("bgr.png", "rgb.png", "plain.npz", "shares.npz"):
        assert np.array_equal(read_iuv(tmp_path / name), expected), name


def test_frames_without_a_map_are_black_and_numbers_may_begin_at_one(tmp_path):
    root = folder(tmp_path / "iuv", first=1)
    (root / "clip_000002_IUV.png").unlink()
    source = DensePose.open(root, size=SIZE, frames=3)
    assert [source.label(row, window()).any() for row in range(3)] == [True, False, True]


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda root: [path.unlink() for path in root.iterdir()], "no IUV map"),
        (lambda root: (root / "clip_000000_IUV.png").write_bytes(b"x"), "missing or damaged"),
        (
            lambda root: cv2.imwrite(str(root / "clip_000000_IUV.png"), np.full((48, 64, 3), 80, np.uint8)),
            "part numbers go up to 80",
        ),
        (lambda root: cv2.imwrite(str(root / "clip_000000_IUV.png"), iuv_map()[:, :32]), "does not fit"),
        (lambda root: (root / "000009.png").write_bytes(b""), "of frame 9, but the video has 3"),
        (lambda root: (root / "0.png").write_bytes(b""), "frame 0 is in"),
    ],
)
def test_bad_folders_are_refused_in_one_line(tmp_path, spoil, problem):
    root = folder(tmp_path / "iuv")
    spoil(root)
    with pytest.raises(PoseError, match=problem) as caught:
        DensePose.open(root, size=SIZE, frames=3)
    assert "\n" not in str(caught.value)


def test_stick_figures_come_through_the_same_door():
    poses = still(320, 440, 300, 3)
    one = window(320, 300, 400, (96, 128))
    source: LabelSource = StickFigures(poses, face="contours")
    assert np.array_equal(
        source.label(2, one), draw(one.label_poses(poses, 2), 0, one.shape, face="contours")
    )


def test_moved_labels_lie_where_the_moved_person_is(tmp_path):
    source = still(30.0, 40.0, 30.0, 3)
    moved = source.transformed(2.0, np.array([10.0, 20.0]), (128, 140))
    labels = Moved.between(DensePose.open(folder(tmp_path / "iuv"), size=SIZE, frames=3), source, moved)
    # The seam of the two parts is at x = 30, y = 25 on the source, so at (70, 70) on the target.
    label = labels.label(1, window(70, 70, 48, (48, 48)))
    assert label[24, 22, 0] == 7 * PART_STEP
    assert label[24, 25, 0] == 24 * PART_STEP


def test_a_frame_without_anybody_does_not_move():
    source = still(30.0, 40.0, 30.0, 2)
    parts = {name: np.zeros_like(points) for name, points in source.parts().items()}
    moved = Moved.between(StickFigures(source), source.with_parts(parts), source)
    assert moved.scale.tolist() == [1.0, 1.0]
    assert not moved.shift.any()


def test_maps_are_asked_for_and_refused_where_they_do_not_belong(tmp_path):
    poses = still(30.0, 40.0, 30.0, 3)
    with pytest.raises(PoseError, match="--iuv"):
        label_source("densepose", poses, "dots", None)
    with pytest.raises(PoseError, match="stick figures"):
        label_source("stickfigure", poses, "dots", tmp_path)
