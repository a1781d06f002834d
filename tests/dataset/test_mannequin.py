"""The mannequin: one look for each seed, a skeleton that keeps its lengths, films that say what they are."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import av
import numpy as np
import pytest

from dataset.errors import DanceproofError
from dataset.files import sha256_file
from dataset.mannequin import MOTIONS, Performer, film, render
from dataset.mannequin.camera import Camera
from dataset.mannequin.figure import SKIN, solids
from dataset.mannequin.film import Studio
from dataset.mannequin.motion import pose_at
from dataset.mannequin.raycast import Solid, cast
from dataset.mannequin.skeleton import Frame, Skeleton, body_points, build
from dataset.pose.keypoints import BODY_25, B
from dataset.provenance import read_marks
from dataset.video import read_frames

SIZE = (180, 240)
BONES = (
    ("RShoulder", "RElbow"),
    ("RElbow", "RWrist"),
    ("LShoulder", "LElbow"),
    ("LElbow", "LWrist"),
    ("RHip", "RKnee"),
    ("RKnee", "RAnkle"),
    ("LHip", "LKnee"),
    ("LKnee", "LAnkle"),
    ("RHip", "LHip"),
    ("LEar", "Nose"),
)
#: Moments of a motion, also far from its start.
MOMENTS = (*np.linspace(0, 12, 37), 1_000.3, 86_400.7)


def skeleton_of(performer: Performer, motion: str, time: float, seed: int = 0) -> Skeleton:
    return build(performer.body, pose_at(performer, motion, time, seed))


def picture(seed: int, motion: str = "dance", **options: int) -> np.ndarray:
    frames = render(Performer.from_seed(seed), motion, seconds=0.04, size=SIZE, **options)
    return next(frames)[0]


def test_same_arguments_give_the_same_pixels_and_joints() -> None:
    performer = Performer.from_seed(4)
    one, other = (list(render(performer, "dance", seconds=0.08, size=SIZE, seed=2)) for _ in range(2))
    assert len(one) == 2
    for (frame, truth), (again, truth_again) in zip(one, other, strict=True):
        np.testing.assert_array_equal(frame, again)
        np.testing.assert_array_equal(truth, truth_again)


def test_the_global_random_state_neither_matters_nor_changes() -> None:
    np.random.seed(1)
    before = picture(2)
    state = np.random.get_state()[1]
    np.random.seed(2)
    np.testing.assert_array_equal(picture(2), before)
    np.random.seed(1)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_different_seeds_are_different_people_in_different_rooms() -> None:
    pictures = [picture(seed, "stand").astype(int) for seed in range(6)]
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert np.abs(one - other).mean() > 8  # noise alone makes less than 5


@pytest.mark.parametrize("motion", MOTIONS)
def test_another_seed_of_a_motion_is_another_performance(motion: str) -> None:
    performer = Performer.from_seed(3)
    one, other = (body_points(performer.body, skeleton_of(performer, motion, 2.5, seed)) for seed in (0, 1))
    assert np.abs(one - other).max() > 0.005


@pytest.mark.parametrize("seed", [0, 7, 123_456_789, 2**40])
def test_any_seed_makes_a_performer_of_human_measure(seed: int) -> None:
    performer = Performer.from_seed(seed)
    body = performer.body
    assert performer == Performer.from_seed(seed)
    assert 1.45 < body.height < 2.0
    assert all(getattr(body, field.name) >= 0 for field in fields(body))
    points = body_points(body, skeleton_of(performer, "stand", 0.0))
    assert points[B["Nose"], 1] == pytest.approx(0.925 * body.height, abs=0.05)
    assert points[:, 1].min() > 0


@pytest.mark.parametrize("motion", MOTIONS)
def test_bones_keep_their_lengths(motion: str) -> None:
    performer = Performer.from_seed(11)
    points = np.array([body_points(performer.body, skeleton_of(performer, motion, t)) for t in MOMENTS])
    for start, end in BONES:
        lengths = np.linalg.norm(points[:, B[start]] - points[:, B[end]], axis=1)
        np.testing.assert_allclose(lengths, lengths[0], rtol=1e-6, err_msg=f"{start}-{end}")


@pytest.mark.parametrize("motion", MOTIONS)
def test_motion_has_no_jumps(motion: str) -> None:
    performer = Performer.from_seed(5)
    times = np.arange(0, 16, 0.02)
    points = np.array([body_points(performer.body, skeleton_of(performer, motion, float(t))) for t in times])
    speed = np.linalg.norm(np.diff(points, axis=0), axis=2) / 0.02
    assert speed.max() < 9  # metres a second; hands of dancers reach about 6
    assert speed.max() > 0.02


@pytest.mark.parametrize("motion", MOTIONS)
def test_feet_stay_on_or_above_the_floor(motion: str) -> None:
    for seed in range(4):
        performer = Performer.from_seed(seed)
        for time in MOMENTS:
            points = body_points(performer.body, skeleton_of(performer, motion, float(time)))
            low = points[[B["LBigToe"], B["RBigToe"], B["LHeel"], B["RHeel"]], 1].min()
            assert low > -0.03, (seed, time)


@pytest.mark.parametrize("size", [(360, 480), (240, 320), (480, 480), (640, 360)])
def test_all_joints_and_hands_stay_in_the_picture(size: tuple[int, int]) -> None:
    for seed in range(8):
        performer = Performer.from_seed(seed)
        camera = Camera.facing(performer, size)
        for motion in MOTIONS:
            for time in np.linspace(0, 12, 25):
                skeleton = skeleton_of(performer, motion, float(time))
                pixels, depth = camera.project(
                    np.concatenate([body_points(performer.body, skeleton), *skeleton.fingers])
                )
                assert (depth > 1).all()
                assert (pixels > 0).all(), (seed, motion, time)
                assert (pixels < size).all(), (seed, motion, time)


def test_walking_changes_the_apparent_height_and_shows_front_and_back() -> None:
    studio = Studio(Performer.from_seed(6), SIZE)
    truths = np.array([studio.joints(studio.skeleton("walk", t))[0] for t in np.linspace(0, 8, 17)])
    heights = truths[:, [B["LAnkle"], B["RAnkle"]], 1].mean(axis=1) - truths[:, B["Nose"], 1]
    assert heights.max() / heights.min() > 1.25
    facing = truths[:, B["LShoulder"], 0] - truths[:, B["RShoulder"], 0]
    assert facing.max() > 0 > facing.min()


def test_turning_goes_all_the_way_round() -> None:
    performer = Performer.from_seed(1)
    ahead = np.array([skeleton_of(performer, "turn", t).pelvis.axes[:, 2] for t in np.linspace(0, 9, 60)])
    assert ahead[:, 2].min() < -0.9
    assert ahead[:, 0].min() < -0.9
    assert ahead[:, 0].max() > 0.9


def test_squatting_lowers_the_hips_not_the_feet() -> None:
    performer = Performer.from_seed(1)
    points = np.array(
        [body_points(performer.body, skeleton_of(performer, "squat", t)) for t in np.linspace(0, 8, 80)]
    )
    assert np.ptp(points[:, B["MidHip"], 1]) > 0.2 * performer.body.thigh
    assert np.ptp(points[:, B["LAnkle"], 1]) < 0.01


def test_dancing_keeps_to_the_tempo() -> None:
    performer = Performer.from_seed(9)
    times = np.arange(0, 32, 0.05)
    height = np.array([skeleton_of(performer, "dance", t).pelvis.origin[1] for t in times])
    spectrum = np.abs(np.fft.rfft(height - height.mean()))
    frequency = np.fft.rfftfreq(len(times), 0.05)
    quick = frequency > 1.2  # slower is swaying
    assert frequency[quick][spectrum[quick].argmax()] == pytest.approx(performer.tempo / 60, abs=0.07)


def test_left_is_to_the_right_in_a_picture_of_somebody_who_faces_the_camera() -> None:
    truth = next(render(Performer.from_seed(2), "stand", seconds=0.04, size=SIZE))[1]
    assert truth.shape == (25, 3)
    assert truth.dtype == np.float32
    for name in BODY_25:
        if name.startswith("R"):
            assert truth[B["L" + name[1:]], 0] > truth[B[name], 0]


def test_the_drawn_figure_covers_its_joints() -> None:
    performer = Performer.from_seed(8)
    camera = Camera.facing(performer, (360, 480))
    for motion in MOTIONS:
        skeleton = skeleton_of(performer, motion, 1.3)
        hits = cast(solids(performer, skeleton), camera)
        assert hits is not None
        pixels, _ = camera.project(body_points(performer.body, skeleton))
        inside = np.floor(pixels).astype(int) - hits.box[:2]
        covered = hits.solid[inside[:, 1], inside[:, 0]] >= 0
        joints = [index for index, name in enumerate(BODY_25) if "Toe" not in name and "Heel" not in name]
        assert covered[joints].all(), (motion, [BODY_25[i] for i in joints if not covered[i]])


@pytest.mark.parametrize("motion", ["wave", "squat", "walk", "dance"])
def test_no_skin_shows_through_long_sleeves_and_trousers(motion: str) -> None:
    performer = replace(Performer.from_seed(8), sleeves=0.94, legs=0.95)
    body, camera = performer.body, Camera.facing(performer, SIZE)
    under_cloth = {
        body.upper_arm: 1.0,
        body.forearm: 0.75,
        body.shin: 0.75,
    }  # parts of bones, by their lengths
    for time in (0.7, 1.9, 3.1, 4.3):
        parts = solids(performer, skeleton_of(performer, motion, time))
        hits = cast(parts, camera)
        assert hits is not None
        for index, part in enumerate(parts):
            limb = part.material == SKIN and part.length in under_cloth
            if (
                not limb or abs(part.frame.axes[2, 1]) > 0.6
            ):  # into a sleeve that points at the camera one may look
                continue
            rows, columns = np.nonzero(hits.solid == index)
            slopes = np.stack([hits.across[columns], -hits.down[rows], np.ones(len(rows))], axis=1)
            places = camera.position + hits.depth[rows, columns, None] * (slopes @ camera.axes)
            along = (places - part.frame.origin) @ part.frame.axes[:, 1] / part.length
            assert (along > under_cloth[part.length]).all(), (time, part)


def test_a_ball_is_hit_where_geometry_says() -> None:
    camera = Camera(np.zeros(3), np.diag([1.0, 1.0, -1.0]), 100.0, (101, 101), (50.5, 50.5))
    ball = Solid(Frame(np.array([0.0, 0, -5]), np.eye(3)), 1e-4, (1.0, 1.0), material=0)
    hits = cast([ball], camera)
    assert hits is not None
    x0, y0, _, _ = hits.box
    assert hits.depth[50 - y0, 50 - x0] == pytest.approx(4.0, abs=1e-3)
    np.testing.assert_allclose(hits.normal[50 - y0, 50 - x0], [0, 0, 1], atol=1e-3)
    # A ball of radius 1 seen from 5 away looks 100 / sqrt(24) pixels wide from its middle.
    half = ((hits.solid >= 0).sum(axis=1).max() - 1) / 2
    assert half == pytest.approx(100 / np.sqrt(24), abs=1)


def test_the_nearer_solid_hides_the_farther_one() -> None:
    camera = Camera(np.zeros(3), np.diag([1.0, 1.0, -1.0]), 100.0, (101, 101), (50.5, 50.5))
    near, far = (Solid(Frame(np.array([0.0, 0, -z]), np.eye(3)), 0.2, (0.5, 0.3), 0) for z in (3, 6))
    for order, expected in (([near, far], 0), ([far, near], 1)):
        hits = cast(order, camera)
        assert hits is not None
        assert set(np.unique(hits.solid)) == {-1, expected}


def test_fast_hands_are_blurred_by_motion() -> None:
    performer = replace(Performer.from_seed(10), noise=0.0)
    studio = Studio(performer, (360, 480))
    times = np.linspace(0.8, 2.8, 50)
    hands = np.array([skeleton_of(performer, "wave", t).hands[0].origin for t in times])
    hands = np.stack([hands, [skeleton_of(performer, "wave", t).hands[1].origin for t in times]])
    speed = np.linalg.norm(np.diff(hands, axis=1), axis=2)
    side, moment = np.unravel_index(speed.argmax(), speed.shape)
    time = float(times[moment])
    x, y = studio.joints(studio.skeleton("wave", time))[1][side, 9, :2].astype(int)

    def sharpness(exposure: float) -> float:
        crop = studio.picture("wave", time, exposure)[max(0, y - 25) : y + 25, max(0, x - 25) : x + 25]
        return float(np.abs(np.diff(crop.astype(float), axis=1)).mean())

    assert sharpness(0.05) < 0.9 * sharpness(0.0005)


def test_noise_differs_from_frame_to_frame() -> None:
    frames = [
        frame.astype(int) for frame, _ in render(Performer.from_seed(3), "stand", seconds=0.08, size=SIZE)
    ]
    corner = np.abs(frames[0][:30, :30] - frames[1][:30, :30])
    assert corner.mean() > 0.5


def test_film_writes_a_file_that_decodes_and_says_it_is_rendered(tmp_path: Path) -> None:
    path = tmp_path / "dance.mp4"
    truth = film(path, Performer.from_seed(3), "dance", seconds=0.5, fps=24, size=SIZE)
    with read_frames(path) as reader:
        frames = list(reader)
    assert len(frames) == len(truth) == 12
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(12) / 24, atol=1e-3)
    np.testing.assert_allclose(truth.times, np.arange(12) / 24)
    drawn = [frame for frame, _ in render(Performer.from_seed(3), "dance", seconds=0.5, fps=24, size=SIZE)]
    for frame, original in zip(frames, drawn, strict=True):
        assert frame.image.shape == (SIZE[1], SIZE[0], 3)
        assert np.abs(frame.image.astype(int) - original.astype(int)).mean() < 6
    with av.open(str(path)) as container:
        statement = read_marks(dict(container.metadata))
        assert container.streams.video[0].codec_context.name == "h264"
    assert statement is not None
    assert "not a person" in statement
    assert truth.video_sha256 == sha256_file(path)


def test_film_returns_the_true_body_and_hands(tmp_path: Path) -> None:
    performer = Performer.from_seed(12)
    truth = film(tmp_path / "wave.mp4", performer, "wave", seconds=0.12, size=SIZE)
    rendered = np.array([points for _, points in render(performer, "wave", seconds=0.12, size=SIZE)])
    np.testing.assert_array_equal(truth.body, rendered)
    assert truth.estimator == "truth"
    assert (truth.body[:, :, 2] == 1).all()
    assert (truth.left_hand[:, :, 2] == 1).all()
    np.testing.assert_allclose(truth.left_hand[:, 0], truth.body[:, B["LWrist"]], atol=1e-3)
    np.testing.assert_allclose(truth.right_hand[:, 0], truth.body[:, B["RWrist"]], atol=1e-3)
    assert not truth.face[:, :, 2].any()


def test_an_unknown_motion_is_refused_and_the_known_ones_named(tmp_path: Path) -> None:
    with pytest.raises(DanceproofError, match=r"moonwalk.*stand"):
        film(tmp_path / "out.mp4", Performer.from_seed(0), "moonwalk", seconds=1, size=SIZE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("seconds", "fps", "size"), [(0, 25, SIZE), (1, 0, SIZE), (-1, 25, SIZE), (1, 25, (20, 20))]
)
def test_a_film_without_a_frame_or_room_for_one_is_refused(
    tmp_path: Path, seconds: float, fps: float, size: tuple[int, int]
) -> None:
    with pytest.raises(DanceproofError):
        film(tmp_path / "out.mp4", Performer.from_seed(0), "stand", seconds=seconds, fps=fps, size=size)
    assert not list(tmp_path.iterdir())
