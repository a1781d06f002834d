"""Rays against tapered capsules, in closed form, and the buffers a picture is shaded from.

A solid is the hull of two balls, squeezed along the axes of its frame: limbs, trunk, head and hair are all made of
it. In the frame of a solid, stretched so that it is round and lies along y, a ray meets a cone or one of the balls.
Depth is measured along the camera's forward axis, so that hits of different solids compare directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataset.mannequin.camera import Camera
from dataset.mannequin.skeleton import Frame

Floats = npt.NDArray[np.float64]
Plane = npt.NDArray[np.float32]

_FAR = np.float32(1e4)


@dataclass(frozen=True)
class Solid:
    """A tapered capsule in a frame.

    Attributes:
        frame: its y runs from the first ball to the second.
        length: from centre to centre along y, metres.
        radii: of the two balls, before squeezing, metres.
        squeeze: factors along x, y and z.
        material: index of what it is made of, see `Figure`.
        body: solids with the same number melt into each other where they meet.
        melt: over how many metres of depth.
        cut: (a, b, c, d): only what has a x + b y + c z > d in the frame is there.
        texture: the frame in which the material is looked up; its own by default.
        along: metres added to the texture's y, so that a pattern goes on from one solid to the next.
    """

    frame: Frame
    length: float
    radii: tuple[float, float]
    material: int
    squeeze: tuple[float, float, float] = (1.0, 1.0, 1.0)
    body: int = -1
    melt: float = 0.0
    cut: tuple[float, float, float, float] | None = None
    texture: Frame | None = None
    along: float = 0.0


@dataclass
class Hits:
    """What the rays of one picture met, in the box (x0, y0, x1, y1) of it that the figure covers.

    Attributes:
        depth: (h, w) metres along the forward axis; `solid` is -1 where there is nothing.
        normal: (h, w, 3) outwards, in the room, unit length up to interpolation.
        solid: (h, w) index of the solid.
        across, down: (w,), (h,) slopes of the rays against the forward axis.
    """

    box: tuple[int, int, int, int]
    depth: Plane
    normal: Plane
    solid: npt.NDArray[np.int16]
    across: Plane
    down: Plane


def cast(solids: Sequence[Solid], camera: Camera, offset: tuple[float, float] = (0.0, 0.0)) -> Hits | None:
    """Send one ray through each pixel near the solids.

    Args:
        offset: where in the pixel the ray goes through, from its centre, in pixels.

    Returns:
        The hits, or None where no solid is in the picture.
    """
    boxes = _boxes(solids, camera)
    drawn = [i for i, (x0, y0, x1, y1) in enumerate(boxes) if x1 > x0 and y1 > y0]
    if not drawn:
        return None
    left, top = boxes[drawn, 0].min(), boxes[drawn, 1].min()
    right, bottom = boxes[drawn, 2].max(), boxes[drawn, 3].max()
    across = ((np.arange(left, right) + 0.5 + offset[0] - camera.centre[0]) / camera.focal).astype(np.float32)
    down = ((np.arange(top, bottom) + 0.5 + offset[1] - camera.centre[1]) / camera.focal).astype(np.float32)
    shape = (bottom - top, right - left)
    hits = Hits(
        box=(int(left), int(top), int(right), int(bottom)),
        depth=np.full(shape, _FAR, np.float32),
        normal=np.zeros((*shape, 3), np.float32),
        solid=np.full(shape, -1, np.int16),
        across=across,
        down=down,
    )
    bodies = np.array([solid.body for solid in solids] + [-2], np.int16)
    for i in drawn:
        x0, y0, x1, y1 = boxes[i]
        window = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        _cast_one(i, solids[i], camera, hits, window, bodies)
    return hits


def _boxes(solids: Sequence[Solid], camera: Camera) -> npt.NDArray[np.int64]:
    """(N, 4) x0, y0, x1, y1 of each solid in the picture, generous by a pixel."""
    ends = np.array([[s.frame.origin, s.frame.origin + s.frame.axes[:, 1] * s.length] for s in solids])
    reach = np.array([[r * max(s.squeeze) for r in s.radii] for s in solids])
    pixels, depth = camera.project(ends.reshape(-1, 3))
    # Seen from near, a ball is a little larger than its radius over its distance.
    spread = (camera.focal * reach.reshape(-1) / np.maximum(depth - reach.reshape(-1), 0.05) + 1.5)[:, None]
    low = (pixels - spread).reshape(-1, 2, 2).min(axis=1)
    high = (pixels + spread).reshape(-1, 2, 2).max(axis=1)
    width, height = camera.size
    box = np.concatenate([np.floor(low), np.ceil(high)], axis=1)
    return np.clip(box, 0, [width, height, width, height]).astype(np.int64)


def _cast_one(
    index: int,
    solid: Solid,
    camera: Camera,
    hits: Hits,
    window: tuple[slice, slice],
    bodies: npt.NDArray[np.int16],
) -> None:
    rows, columns = window
    squeeze = np.array(solid.squeeze)
    into = solid.frame.axes.T / squeeze[:, None]  # from the room to the round frame
    length = solid.length / solid.squeeze[1]
    r1, r2 = solid.radii
    # Rays start level with the middle of the solid: differences of large numbers would cost single precision.
    middle = solid.frame.origin + solid.frame.axes[:, 1] * (solid.length / 2)
    start_depth = float(camera.axes[2] @ (middle - camera.position))
    forward, right, up = into @ camera.axes[2], into @ camera.axes[0], into @ camera.axes[1]
    eye = into @ (camera.position - solid.frame.origin)
    xs, ys = hits.across[columns], hits.down[rows][:, None]

    def direction(axis: int) -> Plane:
        out: Plane = (np.float32(forward[axis]) - ys * np.float32(up[axis])) + xs * np.float32(right[axis])
        return out

    dx, dy, dz = direction(0), direction(1), direction(2)
    far = np.float32(start_depth)
    ox, oy, oz = (np.float32(eye[k]) + far * d for k, d in enumerate((dx, dy, dz)))
    sine = float(np.clip((r1 - r2) / length, -0.95, 0.95))
    cosine = float(np.sqrt(1 - sine * sine))
    slope, at_zero = np.float32(sine / cosine), np.float32(r1 / cosine)
    wide = at_zero - slope * oy  # radius of the cone level with the start of the ray
    a = dx * dx + dz * dz - (slope * slope) * (dy * dy)
    b = ox * dx + oz * dz + slope * dy * wide
    c = ox * ox + oz * oz - wide * wide
    disc = b * b - a * c
    cone = (disc > 0) & (a > 1e-6)
    t = (-b - np.sqrt(np.maximum(disc, 0))) / np.where(a > 1e-6, a, 1)
    y = oy + t * dy
    on_side = cone & (y > r1 * sine) & (y < length + r2 * sine)
    # A ray that meets the cone beyond its ends may meet the ball there.
    second = np.where(a > 1e-6, y > np.float32(length / 2), dy < 0)
    ball_y = np.where(second, np.float32(length), np.float32(0))
    ball_r = np.where(second, np.float32(r2), np.float32(r1))
    by = oy - ball_y
    a = dx * dx + dy * dy + dz * dz
    b = ox * dx + by * dy + oz * dz
    c = ox * ox + by * by + oz * oz - ball_r * ball_r
    disc = b * b - a * c
    hit = on_side | (disc > 0)
    t = np.where(on_side, t, (-b - np.sqrt(np.maximum(disc, 0))) / a)
    x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
    if solid.cut is not None:
        ca, cb, cc, cd = solid.cut
        sx, sy, sz = solid.squeeze
        hit &= np.float32(ca * sx) * x + np.float32(cb * sy) * y + np.float32(cc * sz) * z > np.float32(cd)
    depth = hits.depth[rows, columns]
    t = np.where(hit, t + far, _FAR * 2)
    # Outwards from the axis, tilted with the taper; from the centre on a ball.
    lift = np.where(on_side, slope * np.sqrt(x * x + z * z), y - ball_y)
    inverse = np.float32(1) / np.sqrt(x * x + lift * lift + z * z + np.float32(1e-12))
    out = into.astype(np.float32)
    x, y, z = x * inverse, lift * inverse, z * inverse
    normal = np.empty((*depth.shape, 3), np.float32)
    for axis in range(3):
        normal[..., axis] = x * out[0, axis] + y * out[1, axis] + z * out[2, axis]
    if min(solid.squeeze) != max(solid.squeeze):
        normal /= np.sqrt(np.einsum("ijk,ijk->ij", normal, normal) + np.float32(1e-12))[..., None]
    owner = hits.solid[rows, columns]
    nearer = t < depth
    if solid.melt > 0:
        k = np.float32(solid.melt)
        melting = hit & (bodies[owner] == solid.body)
        share = np.where(melting, np.clip(0.5 + (depth - t) / (2 * k), 0, 1), nearer).astype(np.float32)
        hits.normal[rows, columns] += share[..., None] * (normal - hits.normal[rows, columns])
        merged = depth + share * (np.where(hit, t, depth) - depth)
        hits.depth[rows, columns] = merged - np.where(melting, k * share * (1 - share), 0)
        owner[share > 0.5] = index
    else:
        np.copyto(depth, t, where=nearer)
        np.copyto(hits.normal[rows, columns], normal, where=nearer[..., None])
        owner[nearer] = index
