"""Each term of the objective by its name in the paper (eq. 1 and 3), in the least-squares form of its code.

Every term is a mean over the batch of a value per sample. So a batch may be shared by several processes or cut into
several passes: the mean of their gradients is the gradient of the whole.
"""

from __future__ import annotations

import torch
from torch import Tensor

Scales = list[list[Tensor]]


def gan_loss(scores: Scales, is_real: bool) -> Tensor:
    """Least-squares GAN loss (Mao et al., ICCV 2017), summed over scales as in pix2pixHD.

    Args:
        scores: what `MultiScaleDiscriminator` returns; the last tensor of each scale is the score map.
        is_real: what the scores should say.
    """
    target = 1.0 if is_real else 0.0
    return torch.stack([((scale[-1].float() - target) ** 2).mean() for scale in scores]).sum()


def feature_matching(made: Scales, real: Scales) -> Tensor:
    """L_FM (pix2pixHD eq. 4): L1 distance of the discriminator's activations, averaged over layers and scales.

    No gradient flows into `real`.
    """
    terms = [
        (a.float() - b.detach().float()).abs().mean()
        for made_scale, real_scale in zip(made, real, strict=True)
        for a, b in zip(made_scale[:-1], real_scale[:-1], strict=True)
    ]
    return torch.stack(terms).mean()


def person_l1(made: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """L1 distance, each pixel counting by `weight`; each picture of the batch counts alike.

    Args:
        made, real: (B, 3, H, W).
        weight: (B, 1, H, W), larger where the person is.
    """
    each = ((made - real).abs() * weight).sum((1, 2, 3)) / (weight.sum((1, 2, 3)) * made.shape[1])
    return each.mean()


def silhouette_loss(alpha: Tensor, silhouette: Tensor, told: Tensor) -> Tensor:
    """Binary cross-entropy of the person's mask against a silhouette; each picture counts alike.

    Args:
        alpha, silhouette: (B, 1, H, W) in [0, 1].
        told: (B, 1, 1, 1), 0 for pictures whose silhouette says nothing.
    """
    sure = alpha.float().clamp(1e-3, 1 - 1e-3)
    each = -(silhouette * sure.log() + (1 - silhouette) * (1 - sure).log())
    return (each * told).mean((1, 2, 3)).mean()
