"""What a detector is: evidence of one person goes in, one score for each pair of frames comes out.

    Evidence  ──judge──▶  Scores          whoever shows the evidence: a scan, a cut corpus, a stream
    [ClipWindows]  ──fit──▶  Detector  ──save──▶  detector.json + detector.safetensors  ──load──▶  Detector

A detector is one class in one file of this package with a config dataclass of its own; the registry finds it by its
name. Weights are safetensors, everything else is JSON beside them, and nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from dataset.errors import ModelError
from dataset.files import atomic_path, sha256_file, write_json
from forensics.calibrate import Calibration
from forensics.familiarity import Familiarity

if TYPE_CHECKING:
    from forensics.train import Run, TrainConfig
    from forensics.windows import ClipWindows

WEIGHTS_FILE = "detector.safetensors"
CONFIG_FILE = "detector.json"
SCHEMA = 1
_FAMILIARITY = "familiarity."

Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class Evidence:
    """What is shown of one person in one video.

    Attributes:
        pixels: (N, 2, S, S, 3) uint8 RGB windows, two consecutive frames each.
        pairs: (N,) which frame pair a window is from, 0 … P − 1.
        parts: (N,) what each shows: "head", "torso", "left_hand" …, "upper", "lower", "whole".
        times: (P,) seconds of each pair's first frame.
        bodies: (P, 2, 25, 3) BODY_25 in both frames, x and y in pixels of the video and confidence; confidence 0 where
            nothing is known.
        boxes: (N, 4) x0, y0, x1, y1 of each window in pixels of the video; NaN where it is not known.
        around: (P, F) how much changes round the person, see `forensics.surroundings`; None where it was not measured.
    """

    pixels: npt.NDArray[np.uint8]
    pairs: npt.NDArray[np.int64]
    parts: tuple[str, ...]
    times: npt.NDArray[np.float64]
    bodies: npt.NDArray[np.float32]
    boxes: npt.NDArray[np.float32] | None = None
    around: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """How many windows there are."""
        return len(self.pairs)

    def only(self, rows: Sequence[int]) -> Evidence:
        """The same person with some of the windows; all pairs stay."""
        chosen = list(rows)
        if chosen == list(range(len(self))):
            return self
        return replace(
            self,
            pixels=self.pixels[chosen],
            pairs=self.pairs[chosen],
            parts=tuple(self.parts[row] for row in chosen),
            boxes=None if self.boxes is None else self.boxes[chosen],
        )

    @classmethod
    def of_windows(cls, pixels: npt.NDArray[np.uint8]) -> Self:
        """Bare windows (N, 2, S, S, 3), each of a pair of its own, of which nothing else is known."""
        count = len(pixels)
        return cls(
            pixels,
            np.arange(count),
            ("torso",) * count,
            np.full(count, np.nan),
            np.zeros((count, 2, 25, 3), np.float32),
        )


@dataclass(frozen=True)
class Scores:
    """What a detector says about one person.

    Attributes:
        pairs: (P,) logits, above zero speaks for a fake; NaN where this detector cannot judge the pair.
        windows: (N,) logits; None where a detector does not judge single windows.
        distance: from the training data, 1 is usual; None where the detector has no such notion.
        opinions: where a score is made from several detectors', the probability of a fake that each would give alone.
    """

    pairs: npt.NDArray[np.float64]
    windows: npt.NDArray[np.float64] | None = None
    distance: float | None = None
    opinions: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def score(self) -> float | None:
        """Mean over the pairs that could be judged; None where there are none."""
        judged = self.pairs[np.isfinite(self.pairs)]
        return float(judged.mean()) if len(judged) else None


class Detector(ABC):
    """One kind of detector; see the top of this file.

    Attributes:
        name: under which the registry knows it and ``detector.json`` names it.
        Config: a frozen dataclass of JSON values and tuples of them; it has a field ``window``, the side in pixels of
            the windows that the detector is shown.
        needs_second_pose: whether `judge` looks at the pose in the second frame of a pair, which costs another look
            for people; a scan may leave it out otherwise.
        needs_surroundings: whether `judge` looks at `Evidence.around`.
        config: how this one is built.
        calibration: what turns scores into probabilities and verdicts; None before it has been fitted.
        familiarity: how the training data looked to the detector; None where it has no such notion.
        facts: what it was trained on, as JSON values.
        weights_sha256: of the file it was saved to or loaded from, empty before.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Any]]
    needs_second_pose: ClassVar[bool] = False
    needs_surroundings: ClassVar[bool] = False

    def __init__(self, config: Any = None) -> None:
        self.config = self.Config() if config is None else config
        self.calibration: Calibration | None = None
        self.familiarity: Familiarity | None = None
        self.facts: dict[str, Any] = {}
        self.weights_sha256 = ""

    @property
    def window(self) -> int:
        """Side of the windows that it is shown, pixels."""
        side: int = self.config.window
        return side

    def check(self) -> None:  # noqa: B027 – most kinds need nothing
        """Raise now what would otherwise keep it from being trained once hours have gone by.

        Raises:
            ModelError: weights that training starts from are missing or do not fit.
        """

    @abstractmethod
    def fit(
        self,
        clips: Sequence[ClipWindows],
        training: TrainConfig,
        progress: Progress | None = None,
        *,
        run: Run | None = None,
    ) -> None:
        """Learn from the windows (with their margin) of real and fake clips; it is not calibrated by that.

        Args:
            clips: to learn from; whatever is used to test must not be among them.
            training: how; the result follows from it, the config and the clips.
            progress: called with steps done, steps in all, and a few words.
            run: the processes that take part, and where the training is kept so that it can go on; one process and
                nowhere if None.

        Raises:
            DetectorError: one of the labels is missing, or learning failed.
        """

    @abstractmethod
    def judge(self, evidence: Evidence) -> Scores:
        """Score one person. No gradients, nothing random; evidence without windows gives NaN for every pair."""

    def looked_at(self, evidence: Evidence) -> list[int]:
        """Rows of the windows that it looks at; it may be made for some parts of the body."""
        return list(range(len(evidence)))

    def heat(self, windows: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32] | None:
        """(N, 2, S, S, 3) windows → (N, S, S), at least 0: where in each the evidence for "fake" lies.

        None where this kind of detector cannot say.
        """
        return None

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Everything learnt, by name."""

    @abstractmethod
    def put_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up what `tensors` gave.

        Raises:
            KeyError, ValueError, RuntimeError: they do not fit the config.
        """

    @property
    def calibration_sha256(self) -> str:
        """Hash of the calibration alone, so that a report can name it."""
        told = json.dumps(None if self.calibration is None else asdict(self.calibration), sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def save(self, folder: str | Path) -> None:
        """Write ``detector.safetensors`` and, after it, ``detector.json`` with everything that is not a weight."""
        root = Path(folder)
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.tensors().items()}
        if self.familiarity is not None:
            for name, array in asdict(self.familiarity).items():
                tensors[_FAMILIARITY + name] = torch.from_numpy(np.atleast_1d(array).astype(np.float32))
        with atomic_path(root / WEIGHTS_FILE) as temporary:
            temporary.write_bytes(save_tensors(tensors))
        self.weights_sha256 = sha256_file(root / WEIGHTS_FILE)
        write_json(
            root / CONFIG_FILE,
            {
                "schema": SCHEMA,
                "detector": self.name,
                "config": asdict(self.config),
                "weights_sha256": self.weights_sha256,
                "calibration": None if self.calibration is None else asdict(self.calibration),
                "training": self.facts,
            },
        )

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote; nothing is unpickled.

        Raises:
            ModelError: a file is missing, damaged, of another kind, or the weights are not the ones that the JSON
                beside them names.
        """
        root = Path(folder)
        settings = read_settings(root)
        if settings.get("detector") != cls.name:
            raise ModelError(
                f"a detector of the kind {settings.get('detector')!r}, not {cls.name!r}", path=root
            )
        known = {spec.name for spec in fields(cls.Config)}
        if not isinstance(settings.get("config"), dict) or not set(settings["config"]) <= known:
            raise ModelError(
                "the detector's configuration is not understood by this version", path=root / CONFIG_FILE
            )
        try:
            blob = (root / WEIGHTS_FILE).read_bytes()
        except OSError as error:
            raise ModelError(
                f"weights cannot be read ({error.strerror})", path=root / WEIGHTS_FILE
            ) from error
        found = hashlib.sha256(blob).hexdigest()
        if found != settings.get("weights_sha256"):
            raise ModelError(
                "the weights are not the ones that detector.json names: SHA-256 differs",
                path=root / WEIGHTS_FILE,
                hint="restore the folder from its source, or train again with: fakedetect train",
            )
        try:
            detector = cls(cls.Config(**{name: _tupled(value) for name, value in settings["config"].items()}))
            tensors = load_tensors(blob)
            familiar = {
                name.removeprefix(_FAMILIARITY): tensors.pop(name).numpy()
                for name in list(tensors)
                if name.startswith(_FAMILIARITY)
            }
            detector.put_tensors(tensors)
            detector.familiarity = Familiarity(**familiar) if familiar else None
            told = settings["calibration"]
            detector.calibration = None if told is None else Calibration(**told)
            detector.facts = settings["training"]
        except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"not a detector of this version ({error})", path=root) from error
        detector.weights_sha256 = found
        return detector

    @staticmethod
    def from_pretrained(name: str | Path, **options: Any) -> Detector:
        """A detector of whatever kind from a folder or a hub; see `forensics.hub.from_pretrained`."""
        from forensics.hub import from_pretrained

        return from_pretrained(name, **options)

    def push_to_hub(self, repository: str, **options: Any) -> str:
        """Put this detector on a hub with a card; see `forensics.hub.push_to_hub`."""
        from forensics.hub import push_to_hub

        return push_to_hub(self, repository, **options)


def read_settings(root: Path) -> dict[str, Any]:
    """The ``detector.json`` of a folder.

    Raises:
        ModelError: it is missing, damaged or of another schema.
    """
    path = root / CONFIG_FILE
    try:
        settings = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(
            "no detector in this folder: detector.json is missing",
            path=root,
            hint="name a folder that fakedetect train has written",
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"not readable as JSON ({error})", path=path) from error
    if not isinstance(settings, dict) or settings.get("schema") != SCHEMA:
        raise ModelError(f"not a detector description of schema {SCHEMA}", path=path)
    return settings


def mean_by_pair(
    values: npt.NDArray[np.float64], pairs: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.float64]:
    """(N,) scores of windows → (count,) their means over each pair; NaN where a pair has no judged window."""
    judged = np.isfinite(values)
    total = np.bincount(pairs[judged], values[judged], minlength=count)
    number = np.bincount(pairs[judged], minlength=count)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _tupled(value: Any) -> Any:
    """JSON knows only lists; configs hold tuples, so that they cannot be changed."""
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value


def to_tensor(windows: npt.NDArray[np.uint8]) -> Tensor:
    """(N, 2, S, S, 3) uint8 → (N, 6, S, S) float32 in [-1, 1], the first frame's channels first."""
    count, _, height, width, _ = windows.shape
    stacked = torch.from_numpy(np.ascontiguousarray(windows)).permute(0, 1, 4, 2, 3)
    return stacked.reshape(count, 6, height, width).float().div_(127.5).sub_(1.0)
