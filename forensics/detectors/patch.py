"""The paper's detector: the discriminator's trunk with a final fully connected layer, on two consecutive frames.

Chan et al., *Everybody Dance Now*, ICCV 2019: "the architecture of the discriminator with a final fully connected
layer". The paper does not say what goes in; here it is a window cut from two consecutive frames, stacked to six
channels, so that the temporal faults of motion transfer can be seen beside the spatial ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from forensics.detectors.base import Detector, Evidence, Progress, Scores, mean_by_pair, to_tensor
from forensics.detectors.layers import Dropout, Level
from forensics.detectors.registry import register
from forensics.familiarity import Familiarity
from forensics.sampler import Sampler
from forensics.train import Run, TrainConfig, fit_network, sample_windows
from forensics.windows import ClipWindows
from synthesis.networks.discriminator import PatchTrunk

#: Windows that go through the network at once; bounds memory, changes no score.
_BATCH = 64


@dataclass(frozen=True)
class PatchConfig:
    """The shape of the network."""

    window: int = 128  # side of the square windows it judges, in pixels
    ndf: int = 24  # channels after the first convolution, doubled per layer up to 8 times as many
    n_layers: int = 3  # stride-2 convolutions of the PatchGAN trunk; 3 gives the 70×70 receptive field
    norm: str = "instance"  # normalisation inside the trunk: "instance" or "batch"
    dropout: float = 0.3  # share of pooled features dropped in training, before the fully connected layer


class PatchNetwork(nn.Module):
    """A PatchGAN trunk over two stacked RGB frames, pooled, and one fully connected layer.

    The trunk sees, beside the six channels of the frames, their fine detail in six more. Texture and noise, in which
    generated pictures are weakest, are a hundredth of the picture's range; a network that has to find them by
    itself needs several times as many steps. The paper's discriminator has as many channels: there the other six are
    the stick figures, which no detector is given.

    Every layer of the trunk is pooled to its mean, the logarithm of its standard deviation (so that the last layer can
    weigh one band of detail against another) and its maximum over the map. The deepest layer
    alone, as a plain reading of the paper has it, is instance-normalised and has lost how strong the fine detail was;
    the first layer still knows.
    """

    def __init__(self, config: PatchConfig) -> None:
        super().__init__()
        self.trunk = PatchTrunk(12, config.ndf, config.n_layers, config.norm)
        width = 3 * sum(min(config.ndf * 2**index, config.ndf * 8) for index in range(config.n_layers + 1))
        # Brings mean, deviation and maximum of all layers to one scale; running figures are used when judging.
        self.level = Level(width)
        self.dropout = Dropout(config.dropout)
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


@register("patch")
class PatchDetector(Detector):
    """The detector of the paper; judges every window of a pair and takes their mean."""

    Config = PatchConfig
    config: PatchConfig

    def __init__(self, config: PatchConfig | None = None) -> None:
        super().__init__(config)
        self.network = PatchNetwork(self.config).eval()

    def fit(
        self,
        clips: Sequence[ClipWindows],
        training: TrainConfig,
        progress: Progress | None = None,
        *,
        run: Run | None = None,
    ) -> None:
        """See `Detector.fit`."""
        torch.manual_seed(training.seed)
        batches = Sampler(clips, self.window, training.seed)
        self.network = fit_network(PatchNetwork(self.config), batches, training, progress, run)
        known = sample_windows(clips, self.window, training.seed)
        self.familiarity = Familiarity.fit(self.look(known)[1])

    def look(self, windows: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """(N, 2, S, S, 3) windows → (N,) logits and (N, D) embeddings, without gradients."""
        logits, embeddings = [], []
        self.network.eval()
        with torch.inference_mode():
            for begin in range(0, len(windows), _BATCH):
                features = self.network.embed(to_tensor(windows[begin : begin + _BATCH]))
                embeddings.append(features.numpy())
                logits.append(self.network.classify(features)[:, 0].double().numpy())
        if not logits:
            return np.zeros(0), np.zeros((0, self.network.classify.in_features), np.float32)
        return np.concatenate(logits), np.concatenate(embeddings)

    def judge(self, evidence: Evidence) -> Scores:
        """See `Detector.judge`."""
        logits, embeddings = self.look(evidence.pixels)
        distance = None
        if self.familiarity is not None and len(embeddings):
            distance = float(np.median(self.familiarity.distances(embeddings)))
        return Scores(mean_by_pair(logits, evidence.pairs, len(evidence.times)), logits, distance)

    def tensors(self) -> dict[str, Tensor]:
        """See `Detector.tensors`."""
        return dict(self.network.state_dict())

    def put_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Detector.put_tensors`."""
        self.network.load_state_dict(dict(tensors))
        self.network.eval()


def fine_detail(pairs: Tensor) -> Tensor:
    """(B, C, H, W) → the same shape: what a 3×3 mean leaves over, enlarged fourfold to about the range of the rest."""
    around = nn.functional.avg_pool2d(nn.functional.pad(pairs, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    return (pairs - around) * 4
