"""Loading a release: with `datasets` from a folder, as a stream, and frame pairs out of it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from release_ground import SIZE, small_collection, small_release

from dataset.errors import ReleaseError
from dataset.release import frame_pairs, load, video_file
from dataset.release.fingerprint import ALIKE, Fingerprint, Sketcher, likeness
from dataset.release.sample import make_sample
from dataset.release.tables import plan
from dataset.video import read_frames


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_release(tmp_path_factory.mktemp("release") / "c")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_split_loads_with_videos_labels_and_subjects(release: Path, streaming: bool) -> None:
    rows = list(load(release, "recordings", "train", streaming=streaming))
    assert [row["id"] for row in rows] == sorted(f"d{n}-{k}" for n in "1234" for k in ("r0", f"self-d{n}-r0"))
    for row in rows:
        assert row["label"] == int("self" in row["id"])
        with video_file(row["video"]) as path:
            frames = list(read_frames(path))
        assert len(frames) == row["frames"] == len(row["keypoints"])
        assert np.allclose([frame.time for frame in frames], row["times"])


def test_no_subject_is_in_two_splits(release: Path) -> None:
    splits = load(release)
    seen = {
        name: {row["subject"] for row in rows} | {row["source_subject"] for row in rows}
        for name, rows in splits.items()
    }
    assert set(seen) == {"train", "validation", "test"}
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["validation"]
    assert not seen["validation"] & seen["test"]


def test_plain_datasets_loads_it_as_well(release: Path) -> None:
    from datasets import Video, load_dataset

    rows = load_dataset(str(release), "pairs", split="test", streaming=True)
    assert isinstance(rows.features["real"], Video)
    row = next(iter(rows.cast_column("real", Video(decode=False)).cast_column("fake", Video(decode=False))))
    assert (row["real_id"], row["fake_id"]) == ("d5-r0", "d5-self-d5-r0")
    assert row["real"]["bytes"] != row["fake"]["bytes"]


def test_poses_have_a_row_a_frame(release: Path) -> None:
    rows = list(load(release, "poses", "test", streaming=True))
    assert len(rows) == 2 * 16
    assert np.array(rows[0]["body"]).shape == (25, 3)


def test_columns_can_be_chosen_so_that_no_video_is_read(release: Path) -> None:
    row = next(iter(load(release, "recordings", "test", streaming=True, columns=["id", "label"])))
    assert row == {"id": "d5-r0", "label": 0}


def test_frame_pairs_are_consecutive_frames_of_the_video(release: Path) -> None:
    rows = load(release, "recordings", "test", streaming=True)
    samples = list(frame_pairs(rows, per_video=3, seed=4))
    assert [sample.label for sample in samples] == ["real"] * 3 + ["fake"] * 3
    frames = [frame.image for frame in read_frames(release / "videos" / "d5" / "d5-r0.mp4")]
    for sample in samples[:3]:
        assert (sample.first == frames[sample.index]).all()
        assert (sample.second == frames[sample.index + 1]).all()
        assert sample.first.shape == (SIZE[1], SIZE[0], 3)
        assert sample.keypoints.shape == (2, 25, 3)


def test_frame_pairs_of_a_row_do_not_depend_on_the_rows_before_it(release: Path) -> None:
    rows = list(load(release, "recordings", "train", streaming=True))
    every = {(pair.id, pair.index) for pair in frame_pairs(rows, 2)}
    assert {(pair.id, pair.index) for pair in frame_pairs(rows[3:4], 2)} <= every


def test_frame_pairs_of_pairs_take_either_side(release: Path) -> None:
    rows = list(load(release, "pairs", "test", streaming=True))
    (real,) = frame_pairs(rows, 1, column="real")
    (fake,) = frame_pairs(rows, 1, column="fake")
    assert (real.label, real.id, fake.label, fake.id) == ("real", "d5-r0", "fake", "d5-self-d5-r0")
    assert real.index == fake.index


def test_what_is_not_there_is_an_error_with_the_choices(release: Path, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="one of recordings, pairs, poses"):
        load(release, "videos")
    with pytest.raises(ReleaseError, match="cannot be loaded"):
        load(release, "recordings", "tests")
    with pytest.raises(ReleaseError, match="no release in this folder"):
        load(tmp_path)


@pytest.mark.skipif(find_spec("torchcodec") is None, reason="torchcodec is not installed")
def test_torchcodec_decodes_the_same_frames(release: Path) -> None:
    from datasets import load_dataset

    row: Any = next(iter(load_dataset(str(release), "recordings", split="test", streaming=True)))
    first = next(iter(read_frames(release / "videos" / "d5" / "d5-r0.mp4"))).image
    assert np.abs(row["video"][0].numpy().transpose(1, 2, 0).astype(int) - first).mean() < 3


def test_shards_hold_rows_in_order_up_to_a_limit() -> None:
    assert plan([4, 4, 4, 9, 1], limit=8) == [range(0, 2), range(2, 3), range(3, 4), range(4, 5)]
    assert plan([]) == []


def look_at(path: Path, start: float = 0.0, scale: int = 1) -> Fingerprint:
    sketcher = Sketcher()
    for frame in read_frames(path, start=start):
        sketcher.add(np.ascontiguousarray(frame.image[::scale, ::scale]), frame.time - start)
    return sketcher.finish()


def test_a_fingerprint_knows_a_copy_and_not_a_neighbour(tmp_path: Path) -> None:
    collection = small_collection(tmp_path / "c", 3)
    films = [collection.path_of(recording) for recording in collection.recordings()]
    whole = look_at(films[0])
    assert likeness(whole, look_at(films[0], scale=2)) > ALIKE
    assert likeness(whole, look_at(films[0], start=0.25)) > ALIKE
    assert likeness(whole, look_at(films[1])) < ALIKE
    assert likeness(Fingerprint.from_hex(whole.to_hex()), whole) == pytest.approx(1, abs=0.01)


def test_the_sample_is_the_same_every_time(tmp_path: Path) -> None:
    made = [make_sample(tmp_path / name, subjects=2, takes=1, seconds=0.4, size=(96, 128)) for name in "ab"]
    first, second = ({r.id: r.sha256 for r in collection.recordings()} for collection in made)
    assert first == second
    assert all(subject.consent.kind == "mannequin" for subject in made[0].subjects())
