"""From what the rays met to light: materials, lamp, sky and the dimness of hollows."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from dataset.mannequin import figure, textures
from dataset.mannequin.camera import Camera
from dataset.mannequin.chance import dice
from dataset.mannequin.face import FACE_REACH, FACE_TEXELS
from dataset.mannequin.face import face as paint_face
from dataset.mannequin.performer import Performer
from dataset.mannequin.raycast import Hits, Solid

Plane = npt.NDArray[np.float32]

#: Faces painted in advance: how far the lids and the lips are open.
_LIDS, _LIPS = 4, 4


class Wardrobe:
    """The surfaces of one performer, painted once: cloth, skin, hair, and the face with its eyes and mouth."""

    def __init__(self, performer: Performer) -> None:
        rng = dice(performer.seed, 17)
        self.performer = performer
        self.top = textures.cloth(performer.top, rng)
        self.bottom = textures.cloth(performer.bottom, rng)
        self.hair = textures.hair(performer, rng)
        self.skin = textures.linear(textures.rgb(performer.skin))
        self.shoe = textures.linear(textures.rgb(performer.shoes))
        self.sole = textures.linear(textures.rgb(performer.sole))
        self._faces: dict[tuple[int, int], textures.Image] = {}

    def face(self, closed: float, mouth_open: float) -> textures.Image:
        """The face with lids and lips nearest to these."""
        key = (round(closed * (_LIDS - 1)), round(mouth_open * (_LIPS - 1)))
        if key not in self._faces:
            self._faces[key] = paint_face(self.performer, key[0] / (_LIDS - 1), key[1] / (_LIPS - 1))
        return self._faces[key]

    def colour(self, material: int, place: Plane, face: textures.Image) -> Plane:
        """(N, 3) how much of the light the surface gives back.

        Args:
            place: (N, 3) x, y, z in the frame of the texture, metres.
            face: the face to be worn.
        """
        x, y, z = place[:, 0], place[:, 1], place[:, 2]
        if material == figure.FACE:
            unit = np.float32(self.performer.body.head)
            scale = FACE_TEXELS / (2 * FACE_REACH)
            # The picture is laid on from the front; at the sides of the head it is stretched to bare skin.
            column = _index((x / unit + FACE_REACH) * scale, FACE_TEXELS)
            row = _index((FACE_REACH - y / unit) * scale, FACE_TEXELS)
            front = np.clip(z / unit * 6 - 0.6, 0, 1)[:, None]
            return np.asarray(self.skin + front * (face[row, column] - self.skin), np.float32)
        if material == figure.HAIR:
            turn = np.arctan2(x, -z) * np.float32(256 / (2 * np.pi))
            size = np.float32(self.performer.body.head)
            return self.hair[(y / size * 60).astype(np.int32) % 256, turn.astype(np.int32) % 256]
        if material == figure.CHEST:
            cloth = _lookup(self.top, x, y, z, 0.17)
            return np.where(self._bare(x, y, z)[:, None], self.skin, cloth)
        if material == figure.TOP:
            return _lookup(self.top, x, y, z, 0.06)
        if material == figure.BOTTOM:
            return _lookup(self.bottom, x, y, z, 0.09)
        flat = {figure.SKIN: self.skin, figure.SHOE: self.shoe, figure.SOLE: self.sole}[material]
        return np.broadcast_to(flat, (len(x), 3))

    def _bare(self, x: Plane, y: Plane, z: Plane) -> npt.NDArray[np.bool_]:
        """Where the neckline leaves the skin free, in the frame of the chest."""
        body = self.performer.body
        k = body.height / 1.75
        above = (y - body.spine) / k
        aside = np.abs(x) / np.float32(0.088 * k)
        if self.performer.neckline == "v":
            front = 0.15 * (1 - aside)
        else:
            front = 0.075 * (1 - aside * aside)
        bare: npt.NDArray[np.bool_] = (aside < 1) & (above > np.where(z > 0.0, -front, -0.02 * (1 - aside)))
        return bare


def _index(values: Plane, size: int) -> npt.NDArray[np.int32]:
    return np.clip(values, 0, size - 1).astype(np.int32)


def _lookup(cloth: textures.Image, x: Plane, y: Plane, z: Plane, radius: float) -> Plane:
    """The cloth wrapped round y, its seam at the back, with so many metres to the radian."""
    density = np.float32(textures.CLOTH_TEXELS / textures.CLOTH_METRES)
    across = (np.arctan2(x, z) * (density * np.float32(radius))).astype(np.int32) % textures.CLOTH_TEXELS
    down = (y * density).astype(np.int32) % textures.CLOTH_TEXELS
    return np.asarray(cloth[down, across], np.float32)


def shade(
    hits: Hits,
    solids: Sequence[Solid],
    camera: Camera,
    wardrobe: Wardrobe,
    expression: tuple[float, float],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Plane]:
    """The light that comes from every pixel of the figure.

    Args:
        expression: how far the eyes are closed and the mouth is open.

    Returns:
        rows and columns in the box of the hits, and (N, 3) linear light.
    """
    performer = wardrobe.performer
    rows, columns = np.nonzero(hits.solid >= 0)
    owner = hits.solid[rows, columns]
    depth = hits.depth[rows, columns]
    normal = hits.normal[rows, columns]
    normal /= np.sqrt(np.einsum("ij,ij->i", normal, normal) + np.float32(1e-9))[:, None]
    axes = camera.axes.astype(np.float32)
    rays = axes[2] + hits.across[columns, None] * axes[0] - hits.down[rows, None] * axes[1]
    place = camera.position.astype(np.float32) + depth[:, None] * rays
    colour = np.empty((len(rows), 3), np.float32)
    face = wardrobe.face(*expression)
    order = np.argsort(owner, kind="stable")
    edges = np.flatnonzero(np.diff(owner[order])) + 1
    for group in np.split(order, edges):
        solid = solids[owner[group[0]]]
        frame = solid.texture or solid.frame
        local = (place[group] - frame.origin.astype(np.float32)) @ frame.axes.astype(np.float32)
        local[:, 1] += np.float32(solid.along)
        colour[group] = wardrobe.colour(solid.material, local, face)
    light, sky = lamp(performer)
    lit = normal @ np.array(performer.light, np.float32)
    # Wrapped a little round the edge, as by a lamp of some size.
    lit = np.maximum(0, (lit + np.float32(0.25)) / np.float32(1.25)) ** np.float32(1.3)
    open_sky = 0.72 + 0.28 * normal[:, 1]
    hollow = _hollows(hits)[rows, columns]
    glancing = 1 - np.abs(np.einsum("ij,ij->i", normal, rays)) / np.sqrt(np.einsum("ij,ij->i", rays, rays))
    brightness = (lit * (0.4 + 0.6 * hollow))[:, None] * light + (open_sky * hollow)[:, None] * sky
    return rows, columns, colour * brightness + (np.float32(0.02) * glancing**3)[:, None] * sky


def lamp(performer: Performer) -> tuple[Plane, Plane]:
    """(3,) light of the lamp on a surface that faces it, and (3,) light from everywhere else."""
    warm = performer.light_warmth
    tint = np.array([1 + 0.08 * warm, 1.0, 1 - 0.14 * warm])
    cool = np.array([1 - 0.03 * warm, 1.0, 1 + 0.06 * warm])
    light = 1.25 * performer.contrast * tint
    sky = 1.25 * (1 - performer.contrast) * cool
    return np.asarray(light, np.float32), np.asarray(sky, np.float32)


def _hollows(hits: Hits) -> Plane:
    """(h, w) how open each place is, 1 fully: what lies behind its surroundings is darker."""
    figure_here = (hits.solid >= 0).astype(np.float32)
    depth = hits.depth * figure_here
    size = max(3, hits.depth.shape[0] // 22) | 1
    weight = cv2.blur(figure_here, (size, size))
    mean = cv2.blur(depth, (size, size)) / np.maximum(weight, 1e-3)
    behind = np.clip((hits.depth - mean) / np.float32(0.12), 0, 1)
    return np.asarray(1 - 0.5 * behind, np.float32)
