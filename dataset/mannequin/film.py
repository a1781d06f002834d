"""Filming the mannequin: frames as a camera would take them, with the true joints beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dataset.errors import DanceproofError
from dataset.files import sha256_file
from dataset.mannequin import figure, raycast
from dataset.mannequin.camera import Camera
from dataset.mannequin.chance import dice
from dataset.mannequin.motion import LEFT, MOTIONS, RIGHT, pose_at
from dataset.mannequin.performer import Performer
from dataset.mannequin.room import room
from dataset.mannequin.shading import Wardrobe, shade
from dataset.mannequin.skeleton import Skeleton, body_points, build
from dataset.pose.keypoints import FACE_POINTS, PoseSequence
from dataset.provenance import rendering_tags
from dataset.video import VideoWriter

Frame = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]

#: Where in the pixel the rays of each pass go: smooth edges, and motion blur when each has its own moment.
_OFFSETS = ((-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375))
#: Part of a frame's time that the shutter is open.
_SHUTTER = 0.4
#: Pixels that something may move from one pass to the next before the passes show as ghosts.
_STRIDE = 2.5


class Studio:
    """One performer in their room in front of a camera. Painting the room and the clothes is done once, here.

    Args:
        performer: who.
        size: width and height of the picture in pixels.
    """

    def __init__(self, performer: Performer, size: tuple[int, int]) -> None:
        if min(size) < 64:
            raise DanceproofError(f"a picture of {size[0]}x{size[1]} is too small for a mannequin")
        self.performer = performer
        self.camera = Camera.facing(performer, size)
        self._wardrobe = Wardrobe(performer)
        self._room = room(performer, self.camera)
        grain = dice(performer.seed, 37).standard_normal((size[1] + 64, size[0] + 64, 3))
        # Neighbouring pixels of a sensor share their colour filters, so the grain is not quite white.
        soft = cv2.GaussianBlur(grain.astype(np.float32), (0, 0), 0.55)
        self._grain = np.asarray(soft * (performer.noise / soft.std()), np.float32)

    def skeleton(self, motion: str, time: float, seed: int = 0) -> Skeleton:
        """The bones in the room at a moment of a motion.

        Raises:
            DanceproofError: there is no such motion.
        """
        if motion not in MOTIONS:
            raise DanceproofError(f"no motion is called {motion!r}", hint=f"one of {', '.join(MOTIONS)}")
        return build(self.performer.body, pose_at(self.performer, motion, time, seed))

    def joints(self, skeleton: Skeleton) -> tuple[Plane, Plane]:
        """The true (25, 3) body points and (2, 21, 3) hand points, left first; confidence 1 inside the picture."""
        body = self._seen(body_points(self.performer.body, skeleton))
        hands = np.stack([self._seen(skeleton.fingers[side]) for side in (LEFT, RIGHT)])
        return body, hands

    def _seen(self, points: npt.NDArray[np.float64]) -> Plane:
        pixels, _ = self.camera.project(points)
        # Pixel coordinates count from the middle of the first pixel, as in OpenCV and the estimators.
        pixels = pixels - 0.5
        width, height = self.camera.size
        inside = (pixels > -0.5).all(axis=1) & (pixels[:, 0] < width - 0.5) & (pixels[:, 1] < height - 0.5)
        return np.concatenate([pixels, inside[:, None]], axis=1).astype(np.float32)

    def picture(self, motion: str, time: float, exposure: float, seed: int = 0) -> Frame:
        """(H, W, 3) uint8 RGB: what the camera takes in `exposure` seconds round `time`."""
        light: Plane = self._room.copy()
        empty: Plane | None = None
        count = self._passes(motion, time, exposure, seed)
        for number in range(count):
            moment = (number + 0.5) / count - 0.5
            pose = pose_at(self.performer, motion, time + moment * exposure, seed)
            skeleton = build(self.performer.body, pose)
            sway = 0.25 * float(np.sin(2 * time)) * abs(float(pose.head[1]))
            solids = figure.solids(self.performer, skeleton, sway)
            if empty is None:  # the shadow is soft, one for the whole exposure is enough
                light *= self._shadow(solids)[..., None]
                empty = light.copy()
            hits = raycast.cast(solids, self.camera, _OFFSETS[number % len(_OFFSETS)])
            if hits is None:
                continue
            expression = (float(pose.face[0]), float(pose.face[1]))
            rows, columns, colour = shade(hits, solids, self.camera, self._wardrobe, expression)
            rows, columns = rows + hits.box[1], columns + hits.box[0]
            light[rows, columns] += (colour - empty[rows, columns]) / np.float32(count)
        return self._develop(light, time, seed)

    def _passes(self, motion: str, time: float, exposure: float, seed: int) -> int:
        """Into how many moments the exposure is cut: more where something moves fast, such as a waving hand."""
        places = []
        for moment in (time - exposure / 2, time + exposure / 2):
            skeleton = build(self.performer.body, pose_at(self.performer, motion, moment, seed))
            fingers = [skeleton.fingers[side][[4, 8, 20]] for side in (LEFT, RIGHT)]
            pixels, _ = self.camera.project(
                np.concatenate([body_points(self.performer.body, skeleton), *fingers])
            )
            places.append(pixels)
        travel = float(np.linalg.norm(places[1] - places[0], axis=1).max())
        return len(_OFFSETS) * int(np.clip(np.ceil(travel / _STRIDE / len(_OFFSETS)), 1, 3))

    def _shadow(self, solids: Sequence[raycast.Solid]) -> Plane:
        """(H, W) the share of light that reaches the floor past the figure."""
        width, height = self.camera.size
        fine = 2
        mask = np.zeros((height // fine, width // fine), np.float32)
        contact = mask.copy()
        light = np.array(self.performer.light)
        for solid in solids:
            if max(solid.radii) < 0.02:
                continue
            ends = np.stack([solid.frame.origin, solid.frame.origin + solid.frame.axes[:, 1] * solid.length])
            floor = ends - ends[:, 1:2] / light[1] * light
            radius = min(solid.radii) * 1.1
            for points, layer, reach in ((floor, mask, radius), (ends * [1, 0, 1], contact, 1.2 * radius)):
                if layer is contact and ends[:, 1].min() > 0.12:
                    continue
                pixels, depth = self.camera.project(points)
                # A disc on the floor is seen as a flat ellipse; strokes of its height are near enough once blurred.
                thick = self.camera.focal * reach / float(depth.mean()) / fine
                a, b = (tuple(int(v) for v in np.round(p / fine * 8)) for p in pixels)
                cv2.line(layer, a, b, 1.0, max(1, round(thick)), cv2.LINE_AA, 3)
        reach = height / fine / 480 * 9
        soft = cv2.GaussianBlur(mask, (0, 0), reach)
        close = cv2.GaussianBlur(contact, (0, 0), reach / 3)
        share = 1 - (0.25 + 0.4 * self.performer.contrast) * np.clip(soft, 0, 1) - 0.3 * np.clip(close, 0, 1)
        return np.asarray(cv2.resize(np.maximum(share, 0.2), (width, height)), np.float32)

    def _develop(self, light: Plane, time: float, seed: int) -> Frame:
        """Light to levels, with the noise of the sensor."""
        height, width = light.shape[:2]
        curve = np.clip(light, 0, None)
        # A soft shoulder keeps pale clothes from burning out.
        curve = np.where(curve > 0.7, 0.7 + 0.3 * (1 - np.exp(-(curve - 0.7) / 0.3)), curve)
        levels = cv2.pow(np.asarray(curve, np.float32), 1 / 2.2) * 255
        rng = dice(self.performer.seed, seed, round(time * 1000), 41)
        y, x = (int(v) for v in rng.integers(0, 64, 2))
        grain = self._grain[y : y + height, x : x + width]
        if rng.random() < 0.5:
            grain = grain[:, ::-1]
        # Shot noise: stronger in light, but the curve spreads the shadows.
        strength = 0.6 + 0.4 * np.sqrt(np.maximum(0, 1 - levels / 255))
        return np.clip(levels + grain * strength + 0.5, 0, 255).astype(np.uint8)


def render(
    performer: Performer,
    motion: str,
    *,
    seconds: float,
    fps: float = 25,
    size: tuple[int, int] = (480, 640),
    seed: int = 0,
    start: float = 0.0,
) -> Iterator[tuple[Frame, Plane]]:
    """Frames of a performance, one by one, with the true joints in the middle of each exposure.

    Args:
        performer: who.
        motion: one of `MOTIONS`.
        seconds: how long; any length.
        fps: frames a second.
        size: width and height in pixels.
        seed: another performance of the same motion.
        start: seconds into the motion at which to begin.

    Yields:
        (H, W, 3) uint8 RGB, and (25, 3) float32 of BODY_25: pixels, and confidence 1, or 0 outside the picture.

    Raises:
        DanceproofError: there is no such motion, the picture is too small or the time too short for a frame.
    """
    studio = Studio(performer, size)
    for time in _times(seconds, fps):
        truth, _ = studio.joints(studio.skeleton(motion, start + time, seed))
        yield studio.picture(motion, start + time, _SHUTTER / fps, seed), truth


def _times(seconds: float, fps: float) -> list[float]:
    """When the frames are taken, seconds from the first."""
    count = round(seconds * fps) if fps > 0 and np.isfinite(seconds * fps) else 0
    if count < 1:
        raise DanceproofError(f"{seconds} s at {fps} frames a second hold no frame")
    return [index / fps for index in range(count)]


def film(
    path: str | Path,
    performer: Performer,
    motion: str,
    *,
    seconds: float,
    fps: float = 25,
    size: tuple[int, int] = (480, 640),
    seed: int = 0,
    crf: int = 20,
    progress: Callable[[int, int | None], None] | None = None,
) -> PoseSequence:
    """Film a performance into an H.264 file that says of itself that it is a rendering.

    Args:
        path: the file to write; see `render` for the other arguments.
        crf: quality of the encoder, smaller is better.
        progress: called with frames filmed and in all.

    Returns:
        The true joints of every frame: body and hands; the face has confidence 0 because it is not known.

    Raises:
        DanceproofError: as `render`.
        VideoError: the file cannot be written.
    """
    studio = Studio(performer, size)
    bodies, hands = [], []
    times = _times(seconds, fps)
    with VideoWriter(path, size, fps=fps, crf=crf, metadata=rendering_tags("dataset mannequin")) as writer:
        for time in times:
            body, both = studio.joints(studio.skeleton(motion, time, seed))
            bodies.append(body)
            hands.append(both)
            writer.write(studio.picture(motion, time, _SHUTTER / fps, seed))
            if progress is not None:
                progress(len(bodies), len(times))
    fingers = np.array(hands, np.float32)
    return PoseSequence(
        body=np.array(bodies, np.float32),
        left_hand=fingers[:, LEFT],
        right_hand=fingers[:, RIGHT],
        face=np.zeros((len(times), FACE_POINTS, 3), np.float32),
        times=np.array(times),
        size=size,
        video_sha256=sha256_file(path),
        estimator="truth",
    )
