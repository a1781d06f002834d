"""OpenPose's JSON, in and out, so that poses of other tools can be used and ours by them.

One file a frame, ``NAME_000000000000_keypoints.json``, each with a list of people and for each of them flat lists of
x, y, confidence (OpenPose's documentation, *Output format*). The number of body values tells the layout: 75 is
BODY_25, 54 is COCO-18, 69 the BODY_23 of the paper's released code.

The order of people in a file means nothing: they are told apart by tracking them from frame to frame.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dataset.errors import PoseError
from dataset.files import write_json
from dataset.pose.choice import MAIN, choose, parse_person
from dataset.pose.keypoints import BODY_25, FACE_POINTS, HAND_POINTS, SEEN, Array, B, PoseSequence, body_box
from dataset.pose.people import prominence
from dataset.pose.tracks import Track, link

Parts = dict[str, Array]

#: The points of each layout, in its order, by their BODY_25 names.
LAYOUTS: dict[str, tuple[str, ...]] = {
    "BODY_25": BODY_25,
    "COCO-18": (
        "Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "RHip", "RKnee", "RAnkle",
        "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar", "LEar",
    ),
    "BODY_23": (
        "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "MidHip", "RHip", "RKnee", "RAnkle",
        "RBigToe", "RSmallToe", "LHip", "LKnee", "LAnkle", "LBigToe", "LSmallToe", "Nose", "REye", "REar", "LEye",
        "LEar",
    ),
}  # fmt: skip
_FIELDS = {
    "left_hand": ("hand_left_keypoints_2d", HAND_POINTS),
    "right_hand": ("hand_right_keypoints_2d", HAND_POINTS),
    "face": ("face_keypoints_2d", FACE_POINTS),
}
_NUMBER = re.compile(r"(\d+)(?:_keypoints)?\.json$")
_HINT = "a folder of NAME_000000000000_keypoints.json, one a frame, as OpenPose's --write_json makes it"


@dataclass(frozen=True)
class Found:
    """Everybody in every frame of a folder.

    Attributes:
        frames: for each frame the people in it, each as body (25, 3), hands (21, 3) and face (70, 3).
        layout: of the bodies, one of `LAYOUTS`.
        path: where they were read.
    """

    frames: list[list[Parts]]
    layout: str
    path: Path


def read_openpose(path: str | Path) -> Found:
    """Read a folder of files, or one file that holds a list of frames.

    Frames are taken by the number in the file's name; a number that is missing is a frame with nobody.

    Raises:
        PoseError: there is no such file, or one is not what OpenPose writes.
    """
    root = Path(path)
    layouts: set[str] = set()
    if root.is_file():
        content = _json(root)
        entries = content.get("frames") if isinstance(content, dict) else content
        if isinstance(content, dict) and "people" in content:
            entries = [content]
        if not isinstance(entries, list):
            raise PoseError("not a list of frames", path=root, hint=_HINT)
        frames = [_people(entry, root, layouts, f"frame {row}: ") for row, entry in enumerate(entries)]
    elif root.is_dir():
        files = _numbered(root)
        first = min(files)
        # OpenPose counts from 0; a tool that counts from 1 does not mean that a frame is missing before.
        start = 1 if first == 1 else 0
        frames = [[] for _ in range(max(files) + 1 - start)]
        for number, file in files.items():
            frames[number - start] = _people(_json(file), file, layouts)
    else:
        raise PoseError("there is no such file or folder", path=root, hint=_HINT)
    if not frames:
        raise PoseError("no frame in it", path=root, hint=_HINT)
    if len(layouts) > 1:
        raise PoseError(f"bodies of different layouts: {', '.join(sorted(layouts))}", path=root)
    return Found(frames, next(iter(layouts), "BODY_25"), root)


def from_openpose(
    path: str | Path,
    *,
    size: tuple[int, int],
    times: npt.ArrayLike,
    person: str = MAIN,
    video_sha256: str = "",
) -> PoseSequence:
    """One person of a folder of OpenPose files, as a sequence.

    Args:
        path: as for `read_openpose`.
        size: width and height of the video's frames in pixels.
        times: (T,) seconds of the video's frames. Files for more frames than that are an error; where files are
            missing at the end, nobody was found.
        person: who, as in `dataset.pose.choice`: "main", "left", "right", a number, a place and time.
        video_sha256: hash of the video the poses belong to.

    Raises:
        PoseError: a file is not what OpenPose writes, there are more frames than times, or no such person.
    """
    found = read_openpose(path)
    moments = np.asarray(times, np.float64)
    if len(found.frames) > len(moments):
        raise PoseError(
            f"{len(found.frames)} frames of key points for {len(moments)} frames of video",
            path=found.path,
            hint="give the video that the key points were found in",
        )
    rows = [*found.frames, *([] for _ in range(len(moments) - len(found.frames)))]
    rows = _in_pixels(rows, size, found.path)
    tracks = link([(float(t), [p["body"] for p in people]) for t, people in zip(moments, rows, strict=True)])
    if not tracks:
        raise PoseError("nobody is in it", path=found.path)
    try:
        chosen = choose(tracks, size, samples=len(moments), person=parse_person(person))
    except PoseError as error:
        raise PoseError(error.problem, path=found.path, hint=error.hint) from error
    picked, others = _pick(rows, moments, chosen)
    notes = [f"read from OpenPose files ({found.layout})"]
    missed = sum(parts is None for parts in picked)
    if missed:
        notes.append(f"no person found in {missed} of {len(picked)} frames")
    if others:
        notes.append(f"{others} other people left out")
    return PoseSequence(
        **{name: _stack(picked, name, count) for name, count in _COUNTS.items()},
        times=moments,
        size=size,
        video_sha256=video_sha256,
        estimator=f"OpenPose JSON {found.layout}",
        notes=tuple(notes),
    )


_COUNTS = {"body": 25, "left_hand": HAND_POINTS, "right_hand": HAND_POINTS, "face": FACE_POINTS}


def _pick(
    rows: list[list[Parts]], times: npt.NDArray[np.float64], tracks: list[Track]
) -> tuple[list[Parts | None], int]:
    """In each frame the person of the tracks, and how many others there are at most at one time."""
    boxes = {}
    for track in tracks:
        for sighting in track.sightings:
            boxes[sighting.time] = sighting
    picked: list[Parts | None] = []
    others = 0
    for time, people in zip(times, rows, strict=True):
        wanted = boxes.get(float(time))
        own = None
        if wanted is not None:
            own = next(
                (p for p in people if prominence(p["body"]) == wanted.prominence and _box(p) == wanted.box),
                None,
            )
        others = max(others, sum(p is not own and prominence(p["body"]) > 0 for p in people))
        picked.append(own)
    return picked, others


def _box(parts: Parts) -> tuple[float, float, float, float] | None:
    return body_box(parts["body"], SEEN)


def _stack(picked: list[Parts | None], name: str, count: int) -> Array:
    empty = np.zeros((count, 3), np.float32)
    return np.stack([empty if parts is None else parts[name] for parts in picked])


def _in_pixels(rows: list[list[Parts]], size: tuple[int, int], path: Path) -> list[list[Parts]]:
    """The same points in pixels: OpenPose can also write them as shares of the picture (``--keypoint_scale 3``)."""
    seen = [
        parts["body"][parts["body"][:, 2] > 0, :2]
        for people in rows
        for parts in people
        if len(parts["body"])
    ]
    places = np.concatenate(seen) if seen else np.zeros((0, 2))
    if not len(places) or places.max() > 2.0:
        far = places.max(axis=0, initial=0.0) if len(places) else np.zeros(2)
        if (far > 2.0 * np.array(size)).any():
            raise PoseError(
                f"points as far out as {far[0]:.0f}, {far[1]:.0f} do not fit frames of {size[0]}x{size[1]}",
                path=path,
                hint="give the size of the video that the key points were found in",
            )
        return rows
    for people in rows:
        for parts in people:
            for points in parts.values():
                points[:, :2] *= np.array(size, np.float32)
    return rows


def write_openpose(
    poses: PoseSequence, folder: str | Path, *, layout: str = "BODY_25", name: str = "video"
) -> list[Path]:
    """Write a sequence as one OpenPose file a frame; a frame with nobody has an empty list of people.

    Args:
        poses: the sequence.
        folder: created where needed; files of the same name in it are replaced.
        layout: one of `LAYOUTS`; points that it lacks are left out.
        name: the files are called ``NAME_000000000000_keypoints.json``.

    Returns:
        The files in order.

    Raises:
        PoseError: there is no such layout.
    """
    order = [B[point] for point in layout_points(layout)]
    root = Path(folder)
    files = []
    for row in range(len(poses)):
        parts = {key: points[row] for key, points in poses.parts().items()}
        parts["body"] = parts["body"][order]
        people = []
        if any((points[:, 2] > 0).any() for points in parts.values()):
            person: dict[str, Any] = {"person_id": [-1], "pose_keypoints_2d": _flat(parts["body"])}
            person |= {field: _flat(parts[key]) for key, (field, _) in _FIELDS.items()}
            people = [person]
        path = root / f"{name}_{row:012d}_keypoints.json"
        write_json(path, {"version": 1.3, "people": people})
        files.append(path)
    return files


def layout_points(layout: str) -> tuple[str, ...]:
    """The points of a layout by their BODY_25 names, in its order.

    Raises:
        PoseError: there is no such layout.
    """
    try:
        return LAYOUTS[layout]
    except KeyError:
        raise PoseError(f"no layout {layout!r}; there are: {', '.join(LAYOUTS)}") from None


def _flat(points: Array) -> list[float]:
    # A point that was not found is written as zeros, as OpenPose does.
    return [round(float(v), 3) for v in np.where(points[:, 2:] > 0, points, 0).ravel()]


def _numbered(root: Path) -> dict[int, Path]:
    files: dict[int, Path] = {}
    for path in sorted(root.glob("*.json")):
        match = _NUMBER.search(path.name)
        if match is None:
            continue
        number = int(match.group(1))
        if number in files:
            raise PoseError(
                f"frame {number} is in {files[number].name} too", path=path, hint="one video a folder"
            )
        files[number] = path
    if not files:
        raise PoseError("no key point files in this folder", path=root, hint=_HINT)
    if max(files) > 10_000_000:
        raise PoseError(f"frame number {max(files)} is beyond any video", path=files[max(files)])
    return files


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise PoseError(f"not readable as JSON ({error})", path=path) from error


def _people(entry: Any, path: Path, layouts: set[str], where: str = "") -> list[Parts]:
    people = entry.get("people") if isinstance(entry, dict) else None
    if not isinstance(people, list):
        raise PoseError(f"{where}there is no list of people in it", path=path, hint=_HINT)
    return [_person(person, path, layouts, where) for person in people]


def _person(person: Any, path: Path, layouts: set[str], where: str) -> Parts:
    if not isinstance(person, dict):
        raise PoseError(f"{where}a person is not an object", path=path, hint=_HINT)
    values = _points(person.get("pose_keypoints_2d", []), "pose_keypoints_2d", path, where)
    parts: Parts = {"body": np.zeros((25, 3), np.float32)}
    if len(values):
        layout = next((name for name, points in LAYOUTS.items() if len(points) == len(values)), None)
        if layout is None:
            known = ", ".join(f"{name} {3 * len(points)}" for name, points in LAYOUTS.items())
            raise PoseError(
                f"{where}{3 * len(values)} body values are of no known layout ({known})", path=path
            )
        layouts.add(layout)
        parts["body"][[B[point] for point in LAYOUTS[layout]]] = values
        _fill_middle(parts["body"], LAYOUTS[layout])
    for key, (field, count) in _FIELDS.items():
        points = _points(person.get(field, []), field, path, where)
        if len(points) not in (0, count):
            raise PoseError(f"{where}{field} has {3 * len(points)} values, not {3 * count}", path=path)
        parts[key] = points if len(points) else np.zeros((count, 3), np.float32)
    return parts


def _fill_middle(body: Array, known: tuple[str, ...]) -> None:
    """COCO-18 has no point between the hips."""
    if "MidHip" in known:
        return
    right, left = body[B["RHip"]], body[B["LHip"]]
    if min(right[2], left[2]) > 0:
        body[B["MidHip"]] = [*((right + left)[:2] / 2), min(right[2], left[2])]


def _points(values: Any, field: str, path: Path, where: str) -> Array:
    """(K, 3) from a flat list.

    Values that are no finite numbers are an error; a confidence above 1, which OpenPose gives for hands, counts as 1.
    """
    if values is None:
        values = []
    numbers = isinstance(values, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
    if not numbers:
        raise PoseError(f"{where}{field} is not a list of numbers", path=path)
    if len(values) % 3:
        raise PoseError(f"{where}{field} has {len(values)} values, not three a point", path=path)
    points = np.array(values, np.float64).reshape(-1, 3)
    if not np.isfinite(points).all() or (np.abs(points) > 1e6).any():
        raise PoseError(f"{where}{field} has values that are no pixels", path=path)
    points[:, 2] = np.clip(points[:, 2], 0, 1)
    return points.astype(np.float32)
