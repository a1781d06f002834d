"""One training step of the paper's objective (eq. 3), in the least-squares form.

Two frames are painted, the second from the first, and nothing is cut between them. The terms are then differentiated
one after the other with respect to the two painted frames alone, and one backward pass through the generator takes the
sum from there: the same gradient as that of the sum of all terms, but no two terms are in memory at once.

What is shared is computed once: the discriminator sees the real and the made pair once each, for its own loss, for the
adversarial term and for feature matching. As in pix2pixHD all of them see the discriminator as it was before the step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from synthesis.losses import gan_loss
from synthesis.paper.ops import mean_difference

Judge = Callable[[Tensor], list[list[Tensor]]]


@dataclass(frozen=True)
class Weights:
    """Factors of the terms."""

    gan: float = 1.0
    fm: float = 10.0
    perceptual: float = 5.0
    l1: float = 0.0


@dataclass
class Gradients:
    """What the terms want of the painted frames.

    Attributes:
        terms: each term's value, weighed, by name; "d" is the discriminator's loss.
        frames: the gradient of their sum (without "d") with respect to each frame.
    """

    terms: dict[str, float]
    frames: list[Tensor]


def differentiate(
    made: Sequence[Tensor],
    real: Sequence[Tensor],
    labels: Sequence[Tensor],
    judge: Judge,
    learning: Sequence[nn.Parameter],
    perceptual: nn.Module,
    weights: Weights,
    *,
    share: float = 1.0,
) -> Gradients:
    """All terms on painted frames, and the gradient that each frame gets; `judge` gets its own gradient added.

    Args:
        made: two consecutive painted frames, or one (frame by frame), (B, 3, H, W) in [-1, 1].
        real: the frames that were filmed.
        labels: their stick figures in [0, 1].
        judge: a discriminator that returns a list of activations for each scale, the last of them the scores.
        learning: the parameters of `judge`.
        perceptual: (made, real) → scalar.
        weights: see `Weights`.
        share: factor on all terms: of a pass, when a step's batch is cut into several.
    """
    leaves = [frame.detach().requires_grad_() for frame in made]
    terms: dict[str, float] = {}
    frames = [torch.zeros_like(leaf) for leaf in leaves]

    def take(name: str, value: Tensor) -> None:
        terms[name] = terms.get(name, 0.0) + float(value.detach())

    judged_real = judge(torch.cat([*labels, *real], 1))
    expected = [[part.detach() for part in scale] for scale in judged_real]
    loss_real = 0.5 * share * gan_loss(judged_real, True)
    take("d", loss_real)
    loss_real.backward()
    del judged_real

    judged = judge(torch.cat([*labels, *leaves], 1))
    loss_made = 0.5 * share * gan_loss(judged, False)
    take("d", loss_made)
    # One pass through the discriminator serves its own loss and the generator's. Its parameters take the gradient of
    # the first alone, the frames that of the second.
    torch.autograd.backward(loss_made, inputs=list(learning), retain_graph=True)
    gan, fm = (
        share * weights.gan * gan_loss(judged, True),
        share * weights.fm * _feature_matching(judged, expected),
    )
    take("gan", gan)
    take("fm", fm)
    for frame, gradient in zip(frames, torch.autograd.grad(gan + fm, leaves), strict=True):
        frame += gradient
    del judged, expected, gan, fm, loss_made

    for frame, leaf, truth in zip(frames, leaves, real, strict=True):
        loss = share * weights.perceptual * perceptual(leaf, truth)
        take("perceptual", loss)
        if weights.l1:
            l1 = share * weights.l1 * (leaf - truth).abs().mean()
            take("l1", l1)
            loss = loss + l1
        frame += torch.autograd.grad(loss, leaf)[0]
    return Gradients(terms, frames)


def _feature_matching(made: list[list[Tensor]], real: list[list[Tensor]]) -> Tensor:
    """L_FM (pix2pixHD eq. 4), as `synthesis.losses.feature_matching`, without copies in float32."""
    pairs = (
        pair
        for scales in zip(made, real, strict=True)
        for pair in zip(*(part[:-1] for part in scales), strict=True)
    )
    return torch.stack([mean_difference(a, b) for a, b in pairs]).mean()
