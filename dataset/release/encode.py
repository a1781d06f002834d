"""One encoder at one setting for everything in a release, real or fake, and one length of sentence about what it is.

Two things would otherwise tell a fake from a recording without a look at the picture. Where key frames lie and which
kind each frame has follows the content if the encoder may choose, so it may not: groups of pictures have a fixed length
and pattern. How many bytes a frame takes follows the content as well (a generator paints less noise than a
camera sees); `dataset.release.level` makes that equal afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dataset.errors import ReleaseError
from dataset.pose.keypoints import SEEN, B, PoseSequence
from dataset.provenance import VERSION, rendering_tags, synthetic_tags
from dataset.release.fingerprint import Fingerprint, Sketcher
from dataset.video import VideoInfo, VideoWriter, read_frames

#: H.264 constant rate factor of a release.
CRF = 18
#: Frames between two key frames: a frame pair anywhere in a video is reached by decoding half as many on average.
GOP = 24
#: Raised when the same input may give other bytes than before, so that finished work of older versions is not used.
ENCODING = 1
#: Characters of the sentence in the tags, the same for all files of a release.
STATEMENT = 280

Image = npt.NDArray[np.uint8]


class ReleaseWriter(VideoWriter):
    """`VideoWriter` with groups of pictures of a fixed length and pattern, which do not follow the content."""

    def __init__(self, path: str | Path, size: tuple[int, int], *, statement: str) -> None:
        super().__init__(path, size, crf=CRF, metadata=release_tags(statement))
        # Without mbtree: with it, x264 gives other bytes now and then for the same pictures, whatever the threads.
        fixed = f"keyint={GOP}:min-keyint={GOP}:scenecut=0:b-adapt=0:bframes=2:open-gop=0:mbtree=0"
        self._options |= {"x264-params": fixed}


@dataclass(frozen=True)
class Encoded:
    """What is known of a video once it is encoded for release.

    Attributes:
        frames: how many.
        size: width and height.
        times: seconds of each frame.
        fingerprint: of the content, for near-duplicates.
        blurred: in how many frames a face was blurred.
    """

    frames: int
    size: tuple[int, int]
    times: tuple[float, ...]
    fingerprint: Fingerprint
    blurred: int


def statement_of(label: str, mark: str | None, subject: str, model_sha256: str) -> str:
    """The sentence that a file of the release carries about itself.

    Args:
        label: "real" or "fake".
        mark: what the collection's file says of itself, see `dataset.provenance.read_marks`.
        subject: pseudonym of who is seen.
        model_sha256: of the generator, for a fake.
    """
    if label == "fake":
        return synthetic_tags("dataset build", model_sha256, subject)["comment"]
    if mark is not None:
        return rendering_tags("dataset build")["comment"]
    released = f"Released by danceproof {VERSION} (dataset build)."
    return f"Recorded video: filmed, with consent, of subject {subject}. {released}"


def release_tags(statement: str) -> dict[str, str]:
    """The tags of a released file, padded to one length so that the length of the mark tells nothing.

    Raises:
        ReleaseError: the sentence is too long to be padded.
    """
    text = " ".join(statement.split())
    # Bytes count: a file is as long as its tags are in UTF-8.
    spare = STATEMENT - len(text.encode())
    if spare < 0:
        raise ReleaseError(
            f"the statement in the file would be longer than {STATEMENT} bytes",
            hint="shorten the subject's id",
        )
    return dict.fromkeys(("comment", "description"), text + " " * spare)


def encode(
    source: Path,
    out: Path,
    *,
    statement: str,
    faces: PoseSequence | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Encoded:
    """Write the pictures of `source` as a release has them: no sound, no tags but the statement.

    Args:
        source: the collection's file.
        out: where to write, .mp4.
        statement: see `statement_of`.
        faces: poses of the same frames; where given, the face in each frame is made unrecognisable.
        progress: called with frames done and in all.

    Raises:
        VideoError: the file cannot be read to its end, or written.
        ReleaseError: the poses are not those of these frames.
    """
    info = VideoInfo.from_path(source)
    if faces is not None and info.frame_count not in (None, len(faces)):
        raise ReleaseError(
            f"has {info.frame_count} frames, but its poses have {len(faces)}",
            path=source,
            hint="estimate them again",
        )
    size = (info.width, info.height)
    times: list[float] = []
    sketcher = Sketcher()
    blurred = 0
    reader = read_frames(source, threads=1)
    with reader, ReleaseWriter(out, size, statement=statement) as writer:
        for frame in reader:
            image = frame.image
            if faces is not None and frame.index < len(faces) and (box := face_box(faces, frame.index)):
                image = blur(image, box)
                blurred += 1
            writer.write(image, time=frame.time)
            times.append(frame.time)
            sketcher.add(image, frame.time)
            if progress is not None:
                progress(len(times), info.frame_count)
        if reader.problems:
            raise ReleaseError(f"cannot be released: {'; '.join(reader.problems)}", path=source)
    return Encoded(len(times), size, tuple(times), sketcher.finish(), blurred)


def face_box(poses: PoseSequence, row: int) -> tuple[int, int, int, int] | None:
    """The box round a face with room for hair and chin, x0, y0, x1, y1 in pixels; None where no head is seen.

    A frame without a head is bridged with the nearest one within half a second, so that one missed detection does
    not show a face.
    """
    near = np.flatnonzero(np.abs(poses.times - poses.times[row]) <= 0.5)
    for other in sorted(near, key=lambda index: (abs(index - row), index)):
        if box := _head(poses, int(other)):
            grow = 1.0 + min(abs(int(other) - row) * 0.1, 1.0)
            (x, y), half = box[0], box[1] * grow
            width, height = poses.size
            x0, y0, x1, y1 = int(x - half), int(y - half), int(x + half) + 1, int(y + half) + 1
            x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
            return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
    return None


def _head(poses: PoseSequence, row: int) -> tuple[tuple[float, float], float] | None:
    body = poses.body[row]
    head = [B[name] for name in ("Nose", "REye", "LEye", "REar", "LEar") if body[B[name], 2] >= SEEN]
    face = poses.face[row][poses.face[row][:, 2] >= SEEN, :2]
    points = np.concatenate([body[head, :2], face])
    if not len(points):
        return None
    middle = points.mean(axis=0)
    spread = float(np.linalg.norm(points - middle, axis=1).max())
    # A face turned away shows few points close together; the neck says how large the head is.
    neck = body[B["Neck"]]
    reach = float(np.linalg.norm(neck[:2] - middle)) if neck[2] >= SEEN else 0.0
    return (float(middle[0]), float(middle[1])), max(1.6 * spread, 0.85 * reach, 0.03 * poses.size[1])


def blur(image: Image, box: tuple[int, int, int, int]) -> Image:
    """A copy with `box` reduced to a few patches of colour, which no sharpening brings back."""
    x0, y0, x1, y1 = box
    out = image.copy()
    patch = out[y0:y1, x0:x1]
    coarse = cv2.resize(patch, (4, 4), interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(coarse, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    mask = np.zeros(patch.shape[:2], np.float32)
    cv2.ellipse(
        mask, ((x1 - x0) // 2, (y1 - y0) // 2), ((x1 - x0 + 1) // 2, (y1 - y0 + 1) // 2), 0, 0, 360, 1.0, -1
    )
    patch[:] = np.where(mask[..., None] > 0, smooth, patch)
    return out
