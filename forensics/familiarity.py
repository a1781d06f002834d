"""How like the training data a video is: a distance in the detector's own embedding.

Lee et al., *A Simple Unified Framework for Detecting Out-of-Distribution Samples*, NeurIPS 2018, use the Mahalanobis
distance of a network's features. Here the covariance is that of probabilistic principal components (Tipping and
Bishop, 1999): full in a few directions, one common variance in all others, because windows of one video are far from
independent and a full covariance of a thousand features could not be estimated from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

Array = npt.NDArray[np.float32]
#: Directions with a variance of their own.
_DIRECTIONS = 32
#: Part of each of their variances that is replaced by their mean (shrinkage).
_SHRINK = 0.1


@dataclass(frozen=True)
class Familiarity:
    """Mean and covariance of the embeddings of training windows.

    Attributes:
        mean: (D,).
        directions: (K, D) orthonormal principal directions.
        variances: (K,) along them.
        rest: (1,) mean variance in each of the other D − K directions.
    """

    mean: Array
    directions: Array
    variances: Array
    rest: Array

    @classmethod
    def fit(cls, embeddings: Array) -> Self:
        """Estimate from (N, D) embeddings, N at least 2."""
        count, width = embeddings.shape
        mean = embeddings.mean(0, dtype=np.float64)
        centred = embeddings - mean
        kept = min(_DIRECTIONS, count - 1, width - 1)
        values, vectors = np.linalg.eigh(centred.T @ centred / max(count - 1, 1))
        order = np.argsort(values)[::-1]
        own = np.maximum(values[order[:kept]], 1e-9)
        return cls(
            mean=mean.astype(np.float32),
            directions=vectors[:, order[:kept]].T.astype(np.float32),
            variances=((1 - _SHRINK) * own + _SHRINK * own.mean()).astype(np.float32),
            rest=np.array([max(float(values[order[kept:]].mean()), 1e-9)], np.float32),
        )

    def distances(self, embeddings: Array) -> npt.NDArray[np.float64]:
        """(N, D) → (N,) Mahalanobis distances, scaled so that the training windows have mean square 1."""
        centred = (embeddings - self.mean).astype(np.float64)
        # Too little for several threads, which would wait for each other wherever a machine does more than this.
        with _blas().limit(limits=1):
            along = centred @ self.directions.T
        total = (along**2 / self.variances).sum(1)
        beside = np.maximum((centred**2).sum(1) - (along**2).sum(1), 0) / self.rest[0]
        # Two halves of equal weight: else a thousand minor directions drown the thirty that matter.
        kept, others = len(self.variances), len(self.mean) - len(self.variances)
        result: npt.NDArray[np.float64] = np.sqrt((total / kept + beside / others) / 2)
        return result


@cache
def _blas() -> ThreadpoolController:
    """The libraries of linear algebra that are loaded."""
    return ThreadpoolController().select(user_api="blas")
