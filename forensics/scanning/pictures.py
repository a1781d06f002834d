"""The most telling frame pairs as small pictures, with the evidence for a fake drawn on them."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import numpy.typing as npt

from forensics import heat as heats
from forensics.detectors import Detector
from forensics.scanning.evidence import window_logits
from forensics.scanning.look import Image, SeenPair
from forensics.scanning.result import Picture

_QUALITY = 82
_THUMB = 200


def picture(
    detector: Detector, pair: SeenPair, logits: npt.NDArray[np.float64] | None, even: float
) -> Picture:
    """The two frames of a pair round one person, and the first once more under its heat map.

    Args:
        detector: asked for the heat of each window; covered piece by piece where it has none of its own.
        pair: with its kept pictures.
        logits: (N,) score of each window of the pair; None where the detector does not judge windows: no heat then.
        even: the score at which fake and real are equally likely.
    """
    kept = pair.kept
    if kept is None:
        raise ValueError("no picture was kept of this pair")
    found, method = (None, "") if logits is None else frame_heat(detector, pair, logits, even)
    return Picture(
        box=kept.box,
        first=as_data(kept.first),
        second=as_data(kept.second),
        heat=as_data(heats.overlay(kept.first, found)) if found is not None else None,
        method=method,
    )


def frame_heat(
    detector: Detector, pair: SeenPair, logits: npt.NDArray[np.float64], even: float
) -> tuple[heats.Heat | None, str]:
    """Heat over the kept picture, and how it was found; None and "" where no window spoke for a fake."""
    kept = pair.kept
    if kept is None:
        raise ValueError("no picture was kept of this pair")
    # Windows that spoke for a camera are cold whatever is in them: nothing needs to be found out about those.
    warm = [index for index in range(len(logits)) if logits[index] > even]
    if not warm:
        return None, ""
    windows = np.stack([pair.views[index].pixels for index in warm])
    warmth = detector.heat(windows)
    method = heats.GRADIENT
    if warmth is None:
        method = heats.OCCLUSION
        parts = tuple(pair.views[index].part for index in warm)
        warmth = heats.occlusion(lambda shown: window_logits(detector, shown, parts), windows)
    # The cold ones count where they overlap with warm ones; those that were not judged do not.
    judged = [index for index in range(len(logits)) if np.isfinite(logits[index])]
    full = np.zeros((len(logits), *windows.shape[2:4]), np.float32)
    full[warm] = warmth
    height, width = kept.first.shape[:2]
    boxes = [pair.views[index].box for index in judged]
    return heats.onto_frame(full[judged], logits[judged], boxes, kept.box, (width, height), even), method


def as_data(image: Image) -> str:
    """(H, W, 3) RGB as JPEG in a ``data:`` address."""
    done, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ValueError("a picture could not be encoded")
    return "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode("ascii")


def thumbnail(image: Image) -> Image:
    """Small enough for every moment of the time line to have one."""
    height = min(_THUMB, image.shape[0])
    width = max(round(image.shape[1] * height / image.shape[0]), 1)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
