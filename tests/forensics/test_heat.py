"""The heat falls where a picture was synthesised, and not where it was not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from textures import as_windows, make_clip

from dataset.mannequin import Performer, render
from dataset.pose.keypoints import B
from dataset.video import VideoWriter, read_frames
from forensics import heat
from forensics.detectors import Detector
from forensics.detectors.patch import PatchConfig
from forensics.scanning.evidence import as_evidence, window_logits
from forensics.scanning.look import Looker, SeenPair
from forensics.scanning.pictures import frame_heat
from forensics.train import TrainConfig, train_network
from forensics.views import ViewConfig

Frames = npt.NDArray[np.uint8]
SIDE = 48
SIZE = (240, 320)
HEAD = [B[name] for name in ("Nose", "REye", "LEye", "REar", "LEar")]
PIECES = [B[name] for name in ("RElbow", "LElbow", "MidHip", "RKnee", "LKnee", "RWrist", "LWrist", "Nose")]
LEGS = [B[name] for name in ("RKnee", "LKnee", "RAnkle", "LAnkle")]


def synthesised(frames: Frames) -> Frames:
    """All of the picture painted again: fine detail gone, and the grid that a coarse generator leaves."""
    _, height, width, _ = frames.shape
    grid = ((np.indices((height, width)) // 4).sum(0) % 2 * 2 - 1)[..., None] * 10
    smooth = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in frames])
    return np.clip(smooth.astype(int) + grid, 0, 255).astype(np.uint8)


def blended(frames: Frames, points: npt.NDArray[np.float64], part: list[int]) -> tuple[Frames, Frames]:
    """The frames with one part of the body from the synthesised ones, and the (T, H, W) share of it."""
    _, height, width, _ = frames.shape
    rows, columns = np.indices((height, width))
    masks = []
    for body in points:
        middle, reach = body[part, :2].mean(0), max(float(np.ptp(body[part, :2], axis=0).max()) * 0.7, 30.0)
        away = np.hypot(columns - middle[0], rows - middle[1])
        masks.append(np.clip((reach - away) / 6, 0, 1))
    mask = np.stack(masks)[..., None]
    mixed = frames * (1 - mask) + synthesised(frames) * mask
    return mixed.round().astype(np.uint8), mask[..., 0]


def rendered(seed: int, frames: int = 8) -> tuple[Frames, npt.NDArray[np.float64]]:
    shots = list(render(Performer.from_seed(seed), "wave", seconds=frames / 8, fps=8, size=SIZE))
    return np.stack([image for image, _ in shots]), np.stack([truth for _, truth in shots])


def encoded(path: Path, frames: Frames) -> Path:
    with VideoWriter(path, SIZE, fps=8, crf=14) as writer:
        for image in frames:
            writer.write(image)
    return path


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """Has learnt in seconds to tell pieces of rendered bodies from the same pieces synthesised."""
    folder, lot, clips = tmp_path_factory.mktemp("train"), np.random.default_rng(0), []
    for seed in range(6):
        real, points = rendered(seed)
        corners = [points[4, index, :2] - SIDE / 2 + lot.integers(-8, 9, 2) for index in PIECES]
        for fake in (False, True):
            shown = synthesised(real) if fake else real
            read = np.stack([frame.image for frame in read_frames(encoded(folder / "clip.mp4", shown))])
            for number, corner in enumerate(corners):
                x, y = np.clip(corner, 0, np.array(SIZE) - SIDE).astype(int)
                name = f"{'fake' if fake else 'real'}-{seed}-{number}.mp4"
                piece = read[:, y : y + SIDE, x : x + SIDE]
                clips.append(as_windows(make_clip(name, f"person-{seed}", fake=fake), piece))
    config = TrainConfig(steps=150, batch=16, rate=5e-3, average=0.9, precision="float32")
    return train_network(clips, PatchConfig(window=SIDE, ndf=6), config)


@pytest.mark.parametrize("own", [True, False], ids=["own", "occlusion"])
@pytest.mark.parametrize(("where", "part", "other"), [("head", HEAD, LEGS), ("legs", LEGS, HEAD)])
def test_the_heat_falls_on_the_part_that_was_synthesised_and_not_on_another(
    detector: Detector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    part: list[int],
    other: list[int],
    own: bool,
) -> None:
    if not own:
        monkeypatch.setattr(type(detector), "heat", lambda self, windows: None)
    frames, points = rendered(20)
    mixed, mask = blended(frames, points, part)
    _, elsewhere = blended(frames, points, other)
    inside, outside = heat_on(detector, encoded(tmp_path / "partly.mp4", mixed), mask, elsewhere)
    assert inside > 4 * outside


def heat_on(detector: Detector, path: Path, mask: Frames, elsewhere: Frames) -> tuple[float, float]:
    """Mean heat over two regions, over all frames in which any was found."""
    found = []
    for pair in looked_at(path, rendered(20)[1]):
        warmth = heat_of(detector, pair)
        assert pair.kept is not None
        number = round(pair.sighting.time * 8)
        x0, y0, x1, y1 = pair.kept.box
        size = warmth.shape[1], warmth.shape[0]
        here, there = (
            cv2.resize(region[number][y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA) > 0.5
            for region in (mask, elsewhere)
        )
        found.append((float(warmth[here].mean()), float(warmth[there].mean())))
    inside, outside = np.mean(found, axis=0)
    return float(inside), float(outside)


def looked_at(path: Path, points: npt.NDArray[np.float64]) -> list[SeenPair]:
    """Three pairs of a video, whose only person is where the rendering has put it: no estimator has a say."""
    looker = Looker(path, Known(points), ViewConfig(window=SIDE, pairs=3), pictures=True)  # type: ignore[arg-type]
    looker.first([0.25, 0.5, 0.75])
    (person,) = looker.people
    return person.pairs


class Known:
    """Stands in for the pose estimator."""

    def __init__(self, points: npt.NDArray[np.float64]) -> None:
        self._bodies = iter(points[[2, 4, 6]].astype(np.float32))

    def find(self, image: Frames) -> list[npt.NDArray[np.float32]]:
        return [next(self._bodies)]


def heat_of(detector: Detector, pair: SeenPair) -> heat.Heat:
    logits = window_logits(detector, as_evidence([pair]).pixels, tuple(view.part for view in pair.views))
    found, _ = frame_heat(detector, pair, logits, 0.0)
    assert pair.kept is not None
    return np.zeros(pair.kept.first.shape[:2], np.float32) if found is None else found


def test_a_filmed_picture_stays_cold(detector: Detector, tmp_path: Path) -> None:
    frames, points = rendered(21)
    filmed = encoded(tmp_path / "filmed.mp4", frames)
    planted = encoded(tmp_path / "planted.mp4", blended(frames, points, HEAD)[0])
    cold, hot = (
        max(float(heat_of(detector, pair).max()) for pair in looked_at(path, points))
        for path in (filmed, planted)
    )
    assert cold < 0.25 * hot


def test_covering_finds_the_place_that_a_score_depends_on() -> None:
    """Against a score of which it is known where it looks."""

    def corner(windows: Frames) -> npt.NDArray[np.float64]:
        return np.asarray(windows[:, 0, :16, :16].std(axis=(1, 2, 3)), np.float64)

    windows = np.random.default_rng(0).integers(0, 255, (2, 2, 48, 48, 3)).astype(np.uint8)
    found = heat.occlusion(corner, windows)
    assert found.shape == (2, 48, 48)
    assert found[:, :12, :12].mean() > 10 * abs(found[:, 24:, 24:]).mean()


def test_a_window_that_spoke_for_a_camera_is_cold_on_the_frame() -> None:
    heats = np.ones((2, 8, 8), np.float32)
    found = heat.onto_frame(
        heats, np.array([2.0, -2.0]), [(0, 0, 10, 10), (10, 0, 20, 10)], (0, 0, 20, 10), (20, 10), 0.0
    )
    assert found[:, 1:9].min() > 0.9
    assert found[:, 11:].max() < 0.2
