"""Marks that say, inside the file itself, that it was made and not filmed.

The mark is a plain sentence in the container's `comment` and `description` tags: the two that MP4, MOV and
Matroska all keep, that players show, and that copying the streams into another container usually carries
along. It is an honest label, not a seal: anyone can remove it, so a missing mark says nothing.
"""

from __future__ import annotations

#: Version of the package; it stands in every mark, so a file tells which release made it.
VERSION = "0.1.0"

_SYNTHETIC = "Synthetic video:"
_RENDERING = "Rendered video:"
_TAGS = ("comment", "description")


def synthetic_tags(tool: str, model_sha256: str, subject: str = "") -> dict[str, str]:
    """Container metadata for a video that shows a person doing what they did not do.

    Args:
        tool: the command or function that made the file, such as ``synthesize transfer``.
        model_sha256: hash of the weights that drew it.
        subject: name of the person in the data set, if the file may tell it.

    Returns:
        Tags for `dataset.video.VideoWriter`.
    """
    who = f" of subject {_one_line(subject)}" if subject else ""
    return _tags(
        f"{_SYNTHETIC} a synthesised likeness{who}, not a recording. "
        f"Made by danceproof {VERSION} ({_one_line(tool)}) with model sha256:{_one_line(model_sha256)}."
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


def _tags(statement: str) -> dict[str, str]:
    return dict.fromkeys(_TAGS, statement)


def _one_line(text: str) -> str:
    return " ".join(text.split())
