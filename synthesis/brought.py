"""What other tools have found in the recordings of a run: key points, DensePose maps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dataset.errors import SynthesisError
from dataset.files import sha256_file
from dataset.pose.cache import import_poses, load_poses


@dataclass(frozen=True)
class Brought:
    """Files of other tools, one for each recording in their order, or none at all.

    Attributes:
        poses: key points, see `dataset.pose.cache.load_poses`.
        iuv: folders of DensePose maps, see `synthesis.densepose`.
    """

    poses: tuple[Path, ...] = ()
    iuv: tuple[Path, ...] = ()

    def check(self, recordings: list[Path]) -> None:
        """Refuse a number of files that does not fit.

        Raises:
            SynthesisError: there are neither none nor as many as recordings, or one is missing.
        """
        for option, given in (("--poses", self.poses), ("--iuv", self.iuv)):
            if given and len(given) != len(recordings):
                raise SynthesisError(
                    f"{len(given)} times {option} for {len(recordings)} recordings",
                    hint="give one for each recording, in their order",
                )
            for path in given:
                if not path.exists():
                    raise SynthesisError("there is no such file or folder", path=path)

    def facts(self) -> dict[str, list[str]]:
        """Hashes of what was brought, for telling one run from another; empty when nothing was."""
        facts = {"poses": [digest(path) for path in self.poses], "iuv": [digest(path) for path in self.iuv]}
        return {name: hashes for name, hashes in facts.items() if hashes}

    def put_poses(self, recordings: list[Path], cache: Path) -> None:
        """Put the key points where the recordings' poses are looked for first."""
        for recording, path in zip(recordings, self.poses, strict=False):
            import_poses(recording, load_poses(path, recording), cache)

    def iuv_of(self, index: int) -> Path | None:
        """The maps of recording number `index`."""
        return self.iuv[index] if self.iuv else None


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and hashes of a folder's files."""
    if path.is_file():
        return sha256_file(path)
    total = hashlib.sha256()
    for one in sorted(path.iterdir()):
        if one.is_file():
            total.update(f"{one.name} {sha256_file(one)}\n".encode())
    return total.hexdigest()
