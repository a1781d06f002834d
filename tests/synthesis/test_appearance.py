from __future__ import annotations

import cv2
import numpy as np
import pytest
from synthesis_figures import still, without

from dataset.errors import ModelError
from dataset.pose.keypoints import B, PoseSequence
from synthesis.appearance import Gallery, Item, look_at
from synthesis.appearance.gallery import _path
from synthesis.appearance.looks import motion_to
from synthesis.appearance.skinning import REGIONS, Parts, Skin, size_of
from synthesis.pairs import near_ones

SHAPE = (128, 192)


def parts_of(poses: PoseSequence, row: int = 0) -> Parts:
    return {name: points[row] for name, points in poses.parts().items()}


def figure(x: float = 64.0, y: float = 170.0, height: float = 130.0) -> Parts:
    return parts_of(still(x, y, height, 1))


def raised(parts: Parts, degrees: float) -> Parts:
    """The right arm turned about the shoulder."""
    moved = {name: points.copy() for name, points in parts.items()}
    body = moved["body"]
    turn = np.deg2rad(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shoulder = body[B["RShoulder"], :2].copy()
    for name in ("RElbow", "RWrist"):
        body[B[name], :2] = (body[B[name], :2] - shoulder) @ matrix.T + shoulder
    return moved


def item(parts: Parts, time: float, recording: str = "a", value: int = 0) -> Item:
    outline = np.full((SHAPE[1], SHAPE[0]), value, np.uint8)
    return Item(recording, time, parts, np.full((SHAPE[1], SHAPE[0], 3), value, np.uint8), outline)


def at(flow: np.ndarray, point: np.ndarray) -> np.ndarray:
    x, y = np.rint(point).astype(int)
    return flow[:, y, x]


def test_the_same_pose_is_looked_at_in_its_own_place():
    flow, seen = Skin(figure(), SHAPE).flow_to(figure())
    x, y = np.meshgrid(np.arange(SHAPE[0]), np.arange(SHAPE[1]))
    inner = (slice(None), slice(8, -8), slice(8, -8))  # enlarging a grid bends its outermost cells
    assert np.abs(flow - np.stack([x, y]))[inner].max() < 0.01
    assert seen.min() > 0.99


def test_a_moved_and_larger_body_is_found_where_it_is():
    flow, _ = Skin(figure(), SHAPE).flow_to(figure(x=50.0, y=180.0, height=156.0))
    for name in ("Nose", "RShoulder", "LElbow", "RKnee", "LAnkle", "MidHip"):
        own, other = figure()["body"][B[name], :2], figure(50.0, 180.0, 156.0)["body"][B[name], :2]
        assert np.abs(at(flow, own) - other).max() < 3


def test_a_raised_arm_is_looked_for_where_the_arm_hangs():
    target = raised(figure(), 90)
    flow, _ = Skin(target, SHAPE).flow_to(figure())
    middle = target["body"][[B["RElbow"], B["RWrist"]], :2].mean(0)
    expected = figure()["body"][[B["RElbow"], B["RWrist"]], :2].mean(0)
    assert np.abs(at(flow, middle) - expected).max() < 3


def crossed(parts: Parts) -> Parts:
    """The feet have changed places."""
    moved = {name: points.copy() for name, points in parts.items()}
    body = moved["body"]
    for name in ("Knee", "Ankle", "BigToe", "SmallToe", "Heel"):
        body[[B["R" + name], B["L" + name]], 0] = body[[B["L" + name], B["R" + name]], 0]
    return moved


def test_where_legs_cross_the_picture_wanted_for_a_leg_is_followed_along_that_leg():
    apart = figure()
    asked = crossed(apart)
    ends = [asked["body"][B[name], :2] for name in ("RHip", "RKnee", "LHip", "LKnee")]
    place = np.mean(ends, axis=0)  # both thighs run through it
    skin = Skin(asked, SHAPE)

    def off(region: str, side: str) -> float:
        found = at(skin.flow_to(apart, REGIONS.index(region))[0], place)
        hip, knee = (apart["body"][B[side + name], :2] for name in ("Hip", "Knee"))
        x, y = (knee - hip) / np.linalg.norm(knee - hip)
        return abs(float((found - hip) @ np.array([-y, x])))

    assert off("right_leg", "R") < 1
    assert off("left_leg", "L") < 1
    assert off("torso", "R") > 2
    assert off("torso", "L") > 2


def test_a_head_seen_from_behind_is_not_turned_upside_down():
    behind = {name: points.copy() for name, points in figure().items()}
    head = [B[name] for name in ("Nose", "REye", "LEye", "REar", "LEar")]
    middle = behind["body"][head, 0].mean()
    behind["body"][head, 0] = 2 * middle - behind["body"][head, 0]
    behind["face"][:, 0] = 2 * middle - behind["face"][:, 0]
    flow, _ = Skin(behind, SHAPE).flow_to(figure())
    x, y = np.rint(behind["body"][head, :2].mean(0)).astype(int)
    above, below = flow[1, y - 3, x], flow[1, y + 3, x]
    assert 4 < below - above < 8


def test_a_limb_that_the_reference_does_not_show_counts_as_unseen():
    hidden = parts_of(without(still(64.0, 170.0, 130.0, 1), "RWrist", "RElbow"))
    _, seen = Skin(raised(figure(), 90), SHAPE).flow_to(hidden)
    hand = np.rint(raised(figure(), 90)["body"][B["RWrist"], :2]).astype(int)
    foot = np.rint(figure()["body"][B["LAnkle"], :2]).astype(int)
    assert seen[hand[1], hand[0]] < 0.2
    assert seen[foot[1], foot[0]] > 0.9


def test_regions_lie_where_the_body_parts_are_and_nowhere_else():
    skin = Skin(raised(figure(), 90), SHAPE)
    body = raised(figure(), 90)["body"]
    for region, name in ((0, "Neck"), (2, "RWrist"), (3, "LWrist"), (4, "RAnkle"), (5, "LKnee")):
        x, y = np.rint(body[B[name], :2]).astype(int)
        assert skin.share[:, y, x].argmax() == region
    assert skin.share[:, 5, 5].sum() < 0.01


def astride(parts: Parts, knee: float, ankle: float) -> Parts:
    """Both legs moved outwards by so many pixels."""
    moved = {name: points.copy() for name, points in parts.items()}
    middle = moved["body"][B["MidHip"], 0]
    for side, way in (("R", -1.0), ("L", 1.0)):
        for name, off in (("Knee", knee), ("Ankle", ankle), ("BigToe", ankle + 3)):
            moved["body"][B[side + name], 0] = middle + way * off
    return moved


def test_where_the_other_leg_lies_the_one_that_is_asked_for_is_not_to_be_found():
    together, apart = figure(), astride(figure(), 15, 30)
    skin = Skin(apart, SHAPE)
    flow, seen = skin.flow_to(together)
    mistaken, absent = skin.mistaken(flow, Skin(together, SHAPE).closest())
    assert seen.min() > 0.99  # every bone is seen, so this alone says nothing
    for side in "RL":
        x, y = np.rint(apart["body"][[B[side + "Knee"], B[side + "Ankle"]], :2].mean(0))
        assert mistaken[int(y), int(x)] == absent[int(y), int(x)] == 0
        assert mistaken[int(y), int(x + (14 if side == "R" else -14))] > 0.5
    # Half-way between the legs no leg is near, and the picture shows the middle of one.
    crotch, feet = apart["body"][B["MidHip"], 1], apart["body"][B["RAnkle"], 1]
    x, y = int(apart["body"][B["MidHip"], 0]), int(0.3 * crotch + 0.7 * feet)
    assert absent[y, x - 12 : x + 13].max() > 0.8
    itself = Skin(together, SHAPE)
    same = itself.mistaken(itself.flow_to(together)[0], itself.closest())
    assert max(one.mean() for one in same) < 2e-4


def test_a_hand_before_the_body_is_looked_for_as_a_hand_and_its_surroundings_as_the_body():
    shape, region = (400, 480), REGIONS.index("right_arm")

    def with_hand(place: np.ndarray) -> Parts:
        """The right hand, half as large as a head, with its wrist at a place."""
        parts = figure(200.0, 440.0, 400.0)
        fingers = np.concatenate(
            [[(0, 0)], [(side * k / 4, -k) for side in range(-2, 3) for k in range(1, 5)]]
        )
        parts["right_hand"] = np.concatenate([place + 9 * fingers, np.ones((21, 1))], 1).astype(np.float32)
        parts["body"][B["RWrist"], :2] = place
        return parts

    asked, shown = with_hand(np.array([200.0, 300.0])), with_hand(np.array([60.0, 250.0]))
    skin = Skin(asked, shape)
    flow, _ = skin.flow_to(shown)
    palm = asked["right_hand"][9, :2]
    assert at(skin.share, palm)[region] > 0.6
    assert np.hypot(*(at(flow, palm) - shown["right_hand"][9, :2])) < 20
    beside = palm + np.array([45, 0])
    assert at(skin.share, beside)[region] < 0.1
    assert np.hypot(*(at(flow, beside) - beside)) < 10  # the trunk stands in the same place in both


def test_for_the_whole_body_a_frame_with_the_arms_in_place_is_taken_before_one_with_the_legs():
    def shifted(names: tuple[str, ...], pixels: float) -> Parts:
        moved = figure()
        moved["body"][[B[side + name] for side in "RL" for name in names], 0] += pixels
        return moved

    gallery = Gallery(
        [item(shifted(("Elbow", "Wrist"), 10), 1.0), item(shifted(("Knee", "Ankle"), 14), 2.0)], SHAPE
    )
    whole, *_ = gallery.distances(figure())
    assert whole[1] < whole[0]


def test_a_trunk_is_not_taken_from_a_frame_in_which_an_arm_lies_before_it():
    def right_arm(elbow: tuple[int, int], wrist: tuple[int, int]) -> Parts:
        moved = figure()
        for name, off in (("RElbow", elbow), ("RWrist", wrist)):
            moved["body"][B[name], :2] = moved["body"][B["RShoulder"], :2] + off
        return moved

    asked, before, beside = (
        right_arm((-18, -8), (-30, 0)),
        right_arm((-4, 22), (20, 14)),
        right_arm((-19, 14), (-34, 30)),
    )
    gallery = Gallery([item(before, 1.0), item(beside, 2.0)], SHAPE)
    near, covered = gallery._alike(asked)[0], gallery.distances(asked)[0] - gallery._alike(asked)[0]
    assert covered[0] > 0.03
    assert covered[1] < 0.01
    assert np.argmin(near + covered) == 1
    # Where the arm is asked for before the trunk, it may lie there.
    assert (gallery.distances(before)[0] - gallery._alike(before)[0])[0] < 1e-6


def test_nobody_has_no_regions_and_looks_straight_ahead():
    nobody = {name: np.zeros_like(points) for name, points in figure().items()}
    skin = Skin(nobody, SHAPE)
    flow, seen = skin.flow_to(figure())
    assert skin.share.max() == seen.max() == 0
    assert np.isfinite(flow).all()
    assert size_of(nobody["body"]) == 0


def test_the_nearest_frame_is_found_for_each_region_by_itself():
    gallery = Gallery(
        [item(figure(), 0.0), item(raised(figure(), 90), 5.0), item(raised(figure(), 45), 9.0)], SHAPE
    )
    asked = raised(figure(x=70.0, height=120.0), 80)
    distances = gallery.distances(asked)
    assert distances.shape == (6, 3)
    assert distances.argmin(1).tolist()[0] == 1
    assert distances.argmin(1).tolist()[2] == 1
    # The left arm and the legs are in all three; what differs is a word of the whole, the same for each.
    for alike in (4, 5):
        assert np.ptp(distances[alike] - distances[3]) < 0.01
    assert np.ptp(distances[3]) < 0.2 * np.ptp(distances[2])


def test_a_frame_is_never_made_from_its_own_moment():
    gallery = Gallery([item(figure(), 0.0), item(raised(figure(), 90), 1.0)], SHAPE)
    chosen = gallery.choose([figure(), figure()], "a", np.array([0.0, 0.1]), 0.6)
    assert (chosen == 1).all()
    assert (gallery.choose([figure()], "b", np.array([0.0]), 0.6) == 0).all()


def test_where_every_frame_is_near_the_farthest_is_taken():
    gallery = Gallery([item(figure(), 0.0), item(figure(), 0.2), item(figure(), 0.3)], SHAPE)
    assert gallery.apart("a", 0.05, 0.6).tolist() == [False, False, True]


def test_training_is_shown_near_frames_and_with_a_measure_of_unlikeness_also_others():
    distances = np.stack([np.linspace(0.01, 0.5, 50), np.linspace(0.5, 0.01, 50)])

    def shown(unlike: float) -> np.ndarray:
        rngs = (np.random.default_rng(seed) for seed in range(200))
        return np.array([distances[[0, 1], near_ones(distances, unlike, rng)] for rng in rngs])

    assert shown(0.0).max() <= 0.061
    assert shown(0.0).min() == 0.01
    # Both regions pass over the same: between nothing and 0.2, and then one of the next six.
    far = shown(0.2)
    assert np.abs(far[:, 0] - far[:, 1]).max() <= 0.051
    assert far.min() < 0.02
    assert 0.2 < far.max() <= 0.27
    assert np.histogram(far, [0, 0.1, 0.2])[0].min() > 120


def test_where_every_frame_is_too_like_the_least_like_is_shown():
    rng = np.random.default_rng(0)
    assert near_ones(np.full((1, 1), 0.001), 0.2, rng) == [0]
    drawn = [near_ones(np.array([[0.01, 0.03, 0.02]]), 50.0, np.random.default_rng(s))[0] for s in range(60)]
    assert np.bincount(drawn, minlength=3).argsort().tolist() == [0, 2, 1]


def test_a_choice_is_held_until_changing_is_worth_it():
    costs = np.array([[0.0, 1.0], [0.011, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    assert _path(costs, 0.02).tolist() == [0, 0, 0, 1, 1]


def test_a_long_sequence_cut_in_blocks_goes_on_with_what_it_had():
    gallery = Gallery([item(figure(), 0.0), item(raised(figure(), 2), 5.0)], SHAPE)
    held = gallery.choose([raised(figure(), 2)], "", np.array([0.0]), 0.0, np.zeros(6, np.intp))
    free = gallery.choose([raised(figure(), 2)], "", np.array([0.0]), 0.0)
    assert (held == 0).all()
    assert (free == 1).any()


def dressed(parts: Parts, time: float, ball: str = "") -> Item:
    """A body in blue before a black room, perhaps with a white ball before a joint."""
    person = Skin(parts, SHAPE).share.sum(0) > 0.5
    picture = np.where(person[..., None], np.array([40, 60, 120], np.uint8), np.uint8(0))
    if ball:
        x, y = np.rint(parts["body"][B[ball], :2]).astype(int)
        cv2.circle(picture, (int(x), int(y)), 10, (250, 250, 250), -1)
    return Item("a", time, parts, picture, person.astype(np.uint8) * 255)


@pytest.fixture(scope="module")
def juggler() -> Gallery:
    """Twelve frames with an arm that rises; in the third a ball lies before the left knee."""
    poses = [raised(figure(), 4.0 * turn) for turn in range(12)]
    return Gallery(
        [dressed(parts, index, "LKnee" * (index == 2)) for index, parts in enumerate(poses)], SHAPE
    )


def test_a_ball_before_the_knee_of_one_frame_is_found_there_and_nowhere_else(juggler):
    found = juggler.occluded
    x, y = np.rint(figure()["body"][B["LKnee"], :2]).astype(int)
    yy, xx = np.mgrid[: SHAPE[1], : SHAPE[0]]
    far = np.hypot(xx - x, yy - y)
    body = juggler.items[2].silhouette > 0
    assert found[2][body & (far < 8)].min() > 200
    assert found[2][far > 22].max() == 0
    assert max(found[index].max() for index in range(12) if index != 2) < 128


def test_a_frame_with_a_ball_before_the_leg_is_the_farther_for_that_leg(juggler):
    clean = Gallery([dressed(item.parts, item.time) for item in juggler.items], SHAPE)
    asked = juggler.items[2].parts
    more = juggler.distances(asked) - clean.distances(asked)
    assert more[REGIONS.index("left_leg"), 2] > 0.01
    assert more[REGIONS.index("left_leg"), 2] > 10 * np.abs(more[:, [0, 1, *range(3, 12)]]).max()
    assert more[[REGIONS.index("head"), REGIONS.index("right_arm")], 2].max() < 1e-6


def test_where_the_ball_lies_the_leg_is_not_to_be_seen_in_that_frame(juggler):
    asked = juggler.items[2].parts
    seen = look_at(juggler, [1, 1, 1, 1, 1, 2], Skin(asked, SHAPE)).seen[0].numpy()
    x, y = np.rint(asked["body"][B["LKnee"], :2]).astype(int)
    assert seen[REGIONS.index("left_leg"), y, x] < 0.1
    assert seen[REGIONS.index("right_leg"), y, x] > 0.9


def test_with_few_frames_or_one_moment_nothing_is_said_to_lie_before_the_person():
    few = [dressed(figure(), index, "LKnee" * (index == 2)) for index in range(5)]
    assert not any(one.any() for one in Gallery(few, SHAPE).occluded)
    at_once = [dressed(figure(), 0.05 * index, "LKnee" * (index == 2)) for index in range(12)]
    assert not any(one.any() for one in Gallery(at_once, SHAPE).occluded)


def test_a_gallery_comes_back_from_disk(tmp_path):
    gallery = Gallery([item(figure(), 0.5, "abc", 40), item(raised(figure(), 90), 1.5, "def", 200)], SHAPE)
    gallery.save(tmp_path / "gallery.npz")
    again = Gallery.load(tmp_path / "gallery.npz")
    assert again.shape == SHAPE
    assert [(one.recording, one.time) for one in again.items] == [("abc", 0.5), ("def", 1.5)]
    assert np.array_equal(again.items[1].parts["body"], gallery.items[1].parts["body"])
    assert np.abs(again.items[1].picture.astype(int) - 200).max() <= 2
    assert [set(one.silhouette.ravel().tolist()) for one in again.items] == [{40}, {200}]


def test_a_damaged_gallery_is_one_line(tmp_path):
    path = tmp_path / "gallery.npz"
    Gallery([item(figure(), 0.5)], SHAPE).save(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ModelError, match="damaged"):
        Gallery.load(path)


def test_the_body_is_for_certain_along_bones_alone():
    skin = Skin(figure(), SHAPE)
    body = figure()["body"]
    for a, b in (("RHip", "RKnee"), ("LKnee", "LAnkle"), ("RShoulder", "RElbow"), ("Neck", "MidHip")):
        x, y = np.rint(body[[B[a], B[b]], :2].mean(0)).astype(int)
        assert skin.inner[y, x] > 0.8, (a, b)
    x, y = np.rint(body[B["Nose"], :2]).astype(int)
    assert skin.inner[y, x] == 0  # hair and hats are not told by key points
    assert skin.inner[:, :10].max() == 0
    assert 0 < skin.inner.mean() < (skin.share.sum(0) > 0.5).mean()
    nobody = {name: np.zeros_like(points) for name, points in figure().items()}
    assert Skin(nobody, SHAPE).inner.max() == 0


def test_an_arm_that_moved_is_found_where_it_was():
    lifted = raised(figure(), 60)
    motion = motion_to(Skin(lifted, SHAPE), Skin(figure(), SHAPE))
    flow, seen = motion.flow[0].numpy(), motion.seen[0].numpy()
    now, then = (pose["body"][[B["RElbow"], B["RWrist"]], :2].mean(0) for pose in (lifted, figure()))
    assert np.linalg.norm(now - then) > 20
    assert np.linalg.norm(at(flow, now) - then) < 3
    assert at(seen, now) > 0.9
    neck = figure()["body"][B["Neck"], :2]
    assert np.abs(at(flow, neck) - neck).max() < 3


def test_looks_bring_large_pictures_to_the_size_of_the_window():
    large = cv2.resize(
        np.arange(SHAPE[0] * SHAPE[1] * 3, dtype=np.float32).reshape(SHAPE[1], SHAPE[0], 3) % 255,
        None,
        fx=2,
        fy=2,
    )
    one = Item("a", 0.0, figure(), large.astype(np.uint8), np.full((SHAPE[1], SHAPE[0]), 255, np.uint8))
    looks = look_at(Gallery([one], SHAPE), [0] * 6, Skin(figure(), SHAPE))
    assert looks.pictures.shape == (1, 6, 3, SHAPE[1], SHAPE[0])
    assert looks.silhouettes.shape == (1, 6, 1, SHAPE[1], SHAPE[0])
    assert looks.flow.shape == (1, 6, 2, SHAPE[1], SHAPE[0])
    assert float(looks.silhouettes.min()) == 1
    assert float(looks.pictures.min()) >= -1
