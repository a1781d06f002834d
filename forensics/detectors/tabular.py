"""A small classifier of figures: what detectors that measure something stand on.

Figures are brought to mean 0 and deviation 1; one that could not be measured is put at the mean and named as missing.
Both labels weigh the same, and within a label every person does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dataset.errors import DetectorError

#: Standardised figures beyond this are cut off: one absurd measurement must not decide.
_FAR = 5.0


class Tabular(nn.Module):
    """(N, D) figures → (N,) logits by logistic regression, or by one hidden layer.

    Args:
        width: D.
        hidden: units of the hidden layer; 0 for none.
    """

    def __init__(self, width: int, hidden: int = 0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.mean: Tensor
        self.spread: Tensor
        if hidden:
            self.classify: nn.Module = nn.Sequential(
                nn.Linear(2 * width, hidden), nn.Tanh(), nn.Linear(hidden, 1)
            )
        else:
            self.classify = nn.Linear(2 * width, 1)

    def forward(self, figures: Tensor) -> Tensor:
        """(N, D), NaN where not measured → (N,) logits."""
        logits: Tensor = self.classify(self.prepared(figures))[:, 0]
        return logits

    def prepared(self, figures: Tensor) -> Tensor:
        """(N, D) → (N, 2D): standardised, and which are missing."""
        missing = ~torch.isfinite(figures)
        level = ((figures - self.mean) / self.spread).clamp(-_FAR, _FAR)
        return torch.cat([torch.where(missing, 0.0, level), missing.float()], 1)

    def judge(self, figures: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """(N, D) → (N,) logits, without gradients."""
        with torch.inference_mode():
            logits: npt.NDArray[np.float64] = self(torch.from_numpy(figures)).double().numpy()
        return logits

    def level(self, figures: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(N, D) → (N, D) as the classifier sees them: standardised, 0 where not measured."""
        with torch.inference_mode():
            prepared: npt.NDArray[np.float32] = self.prepared(torch.from_numpy(figures)).numpy()
        return prepared[:, : figures.shape[1]]


def fit_tabular(
    figures: npt.NDArray[np.float32],
    fake: npt.NDArray[np.bool_],
    subjects: Sequence[str],
    *,
    hidden: int = 0,
    decay: float = 1e-2,
    steps: int = 300,
    seed: int = 0,
) -> Tabular:
    """Fit on all rows at once.

    Args:
        figures: (N, D) float32, NaN where not measured.
        fake: (N,) labels.
        subjects: (N,) who is seen; the rows of one person share one weight.
        hidden: units of a hidden layer, 0 for logistic regression.
        decay: weight of the squared weights.
        steps: of Adam, the rate falling along half a cosine.
        seed: of the initial weights.

    Raises:
        DetectorError: one of the labels is missing.
    """
    if fake.all() or not fake.any():
        raise DetectorError(
            f"nothing to train on: {int(fake.sum())} fake and {int((~fake).sum())} real measurements",
            hint="add clips of the other label that show a person large enough",
        )
    torch.manual_seed(seed)
    network = Tabular(figures.shape[1], hidden)
    values = torch.from_numpy(figures)
    known = torch.isfinite(values)
    count = known.sum(0).clamp(min=1)
    mean = torch.where(known, values, 0.0).sum(0) / count
    spread = (torch.where(known, values - mean, 0.0).square().sum(0) / count).sqrt()
    network.mean.copy_(mean)
    network.spread.copy_(spread.clamp(min=1e-6))
    weight, target = torch.from_numpy(_weights(fake, subjects)), torch.from_numpy(fake.astype(np.float32))
    prepared = network.prepared(values)
    optimiser = torch.optim.Adam(network.parameters(), 0.05)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 0.025 * (1 + float(np.cos(np.pi * step / steps)))
        logits = network.classify(prepared)[:, 0]
        loss = (
            nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight
        ).sum()
        for parameter in network.parameters():
            if parameter.dim() > 1:
                loss = loss + decay * parameter.square().sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return network.eval()


def put_tabular(tensors: Mapping[str, Tensor]) -> Tabular:
    """A classifier from its `state_dict`; its sizes are those of the tensors."""
    hidden = tensors["classify.0.weight"].shape[0] if "classify.0.weight" in tensors else 0
    network = Tabular(len(tensors["mean"]), hidden)
    network.load_state_dict(dict(tensors))
    return network.eval()


def _weights(fake: npt.NDArray[np.bool_], subjects: Sequence[str]) -> npt.NDArray[np.float32]:
    """(N,) that sum to 1: half for each label, and within it the same for each person."""
    names = np.asarray(subjects)
    weights = np.zeros(len(fake))
    for label in (False, True):
        people, number = np.unique(names[fake == label], return_inverse=True)
        weights[fake == label] = 0.5 / len(people) / np.bincount(number)[number]
    return weights.astype(np.float32)
