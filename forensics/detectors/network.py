"""Detectors that are a network over windows: training, judging and heat, whatever the network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from forensics.detectors.base import Detector, Evidence, Progress, Scores, mean_by_pair, to_tensor
from forensics.familiarity import Familiarity
from forensics.sampler import Sampler
from forensics.train import Batches, Run, TrainConfig, fit_network, sample_windows
from forensics.windows import ClipWindows

#: Windows that go through the network at once; bounds memory, changes no score.
_BATCH = 4
Windows = npt.NDArray[np.uint8]


class WindowNetwork(nn.Module):
    """Windows → embedding → one logit. Subclasses have `embed`, and a last layer `classify` over it."""

    classify: nn.Linear
    dropout: nn.Module

    def embed(self, pairs: Tensor) -> Tensor:
        """(B, 6, S, S) in [-1, 1] → (B, D)."""
        raise NotImplementedError

    def forward(self, pairs: Tensor) -> Tensor:
        """(B, 6, S, S) in [-1, 1] → (B,) logits; above zero speaks for a fake."""
        logits: Tensor = self.classify(self.dropout(self.embed(pairs)))[:, 0]
        return logits

    def maps(self, pairs: Tensor) -> tuple[list[Tensor], Tensor] | None:
        """(B, 6, S, S) → activations (B, C, h, w), and the (B,) logits computed from them; for heat maps.

        None where a network has no activations with places.
        """
        return None


class NetworkDetector(Detector):
    """Judges every window of a pair by a network and takes their mean."""

    network: WindowNetwork
    #: Windows that it is trained on; all of them if empty.
    parts: tuple[str, ...] = ()

    @abstractmethod
    def build(self) -> WindowNetwork:
        """A new network of the config's shape, its weights as training starts with them."""

    def check(self) -> None:
        """See `Detector.check`."""
        self.build()

    def fit(
        self,
        clips: Sequence[ClipWindows],
        training: TrainConfig,
        progress: Progress | None = None,
        *,
        run: Run | None = None,
    ) -> None:
        """See `Detector.fit`."""
        batches = Sampler(clips, self.window, training.seed, self.parts)
        self.learn(
            batches,
            lambda: sample_windows(clips, self.window, training.seed, self.parts),
            training,
            progress,
            run,
        )

    def learn(
        self,
        batches: Batches,
        known: Callable[[], Windows],
        training: TrainConfig,
        progress: Progress | None = None,
        run: Run | None = None,
    ) -> None:
        """Train from any source of batches.

        Args:
            batches: the windows of each step.
            known: gives windows that show how the training data look, (N, 2, S, S, 3).
            training: how.
            progress: called after each step.
            run: processes and checkpoints.

        Raises:
            DetectorError: learning failed.
        """
        torch.manual_seed(training.seed)
        self.network = fit_network(self.build(), batches, training, progress, run)
        self.familiarity = Familiarity.fit(self.look(known())[1])

    def look(self, windows: Windows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
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
        rows = self.looked_at(evidence)
        logits, embeddings = self.look(evidence.only(rows).pixels)
        distance = None
        if self.familiarity is not None and len(embeddings):
            distance = float(np.median(self.familiarity.distances(embeddings)))
        windows = np.full(len(evidence), np.nan)
        windows[rows] = logits
        return Scores(mean_by_pair(windows, evidence.pairs, len(evidence.times)), windows, distance)

    def heat(self, windows: Windows) -> npt.NDArray[np.float32] | None:
        """See `Detector.heat`: how much the logit rises with what each place of the activations holds.

        Selvaraju et al., *Grad-CAM*, ICCV 2017, with the gradient of each place instead of its mean (as in HiResCAM,
        Draelos and Carin, 2021): what is found depends on the place.
        """
        self.network.eval()
        heats = []
        for begin in range(0, len(windows), _BATCH):
            shown = to_tensor(windows[begin : begin + _BATCH])
            found = self.network.maps(shown)
            if found is None:
                return None
            maps, logits = found
            gradients = torch.autograd.grad(logits.sum(), maps)
            total = torch.zeros(len(shown), 1, *shown.shape[2:])
            for activation, gradient in zip(maps, gradients, strict=True):
                # Against the window's own mean: what is the same everywhere lies nowhere.
                contrast = activation - activation.mean((2, 3), keepdim=True)
                part = (contrast * gradient).sum(1, keepdim=True).detach().relu()
                part = nn.functional.interpolate(part, shown.shape[2:], mode="bilinear", align_corners=False)
                # Layers count alike, however many places they have.
                total += part / part.amax((2, 3), keepdim=True).clamp(min=1e-12)
            heats.append(total[:, 0].numpy())
        return (
            np.concatenate(heats) if heats else np.zeros(windows.shape[:1] + windows.shape[2:4], np.float32)
        )

    def tensors(self) -> dict[str, Tensor]:
        """See `Detector.tensors`."""
        return dict(self.network.state_dict())

    def put_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Detector.put_tensors`."""
        self.network.load_state_dict(dict(tensors))
        self.network.eval()
