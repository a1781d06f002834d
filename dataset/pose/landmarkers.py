"""MediaPipe's landmarkers, opened quietly from the bundles that ship with the package.

Bundles are zip files of TensorFlow Lite models; `dataset.pose.models.rebuild` makes them again. The blendshape model
inside the holistic bundle is a placeholder, so blendshapes are never asked for.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from dataset.errors import ModelError, PoseError
from dataset.pose.keypoints import Array

#: The bundles that ship, by the name they are asked for.
BUNDLES = {
    "holistic": "holistic_landmarker.task",
    "pose": "pose_landmarker_full.task",
    "full": "pose_landmarker_full.task",
}
_FOLDER = Path(__file__).parent / "models"
_STDERR = 2
#: What MediaPipe and TensorFlow Lite write while they start up, below the level of an error.
_NOISE = re.compile(
    rb"[IW]\d{4} [\d:.]+ +\d+ \S+:\d+\] [^\n]*\n"
    rb"|INFO: Created TensorFlow Lite [^\n]*\n"
    rb"|WARNING: (?:Read-only tensor|Logging before InitGoogle)[^\n]*\n"
)


def bundle_path(model: str | Path) -> Path:
    """Where the bundle is: a name of `BUNDLES`, or the path of a bundle of one's own.

    Raises:
        ModelError: there is no such file; the message says how to get it.
    """
    path = _FOLDER / BUNDLES[model] if model in BUNDLES else Path(model)
    if not path.is_file():
        raise ModelError(
            f"no such pose model (names: {', '.join(BUNDLES)}, or the path of a .task file)"
            if model not in BUNDLES
            else "the pose model is missing",
            path=path,
            hint="make the bundles again with: python -m dataset.pose.models.rebuild",
        )
    return path


@contextmanager
def native_noise_removed() -> Iterator[None]:
    """Keep the chatter of the native libraries off stderr, and nothing else.

    They write to file descriptor 2 past Python, and until their logging is initialised, which Python cannot do, no
    environment variable stops them. So the descriptor points to a file within the block; afterwards everything but
    the known kinds of information and warnings is passed on, and all of it if the block failed.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(_STDERR)
    except OSError:  # a process without stderr: nothing to keep clean
        yield
        return
    failed = True
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), _STDERR)
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(kept, _STDERR)
            os.close(kept)
            caught.seek(0)
            text = caught.read()
            os.write(_STDERR, text if failed else _NOISE.sub(b"", text))


class _Plotting(ModuleType):
    """Stands for a module of matplotlib until something is asked of it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def without_plotting() -> Iterator[None]:
    """Import MediaPipe without matplotlib, which it draws with if asked to.

    Nothing here asks, and matplotlib takes four times as long to import as MediaPipe itself. Where it is imported
    already, nothing is changed.
    """
    names = ("matplotlib", "matplotlib.pyplot")
    if any(name in sys.modules for name in ("mediapipe", *names)):
        yield
        return
    standing = {name: _Plotting(name) for name in names}
    vars(standing["matplotlib"])["pyplot"] = standing["matplotlib.pyplot"]
    sys.modules.update(standing)
    try:
        yield
    finally:
        for name, module in standing.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


class Quiet:
    """Runs detections without noise until one of them has found somebody.

    The last of the libraries' start-up warnings comes with the first person, once in a process; after that every
    detection runs untouched.
    """

    settled = False

    @classmethod
    def detect(cls, run: Callable[[], Any]) -> Any:
        """What `run` returns: a result with `pose_landmarks`.

        Raises:
            PoseError: MediaPipe gave up on the picture.
        """
        try:
            if cls.settled:
                return run()
            with native_noise_removed():
                result = run()
        except (RuntimeError, ValueError) as error:
            raise PoseError(f"MediaPipe failed ({error})", hint="is the bundle one of this kind?") from error
        cls.settled = bool(result.pose_landmarks)
        return result


def open_landmarker(kind: str, bundle: Path, **options: Any) -> Any:
    """A landmarker of MediaPipe Tasks on the CPU.

    Args:
        kind: "holistic" or "pose".
        bundle: path of its .task file.
        options: passed to MediaPipe's options class; `running_mode` is "IMAGE" or "VIDEO".

    Raises:
        ModelError: MediaPipe cannot read the bundle.
    """
    with without_plotting():
        from mediapipe.tasks.python import BaseOptions, vision

    create, settings = {
        "holistic": (vision.HolisticLandmarker, vision.HolisticLandmarkerOptions),
        "pose": (vision.PoseLandmarker, vision.PoseLandmarkerOptions),
    }[kind]
    mode = vision.RunningMode[options.pop("running_mode")]
    try:
        with native_noise_removed():
            return create.create_from_options(
                settings(base_options=BaseOptions(model_asset_path=str(bundle)), running_mode=mode, **options)
            )
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"not a {kind} bundle that MediaPipe can read ({error})",
            path=bundle,
            hint="make the bundles again with: python -m dataset.pose.models.rebuild",
        ) from error


def as_mediapipe(image: npt.NDArray[np.uint8]) -> Any:
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
