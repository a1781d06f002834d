"""Where each pixel of one pose lies in a picture of another pose: linear blend skinning in the image plane.

Every bone of the target's pose has an affine map to the same bone of the reference: turned and stretched along the
bone, scaled with the body across it. A pixel follows the bones near it, weighted by distance
(Magnenat-Thalmann et al., *Joint-dependent local deformations*, 1988, in two dimensions). Head and hands are stiff: one
similarity from all their points (Umeyama, TPAMI 1991).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import FINGERS, SEEN, B

Floats = npt.NDArray[np.float64]
#: One pose: the arrays of `PoseSequence.parts` without the time axis, each (K, 3).
Parts = dict[str, npt.NDArray[np.float32]]

#: Parts of the body that look for their reference frame each for itself; their order is that of `Skin.share`.
REGIONS = ("torso", "head", "right_arm", "left_arm", "right_leg", "left_leg")
_TORSO, _HEAD, _RIGHT_ARM, _LEFT_ARM, _RIGHT_LEG, _LEFT_LEG = range(6)
#: From, to, radius of the flesh as a share of the person's size, region.
_BONES: tuple[tuple[str, str, float, int], ...] = (
    ("Neck", "MidHip", 0.09, _TORSO), ("RShoulder", "RHip", 0.07, _TORSO), ("LShoulder", "LHip", 0.07, _TORSO),
    ("RShoulder", "RElbow", 0.035, _RIGHT_ARM), ("RElbow", "RWrist", 0.03, _RIGHT_ARM),
    ("LShoulder", "LElbow", 0.035, _LEFT_ARM), ("LElbow", "LWrist", 0.03, _LEFT_ARM),
    ("RHip", "RKnee", 0.05, _RIGHT_LEG), ("RKnee", "RAnkle", 0.04, _RIGHT_LEG), ("RAnkle", "RBigToe", 0.03, _RIGHT_LEG),
    ("LHip", "LKnee", 0.05, _LEFT_LEG), ("LKnee", "LAnkle", 0.04, _LEFT_LEG), ("LAnkle", "LBigToe", 0.03, _LEFT_LEG),
)  # fmt: skip
_HEAD_POINTS = [B[name] for name in ("Nose", "REye", "LEye", "REar", "LEar")]
#: Lengths of bones as shares of the person's size, for telling the size from whatever is seen.
_PROPORTIONS: tuple[tuple[str, str, float], ...] = (
    ("Neck", "MidHip", 0.30), ("RHip", "RKnee", 0.245), ("LHip", "LKnee", 0.245), ("RKnee", "RAnkle", 0.245),
    ("LKnee", "LAnkle", 0.245), ("RShoulder", "RElbow", 0.17), ("LShoulder", "LElbow", 0.17),
)  # fmt: skip
#: How much more than others a hand counts where it lies over them: a hand that is seen is held before the body.
_BEFORE = 8.0
#: The same for the head before neck and shoulders.
_ABOVE = 3.0
#: How much more than others the parts count that a picture is wanted for.
_WANTED = 50.0
_NOBODY = 1e-3  # a pixel that belongs less to the body than this is not asked for
_INNER = 0.4  # squared distance from a bone, in radii of its flesh, up to which a pixel is surely the body's
_FINGER = 0.012  # radius of a finger with some room, as a share of the person's size
#: Cosine of the largest angle between the turns of head and trunk, in the plane of the picture.
_LEAST_NECK = float(np.cos(np.deg2rad(75)))
#: The maps are computed on a grid this coarse and enlarged; they are smooth.
_STEP = 4


def size_of(body: npt.NDArray[np.float32]) -> float:
    """About the standing height of a person in pixels, from the least foreshortened bone; 0 where none is seen.

    Args:
        body: (25, 3) key points.
    """
    lengths = [
        float(np.linalg.norm(body[B[a], :2] - body[B[b], :2])) / share
        for a, b, share in _PROPORTIONS
        if float(body[[B[a], B[b]], 2].min()) >= SEEN
    ]
    return max(lengths, default=0.0)


@dataclass(frozen=True)
class _Piece:
    """A bone, the head or a hand of the target's pose."""

    kind: str  # "bone", "head", "left_hand", "right_hand"
    ends: tuple[int, int]  # body points of a bone
    region: int
    near: Floats  # (N,) squared distance of each grid point, in radii
    over: float = 1.0  # how much more than others it counts where they overlap


class Skin:
    """The body of one pose, laid over the pixels of its window.

    Args:
        target: the pose, in pixels of the window.
        shape: width and height of the window.

    Attributes:
        parts: the pose.
        share: (6, H, W) float32, how much each pixel belongs to each of `REGIONS`; 0 far from the body.
        inner: (H, W) float32, 1 along the bones of trunk and limbs, where the body is for certain; 0 beyond.
    """

    def __init__(self, target: Parts, shape: tuple[int, int]) -> None:
        self.parts, self._shape = target, shape
        columns, rows = max(shape[0] // _STEP, 1), max(shape[1] // _STEP, 1)
        self._grid = (rows, columns)
        x, y = np.meshgrid((np.arange(columns) + 0.5) * shape[0] / columns - 0.5,
                           (np.arange(rows) + 0.5) * shape[1] / rows - 0.5)  # fmt: skip
        self._points = np.stack([x.ravel(), y.ravel()], 1)
        self._size = max(size_of(target["body"]), 1.0)
        self._pieces = [*self._bones(), *self._rigid()]
        self.share = self._regions()
        self.inner = self._along_bones()

    def flow_to(
        self, reference: Parts, region: int = _TORSO
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Where each pixel lies in a picture of `reference`.

        Args:
            reference: another pose, in pixels of its own picture.
            region: of `REGIONS`, what the picture is wanted for. Where other parts of the body lie over a head or a
                limb that is wanted, pixels follow that before the others: half-way between two legs that cross
                lies, in a picture in which they do not, neither of them.

        Returns:
            (2, H, W) float32, x and y in pixels of the reference's picture, the pixel's own place where nothing is
            known; and (H, W) float32, how much of what the pixel belongs to is seen in the reference, in [0, 1].
        """
        place, share = self.coarse_flow_to(reference, region)
        return self._enlarge(place), self._enlarge(share[None])[0]

    def coarse_flow_to(
        self, reference: Parts, region: int = _TORSO
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """As `flow_to`, on the coarse grid that it is computed on: (2, h, w) and (h, w)."""
        maps, near, known = [], [], []
        scale = max(size_of(reference["body"]), 1.0) / self._size
        for piece in self._pieces:
            found = self._map(piece, reference, scale)
            maps.append(self._points if found is None else found)
            near.append(piece.near)
            known.append(found is not None)
        if not any(known):
            nowhere = np.zeros(self._grid, np.float32)
            return self._points.T.reshape(2, *self._grid).astype(np.float32), nowhere
        weights = _weights(np.array(near), self._pieces, region)
        seen = weights * np.array(known)[:, None]
        total = seen.sum(0)
        place = (seen[:, :, None] * np.array(maps)).sum(0) / np.maximum(total, 1e-9)[:, None]
        place = np.where((total > 1e-6)[:, None], place, self._points)
        share = total / weights.sum(0)
        return (
            place.T.reshape(2, *self._grid).astype(np.float32),
            share.reshape(self._grid).astype(np.float32),
        )

    def coarse(self, plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(H, W) at the places of the coarse grid, (h, w)."""
        columns, rows = (np.rint(np.unique(self._points[:, axis])).astype(int) for axis in (0, 1))
        return plane[np.ix_(rows, columns)]

    def coarse_place(self, place: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float32]:
        """Pixels along x (axis 0) or y (1) as indices of the coarse grid."""
        return (place + np.float32(0.5)) * np.float32(self._grid[1 - axis] / self._shape[axis]) - np.float32(
            0.5
        )

    def closest(self) -> npt.NDArray[np.uint8]:
        """(2, H, W) which of `REGIONS` each pixel belongs to most, and how much, 255 at most."""
        return np.stack([self.share.argmax(0), self.share.max(0) * 255]).astype(np.uint8)

    def mistaken(
        self, flow: npt.NDArray[np.float32], closest: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Where another part of the body lies than the one that is looked for.

        Beside a leg lies, in a picture where the legs are together, the other leg; where the trunk is asked for, an arm
        may lie before it. Both would be shown a second time.

        Args:
            flow: (2, H, W), as from `flow_to`.
            closest: of the pose that the flow leads to, in its own picture.

        Returns:
            (H, W) float32 in [0, 1] twice, 1 where it is surely another part; where parts meet nothing is sure. Where
            the second is 1, it is moreover a part that is not here: the middle of a leg where no leg is near.
        """
        found, deep = (look_up(plane, flow, cv2.INTER_NEAREST) for plane in closest)
        belongs = np.take_along_axis(self.share, found[None].astype(np.intp), 0)[0]
        total = self.share.sum(0)
        other = np.clip((0.4 - belongs / np.maximum(total, _NOBODY)) / 0.3, 0, 1)
        other = np.where(total > _NOBODY, other, 0)
        absent = np.clip((deep / np.float32(255) - belongs - 0.4) / 0.3, 0, 1)
        return other.astype(np.float32), absent.astype(np.float32)

    def _bones(self) -> list[_Piece]:
        body, pieces = self.parts["body"].astype(np.float64), []
        for a, b, radius, region in _BONES:
            if float(body[[B[a], B[b]], 2].min()) < SEEN:
                continue
            start, along = body[B[a], :2], body[B[b], :2] - body[B[a], :2]
            length = max(float(along @ along), 1e-6)
            share = np.clip((self._points - start) @ along / length, 0, 1)
            off = self._points - start - share[:, None] * along
            pieces.append(_Piece("bone", (B[a], B[b]), region, (off**2).sum(1) / (radius * self._size) ** 2))
        return pieces

    def _rigid(self) -> list[_Piece]:
        pieces = []
        for kind, radius, least, region in (
            ("head", 0.06, 3, _HEAD), ("left_hand", 0.03, 5, _LEFT_ARM), ("right_hand", 0.03, 5, _RIGHT_ARM),
        ):  # fmt: skip
            points = _rigid_points(self.parts, kind)
            points = points[points[:, 2] >= SEEN, :2]
            if len(points) < least:
                continue
            middle = points.mean(0)
            if kind != "head":
                pieces.append(_Piece(kind, (0, 0), region, self._near_fingers(kind), _BEFORE))
                continue
            spread = 1.6 * float(np.sqrt(((points - middle) ** 2).sum(1).mean()))
            inside = max(spread, radius * self._size)
            beyond = np.maximum(np.linalg.norm(self._points - middle, axis=1) - inside, 0.0)
            near = beyond**2 / (0.5 * radius * self._size) ** 2
            pieces.append(_Piece(kind, (0, 0), region, near, _ABOVE))
        return pieces

    def _near_fingers(self, kind: str) -> Floats:
        """(N,) squared distance of each grid point from the nearest bone of a hand, in radii of a finger."""
        hand = self.parts[kind].astype(np.float64)
        nearest = np.full(len(self._points), np.inf)
        for a, b in chain.from_iterable(pairwise(finger) for finger in FINGERS):
            if hand[[a, b], 2].min() < SEEN:
                continue
            start, along = hand[a, :2], hand[b, :2] - hand[a, :2]
            share = np.clip((self._points - start) @ along / max(float(along @ along), 1e-6), 0, 1)
            nearest = np.minimum(nearest, ((self._points - start - share[:, None] * along) ** 2).sum(1))
        return nearest / (_FINGER * self._size) ** 2

    def _regions(self) -> npt.NDArray[np.float32]:
        if not self._pieces:
            width, height = self._shape
            return np.zeros((len(REGIONS), height, width), np.float32)
        near = np.array([piece.near for piece in self._pieces])
        weights = _weights(near, self._pieces, _TORSO)
        weights /= weights.sum(0)
        share = np.zeros((len(REGIONS), near.shape[1]))
        for piece, weight in zip(self._pieces, weights, strict=True):
            share[piece.region] += weight
        closest = near.min(0)
        # One and a bit radii out the flesh ends; clothes and hair reach somewhat further.
        share *= np.exp(-np.maximum(closest - 1.5, 0) / 2)
        return self._enlarge(share.reshape(len(REGIONS), *self._grid))

    def _along_bones(self) -> npt.NDArray[np.float32]:
        near = [piece.near for piece in self._pieces if piece.kind == "bone"]
        if not near:
            return np.zeros(self._shape[::-1], np.float32)
        inner = np.clip((_INNER - np.min(near, axis=0)) / (_INNER / 2), 0, 1)
        return self._enlarge(inner.reshape(1, *self._grid))[0]

    def _map(self, piece: _Piece, reference: Parts, scale: float) -> Floats | None:
        """Every grid point as this piece would carry it to the reference; None where the reference does not show it."""
        if piece.kind == "bone":
            ends = reference["body"][list(piece.ends)]
            if ends[:, 2].min() < SEEN:
                return None
            own = self.parts["body"][list(piece.ends), :2].astype(np.float64)
            other = ends[:, :2].astype(np.float64)
            matrix = self._bone_matrix(own[1] - own[0], other[1] - other[0], scale)
            moved: Floats = (self._points - own.mean(0)) @ matrix.T + other.mean(0)
            return moved
        mine, theirs = _rigid_points(self.parts, piece.kind), _rigid_points(reference, piece.kind)
        both = np.minimum(mine[:, 2], theirs[:, 2]) >= SEEN
        if both.sum() < 3:
            return None
        own, other = mine[both, :2].astype(np.float64), theirs[both, :2].astype(np.float64)
        matrix = _similarity(own, other)
        if piece.kind == "head":
            matrix = self._upright(matrix, reference)
        size = float(np.sqrt(max(np.linalg.det(matrix), 1e-12)))
        # A similarity from points that are nearly on a line, or badly found, must not blow the part up.
        matrix *= float(np.clip(size, 0.6 * scale, 1.6 * scale)) / size
        moved = (self._points - own.mean(0)) @ matrix.T + other.mean(0)
        return moved

    def _upright(self, matrix: Floats, reference: Parts) -> Floats:
        """The head's map, turned with the trunk where it would turn against it further than a neck can.

        The points of a face and those of the back of a head are mirrored, which a similarity takes for a head that
        stands upside down.
        """
        trunk = [B["Neck"], B["MidHip"]]
        turned = np.eye(2)
        if min(float(parts["body"][trunk, 2].min()) for parts in (self.parts, reference)) >= SEEN:
            own, other = (
                np.diff(parts["body"][trunk, :2].astype(np.float64), axis=0)[0]
                for parts in (self.parts, reference)
            )
            turned = _similarity(np.stack([-own, own]), np.stack([-other, other]))
            turned /= float(np.sqrt(max(np.linalg.det(turned), 1e-12)))
        size = float(np.sqrt(max(np.linalg.det(matrix), 1e-12)))
        cosine = float((matrix * turned).sum()) / (2 * size)
        return matrix if cosine >= _LEAST_NECK else turned * size

    def _bone_matrix(self, own: Floats, other: Floats, scale: float) -> Floats:
        length, reference = float(np.hypot(*own)), float(np.hypot(*other))
        stretch = float(np.clip(reference / max(length, 1e-3), 0.4 * scale, 2.5 * scale))
        if length < 0.03 * self._size or reference < 0.03 * self._size * scale:
            stretch = scale  # seen end on: its length on the picture says nothing
        if length < 0.01 * self._size or reference < 0.01 * self._size * scale:
            return np.eye(2) * scale
        u, v = own / length, other / reference
        across_u, across_v = np.array([-u[1], u[0]]), np.array([-v[1], v[0]])
        return stretch * np.outer(v, u) + scale * np.outer(across_v, across_u)

    def _enlarge(self, planes: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """(C, rows, columns) → (C, H, W)."""
        return np.stack([cv2.resize(plane.astype(np.float32), self._shape) for plane in planes])


def look_up(
    plane: npt.NDArray[np.uint8], flow: npt.NDArray[np.float32], interpolation: int = cv2.INTER_LINEAR
) -> npt.NDArray[np.uint8]:
    """(h, w) or (h, w, C) where (2, H, W) leads, its edge repeated beyond it: (H, W) or (H, W, C)."""
    found = cv2.remap(plane, flow[0], flow[1], interpolation, borderMode=cv2.BORDER_REPLICATE)
    return found.astype(np.uint8, copy=False)


def _weights(near: Floats, pieces: list[_Piece], region: int) -> Floats:
    wanted = region if region != _TORSO else None
    over = np.array([piece.over * (_WANTED if piece.region == wanted else 1) for piece in pieces])
    weights: Floats = over[:, None] * np.exp(near.min(0) - near)
    return weights


def _rigid_points(parts: Parts, kind: str) -> npt.NDArray[np.float32]:
    if kind == "head":
        return np.concatenate([parts["body"][_HEAD_POINTS], parts["face"]])
    return parts[kind]


def _similarity(own: Floats, other: Floats) -> Floats:
    """The turn and scale that bring `own` closest to `other` in the sense of least squares, (2, 2)."""
    a, b = own - own.mean(0), other - other.mean(0)
    spread = float((a**2).sum()) + 1e-9
    c = float((a * b).sum()) / spread
    s = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    return np.array([[c, -s], [s, c]])
