"""Frames that stand for a recording, and which of them suits a pose.

Nearest neighbours in pose space (Cover and Hart, 1967), for each region of the body by itself: the frame whose head is
held like that, whose arms and hands, whose legs. Over a sequence the choice is held as long as it is about as good as
the best (Viterbi, 1967): each change of frame can be seen.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from dataset.errors import ModelError
from dataset.files import atomic_path, sha256_file
from dataset.pose.keypoints import SEEN, B
from synthesis.appearance.occluders import View, occluders, trunk_covered
from synthesis.appearance.skinning import REGIONS, Parts, Skin, size_of

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

#: A change of frame has to gain this much, as a mean distance of key points in shares of the person's size.
HOLD = 0.02
_SPOILT = 0.1  # what a region counts, as a distance, that something else lies before
_COVERED = 1.0  # what the trunk counts, as a distance, that an arm lies before and should not
_MOMENT = 0.6  # seconds after which something that was held before the body has moved on
_COMPARED = 40  # frames that are looked at to tell how a part of the body usually looks
_UNSEEN = 0.15  # what a point that only one of the poses shows counts, as a distance
_HEAD = [B[name] for name in ("Nose", "REye", "LEye", "REar", "LEar")]
_ARMS = [[B[side + name] for name in ("Shoulder", "Elbow", "Wrist")] for side in "RL"]
_BENDS = [B[side + name] for side in "RL" for name in ("Elbow", "Wrist")]
_LEGS = [[B[side + name] for name in ("Hip", "Knee", "Ankle", "BigToe")] for side in "RL"]
_PARTS = ("body", "left_hand", "right_hand", "face")
_FINE = 8.0  # a face and a hand are about so much smaller than the body


@dataclass(frozen=True)
class Item:
    """One frame of a gallery.

    Attributes:
        recording: SHA-256 of the video it is from.
        time: of the frame in seconds.
        parts: the pose in pixels of its window.
        picture: (H, W, 3) uint8, the window's picture, at the window's size or larger.
        silhouette: (h, w) uint8, how certainly each pixel of the window shows the person, 255 at most.
    """

    recording: str
    time: float
    parts: Parts
    picture: Image
    silhouette: Image


class Gallery:
    """Frames of the target, to be asked which of them suits a pose.

    Args:
        items: at least one.
        shape: width and height of the window that the poses are in.
    """

    def __init__(self, items: list[Item], shape: tuple[int, int]) -> None:
        self.items, self.shape = items, shape
        self._traits = [np.stack(column) for column in zip(*(traits_of(i.parts) for i in items), strict=True)]
        self._times = np.array([item.time for item in items])
        self._recordings = np.array([item.recording for item in items])
        self._closest: dict[int, Image] = {}

    def __len__(self) -> int:
        return len(self.items)

    def closest(self, index: int) -> Image:
        """`Skin.closest` of frame `index`, (2, h, w) uint8."""
        if index not in self._closest:
            self._closest[index] = Skin(self.items[index].parts, self.shape).closest()
        return self._closest[index]

    @cached_property
    def occluded(self) -> list[Image]:
        """For each frame (h, w) uint8, 255 where something lies before the person."""
        views = [
            View(item.parts, to_window(item.picture, self.shape), item.silhouette, self.closest(index)[0])
            for index, item in enumerate(self.items)
        ]
        return occluders(views, [self._compared(item) for item in self.items])

    @cached_property
    def _spoilt(self) -> Floats:
        """(6, N) before which share of each region something lies, frame by frame."""
        spoilt = np.zeros((len(REGIONS), len(self)))
        for index, hidden in enumerate(self.occluded):
            if hidden.any():
                share = Skin(self.items[index].parts, self.shape).share
                spoilt[:, index] = (share * (hidden / 255)).sum((1, 2)) / np.maximum(share.sum((1, 2)), 1)
        return spoilt

    def _compared(self, item: Item) -> npt.NDArray[np.intp]:
        """The frames that show what usually lies where: of similar poses, at other moments."""
        far = np.flatnonzero(
            (self._recordings != item.recording) | (np.abs(self._times - item.time) > _MOMENT)
        )
        distances = self._alike(item.parts)[0][far]
        return far[np.argsort(distances, kind="stable")[:_COMPARED]]

    def distances(self, parts: Parts) -> Floats:
        """How unlike each frame is to a pose.

        Args:
            parts: one pose in pixels, of any scale.

        Returns:
            (6, N): for the whole body, and for head, either arm and either leg with a word of the whole; in shares of
            the person's size. With the trunk is bent what lies before it, so for the whole body the arms count as
            much as everything together. A frame in which something lies before a region is the farther.
        """
        distances = self._alike(parts) + _SPOILT * self._spoilt
        free = ~trunk_covered(parts, Skin(parts, self.shape).closest()[0])
        distances[0] += _COVERED * (self._covered & free).mean(1)
        return distances

    @cached_property
    def _covered(self) -> npt.NDArray[np.bool_]:
        """(N, P), before which places of the trunk an arm lies in each frame."""
        return np.stack([trunk_covered(item.parts, self.closest(i)[0]) for i, item in enumerate(self.items)])

    def _alike(self, parts: Parts) -> Floats:
        traits = traits_of(parts)
        body, head, left, right = (
            distance(own, theirs) for own, theirs in zip(traits, self._traits, strict=True)
        )
        own, theirs = traits[0], self._traits[0]
        bends = distance(own[_BENDS], theirs[:, _BENDS])
        arms = [
            distance(own[points], theirs[:, points]) + 0.5 * hand
            for points, hand in zip(_ARMS, (right, left), strict=True)
        ]
        legs = [distance(own[points], theirs[:, points]) for points in _LEGS]
        return np.stack(
            [0.5 * (body + bends), head + 0.5 * body, *(limb + 0.3 * body for limb in (*arms, *legs))]
        )

    def apart(self, recording: str, time: float, least: float) -> npt.NDArray[np.bool_]:
        """(N,) which frames may be shown at `time` of `recording`: those of other recordings, and those further off.

        Without this a self-re-enactment would copy the very frame that it is to be compared with. Where all frames
        are nearer than `least` seconds, the one that is farthest off remains.
        """
        gap = np.where(self._recordings == recording, np.abs(self._times - time), np.inf)
        return (gap > least) | (gap >= gap.max())

    def choose(
        self,
        poses: list[Parts],
        recording: str,
        times: Floats,
        least: float,
        before: npt.NDArray[np.intp] | None = None,
    ) -> npt.NDArray[np.intp]:
        """A frame for each region of each pose of a sequence, changing no more often than it is worth.

        Args:
            poses: T of them, in pixels.
            recording: SHA-256 of the video that they are from, empty if none.
            times: (T,) of the poses in seconds.
            least: see `apart`.
            before: (6,) what was chosen just before the first pose.

        Returns:
            (T, 6) indices into `items`.
        """
        costs = np.stack([self.distances(parts) for parts in poses])  # (T, 6, N)
        for row, time in enumerate(times):
            costs[row][:, ~self.apart(recording, float(time), least)] = np.inf
        paths = []
        for region in range(len(REGIONS)):
            if before is not None:
                costs[0, region] += HOLD * (np.arange(len(self)) != before[region])
            paths.append(_path(costs[:, region], HOLD))
        return np.stack(paths, axis=1)

    def save(self, path: Path) -> str:
        """Write everything as one file of plain arrays, pictures as JPEG, and return its SHA-256."""
        coded = [_encode(item.picture) for item in self.items]
        outlines = np.stack([item.silhouette for item in self.items])
        with atomic_path(path) as temporary, temporary.open("wb") as out:
            body, left_hand, right_hand, face = (
                np.stack([i.parts[name] for i in self.items]) for name in _PARTS
            )
            np.savez(
                out,
                shape=np.array(self.shape),
                recordings=self._recordings,
                times=self._times,
                sizes=np.array([len(one) for one in coded]),
                pictures=np.concatenate(coded),
                silhouettes=_encode_outlines(outlines),
                outlined=np.array(outlines.shape),
                body=body,
                left_hand=left_hand,
                right_hand=right_hand,
                face=face,
            )
        return sha256_file(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: the file is missing or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                stored = dict(data)
            ends = np.cumsum(stored["sizes"])[:-1]
            pictures = [_decode(one) for one in np.split(stored["pictures"], ends)]
            outlines = _decode_outlines(stored["silhouettes"], stored["outlined"])
            items = [
                Item(
                    str(stored["recordings"][index]),
                    float(stored["times"][index]),
                    {name: stored[name][index] for name in _PARTS},
                    picture,
                    outline,
                )
                for index, (picture, outline) in enumerate(zip(pictures, outlines, strict=True))
            ]
            return cls(items, (int(stored["shape"][0]), int(stored["shape"][1])))
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, cv2.error) as error:
            raise ModelError(f"the gallery is missing or damaged ({error})", path=path) from error


def to_window(picture: Image, shape: tuple[int, int]) -> Image:
    """A picture at the size of the window, (width, height)."""
    if (picture.shape[1], picture.shape[0]) == shape:
        return picture
    return cv2.resize(picture, shape, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _encode_outlines(outlines: Image) -> Image:
    """(N, h, w) → their bytes, one below the other as a PNG."""
    done, coded = cv2.imencode(".png", outlines.reshape(-1, outlines.shape[2]))
    if not done:
        raise ModelError("an outline of the gallery cannot be written")
    return np.asarray(coded, np.uint8).ravel()


def _decode_outlines(coded: Image, shape: npt.NDArray[np.integer]) -> Image:
    picture = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise ValueError("the outlines cannot be read")
    return picture.reshape(*(int(side) for side in shape)).astype(np.uint8, copy=False)


def _encode(picture: Image) -> npt.NDArray[np.uint8]:
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        96,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    done, coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ModelError("a picture of the gallery cannot be written")
    return np.asarray(coded, np.uint8).ravel()


def _decode(coded: npt.NDArray[np.uint8]) -> Image:
    picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("a picture cannot be read")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def traits_of(parts: Parts) -> list[Floats]:
    """What is compared: body, head and both hands, each (K, 3) about its own middle in shares of the size."""
    body = parts["body"].astype(np.float64)
    size = size_of(parts["body"]) or 1.0
    hip = body[B["MidHip"]]
    seen = body[body[:, 2] >= SEEN, :2]
    middle = hip[:2] if hip[2] >= SEEN else seen.mean(0) if len(seen) else np.zeros(2)
    head = np.concatenate([parts["face"], parts["body"][_HEAD]]).astype(np.float64)
    return [
        _about(body, middle, size),
        *(_about(part, None, size / _FINE) for part in (head, parts["left_hand"], parts["right_hand"])),
    ]


def _about(points: npt.NDArray[np.floating], middle: Floats | None, size: float) -> Floats:
    seen = points[:, 2] >= SEEN
    if middle is None:
        middle = points[seen, :2].mean(0) if seen.any() else np.zeros(2)
    return np.concatenate([(points[:, :2] - middle) / size, seen[:, None]], 1)


def distance(own: Floats, theirs: Floats) -> Floats:
    """Mean distance of (K, 3) to each of (N, K, 3), over the points that either shows."""
    both = own[:, 2] * theirs[:, :, 2]
    either = np.maximum(own[:, 2], theirs[:, :, 2])
    off = np.linalg.norm(own[:, :2] - theirs[:, :, :2], axis=2)
    total: Floats = (off * both + _UNSEEN * (either - both)).sum(1) / np.maximum(either.sum(1), 1)
    return total


def _path(costs: Floats, change: float) -> npt.NDArray[np.intp]:
    """(T, N) costs → the cheapest sequence of T columns when each change costs `change`."""
    count = costs.shape[1]
    total, came = costs[0].copy(), np.zeros(costs.shape, np.intp)
    for row in range(1, len(costs)):
        best = int(total.argmin())
        stays = total <= total[best] + change
        came[row] = np.where(stays, np.arange(count), best)
        total = np.where(stays, total, total[best] + change) + costs[row]
    path = np.empty(len(costs), np.intp)
    path[-1] = total.argmin()
    for row in range(len(costs) - 1, 0, -1):
        path[row - 1] = came[row][path[row]]
    return path
