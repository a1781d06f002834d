from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_runs import small_config
from synthesis_figures import standing

from dataset.errors import SynthesisError
from synthesis.evaluate import evaluate, open_distance
from synthesis.evaluate.curves import seconds_by_step
from synthesis.evaluate.held_out import HeldOut, by_hash, held_out
from synthesis.evaluate.run import BASELINES, columns_of, snapshot_columns
from synthesis.evaluate.systems import ModelRef, ModelSystem, NearestNeighbour
from synthesis.model import TargetModel
from synthesis.train import train
from synthesis.transfer import generate

DISTANCE = "perceptual distance (squeezenet1_1 features), not LPIPS"


@pytest.fixture(scope="module")
def distance():
    return open_distance("squeezenet1_1")


@pytest.fixture(scope="module")
def trained(recording, model_folder, tmp_path_factory):
    """FBF and FBF+TS of one subject, with the last 30 % held out."""
    folders = {}
    for name, temporal in (("fbf", False), ("ts", True)):
        folder = tmp_path_factory.mktemp("models") / name
        shutil.copytree(model_folder / "cache", folder / "cache")  # the poses are estimated once
        config = small_config(steps=4, snapshots=(2,))
        config = replace(
            config,
            data=replace(config.data, holdout=0.3),
            schedule=replace(config.schedule, temporal=temporal),
        )
        train([recording], folder, config, subject="dancer")
        folders[name] = folder
    return folders


@pytest.fixture(scope="module")
def evaluated(trained, recording, distance, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluation")
    columns = {"FBF": [ModelRef(trained["fbf"])], "FBF+TS": [ModelRef(trained["ts"])]}
    return evaluate(columns, [recording], out, distance, with_poses=False), out


def test_a_model_that_held_nothing_out_is_refused(model_folder, recording, distance, tmp_path):
    with pytest.raises(SynthesisError, match=r"none was held out.*--on-training-frames"):
        evaluate(columns_of([model_folder]), [recording], tmp_path, distance)


def test_what_was_trained_on_is_named_in_every_output(model_folder, recording, distance, tmp_path):
    evaluate(
        columns_of([model_folder]), [recording], tmp_path, distance,
        on_training_frames=True, with_poses=False, baselines=[],
    )  # fmt: skip
    for name in ("evaluation.json", "evaluation.md", "evaluation.html"):
        assert "ON TRAINING FRAMES" in (tmp_path / name).read_text("utf-8")
    assert json.loads((tmp_path / "evaluation.json").read_text("utf-8"))["subjects"][0]["recordings"][0][
        "trained_on"
    ]


def test_a_missing_recording_is_asked_for_by_name(trained, distance, tmp_path):
    with pytest.raises(SynthesisError, match=r"dancer.mp4 of dancer was not given.*--recording"):
        evaluate(columns_of([trained["ts"]]), [], tmp_path, distance)


def test_every_output_says_what_limits_a_subject(evaluated):
    evaluation, out = evaluated
    found = evaluation.subjects[0].limits
    assert found.within + found.outside > 0
    assert set(found.distances) == set(evaluation.columns)
    for name in ("evaluation.md", "evaluation.html"):
        assert found.told in (out / name).read_text("utf-8")
    assert (
        json.loads((out / "evaluation.json").read_text("utf-8"))["subjects"][0]["limits"]["frames"]
        == found.frames
    )


def test_the_table_has_the_papers_rows_and_all_columns(evaluated):
    evaluation, out = evaluated
    assert evaluation.columns == [*BASELINES, "FBF", "FBF+TS"]
    table = (out / "evaluation.md").read_text("utf-8")
    assert "| region | metric | nearest neighbour | nearest neighbour, masked | FBF | FBF+TS |" in table
    body = re.search(r"\| body \| SSIM ↑ \|(.*)\|", table)
    assert body is not None
    assert len(re.findall(r"\d\.\d{3}", body[1])) >= 4
    assert f"| body | {DISTANCE} ↓ |" in table
    assert "flicker" in table
    assert "ON TRAINING" not in table


def test_only_held_out_frames_are_looked_at(evaluated, recording):
    evaluation, out = evaluated
    clip = evaluation.subjects[0].clips[0].clip
    assert clip.start == round(0.7 * len(clip.poses))
    rows = (out / "frames.csv").read_text("utf-8").splitlines()[1:]
    assert {int(row.split(",")[2]) for row in rows} == set(range(clip.start, len(clip.poses)))


def test_what_was_not_measured_is_null_with_its_reason(evaluated):
    _, out = evaluated
    facts = json.loads((out / "evaluation.json").read_text("utf-8"))
    assert facts["perceptual"] == DISTANCE
    figure = facts["mean"]["FBF"]["pose/distance"]
    assert figure["value"] is None
    assert "--no-poses" in figure["reason"]
    assert 0 < facts["mean"]["FBF"]["body/ssim/window"]["value"] < 1
    assert facts["mean"]["FBF"]["flicker"]["value"] > 0


def test_the_page_is_whole_and_shows_each_column(evaluated):
    _, out = evaluated
    page = (out / "evaluation.html").read_text("utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)
    assert "<script" not in page
    for column in ("real video", "stick figure", "FBF+TS", "nearest neighbour"):
        assert f'alt="{column}"' in page
    assert "among the worst of FBF+TS" in page
    assert not list(out.glob(".evaluate_*"))


def test_a_model_is_rolled_out_exactly_as_in_a_transfer(trained, recording):
    model = TargetModel.load(trained["ts"])
    (clip,) = held_out([model], by_hash([recording]), trained["ts"] / "cache")
    made = np.stack(list(ModelSystem(model).frames(clip)))
    assert (made == np.stack(list(generate(model, clip.poses[clip.start :], model.plate)))).all()


@pytest.mark.slow
def test_poses_are_found_again_and_the_real_video_is_the_floor(trained, recording, distance, tmp_path):
    evaluation = evaluate(columns_of([trained["ts"]]), [recording], tmp_path, distance, baselines=[])
    facts = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))
    real, made = facts["mean"]["real video"], facts["mean"]["model"]
    assert 0 < real["pose/share"]["value"] < 0.1
    assert real["pose/missed_frame"]["value"] == 0
    # After four steps nearly nobody is painted: either nobody is found again, or in another place.
    assert made["pose/missed_frame"]["value"] > 0 or made["pose/share"]["value"] > real["pose/share"]["value"]
    assert evaluation.shown[-1] == "real video"


def test_snapshots_are_columns_in_the_order_of_training(trained, recording, distance, tmp_path):
    columns = snapshot_columns([trained["ts"]])
    assert list(columns) == ["2 steps", "final"]
    evaluate(columns, [recording], tmp_path, distance, baselines=[], with_poses=False, with_curves=True)
    (curve,) = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))["curves"]
    assert curve["unit"] == "minutes"
    assert curve["places"] == sorted(curve["places"])
    assert len(curve["values"]["body/ssim/window"]) == 2
    assert "<polyline" in (tmp_path / "evaluation.html").read_text("utf-8")


def test_a_log_without_times_gives_no_minutes(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1, "l1": 2}\n', "utf-8")
    assert seconds_by_step(tmp_path) == {}
    (tmp_path / "log.jsonl").write_text('{"step": 1, "seconds": 3}\n', "utf-8")
    assert seconds_by_step(tmp_path) == {1: 3.0}


def test_models_without_a_column_are_told_apart_by_their_recordings(trained):
    assert list(columns_of([trained["ts"]])) == ["model"]
    assert list(columns_of([trained["fbf"], trained["ts"]])) == ["fbf", "ts"]


def test_one_column_has_one_model_of_a_subject(trained, recording, distance, tmp_path):
    columns = {"A": [ModelRef(trained["fbf"]), ModelRef(trained["ts"])]}
    with pytest.raises(SynthesisError, match="two models of the same recordings"):
        evaluate(columns, [recording], tmp_path, distance)


def test_a_model_is_written_with_or_without_a_step(tmp_path):
    assert ModelRef.parse("runs/a@300") == ModelRef(Path("runs/a"), 300)
    assert ModelRef.parse("runs/a").snapshot is None
    (tmp_path / "a@3").mkdir()
    assert ModelRef.parse(str(tmp_path / "a@3")) == ModelRef(tmp_path / "a@3")


STEPS = 5  # poses after which the figure repeats itself


def swaying(count: int = 60) -> HeldOut:
    """A figure that walks across and leans in a pattern that repeats every few frames."""
    feet = np.stack([np.linspace(150, 450, count), np.full(count, 400.0)], 1)
    poses = standing(feet, np.full(count, 200.0))
    body = poses.body.copy()
    body[:, :8, 0] += np.array([0, 30, 10, -25, -10], np.float32)[np.arange(count) % STEPS, None]
    poses = poses.with_parts(poses.parts() | {"body": body})
    return HeldOut(Path("none.mp4"), "0" * 64, poses, 40, np.zeros((480, 640, 3), np.uint8))


def test_the_nearest_neighbour_is_a_training_frame_with_the_same_pose_wherever_it_stands(tmp_path):
    clip = swaying()
    found = NearestNeighbour([clip], tmp_path).nearest(clip)
    assert all(place is not None and place[1] < clip.start for place in found)
    for offset in range(5, 10):  # away from the end, where the window lags
        place = found[offset]
        assert place is not None
        assert place[1] % STEPS == (clip.start + offset) % STEPS


def test_nobody_has_no_neighbour(tmp_path):
    clip = swaying()
    body = clip.poses.body.copy()
    body[41] = 0
    clip = replace(clip, poses=clip.poses.with_parts(clip.poses.parts() | {"body": body}))
    assert NearestNeighbour([clip], tmp_path).nearest(clip)[1] is None


def test_neighbours_are_laid_over_the_plate_where_the_person_stands_now(trained, recording, tmp_path):
    model = TargetModel.load(trained["ts"])
    (clip,) = held_out([model], by_hash([recording]), trained["ts"] / "cache")
    whole, masked = (
        list(NearestNeighbour([clip], tmp_path / str(flag), masked=flag).frames(clip))
        for flag in (False, True)
    )
    assert len(whole) == len(masked) == len(clip.held)
    changed = [
        (np.abs(images[0].astype(int) - clip.plate).max(axis=2) > 24).mean() for images in (whole, masked)
    ]
    assert 0 < changed[1] <= changed[0]
