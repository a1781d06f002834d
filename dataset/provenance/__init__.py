"""Marks that say, inside the file itself, that it was made and not filmed.

Two of them, for different eyes:

    the sentence    in the container's `comment` and `description` tags: the two that MP4, MOV and Matroska all keep,
                    that players show, and that copying the streams into another container usually carries along
    the manifest    C2PA: signed, so that a change of a single byte is noticed (`dataset.provenance.signing` writes
                    it, `dataset.provenance.manifest` reads it)

Both are honest labels, not locks: anyone can remove them, so a missing mark says nothing.

    synthetic_tags(…), rendering_tags(…), read_marks(tags), is_rendering(tags)    the sentence
    find_identity(…), signed_video(path, identity, statement), Statement          writing the manifest
    read_manifest(path) → ManifestState                                           reading it

Nothing here imports the C2PA library before a file is signed or read.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataset.provenance.identity import Identity, find_identity
    from dataset.provenance.manifest import ManifestState, read_manifest
    from dataset.provenance.signing import Statement, signed_video

#: Version of the package; it stands in every mark, so a file tells which release made it.
VERSION = "0.1.0"

_SYNTHETIC = "Synthetic video:"
_RENDERING = "Rendered video:"
_RESEARCH_ONLY = "For research only, not to be published."
_TAGS = ("comment", "description")

__all__ = [
    "VERSION",
    "Identity",
    "ManifestState",
    "Statement",
    "find_identity",
    "is_rendering",
    "read_manifest",
    "read_marks",
    "rendering_tags",
    "signed_video",
    "synthetic_tags",
]

_HOMES = {
    "Identity": "dataset.provenance.identity",
    "ManifestState": "dataset.provenance.manifest",
    "Statement": "dataset.provenance.signing",
    "find_identity": "dataset.provenance.identity",
    "read_manifest": "dataset.provenance.manifest",
    "signed_video": "dataset.provenance.signing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def synthetic_tags(
    tool: str, model_sha256: str, subject: str = "", *, research_only: bool = False
) -> dict[str, str]:
    """Container metadata for a video that shows a person doing what they did not do.

    Args:
        tool: the command or function that made the file, such as ``synthesize transfer``.
        model_sha256: hash of the weights that drew it.
        subject: name of the person in the data set, if the file may tell it.
        research_only: whether it was made without a consent record, for research that is not published.

    Returns:
        Tags for `dataset.video.VideoWriter`.
    """
    who = f" of subject {_one_line(subject)}" if subject else ""
    return _tags(
        f"{_SYNTHETIC} a synthesised likeness{who}, not a recording. "
        f"Made by danceproof {VERSION} ({_one_line(tool)}) with model sha256:{_one_line(model_sha256)}."
        + (f" {_RESEARCH_ONLY}" if research_only else "")
    )


def rendering_tags(tool: str) -> dict[str, str]:
    """Container metadata for a rendering of nobody, such as the mannequin.

    Args:
        tool: the command or function that made the file, such as ``dataset mannequin``.
    """
    return _tags(
        f"{_RENDERING} a computer-drawn figure, not a person and not a recording. "
        f"Made by danceproof {VERSION} ({_one_line(tool)})."
    )


def read_marks(metadata: dict[str, str]) -> str | None:
    """The statement that a file carries about being made, or None if it carries none.

    Args:
        metadata: the container's tags; the case of their names, which differs between containers, is ignored.
    """
    lowered = {name.lower(): value for name, value in metadata.items()}
    for tag in _TAGS:
        statement = _one_line(lowered.get(tag, ""))
        if statement.lower().startswith((_SYNTHETIC.lower(), _RENDERING.lower())):
            return statement
    return None


def is_rendering(metadata: dict[str, str]) -> bool:
    """Whether a file says that it is a rendering of nobody, whose likeness nobody has to agree to."""
    return (read_marks(metadata) or "").lower().startswith(_RENDERING.lower())


def _tags(statement: str) -> dict[str, str]:
    return dict.fromkeys(_TAGS, statement)


def _one_line(text: str) -> str:
    return " ".join(text.split())
