"""Score files: what detectors said about clips, and what was kept from them. Enough to evaluate without training.

    {"schema": 1, "fold": {"subjects": [...], "sources": [...], "families": [...], "clips": [...]},
     "trained_on": {"subjects": [...], "sources": [...], "families": [...], "sha256": [...]},
     "scores": [{"clip": {...}, "fold": 0, "score": 1.2, "pair_scores": [...], "distance": 0.9}, ...]}

"calibration" may hold that of a detector that is to be judged as it is; the trials then are not calibrated anew. A clip
may also be named by its path alone; its record then comes from the corpus. Files of earlier versions have no "fold":
who was left out then stands in the ``detector.json`` beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset.errors import DetectorError
from dataset.files import sha256_file, write_json
from dataset.records import Clip, Corpus
from forensics.calibrate import Calibration
from forensics.evaluation.protocols import Training
from forensics.folds import Fold

if TYPE_CHECKING:
    from forensics.crossfit import ClipScore

SCHEMA = 1
SCORES_FILE = "scores.json"
#: Folder of the detectors that a fused one is made of.
_PARTS = "members"


@dataclass(frozen=True)
class ScoreFile:
    """The scores of one detector.

    Attributes:
        path: of the file.
        sha256: of the file.
        fold: what was left out in training.
        training: what the detector had met.
        scores: of the clips.
        complete: whether `training` is known; else it is what the corpus, or if there is none the other score files,
            have beside what was left out.
        calibration: the detector's own, where it is to be judged by it.
    """

    path: Path
    sha256: str
    fold: Fold
    training: Training
    scores: tuple[ClipScore, ...]
    complete: bool
    calibration: Calibration | None = None


def write_scores(
    path: Path, fold: Fold, trained: Sequence[Clip] | Training, scores: Sequence[ClipScore], **facts: Any
) -> None:
    """Write the scores of one detector with the records of the clips.

    Args:
        path: the file.
        fold: what was left out in training.
        trained: the clips that the detector was trained on, or what it has met.
        scores: of the clips that were tested.
        facts: more to keep, as JSON values.
    """
    training = trained if isinstance(trained, Training) else Training.of(trained)
    told = {name: sorted(values) for name, values in asdict(training).items()}
    write_json(
        path,
        {
            "schema": SCHEMA,
            **facts,
            "fold": fold.to_dict(),
            "trained_on": told,
            "scores": [asdict(score) for score in scores],
        },
    )


def find_score_files(paths: Iterable[Path]) -> list[Path]:
    """Score files as they are, and in folders every ``scores.json``, sorted, but for those of a detector's parts.

    Raises:
        DetectorError: a folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = [
            file for file in sorted(path.rglob(SCORES_FILE)) if _PARTS not in file.relative_to(path).parts
        ]
        if not inside:
            raise DetectorError(
                f"no {SCORES_FILE} in this folder",
                path=path,
                hint="name the --out of fakedetect train or evaluate",
            )
        found += inside
    return list(dict.fromkeys(found))


def read_score_files(paths: Sequence[Path], corpus: Corpus | None = None) -> list[ScoreFile]:
    """Read score files; the n-th one's scores get the fold number n.

    Args:
        paths: of the files.
        corpus: whose records complete what a file names by its path alone.

    Raises:
        DetectorError: a file is missing or not understood, or a clip's record is nowhere.
    """
    records = {} if corpus is None else {clip.path: clip for clip in corpus.clips}
    told = [_load(path) for path in paths]
    read = [
        (_fold(path, one), _scores(path, one, number, records)) for number, (path, one) in enumerate(told)
    ]
    everything = (
        list(records.values())
        if corpus is not None
        else list({score.clip.path: score.clip for _, scores in read for score in scores}.values())
    )
    files = []
    for (path, one), (fold, scores) in zip(told, read, strict=True):
        known = one.get("trained_on")
        training = (
            Training(**{name: frozenset(values) for name, values in known.items()})
            if known is not None
            else Training.of([clip for clip in everything if fold.trains(clip)])
        )
        own = _calibration(path, one)
        files.append(ScoreFile(path, sha256_file(path), fold, training, scores, known is not None, own))
    return files


def _load(path: Path) -> tuple[Path, dict[str, Any]]:
    try:
        told = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise DetectorError("there is no such score file", path=path) from None
    except (OSError, ValueError) as error:
        raise DetectorError(f"not readable as JSON ({error})", path=path) from error
    if not isinstance(told, dict) or not isinstance(told.get("scores"), list):
        raise DetectorError("not a score file: it has no list of scores", path=path)
    if told.get("schema", SCHEMA) != SCHEMA:
        raise DetectorError(f"not a score file of schema {SCHEMA}", path=path)
    return path, told


def _fold(path: Path, told: dict[str, Any]) -> Fold:
    try:
        if "fold" in told:
            return Fold.from_dict(told["fold"])
        if "left_out" in told:
            return Fold.of(told["left_out"])
        beside = json.loads((path.parent / "detector.json").read_text("utf-8"))
        return Fold.of(beside["training"]["left_out"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DetectorError(
            f"it does not say who was left out in training, nor does a detector.json beside it ({error})",
            path=path,
        ) from error


def _calibration(path: Path, told: dict[str, Any]) -> Calibration | None:
    if told.get("calibration") is None:
        return None
    try:
        return Calibration(**told["calibration"])
    except (TypeError, ValueError) as error:
        raise DetectorError(f"its calibration is not understood ({error})", path=path) from error


def _scores(path: Path, told: dict[str, Any], number: int, records: dict[str, Clip]) -> tuple[ClipScore, ...]:
    from forensics.crossfit import ClipScore

    scores = []
    for entry in told["scores"]:
        try:
            named = entry["clip"]
            clip = Clip(**named) if isinstance(named, dict) else records.get(named)
            if clip is None:
                raise DetectorError(
                    f"it names clip {named} by its path alone, and no record of it is known",
                    path=path,
                    hint="name the corpus as well: fakedetect evaluate CORPUS --scores FILE",
                )
            in_corpus = records.get(clip.path)
            if in_corpus is not None and in_corpus.sha256 != clip.sha256:
                raise DetectorError(
                    f"clip {clip.path} is another file in the corpus: SHA-256 differs", path=path
                )
            pairs = tuple(float(value) for value in entry["pair_scores"])
            opinions = {str(name): float(value) for name, value in entry.get("opinions", {}).items()}
            scores.append(ClipScore(clip, number, entry["score"], pairs, entry["distance"], opinions))
        except (KeyError, TypeError, ValueError) as error:
            raise DetectorError(f"a score lacks or has a wrong field ({error})", path=path) from error
    return tuple(scores)
