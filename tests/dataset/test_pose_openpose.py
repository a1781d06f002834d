from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from synthesis_figures import still

from cli.dataset import main
from dataset.errors import PoseError
from dataset.mannequin import Performer, film
from dataset.pose.cache import cached_poses, import_poses, load_poses
from dataset.pose.keypoints import B, PoseSequence
from dataset.pose.openpose import LAYOUTS, from_openpose, read_openpose, write_openpose

SIZE = (640, 480)


def write(folder: Path, frames: list[list[PoseSequence]], row: int = 0, name: str = "clip") -> Path:
    """A folder of one-person sequences, the people of each frame in the order given."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, people in enumerate(frames):
        listed = [{"pose_keypoints_2d": one.body[row].ravel().tolist()} for one in people]
        path = folder / f"{name}_{number:012d}_keypoints.json"
        path.write_text(json.dumps({"version": 1.3, "people": listed}))
    return folder


def times(count: int) -> np.ndarray:
    return np.arange(count) / 25


@pytest.fixture
def figure() -> PoseSequence:
    poses = still(300, 400, 250, 6)
    rng = np.random.default_rng(0)
    parts = {name: points.copy() for name, points in poses.parts().items()}
    for points in parts.values():
        points[..., :2] += rng.uniform(0, 3, points[..., :2].shape)
        points[..., 2] = 0.8
    parts["body"][3] = parts["face"][3] = parts["left_hand"][3] = parts["right_hand"][3] = 0
    parts["left_hand"][4] = 0
    return poses.with_parts(parts)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_written_is_read_again_with_the_points_of_the_layout(figure, layout, tmp_path):
    files = write_openpose(figure, tmp_path, layout=layout, name="dance")
    assert [file.name for file in files][:2] == [
        "dance_000000000000_keypoints.json",
        "dance_000000000001_keypoints.json",
    ]
    back = from_openpose(tmp_path, size=SIZE, times=figure.times)
    known = [B[name] for name in LAYOUTS[layout]]
    assert back.body[:, known] == pytest.approx(figure.body[:, known], abs=1e-3)
    assert back.face == pytest.approx(figure.face, abs=1e-3)
    assert back.left_hand == pytest.approx(figure.left_hand, abs=1e-3)
    assert list(back.present()) == [True, True, True, False, True, True]
    assert layout in back.estimator


def test_the_numbers_of_values_are_those_of_openpose(figure, tmp_path):
    for layout, count in (("BODY_25", 75), ("COCO-18", 54), ("BODY_23", 69)):
        file = write_openpose(figure, tmp_path / layout, layout=layout)[0]
        person = json.loads(file.read_text())["people"][0]
        assert len(person["pose_keypoints_2d"]) == count
        assert len(person["face_keypoints_2d"]) == 210
        assert len(person["hand_left_keypoints_2d"]) == len(person["hand_right_keypoints_2d"]) == 63


def test_the_papers_layout_begins_at_the_neck_and_ends_at_the_left_ear():
    assert LAYOUTS["BODY_23"][0] == "Neck"
    assert LAYOUTS["BODY_23"][18:] == ("Nose", "REye", "REar", "LEye", "LEar")
    assert set(LAYOUTS["BODY_23"]) == set(LAYOUTS["BODY_25"]) - {"LHeel", "RHeel"}


def test_coco_gets_its_middle_of_the_hips(figure, tmp_path):
    write_openpose(figure, tmp_path, layout="COCO-18")
    back = from_openpose(tmp_path, size=SIZE, times=figure.times)
    middle = (figure.body[0, B["RHip"]] + figure.body[0, B["LHip"]]) / 2
    assert back.body[0, B["MidHip"]] == pytest.approx(middle, abs=1e-3)


def test_people_are_followed_however_they_are_ordered(tmp_path):
    large, small = still(200, 450, 380, 1), still(500, 300, 120, 1)
    frames = [[small, large] if number % 2 else [large, small] for number in range(8)]
    folder = write(tmp_path / "two", frames)
    main_person = from_openpose(folder, size=SIZE, times=times(8))
    assert np.abs(main_person.body - large.body).max() < 0.01
    other = from_openpose(folder, size=SIZE, times=times(8), person="right")
    assert np.abs(other.body - small.body).max() < 0.01
    there = from_openpose(folder, size=SIZE, times=times(8), person="500,250@0")
    assert np.array_equal(there.body, other.body)
    assert "1 other people" in " ".join(main_person.notes)


def test_a_person_who_is_not_there_is_an_error_that_names_the_folder(tmp_path):
    folder = write(tmp_path / "one", [[still(200, 450, 380, 1)]] * 5)
    with pytest.raises(PoseError, match=r"one: .*no person number 4"):
        from_openpose(folder, size=SIZE, times=times(5), person="4")


def test_missing_files_and_empty_frames_are_rows_without_anybody(tmp_path):
    one = still(200, 450, 380, 1)
    folder = write(tmp_path / "holes", [[one], [], [one], [one], [one]])
    (folder / "clip_000000000003_keypoints.json").unlink()
    poses = from_openpose(folder, size=SIZE, times=times(7))
    assert list(poses.present()) == [True, False, True, False, True, False, False]
    assert "4 of 7" in " ".join(poses.notes)


def test_a_file_with_all_frames_is_read_like_a_folder(tmp_path, figure):
    files = write_openpose(figure, tmp_path / "folder")
    frames = [json.loads(file.read_text()) for file in files]
    for number, content in enumerate((frames, {"frames": frames})):
        path = tmp_path / f"all{number}.json"
        path.write_text(json.dumps(content))
        assert np.array_equal(
            from_openpose(path, size=SIZE, times=figure.times).body,
            from_openpose(tmp_path / "folder", size=SIZE, times=figure.times).body,
        )


def test_points_as_shares_of_the_picture_become_pixels(tmp_path):
    one = still(200, 450, 380, 1)
    parts = {name: points.copy() for name, points in one.parts().items()}
    parts["body"][..., :2] /= SIZE
    folder = write(tmp_path / "shares", [[one.with_parts(parts)]] * 4)
    assert from_openpose(folder, size=SIZE, times=times(4)).body[0] == pytest.approx(one.body[0], abs=0.01)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "not readable as JSON"),
        ("[1, 2]", "no list of people"),
        ('{"people": 3}', "no list of people"),
        ('{"people": [3]}', "not an object"),
        ('{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}', "no known layout"),
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', "three a point"),
        ('{"people": [{"pose_keypoints_2d": "x"}]}', "not a list of numbers"),
        ('{"people": [{"pose_keypoints_2d": [1, 2, NaN]}]}', "no pixels"),
        (
            '{"people": [{"pose_keypoints_2d": [], "face_keypoints_2d": [1, 2, 3]}]}',
            "face_keypoints_2d has 3",
        ),
    ],
)
def test_malformed_files_are_told_in_one_line(tmp_path, content, problem):
    (tmp_path / "a_000000000000_keypoints.json").write_text(content)
    with pytest.raises(PoseError, match=problem) as caught:
        from_openpose(tmp_path, size=SIZE, times=times(1))
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_the_video_is_refused(tmp_path):
    folder = write(tmp_path / "five", [[still(200, 450, 380, 1)]] * 5)
    with pytest.raises(PoseError, match="5 frames of key points for 3"):
        from_openpose(folder, size=SIZE, times=times(3))
    with pytest.raises(PoseError, match="do not fit frames of 100x80"):
        from_openpose(folder, size=(100, 80), times=times(5))
    with pytest.raises(PoseError, match="no such file"):
        read_openpose(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PoseError, match="no key point files"):
        read_openpose(tmp_path / "empty")


@pytest.fixture(scope="module")
def filmed(tmp_path_factory) -> tuple[Path, PoseSequence]:
    path = tmp_path_factory.mktemp("film") / "wave.mp4"
    return path, film(path, Performer.from_seed(3), "wave", seconds=1, fps=6, size=(96, 128))


def test_poses_of_another_tool_take_the_place_of_estimated_ones(filmed, tmp_path):
    video, truth = filmed
    write_openpose(truth, tmp_path / "json")
    poses = load_poses(tmp_path / "json", video)
    import_poses(video, poses, tmp_path / "cache")
    cached = cached_poses(video, tmp_path / "cache")
    assert np.array_equal(cached.body, poses.body)
    assert cached.body == pytest.approx(truth.body, abs=1e-3)
    assert cached.estimator == "OpenPose JSON BODY_25"


def test_key_points_of_another_video_are_refused(filmed, tmp_path):
    video, truth = filmed
    other = still(40, 100, 60, len(truth))
    other.save(tmp_path / "other.npz")
    with pytest.raises(PoseError, match="640x480"):
        load_poses(tmp_path / "other.npz", video)
    truth.save(tmp_path / "truth.npz")
    assert np.array_equal(load_poses(tmp_path / "truth.npz", video).body, truth.body)


def test_the_command_converts_both_ways(filmed, tmp_path):
    video, truth = filmed
    write_openpose(truth, tmp_path / "in", layout="BODY_23")
    run = CliRunner().invoke
    result = run(
        main, ["poses", str(video), "--from-openpose", str(tmp_path / "in"), "--out", str(tmp_path / "p.npz")]
    )
    assert result.exit_code == 0, result.output
    assert "person found in 6 of 6 frames" in result.output
    out = ["--format", "openpose", "--layout", "COCO-18", "--out", str(tmp_path / "out")]
    result = run(
        main, ["poses", "--from-openpose", str(tmp_path / "in"), "--fps", "6", "--size", "96x128", *out]
    )
    assert result.exit_code == 0, result.output
    assert read_openpose(tmp_path / "out").layout == "COCO-18"
    result = run(main, ["poses", "--from-openpose", str(tmp_path / "in"), *out])
    assert result.exit_code == 2
    assert "--fps and --size" in result.output
