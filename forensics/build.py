"""From a corpus to a detector ready for use: cross-fit, calibration, figures, and a network trained on everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dataset.files import sha256_file, write_json
from dataset.provenance import VERSION
from dataset.records import CORPUS_FILE, Corpus
from dataset.video import VideoInfo, frame_times
from forensics.crossfit import Recipe, crossfit
from forensics.decide import bits_per_pixel
from forensics.detectors.base import Detector, Progress
from forensics.evaluate import Evaluation, evaluate_crossfit
from forensics.windows import ClipWindows
from synthesis.stage import World

EVALUATION_FILE = "evaluation.json"


def build_detector(
    corpus: Corpus,
    windows: Sequence[ClipWindows],
    out: str | Path,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
    *,
    world: World | None = None,
    workers: int = 1,
    bits: Mapping[str, float] | None = None,
) -> tuple[Detector, Evaluation]:
    """Train and calibrate a detector, and say how good it is on people it had not seen.

    Calibration and figures come from the cross-fit; the detector that is kept is trained on everybody. A run that
    was cut off goes on where it was when it is started again.

    Args:
        corpus: labelled clips.
        windows: of the corpus, from `forensics.crossfit.prepare`.
        out: folder for the detector, ``evaluation.json`` and the groups' detectors.
        recipe: how.
        progress: called with optimiser steps done, in all, and a note.
        world: the processes that train each detector together; the leading one writes.
        workers: processes of this machine that train one detector each.
        bits: bits a pixel of each clip by its path, see `clip_bits`; without, no video is too compressed to be judged.

    Raises:
        DetectorError: too few people, or nothing to train on.
    """
    recipe, world = recipe or Recipe(), world or World()
    result = crossfit(windows, recipe, out, progress, world=world, workers=workers, everybody=True)
    evaluation = evaluate_crossfit(result)
    detector = result.everybody
    assert detector is not None
    detector.calibration = result.calibrate(bits=bits)
    detector.facts = {
        "tool": f"danceproof {VERSION}",
        "recipe": recipe.to_dict(),
        "corpus_sha256": sha256_file(corpus.root / CORPUS_FILE),
        "subjects": corpus.subjects(),
        "clip_sha256": sorted(clip.sha256 for clip in corpus.clips),
        "real_clips": sum(clip.label == "real" for clip in corpus.clips),
        "fake_clips": sum(clip.label == "fake" for clip in corpus.clips),
        "generators": sorted({clip.generator for clip in corpus.clips if clip.generator}),
        "windows": int(sum(len(item) for item in windows)),
        "figures": evaluation.figures,
    }
    if world.leads:
        detector.save(out)
        write_json(Path(out) / EVALUATION_FILE, evaluation.to_dict())
    return detector, evaluation


def clip_bits(corpus: Corpus) -> dict[str, float]:
    """Bits a pixel of every clip of a corpus, by its path.

    Raises:
        VideoError: a clip cannot be read.
    """
    found = {}
    for clip in corpus.clips:
        path = corpus.absolute(clip)
        info = VideoInfo.from_path(path)
        bits = bits_per_pixel(info.size_bytes, info.width, info.height, len(frame_times(path)))
        if bits is not None:
            found[clip.path] = bits
    return found
