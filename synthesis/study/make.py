"""Making a two-alternative study: pairs of short clips of the same poses from two systems, and a page to rate them on.

The page holds the clips under opaque numbers; which is whose stands in a key file that whoever runs the study keeps.
Every synthesised clip is signed like any other synthesised video, only that its manifest does not name the generator.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

import cv2
import jinja2
import numpy as np
import numpy.typing as npt

from dataset.errors import SynthesisError
from dataset.files import atomic_path, sha256_file, write_json
from dataset.provenance import Identity, Statement, find_identity, read_manifest, signed_video, synthetic_tags
from dataset.video import VideoInfo, VideoWriter, frame_times, read_frames

Image = npt.NDArray[np.uint8]
Report = Callable[..., None]

SCHEMA = 1
PAIRS = 20
SECONDS = 3.0
#: Pictures are scaled down to this height; a pair then fits on a laptop's screen.
HEIGHT = 480
CRF = 20
PAGE, KEY = "study.html", "key.json"
_RESEARCH_ONLY = "research-only"
_WITHHELD = "withheld until the study is over"


@dataclass(frozen=True)
class Material:
    """One subject's videos of the same poses, frame for frame.

    Attributes:
        subject: name.
        first, second: videos of the two systems.
        reference: the filmed video, if raters may see it.
        consent: on what ground both were made: "person", "mannequin" or "research-only".
    """

    subject: str
    first: Path
    second: Path
    reference: Path | None = None
    consent: str = _RESEARCH_ONLY

    @classmethod
    def of_videos(cls, subject: str, first: Path, second: Path) -> Self:
        """Videos as they are; the ground is what both manifests state, and research only where they do not."""
        grounds = set()
        for path in (first, second):
            state = read_manifest(path)
            stated = state.statement.get("consent") if state.integrity == "valid" else None
            grounds.add(str(stated or _RESEARCH_ONLY))
        return cls(subject, first, second, consent=grounds.pop() if len(grounds) == 1 else _RESEARCH_ONLY)


@dataclass(frozen=True)
class _Cut:
    material: Material
    start: int
    count: int


def make_study(
    names: tuple[str, str],
    material: Sequence[Material],
    out: Path,
    *,
    pairs: int = PAIRS,
    seconds: float = SECONDS,
    seed: int = 0,
    height: int = HEIGHT,
    beside: bool = False,
    identity: Identity | None = None,
    report: Report = lambda *facts: None,
) -> Path:
    """Write ``study.html`` for the raters and ``key.json`` for whoever analyses their answers.

    Cuts are spread evenly over subjects and over each subject's time. Order of the pairs and which system is on which
    side come from the seed; each system is on the left in half of the pairs. A practice item comes first: a clip beside
    a spoilt copy of it, to tell raters who do not look.

    Args:
        names: of the two systems, for the key.
        material: one or more subjects.
        out: folder.
        pairs: how many to rate.
        seconds: length of a clip.
        seed: of order, sides and cuts; another seed makes another page for further raters.
        height: of the clips in pixels, at most.
        beside: put the clips in a folder beside the page instead of into it.
        identity: who signs the clips; see `find_identity`.
        report: called as ``report(what, done, total)``.

    Returns:
        The page.

    Raises:
        SynthesisError: the videos of a subject do not belong together, or are too short.
        VideoError: a video cannot be read.
    """
    if pairs < 2:
        raise SynthesisError("a study has at least two pairs")
    rng = np.random.default_rng([seed, 1])
    cuts = _choose_cuts(material, pairs, seconds, rng)
    order = rng.permutation(len(cuts))
    second_left = rng.permutation(np.arange(len(cuts)) % 2 == 1)
    out.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {"seed": seed, "names": list(names), "pairs": pairs, "seconds": seconds}
    facts["videos"] = [
        {"subject": one.subject, "sha256": [sha256_file(one.first), sha256_file(one.second)]}
        for one in material
    ]
    study = _token(json.dumps(facts), "study")
    with tempfile.TemporaryDirectory(prefix=".study_", dir=out) as temporary:
        maker = _Maker(
            Path(temporary), out / "clips" if beside else None, study, height, identity or find_identity()
        )
        items = []
        practice_left = bool(rng.integers(2))
        items.append(maker.practice(cuts[int(order[0])], spoilt_left=practice_left))
        key: dict[str, Any] = {}
        for number, which in enumerate(order):
            cut = cuts[int(which)]
            item = maker.item(number, cut, second_left=bool(second_left[number]))
            items.append(item)
            left, right = (1, 0) if second_left[number] else (0, 1)
            key[item["id"]] = {
                "left": names[left],
                "right": names[right],
                "subject": cut.material.subject,
                "start_frame": cut.start,
                "frames": cut.count,
            }
            report("clips", number + 1, len(cuts))
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("synthesis.study"), autoescape=True, undefined=jinja2.StrictUndefined
        )
        page = {
            "schema": SCHEMA,
            "study": study,
            "items": items,
            "reference": all(one.reference is not None for one in material),
            "research_only": any(one.consent == _RESEARCH_ONLY for one in material),
        }
        with atomic_path(out / PAGE) as target:
            target.write_text(environment.get_template("study.html").render(page=page), "utf-8")
    practice = {"id": items[0]["id"], "right_answer": "right" if practice_left else "left"}
    write_json(out / KEY, {"schema": SCHEMA, "study": study, **facts, "practice": practice, "items": key})
    return out / PAGE


def _choose_cuts(
    material: Sequence[Material], pairs: int, seconds: float, rng: np.random.Generator
) -> list[_Cut]:
    """As many cuts of each subject as of any other, spread over its time; they overlap only where it is too short."""
    if not material:
        raise SynthesisError("no videos were given")
    counts = np.full(len(material), pairs // len(material))
    counts[rng.permutation(len(material))[: pairs % len(material)]] += 1
    cuts = []
    for one, wanted in zip(material, counts, strict=True):
        frames, fps = _same_length(one)
        length = max(round(seconds * fps), 2)
        if frames < length:
            raise SynthesisError(
                f"{frames} frames are shorter than a clip of {seconds:g} s",
                path=one.first,
                hint="give a lower --seconds",
            )
        starts = np.linspace(0, frames - length, int(wanted)).round()
        cuts += [_Cut(one, int(start), length) for start in starts]
    return cuts


def _same_length(one: Material) -> tuple[int, float]:
    videos = [path for path in (one.first, one.second, one.reference) if path is not None]
    infos = [VideoInfo.from_path(path) for path in videos]
    lengths = {len(frame_times(path)) for path in videos}
    if len(lengths) > 1 or len({(info.width, info.height) for info in infos}) > 1:
        raise SynthesisError(
            f"the videos of {one.subject} differ in length or size",
            path=one.second,
            hint="a pair shows the same poses frame for frame",
        )
    frames = lengths.pop()
    times = frame_times(one.first)
    return frames, (frames - 1) / (times[-1] - times[0]) if frames > 1 and times[-1] > times[0] else 25.0


class _Maker:
    """Writes clips under opaque names and describes items for the page."""

    def __init__(
        self, folder: Path, beside: Path | None, study: str, height: int, identity: Identity
    ) -> None:
        self._folder, self._beside, self._study, self._height = folder, beside, study, height
        self._identity = identity
        if beside is not None:
            beside.mkdir(parents=True, exist_ok=True)

    def item(self, number: int, cut: _Cut, *, second_left: bool) -> dict[str, Any]:
        one = cut.material
        videos = (one.second, one.first) if second_left else (one.first, one.second)
        return self._describe(f"item {number}", cut, [_frames(path, cut) for path in videos])

    def practice(self, cut: _Cut, *, spoilt_left: bool) -> dict[str, Any]:
        # Both sides are synthetic, as the page says: the filmed clip is never one to choose.
        good = list(_frames(cut.material.second, cut))
        sides = [_spoilt(good), good] if spoilt_left else [good, _spoilt(good)]
        return self._describe("practice", cut, [iter(side) for side in sides])

    def _describe(
        self, what: str, cut: _Cut, sides: Sequence[Iterator[tuple[Image, float]]]
    ) -> dict[str, Any]:
        item: dict[str, Any] = {"id": _token(self._study, what)}
        for side, frames in zip(("left", "right"), sides, strict=True):
            item[side] = self._clip(_token(self._study, what, side), frames, cut.material.consent)
        if cut.material.reference is not None:
            frames = _frames(cut.material.reference, cut)
            item["reference"] = self._clip(_token(self._study, what, "reference"), frames, None)
        return item

    def _clip(self, name: str, frames: Iterator[tuple[Image, float]], consent: str | None) -> str:
        """One clip as a data: URI, or as a file's relative address.

        A filmed clip has no `consent` and is not signed. No mark in a synthesised one tells the systems apart.
        """
        path = (self._beside or self._folder) / f"{name}.mp4"
        tags = None
        with ExitStack() as stack:
            target = path
            if consent is not None:
                only = consent == _RESEARCH_ONLY
                tags = synthetic_tags("synthesize study", _WITHHELD, research_only=only)
                statement = Statement(
                    "synthesize study", "self", _WITHHELD, "", consent, picture="clip of a study"
                )
                target = stack.enter_context(signed_video(path, self._identity, statement))
            first, start = next(frames)
            factor = min(1.0, self._height / first.shape[0])
            # Even numbers, so that no player shows a padded line.
            size = (_even(first.shape[1] * factor), _even(first.shape[0] * factor))
            writer = stack.enter_context(VideoWriter(target, size, crf=CRF, metadata=tags))
            writer.write(cv2.resize(first, size, interpolation=cv2.INTER_AREA), time=0.0)
            for image, time in frames:
                writer.write(cv2.resize(image, size, interpolation=cv2.INTER_AREA), time=time - start)
        if self._beside is not None:
            return f"clips/{path.name}"
        return "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _even(length: float) -> int:
    return 2 * max(round(length / 2), 1)


def _frames(path: Path, cut: _Cut) -> Iterator[tuple[Image, float]]:
    with read_frames(path) as reader:
        for frame in islice(reader, cut.start, cut.start + cut.count):
            yield frame.image, frame.time


def _spoilt(frames: list[tuple[Image, float]]) -> list[tuple[Image, float]]:
    """The same clip, blurred, in blocks and jerky: plainly the worse one."""
    spoilt = []
    for number in range(len(frames)):
        image = frames[number - number % 5][0]
        height, width = image.shape[:2]
        small = cv2.resize(image, (max(width // 16, 1), max(height // 16, 1)), interpolation=cv2.INTER_AREA)
        blocks = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
        spoilt.append((np.asarray(cv2.GaussianBlur(blocks, (0, 0), 3), np.uint8), frames[number][1]))
    return spoilt


def _token(*parts: str) -> str:
    """A name that tells nothing."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
