"""``preflight.html``: the verdict, its reasons and the pictures that show them, on one self-contained page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import cv2
import jinja2
import numpy as np
import numpy.typing as npt

from dataset.files import atomic_path
from dataset.pose.keypoints import PoseSequence
from dataset.provenance import VERSION
from dataset.video import read_frames
from synthesis.ground import grounded, places
from synthesis.preflight.run import Preflight
from synthesis.stickfigure import draw

Image = npt.NDArray[np.uint8]

#: Height in pixels of the pictures, and how many instants are shown.
_TALL, _INSTANTS = 260, 5
_JPEG = 82
#: Dots in the plot of the ground.
_DOTS = 240


@dataclass(frozen=True)
class Instant:
    """One moment of the source.

    Attributes:
        time: seconds.
        pictures: caption and data URI of each.
        told: what is to be seen, in a line.
    """

    time: float
    pictures: list[tuple[str, str]]
    told: str = ""


@dataclass(frozen=True)
class Plot:
    """Where the feet are on the target's picture, in its pixels.

    Attributes:
        picture: data URI of the target's background.
        width, height: of the picture.
        own, before, after: places (x, y) of the target's feet, and of the source's before and after normalisation.
        lines: y and name of the far and the close position.
        dot: radius of a dot.
    """

    picture: str
    width: int
    height: int
    own: list[tuple[float, float]]
    before: list[tuple[float, float]]
    after: list[tuple[float, float]]
    lines: list[tuple[float, str]]
    dot: float


def write_page(result: Preflight, path: str | Path) -> None:
    """Write the page.

    Raises:
        VideoError: a frame that is to be shown cannot be read again.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("synthesis", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    instants, worst = _instants(result)
    page = environment.get_template("preflight.html.j2").render(
        result=result,
        verdict={"yes": "Yes", "care": "Yes, with care", "no": "No"}[result.verdict],
        because=[reason for reason in result.reasons if reason.level != "ok"],
        instants=instants,
        worst=worst,
        plot=_plot(result),
        distances=_curve(result),
        version=VERSION,
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, "utf-8")


def overlay(picture: Image, poses: PoseSequence, row: int) -> Image:
    """The stick figure of one frame over a picture, which is dimmed so that it stands out."""
    height, width = picture.shape[:2]
    figure = draw(poses, row, (width, height))
    white = (figure.min(axis=2) / 255.0)[..., None] ** 4
    dim = picture * 0.6 + 255 * 0.12
    return np.rint(dim * white + figure * (1 - white)).astype(np.uint8)


def unnormalised(poses: PoseSequence, size: tuple[int, int]) -> PoseSequence:
    """The source's picture laid over the target's, as high and in the middle: what would happen without normalising."""
    scale = size[1] / poses.size[1]
    return poses.transformed(scale, (size[0] / 2 - scale * poses.size[0] / 2, 0.0), size)


def _instants(result: Preflight) -> tuple[list[Instant], list[Instant]]:
    """Moments spread over the source, and those farthest from the target's poses."""
    present = np.flatnonzero(result.poses.present())
    if not len(present):
        return [], []
    places_ = np.linspace(0, len(present) - 1, min(_INSTANTS, len(present))).round().astype(int)
    shown = [int(present[place]) for place in places_]
    found = result.postures
    far = [] if found is None else found.worst(result.poses.times)
    rows = {*shown, *(int(found.rows[place]) for place in far)} if found is not None else set(shown)
    frames = grab(result.source, rows)
    nearest = {} if found is None or result.trained else grab(
        result.target, {int(found.nearest[place]) for place in far}
    )  # fmt: skip
    plain = [_instant(result, row, frames) for row in shown if row in frames]
    worst = []
    for place in far if found is not None else []:
        assert found is not None
        row, own = int(found.rows[place]), int(found.nearest[place])
        if row not in frames:
            continue
        one = _instant(result, row, frames)
        ground = nearest.get(own, result.plate)
        if ground is not None:
            one.pictures.append(
                (f"the target's nearest pose, at {result.training.times[own]:.1f} s",
                 _uri(overlay(ground, result.training, own)))
            )  # fmt: skip
        told = f"{found.distance[place]:.3f} body heights from it" + (
            ", outside" if found.distance[place] > found.limit else ", not outside"
        )
        worst.append(Instant(one.time, one.pictures, told))
    return plain, worst


def _instant(result: Preflight, row: int, frames: dict[int, Image]) -> Instant:
    pictures = [("source", _uri(overlay(frames[row], result.poses, row)))]
    if result.plate is not None:
        size = (result.plate.shape[1], result.plate.shape[0])
        before = unnormalised(result.poses, size)
        pictures.append(("on the target, before", _uri(overlay(result.plate, before, row))))
        if result.moved is not None:
            pictures.append(("after normalisation", _uri(overlay(result.plate, result.moved, row))))
    return Instant(float(result.poses.times[row]), pictures)


def grab(video: Path, rows: set[int]) -> dict[int, Image]:
    """Frames of a video by their number in display order."""
    found: dict[int, Image] = {}
    last = max(rows, default=-1)
    with read_frames(video) as reader:
        for row, frame in enumerate(reader):
            if row in rows:
                found[row] = frame.image
            if row >= last:
                break
    return found


def _plot(result: Preflight) -> Plot | None:
    if result.plate is None or result.moved is None or result.grounds is None:
        return None
    height, width = result.plate.shape[:2]
    target = result.grounds[1]
    lines = [(target.close, "the target stands" if target.close <= target.far else "close")]
    if target.close > target.far:
        lines.append((target.far, "far"))
    before = unnormalised(result.poses, (width, height))
    return Plot(
        picture=_uri(result.plate, 480),
        width=width,
        height=height,
        own=_dots(result.training, target.anchor),
        before=_dots(before, target.anchor),
        after=_dots(result.moved, target.anchor, everywhere=True),
        lines=lines,
        dot=height / 110,
    )


def _dots(poses: PoseSequence, anchor: str, everywhere: bool = False) -> list[tuple[float, float]]:
    # Below the picture's edge points do not count as seen, but it is worth knowing that they land there.
    size = (poses.size[0], 4 * poses.size[1]) if everywhere else poses.size
    found = places(poses.transformed(1.0, (0.0, 0.0), size), anchor)
    y = grounded(found, poses.times)
    rows = np.flatnonzero(np.isfinite(y) & np.isfinite(found.middle))
    rows = (
        rows[np.linspace(0, len(rows) - 1, min(_DOTS, len(rows))).round().astype(int)] if len(rows) else rows
    )
    return [(round(float(found.middle[row]), 1), round(float(y[row]), 1)) for row in rows]


def _curve(result: Preflight) -> dict[str, object] | None:
    """Distance from the target's nearest pose over time, in the coordinates of an SVG of 700 × 120."""
    found = result.postures
    if found is None or not found.compared:
        return None
    times = result.poses.times[found.rows]
    top = 1.1 * max(float(np.nanmax(found.distance)), found.limit, 1e-6)
    span = max(float(times[-1] - times[0]), 1e-6)
    points = [
        f"{700 * (time - times[0]) / span:.1f},{110 - 100 * value / top:.1f}"
        for time, value in zip(times, found.distance, strict=True)
        if np.isfinite(value)
    ]
    return {
        "points": " ".join(points),
        "limit": 110 - 100 * found.limit / top,
        "usual": 110 - 100 * found.usual / top,
        "seconds": f"{span:.1f}",
        "top": f"{top:.2f}",
    }


def _uri(picture: Image, tall: int = _TALL) -> str:
    scale = tall / picture.shape[0]
    size = (max(round(picture.shape[1] * scale), 1), tall)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
