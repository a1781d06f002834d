"""What is on disk about clips: whether each was filmed or made, of whom, from what, and by which model."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from dataset.errors import RecordError
from dataset.files import write_json

CORPUS_FILE = "corpus.json"
CORPUS_SCHEMA = 1
LABELS = ("real", "fake")
KINDS = ("recording", "self", "cross")
#: Key of `Clip.origin`: path of the recording that this one shows frame for frame, with a backdrop behind the person.
BACKDROP_OF = "backdrop_of"


@dataclass(frozen=True)
class Clip:
    """One video of a labelled corpus, and where it comes from.

    Attributes:
        path: relative to the corpus folder, with forward slashes.
        label: "real" (filmed) or "fake" (made by motion transfer).
        subject: who can be seen.
        source_subject: whose motion it is; the subject's own for a recording and a self-re-enactment.
        source: name of the recording whose motion it is.
        generator: name of the generator, empty for a recording.
        kind: "recording", "self" (self-re-enactment) or "cross" (another person's motion).
        pair: path of the real clip that this one mirrors frame for frame, None where there is none.
        sha256: of the file.
        origin: lineage, e.g. ``recording_sha256`` and ``model_sha256``.
    """

    path: str
    label: str
    subject: str
    source_subject: str
    source: str
    generator: str
    kind: str
    pair: str | None
    sha256: str
    origin: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.label not in LABELS:
            raise RecordError(f"label is one of {', '.join(LABELS)}, not {self.label!r}", path=self.path)
        if self.kind not in KINDS:
            raise RecordError(f"kind is one of {', '.join(KINDS)}, not {self.kind!r}", path=self.path)
        if Path(self.path).is_absolute() or ".." in Path(self.path).parts:
            raise RecordError("a clip's path is relative to its corpus and stays inside it", path=self.path)


@dataclass
class Corpus:
    """A folder of labelled clips with its manifest ``corpus.json``.

    All clips of a corpus were encoded by one encoder at one setting, so that nothing in the container tells the label.
    """

    root: Path
    clips: list[Clip] = field(default_factory=list)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read the manifest.

        Raises:
            RecordError: the manifest is missing, is not JSON or does not follow the schema.
        """
        root = Path(folder)
        manifest = root / CORPUS_FILE
        try:
            data = json.loads(manifest.read_text("utf-8"))
        except FileNotFoundError:
            raise RecordError(
                "no corpus.json in this folder", path=root, hint="make a corpus with: synthesize fakes"
            ) from None
        except (OSError, ValueError) as error:
            raise RecordError(f"not readable as JSON ({error})", path=manifest) from error
        if not isinstance(data, dict) or data.get("schema") != CORPUS_SCHEMA:
            raise RecordError(f"not a corpus manifest of schema {CORPUS_SCHEMA}", path=manifest)
        try:
            clips = [_clip(entry) for entry in data["clips"]]
        except (KeyError, TypeError) as error:
            raise RecordError(
                f"a clip's record lacks or has a field too many ({error})", path=manifest
            ) from error
        return cls(root, clips)

    def save(self) -> None:
        """Write the manifest, clips sorted by path, atomically."""
        clips = sorted(self.clips, key=lambda clip: clip.path)
        write_json(
            self.root / CORPUS_FILE, {"schema": CORPUS_SCHEMA, "clips": [asdict(clip) for clip in clips]}
        )

    def subjects(self) -> list[str]:
        """Everybody who is seen in a clip or whose motion it has, sorted."""
        return sorted({name for clip in self.clips for name in (clip.subject, clip.source_subject)})

    def absolute(self, clip: Clip) -> Path:
        """Where the clip's file is."""
        return self.root / clip.path


def _clip(entry: dict[str, Any]) -> Clip:
    known = {spec.name for spec in fields(Clip)}
    if unknown := set(entry) - known:
        raise TypeError(f"unknown: {', '.join(sorted(unknown))}")
    return Clip(**entry)
