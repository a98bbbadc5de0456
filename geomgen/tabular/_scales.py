"""Numbers on a scale that suits a network, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtri
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

__all__ = ["Grid", "ModeScale", "QuantileScale", "StandardScale", "make_scale"]

_MOST_MODES = 10
_MOST_FITTED = 10_000  # values that modes are looked for in


class StandardScale:
    """Mean 0 and variance 1; one mode."""

    n_modes = 1

    def fit(self, x: np.ndarray, seed: int) -> StandardScale:
        """Learn from the values of a column."""
        self.mean_, scale = x.mean(), x.std()
        self.scale_ = scale if scale > 0 else 1.0
        return self

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Modes of values, and where they lie in them."""
        return np.zeros(len(x), dtype=int), (x - self.mean_) / self.scale_

    def decode(self, modes: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Values of modes and places in them."""
        return u * self.scale_ + self.mean_


class QuantileScale:
    """Normal scores, ties at the middle of their ranks; one mode.

    The middle, not the end, so that a spike at the end of a column stays near the others.
    """

    n_modes = 1

    def fit(self, x: np.ndarray, seed: int) -> QuantileScale:
        """Learn from the values of a column."""
        self.values_, counts = np.unique(x, return_counts=True)
        middles = (np.cumsum(counts) - counts / 2) / len(x)
        scores = ndtri(middles)
        if len(scores) > 1000:  # more points cost time, and say nothing more
            kept = np.unique(np.searchsorted(middles, np.linspace(0, 1, 1000)).clip(0, len(x) - 1))
            kept = np.unique(np.r_[0, kept[kept < len(scores)], len(scores) - 1])
            self.values_, scores = self.values_[kept], scores[kept]
        self.scores_ = scores
        return self

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Modes of values, and where they lie in them."""
        return np.zeros(len(x), dtype=int), np.interp(x, self.values_, self.scores_)

    def decode(self, modes: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Values of modes and places in them."""
        return np.interp(u, self.scores_, self.values_)


class ModeScale:
    """The likeliest component of a mixture of normals, and standard units within it.

    As in CTGAN (Xu et al., 2019, *Modeling tabular data using conditional GAN*, section 4.2), with
    the number of components by BIC.
    """

    def fit(self, x: np.ndarray, seed: int) -> ModeScale:
        """Learn from the values of a column."""
        rng = np.random.RandomState(seed)
        some = x if len(x) <= _MOST_FITTED else x[rng.choice(len(x), _MOST_FITTED, False)]
        self.mean_, self.scale_ = some.mean(), some.std() or 1.0
        u = ((some - self.mean_) / self.scale_)[:, None]
        best, most = None, min(_MOST_MODES, len(np.unique(some)))
        with threadpool_limits(1):
            for k in range(1, most + 1):
                mixture = GaussianMixture(k, reg_covar=1e-6, random_state=seed).fit(u)
                bic = mixture.bic(u)
                best = (bic, mixture) if best is None or bic < best[0] else best
        assert best is not None  # a column has a value
        self.mixture_: Any = best[1]
        labels = self._label(x)
        used = np.unique(labels)  # components may win no row
        self.order_ = {int(old): new for new, old in enumerate(used)}
        self.centres_ = self.mixture_.means_[used, 0]
        self.spreads_ = np.sqrt(self.mixture_.covariances_[used, 0, 0])
        self.n_modes = len(used)
        return self

    def _label(self, x: np.ndarray) -> np.ndarray:
        return self.mixture_.predict(((x - self.mean_) / self.scale_)[:, None])

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Modes of values, and where they lie in them."""
        if not len(x):
            return np.zeros(0, dtype=int), x
        modes = np.array([self.order_.get(int(k), -1) for k in self._label(x)])
        u = (x - self.mean_) / self.scale_
        lost = modes < 0
        modes[lost] = np.abs(u[lost, None] - self.centres_).argmin(1)
        return modes, (u - self.centres_[modes]) / self.spreads_[modes]

    def decode(self, modes: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Values of modes and places in them."""
        return (u * self.spreads_[modes] + self.centres_[modes]) * self.scale_ + self.mean_


def make_scale(name: str, x: np.ndarray) -> Any:
    """Make an unfitted scale; ``"auto"`` takes normal scores where outliers would rule."""
    if name == "auto":
        low, high = np.quantile(x, [0.01, 0.99])
        name = "quantile" if x.std() > 30 * (high - low) else "standard"
    return {"standard": StandardScale, "quantile": QuantileScale, "modes": ModeScale}[name]()


class Grid:
    """The values that a column can take: its bounds, and the step between them, if any."""

    def fit(self, x: np.ndarray, precision: str) -> Grid:
        """Learn from the values of a column that was stored in a dtype of numpy."""
        self.low_, self.high_ = float(x.min()), float(x.max())
        self.decimals_ = 0 if precision == "int64" else _decimals(x, precision)
        return self

    def snap(self, x: np.ndarray) -> np.ndarray:
        """Round values, and keep them inside the bounds."""
        x = x if self.decimals_ is None else np.round(x, self.decimals_)
        return np.clip(x, self.low_, self.high_)


def _decimals(x: np.ndarray, precision: str) -> int | None:
    """Fewest decimals that write all values as they are stored; None if more than eight are."""
    stored = x.astype(precision)  # 1.1 of float32 is not 1.1 of float64
    for decimals in range(9):
        if np.array_equal(np.round(x, decimals).astype(precision), stored):
            return decimals
    return None
