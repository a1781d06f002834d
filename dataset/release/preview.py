"""What a person looks at first: a picture with frames of everybody, and a page per subject that plays their videos."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dataset.errors import ReleaseError
from dataset.files import atomic_path
from dataset.release.figures import Facts
from dataset.release.splits import SPLITS
from dataset.release.tables import Clip
from dataset.video import read_pairs

Image = npt.NDArray[np.uint8]

#: Height of a poster and of a picture on the contact sheet, and how many couples the sheet shows in a row and in all.
POSTER, CELL = 320, 200
COLUMNS, MOST = 4, 24
_INK, _PAPER, _GREEN, _RED = (36, 31, 27), (252, 251, 250), (75, 127, 26), (30, 38, 179)


def write_previews(root: Path, facts: Facts, progress: Callable[[int, int], None]) -> None:
    """``contact_sheet.jpg`` and ``previews/``: an index and a page for each subject.

    The pages play the videos that lie beside them and need no network. Posters are inside the pages.
    """
    from dataset.release.texts import environment, values

    told = values(facts)
    page = environment().get_template("preview.html.j2")
    groups = _by_subject(facts.clips)
    index: dict[str, list[tuple[str, str, str]]] = {split: [] for split in SPLITS}
    sheet: list[tuple[str, list[tuple[str, Image]]]] = []
    done = 0
    for subject, clips in groups.items():
        frames = {}
        for clip in clips:
            frames[clip.item.id] = middle_frame(root / clip.file, clip)
            done += 1
            progress(done, len(facts.clips))
        posters = {name: _data_uri(_fit(frame, POSTER)) for name, frame in frames.items()}
        text = page.render(
            **told, subject=subject, split=clips[0].split, consent=facts.consents[subject],
            groups=_groups(clips, posters),
        )  # fmt: skip
        _write(root / "previews" / f"{subject}.html", text)
        first = min(clips, key=lambda clip: (clip.item.label != "real", clip.item.id))
        index[clips[0].split].append(
            (
                subject,
                _data_uri(_fit(frames[first.item.id], 160)),
                f"{len(clips)} video{'s' * (len(clips) != 1)}",
            )
        )
        if len(sheet) < MOST:
            sheet.append((subject, _couple(clips, frames)))
    listed = [(split, names) for split, names in index.items() if names]
    _write(root / "previews" / "index.html", page.render(**told, subject="All subjects", subjects=listed))
    _save(root / "contact_sheet.jpg", contact_sheet(sheet))


def middle_frame(path: Path, clip: Clip) -> Image:
    """The frame in the middle of a video, (H, W, 3) uint8."""
    pair = next(iter(read_pairs(path, [clip.times[len(clip.times) // 2]], threads=1)), None)
    if pair is None:
        raise ReleaseError("has fewer than two frames", path=path, hint="leave it out of the collection")
    return pair.first.image


def contact_sheet(couples: list[tuple[str, list[tuple[str, Image]]]]) -> Image:
    """Couples of a real frame and a fake of it side by side, several to a row, with names under them."""
    cells = []
    for subject, pictures in couples:
        shown = np.concatenate([_fit(image, CELL) for _, image in pictures], axis=1)
        labels = np.full((26, shown.shape[1], 3), _PAPER[::-1], np.uint8)
        x = 0
        for label, image in pictures:
            text = f"{subject} {label}"
            width = _fit(image, CELL).shape[1]
            colour = _RED if label == "fake" else _GREEN
            scale = min(
                0.45, 0.45 * (width - 8) / cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0][0]
            )
            cv2.putText(
                labels, text, (x + 4, 18), cv2.FONT_HERSHEY_SIMPLEX, scale, colour[::-1], 1, cv2.LINE_AA
            )
            x += width
        cells.append(np.concatenate([shown, labels]))
    columns = min(COLUMNS, len(cells))
    width = max(cell.shape[1] for cell in cells) + 12
    height = CELL + 26 + 8
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * height + 12, columns * width + 12, 3), _PAPER[::-1], np.uint8)
    for number, cell in enumerate(cells):
        y, x = 12 + number // columns * height, 12 + number % columns * width
        sheet[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
    return sheet


def _by_subject(clips: tuple[Clip, ...]) -> dict[str, list[Clip]]:
    found: dict[str, list[Clip]] = {}
    for clip in sorted(clips, key=lambda clip: (clip.item.subject, clip.item.id)):
        found.setdefault(clip.item.subject, []).append(clip)
    return found


def _couple(clips: list[Clip], frames: dict[str, Image]) -> list[tuple[str, Image]]:
    """A recording and a fake of the same frames, or a recording alone, or whatever there is."""
    for clip in clips:
        if clip.item.pair in frames:
            return [("real", frames[str(clip.item.pair)]), ("fake", frames[clip.item.id])]
    first = min(clips, key=lambda clip: (clip.item.label != "real", clip.item.id))
    return [(first.item.label, frames[first.item.id])]


def _groups(clips: list[Clip], posters: dict[str, str]) -> list[dict[str, Any]]:
    """Each recording with the fakes that mirror it, then the fakes with other people's motion."""
    groups = []
    for clip in clips:
        if clip.item.label == "real":
            mirrors = [other for other in clips if other.item.pair == clip.item.id]
            told = "The fakes mirror the recording frame for frame." if mirrors else "No fake mirrors it."
            motion = clip.item.motion or "no motion named"
            groups.append(
                {"title": f"{clip.item.id}: {motion}", "told": told,
                 "clips": [_shown(one, posters) for one in (clip, *mirrors)]}
            )  # fmt: skip
    borrowed = [clip for clip in clips if clip.item.label == "fake" and clip.item.pair is None]
    if borrowed:
        groups.append(
            {"title": "With somebody else's motion", "told": "Synthesised; nobody filmed these.",
             "clips": [_shown(clip, posters) for clip in borrowed]}
        )  # fmt: skip
    return groups


def _shown(clip: Clip, posters: dict[str, str]) -> dict[str, str]:
    item = clip.item
    told = {
        "recording": "real",
        "self": "fake, own motion",
        "cross": f"fake, motion of {item.source_subject}",
    }
    facts = f"{len(clip.times)} frames, {clip.duration:.2f} s, {clip.size[0]}×{clip.size[1]}"
    if item.generator:
        facts += f", by {item.generator}"
    return {
        "id": item.id, "label": item.label, "told": told[item.kind], "facts": facts, "file": clip.file,
        "poster": posters[item.id],
    }  # fmt: skip


def _fit(image: Image, height: int) -> Image:
    width = max(round(image.shape[1] * height / image.shape[0]), 1)
    way = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=way), np.uint8)


def _jpeg(image: Image) -> bytes:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return data.tobytes()


def _data_uri(image: Image) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(_jpeg(image)).decode()


def _save(path: Path, image: Image) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(_jpeg(image))


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text.rstrip() + "\n", "utf-8")
