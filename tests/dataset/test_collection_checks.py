"""Each check on films that break just that one: what is measured, and that nothing else is found fault with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from synthesis_figures import still

from dataset.collection import Consent, Recording, Subject
from dataset.collection.checks import CHECKS, QUICK, content, examine, facts, run_checks, surveying
from dataset.collection.checks.look import Look, blur, noise, shift
from dataset.collection.checks.surveying import Survey
from dataset.errors import CollectionError
from dataset.mannequin import Performer, film
from dataset.pose.keypoints import B
from dataset.video import VideoInfo, VideoWriter, read_frames

Picture = np.ndarray
SIZE = (240, 320)
MANNEQUIN = Subject("m1", Consent.mannequin())
RNG = np.random.default_rng(4)


@pytest.fixture(scope="module", autouse=True)
def few_looks() -> Iterator[None]:
    """Four looks instead of two dozen: the films are two seconds long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surveying, "LOOKS", 4)
        yield


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mannequin dancing for two seconds, filmed as it should be, but for its length."""
    path = tmp_path_factory.mktemp("good") / "good.mp4"
    film(path, Performer.from_seed(3), "dance", seconds=2, fps=12, size=SIZE)
    return path


@pytest.fixture(scope="module")
def of_good(good: Path) -> Survey:
    return examine(good, MANNEQUIN, [])


def remade(
    good: Path, out: Path, change: Callable[[Picture, int], Picture], *, fps: float = 12.0, stop: int = 99
) -> Path:
    """The good film with every picture changed."""
    pictures = [change(frame.image, frame.index) for frame in read_frames(good)][:stop]
    tags = VideoInfo.from_path(good).metadata
    with VideoWriter(
        out, (pictures[0].shape[1], pictures[0].shape[0]), fps=fps, metadata=tags, crf=16
    ) as writer:
        for picture in pictures:
            writer.write(np.ascontiguousarray(picture))
    return out


def outcomes(seen: Survey) -> dict[str, str]:
    return {name: result.outcome for name, result in run_checks(seen).items()}


def faults(seen: Survey, than: Survey) -> dict[str, str]:
    """The checks that came out otherwise."""
    before, now = outcomes(than), outcomes(seen)
    return {name: outcome for name, outcome in now.items() if outcome != before[name]}


def test_a_good_film_is_only_short_slow_and_small(of_good: Survey) -> None:
    found = outcomes(of_good)
    assert set(found) == set(CHECKS)
    odd = {name: outcome for name, outcome in found.items() if outcome != "passed"}
    assert odd.keys() <= {"duration", "frame rate", "person size"}
    assert set(odd.values()) == {"warning"}
    assert of_good.person_share == 1
    assert of_good.estimator.startswith("mediapipe")


def shaken(image: Picture, index: int) -> Picture:
    offset = np.array([[1, 0, 12.0 * (index % 2)], [0, 1, -9.0 * (index % 2)]])
    return cv2.warpAffine(image, offset, SIZE, borderMode=cv2.BORDER_REFLECT)


def panned(image: Picture, index: int) -> Picture:
    return cv2.warpAffine(
        image, np.array([[1, 0, 1.0 * index], [0, 1, 0.0]]), SIZE, borderMode=cv2.BORDER_REFLECT
    )


def grainy(image: Picture, index: int) -> Picture:
    return np.clip(image + 16 * RNG.standard_normal(image.shape), 0, 255).astype(np.uint8)


def framed_in_black(image: Picture, index: int) -> Picture:
    out = np.zeros((320, 340, 3), np.uint8)
    out[:, 50:290] = image
    return out


BROKEN: dict[str, tuple[Callable[[Picture, int], Picture], set[str]]] = {
    "dark": (lambda image, index: (image * 0.25).astype(np.uint8), {"exposure"}),
    "bright": (lambda image, index: (255 - (255 - image) * 0.25).astype(np.uint8), {"exposure"}),
    "shaken": (shaken, {"still camera"}),
    "panned": (panned, {"still camera"}),
    "noise": (grainy, {"noise"}),
    "blurred": (lambda image, index: cv2.GaussianBlur(image, (0, 0), 1.5), {"sharpness"}),
    "cut at the knees": (lambda image, index: image[:210], {"full body"}),
    "two people": (lambda image, index: np.concatenate([image, image[:, ::-1]], 1), {"one person"}),
    "small": (
        lambda image, index: cv2.resize(image, (96, 128), interpolation=cv2.INTER_AREA),
        {"person size"},
    ),
    "borders": (framed_in_black, {"clipping"}),
    "standing": (lambda image, index: STANDING[0], {"movement"}),
    "nobody": (lambda image, index: image[:100, :80], {"person found", "full body", "person size"}),
}
STANDING: list[Picture] = []


@pytest.mark.parametrize("name", BROKEN)
def test_a_film_that_breaks_one_thing_is_told_that_one_thing(
    good: Path, of_good: Survey, tmp_path: Path, name: str
) -> None:
    change, expected = BROKEN[name]
    if not STANDING:
        STANDING.append(next(iter(read_frames(good))).image)
    seen = examine(remade(good, tmp_path / "broken.mp4", change), MANNEQUIN, [])
    found = faults(seen, of_good)
    # Where nobody is seen, what is measured on a person cannot pass either.
    allowed = expected | ({"movement", "sharpness", "exposure"} if name == "nobody" else set())
    assert expected <= found.keys() <= allowed, run_checks(seen)
    assert all("; " in run_checks(seen)[check].text for check in expected)


@pytest.mark.parametrize(
    ("fps", "stop", "expected"), [(12.0, 12, {"duration": "error"}), (6.0, 24, {"frame rate": "error"})]
)
def test_too_short_and_too_slow_are_refused(
    good: Path, of_good: Survey, tmp_path: Path, fps: float, stop: int, expected: dict[str, str]
) -> None:
    path = remade(good, tmp_path / "odd.mp4", lambda image, index: image, fps=fps, stop=stop)
    found = run_checks(examine(path, MANNEQUIN, [], QUICK), QUICK)
    before = outcomes(of_good)
    assert {name: r.outcome for name, r in found.items() if r.outcome != before[name]} == expected


def test_a_damaged_file_is_told_to_be_copied_again(good: Path, of_good: Survey, tmp_path: Path) -> None:
    data = bytearray(good.read_bytes())
    middle = data.find(b"mdat") + (len(data) - data.find(b"mdat")) // 2
    data[middle : middle + 400] = RNG.bytes(400)
    (tmp_path / "damaged.mp4").write_bytes(data)
    seen = examine(tmp_path / "damaged.mp4", MANNEQUIN, [], ("readable",))
    result = run_checks(seen, ("readable",))["readable"]
    assert result.outcome == "warning"
    assert "copy it from the camera again" in result.text


def recording_of(seen: Survey) -> Recording:
    info = seen.info
    return Recording(
        "m1_dance_1", "m1", "subjects/m1/recordings/m1_dance_1.mp4", info.sha256, info.size_bytes, 12.0, 2.0, *SIZE, 24,
        fingerprint=seen.fingerprint,
    )  # fmt: skip


def test_a_film_encoded_again_is_a_copy_and_another_take_is_not(
    good: Path, of_good: Survey, tmp_path: Path
) -> None:
    known = [recording_of(of_good)]
    path = remade(good, tmp_path / "again.mp4", lambda image, index: cv2.resize(image, (180, 240)))
    result = run_checks(examine(path, MANNEQUIN, known, ("new content",)), ("new content",))["new content"]
    assert result.outcome == "error"
    assert "moves like m1_dance_1 of m1 from 0.00 s on" in result.text
    film(tmp_path / "take.mp4", Performer.from_seed(3), "squat", seconds=2, fps=12, size=SIZE)
    seen = examine(tmp_path / "take.mp4", MANNEQUIN, known, ("new content",))
    assert run_checks(seen, ("new content",))["new content"].outcome == "passed"


def test_a_file_without_a_second_frame_is_refused_by_every_look(good: Path, tmp_path: Path) -> None:
    path = remade(good, tmp_path / "one.mp4", lambda image, index: image, stop=1)
    found = run_checks(examine(path, MANNEQUIN, []))
    assert {found[name].outcome for name in ("person found", "still camera", "noise")} == {"error"}
    assert "fewer than two frames" in found["noise"].text


def test_nothing_is_looked_at_that_was_not_asked_for(good: Path) -> None:
    seen = examine(good, MANNEQUIN, [], ("duration",))
    assert (seen.looks, seen.fingerprint, seen.estimator) == ([], None, "")
    seen = examine(good, MANNEQUIN, [], ("new content",))
    assert (seen.looks, seen.fingerprint is not None) == ([], True)
    assert set(run_checks(seen, ("new content",))) == {"mark", "same bytes", "new content"}
    with pytest.raises(CollectionError, match="no check is called 'smell'"):
        examine(good, MANNEQUIN, [], ("smell",))


def test_a_film_that_is_refused_for_what_it_says_is_not_read(good: Path) -> None:
    seen = examine(good, Subject("ann"), [])
    assert (seen.looks, seen.fingerprint) == ([], None)
    assert {name: result.outcome for name, result in run_checks(seen).items()} == {
        "mark": "error",
        "same bytes": "passed",
    }


def test_limits_are_on_the_side_that_they_say() -> None:
    assert [facts.grade(value, 5, 2, "", "").outcome for value in (6, 5, 4, 2, 1)] == [
        "passed", "passed", "warning", "warning", "error",
    ]  # fmt: skip
    assert [facts.grade(value, 2, 5, "", "").outcome for value in (1, 2, 4, 5, 6)] == [
        "passed", "passed", "warning", "warning", "error",
    ]  # fmt: skip


def seen_by(of_good: Survey, looks: list[Look]) -> Survey:
    return replace(of_good, looks=looks)


def test_the_share_of_passers_by_decides(of_good: Survey) -> None:
    one = of_good.looks[0]
    two = replace(one, people=[one.people[0], one.people[0]])
    assert content.one_person(seen_by(of_good, [one] * 9 + [two])).outcome == "warning"
    assert content.one_person(seen_by(of_good, [one] * 3 + [two])).outcome == "error"


def test_feet_count_only_where_they_are_seen(of_good: Survey) -> None:
    body = still(100, 200, 100, 1).body[0]
    whole = replace(of_good.looks[0], people=[body])
    hidden = body.copy()
    hidden[B["LAnkle"], 2] = 0
    assert whole.whole
    assert not replace(whole, people=[hidden]).whole
    assert not replace(whole, people=[]).whole


@pytest.mark.parametrize("sigma", [2.0, 6.0, 15.0])
def test_noise_is_measured_in_levels_whatever_the_texture(sigma: float) -> None:
    picture = np.full((256, 256), 128.0)
    picture[:, 128:] += 60 * ((np.indices((256, 128)) // 8).sum(0) % 2)
    noisy = np.clip(picture + sigma * RNG.standard_normal(picture.shape), 0, 255).astype(np.uint8)
    assert noise(noisy) == pytest.approx(sigma, rel=0.15)


def test_blur_rises_with_the_width_of_the_blur() -> None:
    sharp = (RNG.random((128, 128)) * 255).astype(np.uint8)
    values = [blur(sharp), *(blur(cv2.GaussianBlur(sharp, (0, 0), sigma)) for sigma in (1, 2, 4))]
    assert values == sorted(values)
    assert 0 <= values[0] < 0.3
    assert 0.5 < values[-1] <= 1
    assert blur(np.full((32, 32), 9, np.uint8)) == 0


@pytest.mark.parametrize("plain", [False, True])
def test_the_background_is_followed_to_within_a_pixel(plain: bool) -> None:
    texture = cv2.GaussianBlur((RNG.random((160, 200)) * 255).astype(np.uint8), (0, 0), 12 if plain else 2)
    moved = cv2.warpAffine(
        texture, np.array([[1, 0, 3.0], [0, 1, -2.0]]), (200, 160), borderMode=cv2.BORDER_REFLECT
    )
    across, down = shift(texture, moved, np.full(texture.shape, 255, np.uint8))
    assert (across, down) == (pytest.approx(3, abs=0.75), pytest.approx(-2, abs=0.75))
