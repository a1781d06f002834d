"""All that an evaluation follows from, in one file; with the hashes of its data, so that a second run is the same."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from dataset.errors import DetectorError
from dataset.files import sha256_file, write_json
from dataset.records import CORPUS_FILE
from forensics.curves import CURVES, LOGISTIC
from forensics.evaluation.compute import Drawing, Groups
from forensics.evaluation.protocols import PROTOCOLS
from forensics.recipe import NOBODY

SCHEMA = 1
CONFIG_FILE = "config.json"


@dataclass(frozen=True)
class EvaluationConfig:
    """Settings and data of an evaluation.

    Paths are as the reader has them; in the file they are relative to it.
    """

    corpus: Path | None = (
        None  # folder of the labelled corpus; None: score files that hold their clips' records
    )
    corpus_sha256: str = ""  # of its corpus.json, checked if given
    scores: tuple[tuple[Path, str], ...] = ()  # score files and their SHA-256, checked if given; empty: train
    training: Mapping[str, Any] = field(default_factory=dict)  # the recipe, where detectors are trained
    protocols: tuple[str, ...] = tuple(PROTOCOLS)  # what must be new to a detector
    groups: Groups = field(default_factory=lambda: {"generator": "generator", "motion": "kind"})
    train_only: tuple[str, ...] = NOBODY  # patterns of subjects and recordings that are never evidence
    curve: str = LOGISTIC  # from scores to likelihood ratios: "logistic" or "isotonic"
    false_alarms: float = 0.01  # share of real videos that may be called fake
    misses: float = 0.05  # share of fakes that may be called real
    draws: int = 1000  # bootstrap draws of subjects
    level: float = 0.95  # part of the draws that an interval holds
    seed: int = 0  # of the draws
    worst: int = 12  # clips shown with frames

    def __post_init__(self) -> None:
        for name in self.protocols:
            if name not in PROTOCOLS:
                raise DetectorError(
                    f"no protocol is called {name!r}", hint=f"there are: {', '.join(PROTOCOLS)}"
                )
        if self.curve not in CURVES:
            raise DetectorError(f"no curve is called {self.curve!r}", hint=f"there are: {', '.join(CURVES)}")
        for name in ("false_alarms", "misses", "level"):
            if not 0 < getattr(self, name) < 1:
                raise DetectorError(f"{name} lies between 0 and 1, not at {getattr(self, name)}")
        if self.draws < 1 or self.worst < 0:
            raise DetectorError("at least one draw, and no negative number of worst clips")
        if self.corpus is None and not self.scores:
            raise DetectorError("neither a corpus nor score files are named")

    @property
    def drawing(self) -> Drawing:
        """How intervals are drawn."""
        return Drawing(self.draws, self.level, self.seed)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a config file.

        Raises:
            DetectorError: it is missing, not JSON, or has a field that is not known.
        """
        try:
            told = json.loads(path.read_text("utf-8"))
        except OSError as error:
            raise DetectorError(f"cannot be read ({error.strerror})", path=path) from error
        except ValueError as error:
            raise DetectorError(f"not readable as JSON ({error})", path=path) from error
        if not isinstance(told, dict) or told.pop("schema", SCHEMA) != SCHEMA:
            raise DetectorError(f"not an evaluation config of schema {SCHEMA}", path=path)
        known = [spec.name for spec in fields(cls)]
        if unknown := sorted(set(told) - set(known)):
            raise DetectorError(
                f"unknown setting {unknown[0]!r}", path=path, hint=f"there are: {', '.join(known)}"
            )
        try:
            if told.get("corpus") is not None:
                told["corpus"] = path.parent / told["corpus"]
            told["scores"] = tuple(
                (path.parent / one["path"], one.get("sha256", "")) for one in told.get("scores", ())
            )
            for name in ("protocols", "train_only"):
                if name in told:
                    told[name] = tuple(told[name])
            return cls(**told)
        except (TypeError, KeyError, AttributeError) as error:
            raise DetectorError(f"a setting has the wrong form ({error})", path=path) from error
        except DetectorError as error:
            raise DetectorError(error.problem, path=path, hint=error.hint) from error

    def save(self, path: Path) -> None:
        """Write it, with paths relative to the file."""
        told = asdict(self)
        told["corpus"] = None if self.corpus is None else _relative(self.corpus, path)
        told["scores"] = [{"path": _relative(file, path), "sha256": sha256} for file, sha256 in self.scores]
        write_json(path, {"schema": SCHEMA, **told})

    def with_hashes(self) -> Self:
        """The same with the hashes of the files as they are now.

        Raises:
            DetectorError: a hash was given already and is another.
        """
        corpus = self.corpus_sha256
        if self.corpus is not None and (self.corpus / CORPUS_FILE).is_file():
            corpus = _checked(self.corpus / CORPUS_FILE, corpus)
        scores = tuple((path, _checked(path, sha256)) for path, sha256 in self.scores)
        return replace(self, corpus_sha256=corpus, scores=scores)


def _checked(path: Path, sha256: str) -> str:
    if not path.is_file():
        raise DetectorError("there is no such file", path=path)
    found = sha256_file(path)
    if sha256 and found != sha256:
        raise DetectorError(
            "not the data of this config: SHA-256 differs",
            path=path,
            hint="restore the file, or take the hash out of the config to evaluate the new one",
        )
    return found


def _relative(path: Path, of: Path) -> str:
    return Path(os.path.relpath(path.absolute(), of.absolute().parent)).as_posix()
