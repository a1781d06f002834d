"""A release opened for checking: what it says of itself, its rows, and what is in its videos."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from dataset.collection.collection import Collection
from dataset.files import sha256_file
from dataset.release.inspect import Seen, look
from dataset.release.manifest import read_manifest, read_release
from dataset.release.shape import faults
from dataset.release.tables import CONFIGS
from dataset.work import spread

Report = Callable[[str, int, int | None], None]


@dataclass
class Opened:
    """One release.

    Attributes:
        root: its folder.
        on: the day for which consent has to hold.
        collection: where it came from, if that is at hand.
        workers: processes for decoding and hashing; None for one a core.
        ray: "auto" or the address of a Ray cluster whose nodes see the release's folder.
        told: ``release.json``.
        manifest: path → bytes and hash.
        unreadable: Parquet files that cannot be read, with the reason.
    """

    root: Path
    on: date
    collection: Collection | None = None
    workers: int | None = None
    ray: str | None = None
    progress: Report = lambda what, done, total: None
    told: dict[str, Any] = field(init=False)
    manifest: dict[str, dict[str, Any]] = field(init=False)
    unreadable: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.told = read_release(self.root)
        self.manifest = read_manifest(self.root)

    @cached_property
    def faults(self) -> list[tuple[str, str]]:
        """Item and text of what is not of the form that the rules read; see `dataset.release.shape`."""
        return faults(self)

    @cached_property
    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Configuration → rows; of each video its bytes are replaced by their hash, "embedded"."""
        return {config: self._rows(config) for config in CONFIGS if config != "poses"}

    @cached_property
    def pose_frames(self) -> dict[str, int]:
        """Id of a video → rows that the configuration ``poses`` has of it."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        counted: dict[str, int] = {}
        for path in self.shards("poses"):
            try:
                ids = pq.ParquetFile(path).read(columns=["id"]).column("id").to_pylist()
            except (pa.ArrowException, OSError) as error:
                self.unreadable[self.relative(path)] = str(error).splitlines()[0]
                continue
            for name in ids:
                counted[name] = counted.get(name, 0) + 1
        return counted

    @cached_property
    def seen(self) -> dict[str, Seen]:
        """Path of each video file → what is in it."""
        files = [path for path in sorted((self.root / "videos").rglob("*.mp4")) if path.is_file()]
        found: dict[str, Seen] = {}
        # Long ones first, so that the last process to end does not end long after the others.
        files.sort(key=lambda path: -path.stat().st_size)
        for number, seen in spread(look, files, self.workers, ray=self.ray):
            found[self.relative(files[number])] = seen
            self.progress("decoding", len(found), len(files))
        return dict(sorted(found.items()))

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file that the manifest lists and that is there."""
        known = {name: seen.sha256 for name, seen in self.seen.items()}
        rest = [name for name in self.manifest if name not in known and (self.root / name).is_file()]
        # Of the videos each was hashed where it was decoded; the rest is read at the speed of the disk.
        for number, name in enumerate(rest):
            known[name] = sha256_file(self.root / name)
            self.progress("hashing", number + 1, len(rest))
        return known

    @property
    def videos(self) -> list[dict[str, Any]]:
        """Rows of the configuration ``recordings``."""
        return self.rows["recordings"]

    def file_of(self, row: dict[str, Any], column: str = "video") -> str:
        """Where the file of a row's video stands."""
        return str(row[column]["path"])

    def people(self, row: dict[str, Any]) -> list[str]:
        """Everybody a row derives from, by its lineage and its columns."""
        lineage = json.loads(row["lineage"])
        trained = [video["subject"] for video in lineage.get("generator", {}).get("trained_on", [])]
        consents = lineage.get("consent_sha256", {})
        return sorted({row["subject"], row["source_subject"], *trained, *consents})

    def shards(self, config: str) -> list[Path]:
        """Parquet files of a configuration."""
        return sorted((self.root / "data" / config).glob("*.parquet"))

    def relative(self, path: Path) -> str:
        """As it stands in the manifest."""
        return path.relative_to(self.root).as_posix()

    def text(self, name: str) -> str:
        """A text of the release, empty if it is missing, which the rule about the manifest tells."""
        path = self.root / name
        return path.read_text("utf-8", errors="replace") if path.is_file() else ""

    def _rows(self, config: str) -> list[dict[str, Any]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows: list[dict[str, Any]] = []
        for path in self.shards(config):
            try:
                file = pq.ParquetFile(path)
                groups = range(file.num_row_groups)
                # One row group at a time: videos are hashed and let go.
                for group in groups:
                    for row in file.read_row_group(group).to_pylist():
                        rows.append({name: _without_bytes(value) for name, value in row.items()})
            except (pa.ArrowException, OSError) as error:
                self.unreadable[self.relative(path)] = str(error).splitlines()[0]
        return sorted(rows, key=lambda row: str(row["id"]))


def _without_bytes(value: Any) -> Any:
    if isinstance(value, dict) and "bytes" in value:
        content = value["bytes"]
        return {"path": value["path"], "embedded": hashlib.sha256(content or b"").hexdigest()}
    return value
