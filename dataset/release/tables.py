"""The Parquet files of a release: which columns, how many to a shard, and writing them with bounded memory.

The videos stand inside the rows as well as beside them. `datasets` does not resolve a relative path in a Parquet file
against the data set's folder, neither on disk nor on the hub, so a row with a path alone would load nowhere but where
it was built. The hub stores the repeated bytes once: video columns are not compressed and their pages are cut by
content, so that its chunks are found again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataset.files import atomic_path
from dataset.pose.keypoints import PoseSequence
from dataset.release.items import Item
from dataset.release.splits import SPLITS

if TYPE_CHECKING:
    import datasets

CONFIGS = ("recordings", "pairs", "poses")
LABELS = ("real", "fake")
#: Bytes of a shard and of a row group, about. A row group is what is read at once when streaming.
SHARD, GROUP = 256 << 20, 16 << 20


@dataclass(frozen=True)
class Clip:
    """A video as it is released: the item, where it stands, and what is known of its frames."""

    item: Item
    split: str
    file: str
    sha256: str
    size_bytes: int
    size: tuple[int, int]
    times: tuple[float, ...]
    licence: str
    estimator: str

    @property
    def fps(self) -> float:
        """Frames a second on average; 0 for a single frame."""
        return (len(self.times) - 1) / self.times[-1] if len(self.times) > 1 else 0.0

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the end of the last, which is shown as long as the one before."""
        return self.times[-1] + (self.times[-1] - self.times[-2]) if len(self.times) > 1 else 0.0


def features(config: str) -> datasets.Features:
    """The columns of a configuration, as `datasets` types them."""
    from datasets import ClassLabel, Features, List, Value, Video

    def points() -> Any:
        return List(List(List(Value("float32"))))

    text, label, split = Value("string"), ClassLabel(names=list(LABELS)), ClassLabel(names=list(SPLITS))
    origin = {
        "subject": text, "source_subject": text, "source": text, "generator": text, "kind": text, "motion": text,
    }  # fmt: skip
    shape = {
        "split": split, "width": Value("int32"), "height": Value("int32"), "fps": Value("float64"),
        "frames": Value("int32"), "duration": Value("float64"), "times": List(Value("float64")),
        "keypoints": points(),
    }  # fmt: skip
    terms = {"consent_scope": List(text), "consent_expires": text, "licence": text, "lineage": text}
    if config == "recordings":
        return Features(
            {
                "id": text,
                "video": Video(),
                "label": label,
                **origin,
                "pair": text,
                **shape,
                **terms,
                "sha256": text,
            }
        )
    if config == "pairs":
        return Features(
            {"id": text, "real": Video(), "fake": Video(), "real_id": text, "fake_id": text, **origin, **shape,
             **terms, "real_sha256": text, "fake_sha256": text}
        )  # fmt: skip
    row = List(List(Value("float32")))
    return Features(
        {"id": text, "frame": Value("int32"), "time": Value("float64"), "label": label, "subject": text,
         "split": split, "body": row, "left_hand": row, "right_hand": row, "face": row, "estimator": text}
    )  # fmt: skip


def recording_row(clip: Clip, root: Path, poses: PoseSequence) -> dict[str, Any]:
    """The row of a clip in the configuration ``recordings``; the video's bytes are read from the release."""
    return {
        "id": clip.item.id,
        "video": _video(clip, root),
        "label": LABELS.index(clip.item.label),
        **_origin(clip),
        "pair": clip.item.pair,
        **_shape(clip, poses),
        **_terms(clip),
        "sha256": clip.sha256,
    }


def pair_row(real: Clip, fake: Clip, root: Path, poses: PoseSequence) -> dict[str, Any]:
    """The row of a fake and the recording it mirrors; the key points are those of the recording."""
    return {
        "id": fake.item.id,
        "real": _video(real, root),
        "fake": _video(fake, root),
        "real_id": real.item.id,
        "fake_id": fake.item.id,
        **_origin(fake),
        **_shape(fake, poses),
        **_terms(fake),
        "real_sha256": real.sha256,
        "fake_sha256": fake.sha256,
    }


def pose_rows(clip: Clip, poses: PoseSequence) -> Iterator[dict[str, Any]]:
    """The rows of a clip in the configuration ``poses``, one a frame."""
    for row, time in enumerate(clip.times):
        yield {
            "id": clip.item.id,
            "frame": row,
            "time": time,
            "label": LABELS.index(clip.item.label),
            "subject": clip.item.subject,
            "split": SPLITS.index(clip.split),
            **{name: tidy(points[row]) for name, points in poses.parts().items()},
            "estimator": poses.estimator,
        }


def tidy(points: np.ndarray) -> list[Any]:
    """Key points as they are released: hundredths of a pixel, thousandths of confidence."""
    # Adding 0 turns -0.0 into 0.0.
    rounded = np.concatenate([np.round(points[..., :2], 2), np.round(points[..., 2:], 3)], axis=-1) + 0.0
    return rounded.astype(np.float32).tolist()


def plan(sizes: Sequence[int], limit: int = SHARD) -> list[range]:
    """Which rows stand in which shard: in order, each shard at most `limit` bytes or one row."""
    shards: list[range] = []
    start, held = 0, 0
    for row, size in enumerate(sizes):
        if row > start and held + size > limit:
            shards.append(range(start, row))
            start, held = row, 0
        held += size
    if start < len(sizes):
        shards.append(range(start, len(sizes)))
    return shards


def shard_name(config: str, split: str, index: int, count: int) -> str:
    """Where a shard stands in the release."""
    return f"data/{config}/{split}-{index:05d}-of-{count:05d}.parquet"


def write_shard(path: Path, config: str, rows: Iterable[dict[str, Any]], *, group: int = GROUP) -> int:
    """Write rows as they come, holding one row group at a time; returns how many there were."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    typed = features(config)
    schema = typed.arrow_schema
    videos = {f"{name}.bytes" for name, kind in typed.items() if type(kind).__name__ == "Video"}
    columns = _leaves(schema)
    written = 0
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression={name: "none" if name in videos else "zstd" for name in columns},
            use_content_defined_chunking=True,
            write_page_index=True,
            # Statistics of a column of videos would repeat whole videos in the footer.
            write_statistics=[name for name in columns if name not in videos],
            use_dictionary=[name for name in columns if name not in videos],
        ) as writer,
    ):
        held: list[dict[str, Any]] = []
        size = 0
        for row in rows:
            held.append(row)
            written += 1
            size += _weight(row)
            if size >= group:
                writer.write_table(pa.Table.from_pylist(held, schema=schema))
                held, size = [], 0
        if held or not written:
            writer.write_table(pa.Table.from_pylist(held, schema=schema))
    return written


def _leaves(schema: Any) -> list[str]:
    """Dotted names of the columns that a Parquet file of this schema has."""
    import pyarrow as pa

    def walk(name: str, kind: Any) -> Iterator[str]:
        if pa.types.is_struct(kind):
            for field in kind:
                yield from walk(f"{name}.{field.name}", field.type)
        elif pa.types.is_list(kind):
            yield from walk(f"{name}.list.element", kind.value_type)
        else:
            yield name

    return [leaf for field in schema for leaf in walk(field.name, field.type)]


def _weight(row: dict[str, Any]) -> int:
    videos = sum(len(value["bytes"]) for value in row.values() if isinstance(value, dict))
    return videos + (2000 if "frame" in row else 400 * int(row["frames"]))


def _video(clip: Clip, root: Path) -> dict[str, Any]:
    return {"bytes": (root / clip.file).read_bytes(), "path": clip.file}


def _origin(clip: Clip) -> dict[str, Any]:
    item = clip.item
    return {
        "subject": item.subject,
        "source_subject": item.source_subject,
        "source": item.source,
        "generator": item.generator,
        "kind": item.kind,
        "motion": item.motion,
    }


def _shape(clip: Clip, poses: PoseSequence) -> dict[str, Any]:
    return {
        "split": SPLITS.index(clip.split),
        "width": clip.size[0],
        "height": clip.size[1],
        "fps": clip.fps,
        "frames": len(clip.times),
        "duration": clip.duration,
        "times": list(clip.times),
        "keypoints": tidy(poses.body),
    }


def _terms(clip: Clip) -> dict[str, Any]:
    return {
        "consent_scope": list(clip.item.consent),
        "consent_expires": clip.item.expires,
        "licence": clip.licence,
        "lineage": json.dumps(clip.item.lineage, sort_keys=True),
    }
