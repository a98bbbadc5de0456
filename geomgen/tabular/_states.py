"""From probabilities, or scores, of the states of a column to states that are drawn."""

from __future__ import annotations

import numpy as np

__all__ = ["StateReader"]

_LEAST = 1e-6  # probability, so that a state that a decoder forgot can be called back
_FARTHEST = 1e4  # of a weight from 1


class StateReader:
    r"""Draw states from rows of probabilities, at the rates of the training rows if calibrated.

    The weights w make the mean of the weighted probabilities the shares :math:`t_k` of the
    training rows, by iterative proportional fitting:

    .. math:: \frac1n \sum_i \frac{w_k p_{ik}}{\sum_l w_l p_{il}} = t_k

    Parameters
    ----------
    sharp : bool, default=False
        Take the likeliest state, not a draw: for scores that hold their noise already, such as
        those of linear models. The weights then make the rates of these states right.
    """

    def __init__(self, sharp: bool = False) -> None:
        self.sharp = sharp
        self.weights_: np.ndarray | None = None

    def fit(self, probabilities: np.ndarray, shares: np.ndarray, n_steps: int = 100) -> StateReader:
        """Learn the weights from what a generator gives, and the shares wanted."""
        P = np.clip(probabilities, _LEAST, None)
        weights = np.ones(len(shares))
        for _ in range(n_steps):
            found = self._rates(P * weights)
            ratio = np.clip(shares / np.maximum(found, _LEAST), 0.1, 10)
            weights *= ratio**0.3 if self.sharp else ratio
            weights = np.clip(weights / np.exp(np.log(weights).mean()), 1 / _FARTHEST, _FARTHEST)
        self.weights_ = np.where(shares > 0, weights, 0.0)
        return self

    def draw(self, probabilities: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Draw a state a row."""
        if probabilities.shape[1] == 1:
            return np.zeros(len(probabilities), dtype=int)
        if self.weights_ is None:
            P = np.clip(probabilities, 0, None)
            P[P.sum(1) <= 0] = 1.0
        else:
            P = np.clip(probabilities, _LEAST, None) * self.weights_
        if self.sharp:
            return P.argmax(1)
        edges = np.cumsum(P, axis=1)
        thresholds = rng.random_sample(len(P)) * edges[:, -1]
        return (thresholds[:, None] >= edges[:, :-1]).sum(1)

    def _rates(self, P: np.ndarray) -> np.ndarray:
        if self.sharp:
            return np.bincount(P.argmax(1), minlength=P.shape[1]) / len(P)
        return (P / P.sum(1, keepdims=True)).mean(0)
