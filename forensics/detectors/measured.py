"""Detectors that measure figures and classify them: what the temporal and the pose-motion detector share.

Figures depend on the clip and on the way it is measured alone, not on the people left out, so they are measured once
and kept beside the clip's windows; a cross-fit then takes seconds.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from dataset.errors import DetectorError, ModelError
from dataset.files import atomic_path
from dataset.records import BACKDROP_OF
from forensics.degrade import Degradation
from forensics.detectors.base import Detector, Evidence, Progress
from forensics.detectors.tabular import Tabular, fit_tabular, put_tabular
from forensics.familiarity import Familiarity
from forensics.train import Run, TrainConfig
from forensics.windows import ClipWindows

Figures = npt.NDArray[np.float32]
#: Rows of figures that describe how the training data look.
_FAMILIAR_ROWS = 6000


class Measuring(Detector):
    """A detector that measures rows of figures, of windows or of pairs, which training does not change.

    A subclass says what is measured. Its config has a field ``variants``: how often each clip is measured, as it is and
    degraded in other ways.
    """

    #: Raise when the same clip is measured differently, so that old figures are not read.
    version = 2

    @abstractmethod
    def measure(self, evidence: Evidence) -> Figures:
        """The figures (R, D) of one person, NaN where one cannot be measured.

        Args:
            evidence: with the windows of `looked_at` alone.
        """

    @abstractmethod
    def measured_as(self) -> str:
        """Everything in the config that the figures follow from, in words."""

    def degraded(self, clip: ClipWindows, variant: int) -> Evidence:
        """What is measured of a clip in training; variant 0 is the clip as it is."""
        whole = clip.evidence(self.window)
        rows = self.looked_at(whole)
        shown = whole.only(rows)
        if variant == 0 or not rows:
            return shown
        # A fake and the real clip that it mirrors are degraded alike, window for window.
        name = clip.clip.pair or clip.clip.path
        pixels = []
        for row in rows:
            seed = int.from_bytes(hashlib.sha256(f"{name} {row} {variant}".encode()).digest()[:8], "big")
            # The place of the window stays: figures are of parts of the body that lie where they are.
            degradation = Degradation.draw(np.random.default_rng(seed)).in_place()
            pixels.append(degradation.apply(np.asarray(clip.pixels[row]), self.window))
        return replace(shown, pixels=np.stack(pixels))

    def figures_of(self, clip: ClipWindows, variant: int) -> Figures:
        """`measure` of a clip in training, from the file beside its windows where it was measured before."""
        if clip.store is None:
            return self.measure(self.degraded(clip, variant))
        told = json.dumps([self.name, self.version, self.measured_as(), variant, clip.clip.pair])
        path = clip.store.with_name(
            f"{clip.store.name}.{self.name}.{hashlib.sha256(told.encode()).hexdigest()[:16]}.npy"
        )
        if path.is_file():
            kept: Figures = np.load(path, allow_pickle=False)
            return kept
        figures = self.measure(self.degraded(clip, variant))
        with atomic_path(path) as temporary, temporary.open("wb") as out:
            np.save(out, figures)
        return figures

    def measure_all(
        self, clips: Sequence[ClipWindows], training: TrainConfig, progress: Progress | None
    ) -> Measured:
        """The figures of all clips in all variants, but for those with a backdrop.

        How many of those there are says nothing of how often people are filmed in front of a still picture, which is
        what a classifier of figures would learn from them.

        Raises:
            DetectorError: there are no clips.
        """
        clips = [clip for clip in clips if BACKDROP_OF not in clip.clip.origin]
        rows: list[Figures] = []
        fake: list[bool] = []
        subjects: list[str] = []
        plain: list[bool] = []
        total = self.config.variants * len(clips)
        for number, clip in enumerate(clips):
            for variant in range(self.config.variants):
                figures = self.figures_of(clip, variant)
                rows.append(figures)
                fake += [clip.clip.label == "fake"] * len(figures)
                subjects += [clip.clip.subject] * len(figures)
                plain += [variant == 0] * len(figures)
                if progress is not None:
                    # In the units of the caller, who counts optimiser steps.
                    done = number * self.config.variants + variant + 1
                    progress(done * training.steps // max(total, 1), training.steps, "measuring")
        if not fake:
            raise DetectorError("nothing to train on: no person large enough", hint="name other clips")
        return Measured(np.concatenate(rows), np.array(fake, bool), subjects, np.array(plain, bool))


@dataclass(frozen=True)
class Measured:
    """Figures of many clips.

    Attributes:
        figures: (R, D).
        fake: (R,) labels.
        subjects: (R,) who is seen.
        plain: (R,) whether the clip was measured as it is.
    """

    figures: Figures
    fake: npt.NDArray[np.bool_]
    subjects: list[str]
    plain: npt.NDArray[np.bool_]

    def familiar(self, level: Figures, seed: int) -> Familiarity:
        """How undegraded training data look, from the standardised figures (R, D)."""
        known = level[self.plain]
        chosen = np.random.default_rng(seed).permutation(len(known))[:_FAMILIAR_ROWS]
        return Familiarity.fit(known[np.sort(chosen)])


class MeasuredDetector(Measuring):
    """Classifies figures by a small classifier; its config has the fields ``hidden`` and ``decay`` of that.

    A subclass puts the scores of rows together to those of pairs.
    """

    classifier: Tabular | None = None

    def fit(
        self,
        clips: Sequence[ClipWindows],
        training: TrainConfig,
        progress: Progress | None = None,
        *,
        run: Run | None = None,
    ) -> None:
        """See `Detector.fit`. Every process of a run does the same: it takes seconds once the figures are measured."""
        found = self.measure_all(clips, training, progress)
        self.classifier = fit_tabular(
            found.figures,
            found.fake,
            found.subjects,
            hidden=self.config.hidden,
            decay=self.config.decay,
            seed=training.seed,
        )
        self.familiarity = found.familiar(self.classifier.level(found.figures), training.seed)

    def look(self, figures: Figures) -> tuple[npt.NDArray[np.float64], float | None]:
        """(R, D) figures → (R,) logits and the median distance from the training data."""
        if self.classifier is None:
            raise ModelError(f"the {self.name} detector is not trained")
        if not len(figures):
            return np.zeros(0), None
        distance = None
        if self.familiarity is not None:
            distance = float(np.median(self.familiarity.distances(self.classifier.level(figures))))
        return self.classifier.judge(figures), distance

    def tensors(self) -> dict[str, Tensor]:
        """See `Detector.tensors`."""
        if self.classifier is None:
            raise ModelError(f"the {self.name} detector is not trained, so there is nothing to save")
        return dict(self.classifier.state_dict())

    def put_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Detector.put_tensors`."""
        self.classifier = put_tabular(tensors)
