"""Poses from video, by MediaPipe: one row a frame, of the most prominent person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dataset.errors import PoseError
from dataset.pose.blazepose import body_from_blazepose, face_from_mesh, outside_unseen
from dataset.pose.keypoints import FACE_POINTS, HAND_POINTS, Array, B, PoseSequence
from dataset.pose.landmarkers import bundle_path, open_landmarker, startup_noise_removed

#: Raised whenever the same video may give other key points than before, so that caches notice.
CODE_VERSION = 1

Progress = Callable[[int, int | None], None]
Image = npt.NDArray[np.uint8]
Parts = dict[str, Array]


def estimate_poses(
    video: Path, *, model: str = "holistic", bundle: Path | None = None, progress: Progress | None = None
) -> PoseSequence:
    """The key points of the main person in every frame of a video.

    Args:
        video: the file.
        model: "holistic" (body, face and hands, for synthesis) or "pose" (body alone, about three times as fast).
        bundle: a MediaPipe bundle of one's own instead of the one that ships.
        progress: called with the frames done and, where the container says it, their number.

    Returns:
        A sequence with one row for each frame that could be decoded. Frames without the person have confidence 0,
        and `notes` says how many they are.

    Raises:
        VideoError: the file cannot be read.
        ModelError: the bundle is missing or damaged.
        PoseError: not one frame could be decoded.
    """
    from dataset.video import VideoInfo, read_frames

    if model not in ("holistic", "pose"):
        raise PoseError(f"no pose model called {model!r}", hint='use "holistic" or "pose"')
    info = VideoInfo.from_path(video)
    rows: list[Parts] = []
    times: list[float] = []
    notes: list[str] = []
    size = (info.width, info.height)
    with _VideoLandmarker(model, bundle) as landmarker, read_frames(video) as reader:
        for frame in reader:
            size = (frame.image.shape[1], frame.image.shape[0])
            rows.append(landmarker.find(frame.image, frame.time))
            times.append(frame.time)
            if progress is not None:
                progress(len(rows), info.frame_count)
        notes.extend(reader.problems)
    if not rows:
        raise PoseError("no frame could be decoded", path=video)
    poses = PoseSequence(
        **{name: np.stack([row[name] for row in rows]) for name in rows[0]},
        times=np.array(times, np.float64),
        size=size,
        video_sha256=info.sha256,
        estimator=estimator_name(model),
    )
    missed = len(poses) - int(poses.present().sum())
    if missed:
        notes.append(f"no person found in {missed} of {len(poses)} frames")
    return replace(poses, notes=tuple(notes))


def estimator_name(model: str) -> str:
    """What goes into `PoseSequence.estimator`, e.g. "mediapipe 1.2.2 holistic, danceproof 1"."""
    from importlib.metadata import version

    return f"mediapipe {version('mediapipe')} {model}, danceproof {CODE_VERSION}"


class _VideoLandmarker:
    """One landmarker over the frames of one video, with timestamps that MediaPipe accepts."""

    def __init__(self, model: str, bundle: Path | None) -> None:
        self._model = model
        with startup_noise_removed():
            self._landmarker = open_landmarker(model, bundle_path(bundle or model), running_mode="VIDEO")
        self._last_ms = -1
        self._shape: tuple[int, ...] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._landmarker.close()

    def find(self, image: Image, time: float) -> Parts:
        """Body, hands and face in one frame; all zeros where there is nobody."""
        if self._shape is None:
            with startup_noise_removed():
                result = self._detect(image, time)
            self._shape = image.shape
        elif image.shape != self._shape:
            raise PoseError(f"the picture changes its size within the video: {self._shape} to {image.shape}")
        else:
            result = self._detect(image, time)
        size = (image.shape[1], image.shape[0])
        return holistic_parts(result, size) if self._model == "holistic" else pose_parts(result, size)

    def _detect(self, image: Image, time: float) -> Any:
        # Timestamps must rise; two frames within a millisecond, or a clock that stands still, are moved on by one.
        self._last_ms = max(self._last_ms + 1, round(time * 1000))
        return self._landmarker.detect_for_video(as_mediapipe(image), self._last_ms)


def as_mediapipe(image: Image) -> Any:
    """An RGB picture (H, W, 3) as MediaPipe's image."""
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))


def pixels(landmarks: list[Any], size: tuple[int, int]) -> Array:
    """(N, 4) x, y, depth in pixels and confidence = visibility × presence; points without a score have 1."""
    width, height = size
    return np.array(
        [
            (p.x * width, p.y * height, (p.z or 0.0) * width, _score(p.visibility) * _score(p.presence))
            for p in landmarks
        ],
        np.float32,
    ).reshape(-1, 4)


def _score(value: float | None) -> float:
    return 1.0 if value is None else min(max(value, 0.0), 1.0)


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
    nose, at least one half, since MediaPipe hands them out only above its own threshold of one half.
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
    if result.face_landmarks:
        confidence = max(0.5, float(parts["body"][B["Nose"], 2]))
        parts["face"] = face_from_mesh(pixels(result.face_landmarks, size), confidence, size)
    return parts
