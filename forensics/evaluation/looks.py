"""Whether two people's recordings show the same: what moves in each, compared at every shift in time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from dataset.files import write_json
from dataset.records import Clip, Corpus
from dataset.release.alike import alike
from dataset.release.fingerprint import LOOKS, RATE, Fingerprint, Sketcher
from dataset.video import read_frames

#: Where fingerprints are kept between runs.
CACHE_FILE = "fingerprints.json"


def fingerprints(
    corpus: Corpus,
    clips: Sequence[Clip],
    cache: Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> list[Fingerprint]:
    """The fingerprint of each clip; what was worked out before is read from `cache`, a folder."""
    kept: dict[str, str] = {}
    if cache is not None and (cache / CACHE_FILE).is_file():
        kept = json.loads((cache / CACHE_FILE).read_text("utf-8"))
    looks, fresh = [], False
    for number, clip in enumerate(clips):
        if clip.sha256 not in kept:
            kept[clip.sha256] = _look(corpus.absolute(clip)).to_hex()
            fresh = True
        looks.append(Fingerprint.from_hex(kept[clip.sha256]))
        if progress is not None:
            progress(number + 1, len(clips))
    if cache is not None and fresh:
        write_json(cache / CACHE_FILE, dict(sorted(kept.items())))
    return looks


def same_content(clips: Sequence[Clip], looks: Sequence[Fingerprint]) -> list[tuple[Clip, Clip, float]]:
    """Pairs of clips of different people that show the same, and how alike they are (1 is a copy)."""
    found = alike(looks, [clip.subject for clip in clips])
    return [(clips[first], clips[second], value) for first, second, value in found]


def _look(path: Path) -> Fingerprint:
    sketcher = Sketcher()
    for frame in read_frames(path):
        if frame.time > LOOKS / RATE:
            break
        sketcher.add(frame.image, frame.time)
    return sketcher.finish()
