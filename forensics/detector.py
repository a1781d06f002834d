"""The fake detector: the discriminator's trunk with a final fully connected layer, on two consecutive frames.

Chan et al., *Everybody Dance Now*, ICCV 2019: "the architecture of the discriminator with a final fully connected
layer". The paper does not say what goes in; here it is a window cut from two consecutive frames, stacked to six
channels, so that the temporal faults of motion transfer can be seen beside the spatial ones.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from dataset.errors import ModelError
from dataset.files import atomic_path, sha256_file, write_json
from forensics.calibrate import Calibration
from forensics.familiarity import Familiarity
from synthesis.networks.discriminator import PatchTrunk

WEIGHTS_FILE = "detector.safetensors"
CONFIG_FILE = "detector.json"
SCHEMA = 1
#: The detector that ships with the package.
DEFAULT_FOLDER = Path(__file__).parent / "weights"
_FAMILIARITY = "familiarity."
#: Windows that go through the network at once; bounds memory, changes no score.
_BATCH = 64


@dataclass(frozen=True)
class DetectorConfig:
    """The shape of the network."""

    window: int = 128  # side of the square windows it judges, in pixels
    ndf: int = 24  # channels after the first convolution, doubled per layer up to 8 times as many
    n_layers: int = 3  # stride-2 convolutions of the PatchGAN trunk; 3 gives the 70×70 receptive field
    norm: str = "instance"  # normalisation inside the trunk: "instance" or "batch"
    dropout: float = 0.3  # share of pooled features dropped in training, before the fully connected layer


class Detector(nn.Module):
    """A PatchGAN trunk over two stacked RGB frames, pooled, and one fully connected layer.

    The trunk sees, beside the six channels of the frames, their fine detail in six more. Texture and noise, in which
    generated pictures are weakest, are a hundredth of the picture's range; a network that has to find them by
    itself needs several times as many steps. The paper's discriminator has as many channels: there the other six are
    the stick figures, which no detector is given.

    Every layer of the trunk is pooled to its mean, the logarithm of its standard deviation (so that the last layer can
    weigh one band of detail against another) and its maximum over the map. The deepest layer
    alone, as a plain reading of the paper has it, is instance-normalised and has lost how strong the fine detail was;
    the first layer still knows.

    Attributes:
        config: the shape of the network.
        calibration: what turns scores into probabilities and verdicts; None before `forensics.train` has fitted it.
        familiarity: how the training data looked to the network; None before it has been fitted.
        facts: what the detector was trained on, as JSON values.
    """

    def __init__(self, config: DetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config or DetectorConfig()
        self.calibration: Calibration | None = None
        self.familiarity: Familiarity | None = None
        self.facts: dict[str, Any] = {}
        self.weights_sha256 = ""
        self.trunk = PatchTrunk(12, self.config.ndf, self.config.n_layers, self.config.norm)
        width = 3 * sum(
            min(self.config.ndf * 2**index, self.config.ndf * 8) for index in range(self.config.n_layers + 1)
        )
        # Brings mean, deviation and maximum of all layers to one scale; running figures are used when judging.
        self.level = nn.BatchNorm1d(width, affine=False, momentum=0.05)
        self.dropout = nn.Dropout(self.config.dropout)
        self.classify = nn.Linear(width, 1)

    def embed(self, pairs: Tensor) -> Tensor:
        """(B, 6, S, S) in [-1, 1] → (B, D): what the trunk saw, pooled over the map and levelled."""
        pooled = []
        for activation in self.trunk(torch.cat([pairs, fine_detail(pairs)], 1)):
            flat = activation.flatten(2)
            pooled += [flat.mean(2), (flat.std(2) + 1e-3).log(), flat.amax(2)]
        levelled: Tensor = self.level(torch.cat(pooled, 1))
        return levelled

    def forward(self, pairs: Tensor) -> Tensor:
        """(B, 6, S, S) in [-1, 1] → (B,) logits; above zero speaks for a fake."""
        logits: Tensor = self.classify(self.dropout(self.embed(pairs)))[:, 0]
        return logits

    def judge(
        self, windows: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Score windows without gradients.

        Args:
            windows: (N, 2, S, S, 3) RGB, two consecutive frames each.

        Returns:
            (N,) logits and (N, D) embeddings.
        """
        self.eval()
        logits, embeddings = [], []
        with torch.inference_mode():
            for begin in range(0, len(windows), _BATCH):
                features = self.embed(to_tensor(windows[begin : begin + _BATCH]))
                embeddings.append(features.numpy())
                logits.append(self.classify(features)[:, 0].double().numpy())
        if not logits:
            return np.zeros(0), np.zeros((0, self.classify.in_features), np.float32)
        return np.concatenate(logits), np.concatenate(embeddings)

    @cached_property
    def calibration_sha256(self) -> str:
        """Hash of the calibration alone, so that a report can name it."""
        import hashlib

        told = json.dumps(None if self.calibration is None else asdict(self.calibration), sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def save(self, folder: str | Path) -> None:
        """Write ``detector.safetensors`` and, after it, ``detector.json`` with everything that is not a weight."""
        root = Path(folder)
        tensors = {name: value.detach().contiguous() for name, value in self.state_dict().items()}
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
                "detector": "patch",
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
            ModelError: a file is missing, damaged, of another kind, or the weights are not the ones that the
                JSON beside them names.
        """
        root = Path(folder)
        settings = _read_settings(root)
        try:
            blob = (root / WEIGHTS_FILE).read_bytes()
        except OSError as error:
            raise ModelError(
                f"weights cannot be read ({error.strerror})", path=root / WEIGHTS_FILE
            ) from error
        import hashlib

        found = hashlib.sha256(blob).hexdigest()
        if found != settings.get("weights_sha256"):
            raise ModelError(
                "the weights are not the ones that detector.json names: SHA-256 differs",
                path=root / WEIGHTS_FILE,
                hint="restore the folder from its source, or train again with: fakedetect train",
            )
        try:
            detector = cls(DetectorConfig(**settings["config"]))
            tensors = load_tensors(blob)
            known = {
                name.removeprefix(_FAMILIARITY): tensors.pop(name).numpy()
                for name in list(tensors)
                if name.startswith(_FAMILIARITY)
            }
            detector.load_state_dict(tensors)
            detector.familiarity = Familiarity(**known) if known else None
            told = settings["calibration"]
            detector.calibration = None if told is None else Calibration(**told)
            detector.facts = settings["training"]
        except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"not a detector of this version ({error})", path=root) from error
        detector.weights_sha256 = found
        detector.eval()
        return detector


def load_detector(folder: str | Path | None = None) -> Detector:
    """The detector in `folder`, or the one that ships with the package.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    if folder is None and not (DEFAULT_FOLDER / CONFIG_FILE).is_file():
        raise ModelError(
            "no detector ships with this copy",
            path=DEFAULT_FOLDER,
            hint="train one with: fakedetect train CORPUS --out DIR, then scan with --model DIR",
        )
    return Detector.load(DEFAULT_FOLDER if folder is None else folder)


def fine_detail(pairs: Tensor) -> Tensor:
    """(B, C, H, W) → the same shape: what a 3×3 mean leaves over, enlarged fourfold to about the range of the rest."""
    around = nn.functional.avg_pool2d(nn.functional.pad(pairs, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    return (pairs - around) * 4


def to_tensor(windows: npt.NDArray[np.uint8]) -> Tensor:
    """(N, 2, S, S, 3) uint8 → (N, 6, S, S) float32 in [-1, 1], the first frame's channels first."""
    count, _, height, width, _ = windows.shape
    stacked = torch.from_numpy(np.ascontiguousarray(windows)).permute(0, 1, 4, 2, 3)
    return stacked.reshape(count, 6, height, width).float().div_(127.5).sub_(1.0)


def _read_settings(root: Path) -> dict[str, Any]:
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
    known = {spec.name for spec in fields(DetectorConfig)}
    if not isinstance(settings.get("config"), dict) or not set(settings["config"]) <= known:
        raise ModelError("the network's configuration is not understood by this version", path=path)
    return settings
