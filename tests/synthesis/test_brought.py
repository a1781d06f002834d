"""Key points and DensePose maps of other tools, through training and transfer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_runs import small_config

from dataset.errors import PoseError, SynthesisError
from dataset.mannequin import Performer, film
from dataset.pose.keypoints import PoseSequence
from dataset.video import VideoInfo
from synthesis.brought import Brought, digest
from synthesis.model import TargetModel
from synthesis.plate import person_mask
from synthesis.train import train
from synthesis.transfer import Choices, transfer


def maps(folder: Path, poses: PoseSequence) -> Path:
    """A DensePose-like map of each frame: the person's mask, its left half one part and its right half another."""
    folder.mkdir()
    for row in range(len(poses)):
        mask = person_mask(poses, row, poses.size) > 0
        iuv = np.zeros((poses.size[1], poses.size[0], 3), np.uint8)
        iuv[mask] = (2, 100, 100)
        iuv[:, : int(poses.body[row, 8, 0])][mask[:, : int(poses.body[row, 8, 0])]] = (1, 50, 50)
        assert cv2.imwrite(str(folder / f"{row:06d}_IUV.png"), iuv)
    return folder


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    folder = tmp_path_factory.mktemp("brought")
    video = folder / "dancer.mp4"
    truth = film(video, Performer.from_seed(5), "wave", seconds=1.2, size=(96, 128))
    truth = replace(truth, video_sha256=VideoInfo.from_path(video).sha256)
    truth.save(folder / "truth.npz")
    return folder, video, truth, maps(folder / "iuv", truth)


def test_a_model_learns_from_maps_and_paints_from_those_of_the_source(ground, tmp_path):
    _, video, truth, iuv = ground
    config = small_config(6)
    config = replace(config, data=replace(config.data, labels="densepose"))
    brought = Brought(poses=(video.parent / "truth.npz",), iuv=(iuv,))
    model = train([video], tmp_path / "model", config, subject="dancer", brought=brought)
    assert np.array_equal(model.poses.times, truth.times)
    with pytest.raises(PoseError, match="--iuv"):
        transfer(model, video, tmp_path / "none.mp4", cache=tmp_path)
    assert not (tmp_path / "none.mp4").exists()
    choices = Choices(poses=video.parent / "truth.npz", iuv=iuv)
    made = transfer(
        TargetModel.load(tmp_path / "model"), video, tmp_path / "fake.mp4", cache=tmp_path, choices=choices
    )
    assert made.frames == len(truth)
    again = train([video], tmp_path / "model", config, subject="dancer", brought=brought)
    assert again.sha256 == model.sha256
    with pytest.raises(SynthesisError, match="another brought"):
        train([video], tmp_path / "model", config, subject="dancer", brought=replace(brought, poses=()))


def test_maps_for_a_model_of_stick_figures_are_refused(ground, tmp_path):
    _, video, _, iuv = ground
    model = train([video], tmp_path / "model", small_config(2), subject="dancer",
                  brought=Brought(poses=(video.parent / "truth.npz",)))  # fmt: skip
    with pytest.raises(PoseError, match="stick figures"):
        transfer(model, video, tmp_path / "fake.mp4", cache=tmp_path, choices=Choices(iuv=iuv))


def test_one_file_for_two_recordings_is_refused(ground, tmp_path):
    _, video, _, iuv = ground
    with pytest.raises(SynthesisError, match="one for each recording"):
        Brought(iuv=(iuv,)).check([video, video])
    with pytest.raises(SynthesisError, match="no such file"):
        Brought(poses=(tmp_path / "none.npz",)).check([video])


def test_a_changed_map_is_another_run(ground, tmp_path):
    folder, *_ = ground
    before = digest(folder / "iuv")
    copied = tmp_path / "iuv"
    copied.mkdir()
    for path in (folder / "iuv").iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    assert digest(copied) == before
    (copied / "000000_IUV.png").write_bytes(b"other")
    assert digest(copied) != before
