"""Every error that danceproof raises on purpose.

    DanceproofError
    ├── VideoError                 a file that cannot be read as video
    │   └── NotAVideoError         there is nothing to decode: missing, empty, no video stream, a directory
    ├── PoseError                  key points that cannot be estimated or read
    ├── ModelError                 weights that are missing, damaged or of another kind
    ├── RecordError                a manifest or record that does not follow its schema
    ├── CollectionError            a collection that cannot be used, or cannot take what it is given
    │   └── RecordingRefused       a recording that did not pass its checks
    ├── ReleaseError               a release that cannot be built, read or loaded as asked
    ├── WorkError                  a run over many items that cannot begin or go on
    ├── HubError                   a hub that refuses, cannot be reached, or holds something else than it should
    │   └── HubConflictError       somebody else changed the repository at the same time, or had its name first
    ├── SynthesisError             a generator that cannot be trained or run as asked
    │   └── PeerError              another process of the same training has failed
    ├── ConsentError               nobody has agreed to what was asked for, or not any longer
    ├── ProvenanceError            a video that cannot be signed, or a certificate that cannot sign it
    └── DetectorError              a detector that cannot be trained, evaluated or run as asked
        └── LeakageError           an evaluation that would flatter: the test knows something of the training

The commands print such an error as one line on stderr and exit with status 2.
"""

from __future__ import annotations

from pathlib import Path


class DanceproofError(Exception):
    """What was wrong, with which file, and what to do next, in one line.

    Args:
        problem: what was wrong, as a clause without a full stop.
        path: the file it is about, if any; printed in front.
        hint: what the reader can do or type next, if there is anything.
    """

    def __init__(self, problem: str, *, path: str | Path | None = None, hint: str | None = None) -> None:
        self.problem = problem
        self.path = None if path is None else Path(path)
        self.hint = hint
        line = problem if path is None else f"{path}: {problem}"
        if hint:
            line = f"{line} – {hint}"
        super().__init__(" ".join(line.split()))


class VideoError(DanceproofError):
    """A video file that cannot be read or written."""


class NotAVideoError(VideoError):
    """There is nothing to decode in the file."""


class PoseError(DanceproofError):
    """Key points that cannot be estimated, read or used."""


class ModelError(DanceproofError):
    """Weights that are missing, damaged or of another kind."""


class RecordError(DanceproofError):
    """A manifest or record that does not follow its schema."""


class ReleaseError(DanceproofError):
    """A release that cannot be built, read or loaded as asked."""


class SynthesisError(DanceproofError):
    """A generator that cannot be trained or run as asked."""


class ConsentError(DanceproofError):
    """Nobody has agreed to what was asked for, or not any longer."""


class ProvenanceError(DanceproofError):
    """A video that cannot be signed, or a certificate that cannot sign it."""


class PeerError(SynthesisError):
    """Another process of the same training has failed; this one ends with it.

    Args:
        told: whether that process has said itself what was wrong.
    """

    def __init__(
        self, problem: str, *, path: str | Path | None = None, hint: str | None = None, told: bool = False
    ) -> None:
        super().__init__(problem, path=path, hint=hint)
        self.told = told


class DetectorError(DanceproofError):
    """A detector that cannot be trained, evaluated or run as asked."""


class LeakageError(DetectorError):
    """An evaluation whose figures would be better than the detector is."""


class CollectionError(DanceproofError):
    """A collection that cannot be used as asked, or that cannot take what it is given."""


class RecordingRefused(CollectionError):
    """A recording that did not pass the checks of its import."""


class WorkError(DanceproofError):
    """A run over many items that cannot begin or go on as asked; not one item's fault."""


class HubError(DanceproofError):
    """A hub that refuses, cannot be reached, or holds something else than it should."""


class HubConflictError(HubError):
    """Somebody else changed the repository at the same time, or had its name first."""
