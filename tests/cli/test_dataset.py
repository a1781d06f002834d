from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli.dataset import main
from cli.dataset.mannequin import MOTIONS
from dataset import mannequin
from dataset.files import sha256_file
from dataset.pose.keypoints import PoseSequence
from dataset.provenance import synthetic_tags
from dataset.video import VideoInfo, VideoWriter, read_frames


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of a mannequin, with its true key points beside it in truth.npz."""
    folder = tmp_path_factory.mktemp("filmed")
    options = ("--seed", "3", "--motion", "wave", "--seconds", "1", "--size", "240x320", "--fps", "12")
    result = run("mannequin", folder / "clip.mp4", *options, "--truth", folder / "truth.npz")
    assert result.exit_code == 0, result.output
    return folder / "clip.mp4"


def test_the_motions_offered_are_those_there_are() -> None:
    assert MOTIONS == mannequin.MOTIONS


def test_a_mannequin_is_filmed_as_asked(filmed: Path) -> None:
    info = VideoInfo.from_path(filmed)
    assert (info.width, info.height, info.average_fps) == (240, 320, pytest.approx(12))
    truth = PoseSequence.load(filmed.with_name("truth.npz"))
    with read_frames(filmed) as frames:
        assert sum(1 for _ in frames) == len(truth) == 12


@pytest.mark.parametrize("size", ["240", "240x", "0x320", "240x-5", "ax320"])
def test_a_size_that_is_none_is_refused(tmp_path: Path, size: str) -> None:
    result = run("mannequin", tmp_path / "clip.mp4", "--size", size)
    assert result.exit_code == 2
    assert "is not a size such as 480x640" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_info_tells_the_facts_and_the_mark_of_a_rendering(filmed: Path) -> None:
    result = run("info", filmed)
    assert result.exit_code == 0
    lines = {line[:11].strip(): line[11:] for line in result.stdout.splitlines()}
    assert lines["size"] == "240 × 320"
    assert lines["duration"] == "1.000 s"
    assert lines["video"] == "h264, yuv420p"
    assert lines["sha256"] == sha256_file(filmed)
    assert lines["mark"].startswith("Rendered video:")


def test_info_as_json_can_be_read_back(filmed: Path) -> None:
    record = json.loads(run("info", filmed, "--json").stdout)
    assert record["path"] == str(filmed)
    assert (record["width"], record["height"], record["has_audio"]) == (240, 320, False)
    assert record["streams"][0]["kind"] == "video"
    assert record["mark"].startswith("Rendered video:")


def test_info_tells_a_synthetic_file_from_one_without_a_mark(tmp_path: Path) -> None:
    for name, tags in {"made.mp4": synthetic_tags("synthesize", "ab" * 32), "plain.mp4": {}}.items():
        with VideoWriter(tmp_path / name, (64, 48), fps=5, metadata=tags) as writer:
            writer.write(np.zeros((48, 64, 3), np.uint8))
    assert "Synthetic video:" in run("info", tmp_path / "made.mp4").stdout
    assert "does not say that it was made" in run("info", tmp_path / "plain.mp4").stdout


def test_a_missing_file_is_one_line_and_status_2(tmp_path: Path) -> None:
    for command in (["info"], ["poses", "--out", tmp_path / "poses.npz"]):
        result = run(*command, tmp_path / "missing.mp4")
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert "missing.mp4" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_poses_are_found_and_written(filmed: Path, tmp_path: Path) -> None:
    result = run("poses", filmed, "--out", tmp_path / "poses.npz", "--model", "pose")
    assert result.exit_code == 0, result.stderr
    assert "person found in 12 of 12 frames (100.0%)" in result.stdout
    found = PoseSequence.load(tmp_path / "poses.npz")
    truth = PoseSequence.load(filmed.with_name("truth.npz"))
    assert found.video_sha256 == sha256_file(filmed)
    height = np.ptp(truth.body[:, :, 1], axis=1).mean()
    distance = np.linalg.norm(found.body[:, 1:15, :2] - truth.body[:, 1:15, :2], axis=2)
    assert distance.mean() < 0.05 * height


def test_poses_of_a_folder_are_found_once_and_what_is_no_video_is_told(filmed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()
    (folder / "good.mp4").write_bytes(filmed.read_bytes())
    (folder / "bad.mp4").write_bytes(b"no video")
    for counts in ("1 done in", "0 done in"):
        result = run("poses", folder, "--out", tmp_path / "out", "--model", "pose", "--workers", "1")
        assert result.exit_code == 2
        assert counts in result.stdout
        assert "bad.mp4" in result.stderr
        assert "try them again with --retry" in result.stderr
    assert len(list((tmp_path / "out").glob("good-*.npz"))) == 1


def test_options_for_many_videos_need_many(filmed: Path, tmp_path: Path) -> None:
    result = run("poses", filmed, "--out", tmp_path / "p.npz", "--workers", "2")
    assert result.exit_code == 2
    assert "go with several videos" in result.stderr
    assert run("poses", filmed, filmed, "--out", tmp_path, "--memory-limit", "much").exit_code == 2


def test_key_points_never_replace_the_video(filmed: Path) -> None:
    before = sha256_file(filmed)
    result = run("poses", filmed, "--out", filmed)
    assert result.exit_code == 2
    assert "would replace the video" in result.stderr
    assert sha256_file(filmed) == before
