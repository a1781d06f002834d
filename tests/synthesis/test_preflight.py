from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from browser import shown
from click.testing import CliRunner
from mannequin_ground import Stage, does, glides, sized
from synthesis_figures import still, without

from cli.synthesize import main
from dataset.files import write_json
from dataset.mannequin import Performer, film
from dataset.pose.keypoints import B, PoseSequence
from synthesis.ground import measure
from synthesis.model import MODEL_SCHEMA, write_image
from synthesis.postures import distances
from synthesis.preflight import measure as measuring
from synthesis.preflight import verdict
from synthesis.preflight.measure import Surroundings, jitter, quality
from synthesis.preflight.run import cut_share

STAGE = Stage.of(sized(5, 1.72, camera_height=1.2, camera_distance=4.5))


def levels(reasons: list[verdict.Reason]) -> dict[str, str]:
    return {reason.what: reason.level for reason in reasons}


def test_good_key_points_are_found_good():
    seen = quality(STAGE.film(does("dance"), 12, fps=25))
    assert seen.detected == 1
    assert seen.swaps == 0
    assert seen.jitter < verdict.JITTER_CARE
    marks = levels(verdict.judge_video("target", seen, Surroundings(24, 0.0, 1, 0.001)))
    # The film has no face, which is all that is missing.
    assert {what for what, level in marks.items() if level != "ok"} == {"target: limbs"}


def test_missing_people_limbs_and_size_are_told():
    poses = still(320, 440, 30, 40)
    for points in poses.parts().values():
        points[10:] = 0
    marks = levels(verdict.judge_video("source", quality(without(poses, "RWrist", "LWrist", "RElbow")), None))
    assert marks["source: person found"] == "no"
    assert marks["source: size"] == "no"
    assert marks["source: limbs"] == "care"
    nobody = quality(still(320, 440, 30, 40).with_parts({k: v * 0 for k, v in poses.parts().items()}))
    assert levels(verdict.judge_video("source", nobody, None)) == {"source: person found": "no"}


def test_swapped_limbs_are_counted():
    poses = STAGE.film(does("dance"), 4, fps=25)
    swapped = poses.body.copy()
    pairs = [(B[f"R{name}"], B[f"L{name}"]) for name in ("Knee", "Ankle", "BigToe", "SmallToe", "Heel")]
    for right, left in pairs:
        swapped[30:40, [right, left]] = poses.body[30:40, [left, right]]
    found = quality(poses.with_parts(poses.parts() | {"body": swapped}))
    assert found.swaps == pytest.approx(0.1, abs=0.03)


def turned(poses: PoseSequence, frames: slice) -> PoseSequence:
    """With the back to the camera in some frames: what was on the left of the picture is on the right."""
    body = poses.body.copy()
    body[frames, :, 0] = 640 - body[frames, :, 0]
    return poses.with_parts(poses.parts() | {"body": body})


def test_a_side_that_the_target_never_shows_is_told():
    front = STAGE.film(does("dance"), 4, fps=25)
    ahead, away, half = (quality(turned(front, slice(0, end))) for end in (0, 100, 50))
    assert ahead.sides == {"front": pytest.approx(1, abs=0.1), "behind": 0}
    assert away.sides == {"front": 0, "behind": pytest.approx(1, abs=0.1)}
    assert half.sides["behind"] == pytest.approx(0.5, abs=0.06)
    for source, target, level in (
        (ahead, ahead, "ok"), (away, half, "ok"), (half, ahead, "care"), (away, ahead, "no"), (ahead, away, "no"),
    ):  # fmt: skip
        assert verdict.judge_sides(source, target).level == level
    found = verdict.judge_sides(half, ahead).found
    assert re.search(r"from behind in (4|5)\d% of its frames, the target in 0%", found), found


def test_trembling_is_jitter_and_even_motion_is_none():
    poses = still(320, 440, 200, 50)
    assert jitter(poses, 200) == 0
    drift = poses.body.copy()
    drift[..., 0] += 5 * np.arange(50)[:, None]
    assert jitter(poses.with_parts(poses.parts() | {"body": drift}), 200) < 1e-6
    rng = np.random.default_rng(0)
    shaken = poses.body.copy()
    shaken[..., :2] += rng.normal(0, 4, shaken[..., :2].shape)
    assert jitter(poses.with_parts(poses.parts() | {"body": shaken}), 200) > verdict.JITTER_CARE


@pytest.mark.parametrize(
    ("around", "people", "camera"),
    [
        (Surroundings(24, 0.0, 1, 0.0), "ok", "ok"),
        (Surroundings(24, 0.2, 2, 0.02), "care", "care"),
        (Surroundings(24, 0.9, 5, 0.2), "no", "no"),
    ],
)
def test_a_target_is_alone_before_a_camera_that_stands_still(around, people, camera):
    marks = levels(verdict.judge_video("target", quality(STAGE.film(does("dance"), 2)), around))
    assert (marks["target: people"], marks["target: camera"]) == (people, camera)


def test_the_verdict_is_the_worst_reason():
    good, care, no = (verdict.Reason(level, "", "") for level in ("ok", "care", "no"))
    assert verdict.overall([good, good]) == "yes"
    assert verdict.overall([good, care]) == "care"
    assert verdict.overall([care, no, good]) == "no"


def test_motion_that_the_target_shows_is_inside_and_other_motion_is_outside():
    target = STAGE.film(does("dance"), 30)
    theirs = measure(target)
    same = STAGE.film(lambda p, t: does("dance")(p, t + 7.3), 5)
    inside = distances(same, measure(same), target, theirs)
    assert inside.outside < 0.1
    standing = STAGE.film(does("stand"), 20)
    waving = STAGE.film(does("wave"), 8)
    found = distances(waving, measure(waving), standing, measure(standing))
    assert found.outside > 0.4
    worst = found.worst(waving.times)
    assert found.distance[worst[0]] == np.nanmax(found.distance)
    moments = waving.times[found.rows[worst]]
    assert np.diff(np.sort(moments)).min() >= 0.8


def test_distance_and_size_make_no_posture_unusual():
    target = STAGE.film(does("dance"), 20)
    small = Stage.of(sized(5, 1.4, camera_height=1.2, camera_distance=4.5)).film(does("dance"), 6)
    found = distances(small, measure(small), target, measure(target))
    assert found.outside < 0.1
    far = STAGE.film(glides(2.0, "dance"), 6)
    found = distances(far, measure(far), target, measure(target))
    assert found.outside < 0.1


def test_only_what_the_target_shows_can_be_cut_off():
    moved = still(320, 600, 400, 10)
    whole = still(320, 440, 300, 10)
    assert cut_share(moved, whole) == 1
    legs = [name for name in B if name[1:] in ("Knee", "Ankle", "BigToe", "SmallToe", "Heel")]
    assert cut_share(moved, without(whole, *legs)) == 0


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> dict[str, Path]:
    """Two films of mannequins with the true key points beside them."""
    root = tmp_path_factory.mktemp("films")
    out = {}
    for name, seed, motion in (("source", 3, "wave"), ("target", 8, "dance")):
        out[name] = root / f"{name}.mp4"
        film(out[name], Performer.from_seed(seed), motion, seconds=2, fps=10, size=(192, 256)).save(
            root / f"{name}.npz"
        )
    return out


@pytest.fixture(scope="module")
def answer(films, tmp_path_factory):
    page = tmp_path_factory.mktemp("page") / "preflight.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "LOOKS", 2)
        given = [f"--{name}-poses={path.with_suffix('.npz')}" for name, path in films.items()]
        paths = [str(films["source"]), str(films["target"])]
        result = CliRunner().invoke(
            main, ["preflight", *paths, *given, "--no-estimate", "--json", "--out", str(page)]
        )
    return result, page


def test_the_command_answers_with_status_and_json(answer):
    result, _ = answer
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["verdict"] == "care"
    assert told["anchor"] == "ankles"
    assert len(told["poses_outside"]["worst"]) >= 1
    # Twenty frames are few, and it says so.
    assert any(r["what"] == "target: length" and r["level"] == "care" for r in told["reasons"])


def test_the_page_is_self_contained_and_shows_pictures(answer):
    _, page = answer
    text = page.read_text("utf-8")
    assert text.count("data:image/jpeg") >= 10
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", text)
    assert "<script" not in text
    for heading in (
        "Yes, with care",
        "after normalisation",
        "Where the feet land",
        "Everything that was looked at",
    ):
        assert heading in text


def test_the_page_opens_in_a_browser(answer, tmp_path):
    assert "Where the feet land" in shown(answer[1], tmp_path)


def test_nobody_in_the_source_is_a_no(films, tmp_path):
    truth = PoseSequence.load(films["source"].with_suffix(".npz"))
    truth.with_parts({name: points * 0 for name, points in truth.parts().items()}).save(tmp_path / "none.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "LOOKS", 2)
        result = CliRunner().invoke(
            main,
            [
                "preflight", str(films["source"]), str(films["target"]), "--no-estimate",
                "--source-poses", str(tmp_path / "none.npz"),
                "--target-poses", str(films["target"].with_suffix(".npz")),
                "--out", str(tmp_path / "none.html"),
            ],
        )  # fmt: skip
    assert result.exit_code == 1
    assert "NO   source: person found: in 0 of 20 frames" in result.output
    assert "no: source.mp4 on target.mp4" in result.output
    assert "No</p>" in (tmp_path / "none.html").read_text("utf-8")


def test_a_trained_model_is_a_target_too(films, tmp_path):
    write_json(tmp_path / "model.json", {"schema": MODEL_SCHEMA})
    PoseSequence.load(films["target"].with_suffix(".npz")).save(tmp_path / "poses.npz")
    write_image(tmp_path / "plate.png", np.full((256, 192, 3), 90, np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "LOOKS", 2)
        given = ["--source-poses", str(films["source"].with_suffix(".npz"))]
        result = CliRunner().invoke(
            main, ["preflight", str(films["source"]), str(tmp_path), *given, "--json"]
        )
    assert result.exit_code in (0, 1), result.output
    told = json.loads(result.stdout)
    assert told["trained"] is True
    assert told["target_around"] is None
    assert told["cost"] is None


@pytest.mark.slow
def test_training_is_tried_to_tell_what_it_costs(films):
    from small_runs import small_config

    from synthesis.preflight.cost import probe

    truth = PoseSequence.load(films["target"].with_suffix(".npz"))
    cost = probe(truth, np.full((256, 192, 3), 90, np.uint8), small_config(steps=40), films["target"])
    assert cost is not None
    assert cost.steps == 40
    assert 0 < cost.step < 60
    assert cost.seconds == pytest.approx(40 * cost.step)
    assert cost.memory > 1e8
    assert probe(truth[:3], np.zeros((256, 192, 3), np.uint8), small_config(steps=4), films["target"]) is None
