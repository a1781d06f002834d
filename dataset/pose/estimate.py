"""Poses from video, by MediaPipe: one row a frame, of the most prominent person."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dataset.errors import PoseError
from dataset.pose.blazepose import body_from_blazepose, face_from_mesh, outside_unseen
from dataset.pose.choice import MAIN, choose, parse_person
from dataset.pose.keypoints import FACE_POINTS, HAND_POINTS, Array, B, PoseSequence, body_box
from dataset.pose.landmarkers import Quiet, as_mediapipe, bundle_path, open_landmarker, pixels
from dataset.pose.people import PeopleFinder
from dataset.pose.tracks import Box, Track, Window, link, windows

#: Raised whenever the same video may give other key points than before, so that caches notice.
CODE_VERSION = 4
#: Seconds between two looks for everybody in the picture.
SURVEY_EVERY = 0.25
#: So many people are told apart where one of them is asked for.
_MOST_PEOPLE = 8
#: Two hands closer than this part of their size, in the median of their points, are one hand,
DOUBLE_HAND = 0.3
#: if the wrist of one of them has a lower confidence than this.
HIDDEN_WRIST = 0.5

Progress = Callable[[int, int | None], None]
Image = npt.NDArray[np.uint8]
Parts = dict[str, Array]


def estimate_poses(
    video: Path,
    *,
    model: str = "holistic",
    bundle: Path | None = None,
    person: str = MAIN,
    progress: Progress | None = None,
) -> PoseSequence:
    """The key points of one person in every frame of a video.

    The video is read twice. First everybody is looked for a few times a second, and the main person is followed, or
    whoever is asked for (`dataset.pose.tracks`, `dataset.pose.choice`). Then every frame is estimated within a window
    round that person, so that neither bystanders nor furniture are taken for them, and a small person is seen large.

    Args:
        video: the file.
        model: "holistic" (body, face and hands, for synthesis) or "pose" (body alone, faster).
        bundle: a MediaPipe bundle of one's own instead of the one that ships.
        person: who: "main", "left", "right", a number, or a place and time such as "410,220@3.5".
        progress: called with the frames read so far and, where the container says it, how many there will be; each
            frame counts twice.

    Returns:
        A sequence with one row for each frame that could be decoded. Frames without the person have confidence 0,
        and `notes` says how many they are, when another person takes over, and where the file is damaged.

    Raises:
        VideoError: the file cannot be read.
        ModelError: the bundle is missing or damaged.
        PoseError: no such model or person, or not one frame could be decoded.
    """
    from dataset.video import VideoInfo, read_frames

    if model not in ("holistic", "pose"):
        raise PoseError(f"no pose model called {model!r}", hint='use "holistic" or "pose"')
    person = parse_person(person)
    path = bundle_path(bundle or model)
    info = VideoInfo.from_path(video)
    steps = _Steps(progress, info.frame_count)
    tracks = _survey(video, steps, person)
    rows: list[Parts] = []
    times: list[float] = []
    size = (info.width, info.height)
    with _Follower(model, path, tracks) as follower, read_frames(video) as reader:
        for frame in reader:
            size = (frame.image.shape[1], frame.image.shape[0])
            rows.append(follower.find(frame.image, frame.time))
            times.append(frame.time)
            steps.step()
        problems = tuple(reader.problems)
    if not rows:
        raise PoseError("no frame could be decoded", path=video)
    poses = PoseSequence(
        body=np.stack([row["body"] for row in rows]),
        left_hand=np.stack([row["left_hand"] for row in rows]),
        right_hand=np.stack([row["right_hand"] for row in rows]),
        face=np.stack([row["face"] for row in rows]),
        times=np.array(times, np.float64),
        size=size,
        video_sha256=info.sha256,
        estimator=estimator_name(model),
    )
    return replace(poses, notes=problems + _notes(poses, tracks, follower.strangers))


def _notes(poses: PoseSequence, tracks: list[Track], strangers: int) -> tuple[str, ...]:
    notes = []
    missed = len(poses) - int(poses.present().sum())
    if missed:
        notes.append(f"no person found in {missed} of {len(poses)} frames")
    if strangers:
        notes.append(f"another person found instead of the main one in {strangers} frames, left out")
    if len(tracks) > 1:
        starts = ", ".join(f"{track.start:.1f}" for track in tracks)
        notes.append(f"{len(tracks)} separate appearances, perhaps of different people, from {starts} s")
    return tuple(notes)


class _Steps:
    """Counts frames over both readings for the progress callback."""

    def __init__(self, progress: Progress | None, frames: int | None) -> None:
        self._progress, self._total, self._done = progress, None if frames is None else 2 * frames, 0

    def step(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


def _survey(video: Path, steps: _Steps, person: str) -> list[Track]:
    """The tracks of the person who is meant, from everybody found every `SURVEY_EVERY` seconds."""
    from dataset.video import read_frames

    moments: list[tuple[float, list[Array]]] = []
    size = (0, 0)
    with (
        PeopleFinder(max_people=3 if person == MAIN else _MOST_PEOPLE) as finder,
        read_frames(video) as reader,
    ):
        for frame in reader:
            if not moments or frame.time - moments[-1][0] >= SURVEY_EVERY:
                size = (frame.image.shape[1], frame.image.shape[0])
                moments.append((frame.time, finder.find(frame.image)))
            steps.step()
    try:
        return choose(link(moments), size, samples=len(moments), person=person)
    except PoseError as error:
        raise PoseError(error.problem, path=video, hint=error.hint) from error


class _Follower:
    """Estimates frame after frame within the windows round the main person."""

    def __init__(self, model: str, bundle: Path, tracks: list[Track]) -> None:
        self._model, self._bundle = model, bundle
        self._windows = [window for track in tracks for window in windows(track, padding=2 * SURVEY_EVERY)]
        self._current: Window | None = None
        self._landmarker: Any = None
        self._last_ms = -1
        #: Frames in which somebody else was found within the window.
        self.strangers = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._landmarker is not None:
            self._landmarker.close()
        self._landmarker = None

    def find(self, image: Image, time: float) -> Parts:
        """Body, hands and face in one frame; all zeros where the person is not found."""
        window = next((window for window in self._windows if window.start <= time <= window.stop), None)
        if window is None:
            return nobody()
        if window is not self._current:
            # Tracking and smoothing inside the landmarker live in the window's coordinates: a new one begins anew.
            self._close()
            self._landmarker = open_landmarker(self._model, self._bundle, running_mode="VIDEO")
            self._current, self._last_ms = window, -1
        # Timestamps must rise; two frames within a millisecond, or a clock that stands still, are moved on by one.
        self._last_ms = max(self._last_ms + 1, round((time - window.start) * 1000))
        cut = as_mediapipe(cut_window(image, window))
        result = Quiet.detect(lambda: self._landmarker.detect_for_video(cut, self._last_ms))
        read = holistic_parts if self._model == "holistic" else pose_parts
        size = (image.shape[1], image.shape[0])
        parts = read(result, (window.side, window.side))
        for name, points in parts.items():
            points[:, :2] += np.where(points[:, 2:] > 0, np.array([window.left, window.top], np.float32), 0)
            parts[name] = outside_unseen(points, size)
        box = body_box(parts["body"])
        if box is not None and not same_place(box, window.track.box_at(time)):
            self.strangers += 1
            return nobody()
        return parts


def cut_window(image: Image, window: Window) -> Image:
    """The window's square of the picture, black where it sticks out."""
    height, width = image.shape[:2]
    out = np.zeros((window.side, window.side, 3), np.uint8)
    x0, y0 = max(window.left, 0), max(window.top, 0)
    x1, y1 = min(window.left + window.side, width), min(window.top + window.side, height)
    if x1 > x0 and y1 > y0:
        out[y0 - window.top : y1 - window.top, x0 - window.left : x1 - window.left] = image[y0:y1, x0:x1]
    return out


def same_place(box: Box, expected: Box) -> bool:
    """Whether two boxes can be the same person a fraction of a second apart: middles within half a body size."""
    size = max(expected[2] - expected[0], expected[3] - expected[1])
    across, along = ((box[i] + box[i + 2] - expected[i] - expected[i + 2]) / 2 for i in (0, 1))
    return math.hypot(across, along) <= 0.5 * size


def estimator_name(model: str) -> str:
    """What goes into `PoseSequence.estimator`, e.g. "mediapipe 1.2.2 holistic, danceproof 4"."""
    from importlib.metadata import version

    return f"mediapipe {version('mediapipe')} {model}, danceproof {CODE_VERSION}"


def nobody() -> Parts:
    """The parts of a frame without a person."""
    return {
        "body": np.zeros((25, 3), np.float32),
        "left_hand": np.zeros((HAND_POINTS, 3), np.float32),
        "right_hand": np.zeros((HAND_POINTS, 3), np.float32),
        "face": np.zeros((FACE_POINTS, 3), np.float32),
    }


def pose_parts(result: Any, size: tuple[int, int]) -> Parts:
    """The first person of a pose landmarker's result."""
    parts = nobody()
    if result.pose_landmarks:
        parts["body"] = body_from_blazepose(pixels(result.pose_landmarks[0], size), size)
    return parts


def holistic_parts(result: Any, size: tuple[int, int]) -> Parts:
    """A holistic landmarker's result.

    Hands and face come without scores. A hand takes the confidence of the wrist it hangs on, the face that of the
    nose, at least one half, since MediaPipe hands them out only above its own threshold of one half. Where both
    hands were found in the same place and one wrist is hidden, the hand of that wrist has confidence 0.
    """
    parts = nobody()
    if not result.pose_landmarks:
        return parts
    parts["body"] = body_from_blazepose(pixels(result.pose_landmarks, size), size)
    for side, name, found in (
        ("LWrist", "left_hand", result.left_hand_landmarks),
        ("RWrist", "right_hand", result.right_hand_landmarks),
    ):
        if found:
            hand = pixels(found, size)[:, [0, 1, 3]]
            hand[:, 2] = max(0.5, float(parts["body"][B[side], 2]))
            parts[name] = outside_unseen(hand, size)
    _drop_double_hand(parts)
    if result.face_landmarks:
        confidence = max(0.5, float(parts["body"][B["Nose"], 2]))
        parts["face"] = face_from_mesh(pixels(result.face_landmarks, size), confidence, size)
    return parts


def _drop_double_hand(parts: Parts) -> None:
    left, right = parts["left_hand"], parts["right_hand"]
    wrists = {"left_hand": parts["body"][B["LWrist"], 2], "right_hand": parts["body"][B["RWrist"], 2]}
    hidden = min(wrists, key=lambda name: float(wrists[name]))
    # Palms put together lie in one place as well, but then both wrists are in sight.
    if wrists[hidden] >= HIDDEN_WRIST or not (left[:, 2].any() and right[:, 2].any()):
        return
    size = min(float(np.ptp(hand[:, :2], axis=0).max()) for hand in (left, right))
    apart = float(np.median(np.hypot(*(left[:, :2] - right[:, :2]).T)))
    if apart < DOUBLE_HAND * size:
        parts[hidden] = np.zeros_like(parts[hidden])
