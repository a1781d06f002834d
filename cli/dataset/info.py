"""``dataset info``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.dataset.common import FILE
from cli.dataset.show import show_collection
from dataset.provenance import read_marks

if TYPE_CHECKING:
    from dataset.provenance import ManifestState
    from dataset.video import VideoInfo


@click.command()
@click.argument("video", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def info(video: Path, as_json: bool) -> None:
    """Tell the facts of VIDEO: size, times, streams, hash, marks; of a collection's folder, what is in it.

    The last lines are about the C2PA manifest of a video. Whether the file is as it was signed, and who signed it, are
    two answers; whoever has a certificate in the PEM file that DANCEPROOF_TRUST_ANCHORS names is trusted.
    """
    if video.is_dir():
        show_collection(video, as_json=as_json)
        return
    from dataset.provenance import read_manifest
    from dataset.video import VideoInfo

    facts = VideoInfo.from_path(video)
    mark = read_marks(facts.metadata)
    manifest = read_manifest(video)
    if as_json:
        record = asdict(facts) | {"path": str(facts.path), "has_audio": facts.has_audio, "mark": mark}
        record["c2pa"] = asdict(manifest)
        click.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return
    for name, value in _fact_lines(facts, mark, manifest):
        click.echo(f"{name:<11}{value}")


def _fact_lines(facts: VideoInfo, mark: str | None, manifest: ManifestState) -> list[tuple[str, str]]:
    turned = f", turned by {facts.rotation}° for display" if facts.rotation else ""
    rate = "constant" if facts.constant_rate else "variable"
    frames = "not told by the container" if facts.frame_count is None else str(facts.frame_count)
    lines = [
        ("file", str(facts.path)),
        ("bytes", str(facts.size_bytes)),
        ("sha256", facts.sha256),
        ("container", facts.container),
        ("video", f"{facts.codec}, {facts.pixel_format}"),
        ("size", f"{facts.width} × {facts.height}{turned}"),
        ("duration", f"{facts.duration:.3f} s"),
        ("frames", frames),
        ("rate", f"{facts.average_fps:.3f} a second on average, {rate}"),
    ]
    for stream in facts.streams:
        told = ", ".join(part for part in (stream.kind, stream.codec, stream.details) if part)
        lines.append((f"stream {stream.index}", told))
    lines.extend(("tag", f"{name} = {' '.join(text.split())}") for name, text in facts.metadata.items())
    lines.append(("mark", mark or "none: the file does not say that it was made"))
    lines.extend(("c2pa", line) for line in manifest.lines())
    return lines
