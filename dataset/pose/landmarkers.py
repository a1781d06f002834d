"""MediaPipe's landmarkers, opened quietly from the bundles that ship with the package.

Bundles are zip files of TensorFlow Lite models; `dataset.pose.models.rebuild` makes them again. The blendshape model
inside the holistic bundle is a placeholder, so blendshapes are never asked for.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataset.errors import ModelError

#: The bundles that ship, by the name they are asked for.
BUNDLES = {
    "holistic": "holistic_landmarker.task",
    "pose": "pose_landmarker_full.task",
    "full": "pose_landmarker_full.task",
}
_FOLDER = Path(__file__).parent / "models"
_STDERR = 2
#: How lines begin that MediaPipe and TensorFlow Lite write while they start up, below the level of an error.
_NOISE = ("I0000", "W0000", "INFO: ", "WARNING: ")


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
def startup_noise_removed() -> Iterator[None]:
    """Keep the start-up chatter of the native libraries off stderr, and nothing else.

    They write to file descriptor 2 past Python, and their log level can only be set by a flag that Python cannot
    reach. So the descriptor points to a file while a landmarker starts and sees its first frame; afterwards every
    line that is not plain information or a warning is passed on, all of them if the start failed.
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
            for line in caught.read().decode("utf-8", "replace").splitlines():
                if failed or not line.startswith(_NOISE):
                    print(line, file=sys.stderr)


def open_landmarker(kind: str, bundle: Path, **options: Any) -> Any:
    """A landmarker of MediaPipe Tasks on the CPU.

    Args:
        kind: "holistic" or "pose".
        bundle: path of its .task file.
        options: passed to MediaPipe's options class; `running_mode` is "IMAGE" or "VIDEO".

    Raises:
        ModelError: MediaPipe cannot read the bundle.
    """
    from mediapipe.tasks.python import BaseOptions, vision

    create, settings = {
        "holistic": (vision.HolisticLandmarker, vision.HolisticLandmarkerOptions),
        "pose": (vision.PoseLandmarker, vision.PoseLandmarkerOptions),
    }[kind]
    mode = vision.RunningMode[options.pop("running_mode")]
    try:
        return create.create_from_options(
            settings(base_options=BaseOptions(model_asset_path=str(bundle)), running_mode=mode, **options)
        )
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"not a {kind} bundle that MediaPipe can read ({error})",
            path=bundle,
            hint="make the bundles again with: python -m dataset.pose.models.rebuild",
        ) from error
