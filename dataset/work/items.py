"""What is to be worked on: one item, its name, and how much of it there is."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

#: Hexadecimal digits of a key that come from the URI: 80 bits, so that even of a billion items with the same stem two
#: share a key with a chance of one in two million.
DIGITS = 20
#: Longest part of a key that comes from the name, so that no file system refuses the file.
STEM = 80

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do.

    Attributes:
        key: names its result; fit for a file name, unique.
        uri: where it is: a path, an fsspec URL, or a part of one (see `dataset.work.sources`).
        weight: bytes or seconds, whichever is known of all; what weighs most is begun first.
    """

    key: str
    uri: str
    weight: float = 0.0

    @classmethod
    def of(cls, uri: str | os.PathLike[str], weight: float = 0.0, *, stem: str | None = None) -> Item:
        """An item whose key follows from its URI alone.

        Example:
            >>> Item.of("/videos/a dance.mp4").key
            'a-dance-8bd2f0ab61f4ef4bfb2b'

        Args:
            uri: a local path is made absolute, so that the same file has the same key from anywhere.
            weight: see above.
            stem: what the key begins with; by default the last part of the URI without its suffix.
        """
        text = os.fspath(uri)
        if "://" not in text:
            text = os.path.abspath(text)
        if stem is None:
            stem = PurePosixPath(urlsplit(text).path if "://" in text else text).stem
        plain = _UNSAFE.sub("-", stem).strip("-")[:STEM] or "item"
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        return cls(f"{plain}-{digest[:DIGITS]}", text, float(weight))
