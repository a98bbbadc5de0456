"""What is done to decoded rows: the spread the decoder cannot give, and the columns' own laws."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from geomgen.metrics.energy import energy_distance

__all__ = ["QuantileMap", "ResidualNoise", "choose_residual"]


class ResidualNoise:
    r"""Gaussian noise with the law of the residuals :math:`x - D(E(x))` of held-out rows.

    Tables are not manifolds: decoded rows lie on a surface that the data only scatter about.

    Parameters
    ----------
    kind : {"none", "diagonal", "full", "component"}
        No noise; a variance a column; one covariance; or a mean and a covariance in each of
        several cells of the codes, shrunk to the overall covariance with the weight of p rows
        (and the mean to 0 with that of 5), for p columns and n residuals in the cell:

        .. math:: \Sigma_k = \frac{n_k S_k + p\,S}{n_k + p}, \qquad
           \mu_k = \frac{n_k}{n_k + 5}\, \bar r_k
    seed : int
        Seed of the cells.
    """

    def __init__(self, kind: str, seed: int) -> None:
        self.kind = kind
        self.seed = seed

    def fit(self, codes: np.ndarray, residuals: np.ndarray) -> ResidualNoise:
        """Learn from held-out rows: their codes, and what the decoder left over."""
        residuals = residuals.astype(np.float64)
        n, p = residuals.shape
        self.cells_ = self._make_cells(codes, residuals)
        labels = self._label(codes)
        overall = residuals.T @ residuals / n
        if self.kind == "diagonal":
            overall = np.diag(np.diag(overall))
        self.means_, self.factors_ = [], []
        for k in range(1 if self.cells_ is None else len(self.cells_)):
            own = residuals[labels == k]
            mean, covariance = np.zeros(p), overall
            if self.cells_ is not None and len(own) > 2:
                mean = own.mean(0) * len(own) / (len(own) + 5)
                spread = np.cov(own.T, bias=True).reshape(p, p)
                covariance = (len(own) * spread + p * overall) / (len(own) + p)
            self.means_.append(mean)
            self.factors_.append(_square_root(covariance))
        return self

    def add(self, rows: np.ndarray, codes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Return decoded rows with noise, in the rows' own dtype."""
        if self.kind == "none":
            return rows
        labels = self._label(codes)
        noise = rng.standard_normal(rows.shape)
        out = rows.copy()
        for k in np.unique(labels):
            at = labels == k
            out[at] += self.means_[k] + noise[at] @ self.factors_[k]
        return out

    def _make_cells(self, codes: np.ndarray, residuals: np.ndarray) -> np.ndarray | None:
        n, p = residuals.shape
        k = int(np.clip(n / max(2 * p, 20), 1, 64))
        k = min(k, len(np.unique(codes, axis=0)))
        if self.kind != "component" or k < 2:
            return None
        with threadpool_limits(1):
            kmeans = KMeans(k, n_init=1, random_state=self.seed % 2**31).fit(codes)
        return kmeans.cluster_centers_

    def _label(self, codes: np.ndarray) -> np.ndarray:
        if self.cells_ is None:
            return np.zeros(len(codes), dtype=int)
        squared = (self.cells_**2).sum(1) - 2 * codes @ self.cells_.T
        return squared.argmin(1)


def choose_residual(
    kind: str, held: np.ndarray, codes: np.ndarray, decoded: np.ndarray, seed: int
) -> ResidualNoise:
    """Fit the noise of one kind, or with ``"auto"`` of the kind that measures best.

    Every other held-out row teaches, the rest judge by the energy distance of their noisy
    reconstructions to them, columns standardised; no noise is among the candidates, and the
    simpler one wins a tie.
    """
    residuals = held - decoded
    if kind == "auto":
        teach, judge = slice(0, None, 2), slice(1, None, 2)
        scale = held.std(0)
        scale = np.where(scale > 0, scale, 1).astype(held.dtype)
        scores = {}
        for name in ("none", "diagonal", "full", "component"):
            noise = ResidualNoise(name, seed).fit(codes[teach], residuals[teach])
            rows = noise.add(decoded[judge], codes[judge], check_random_state(seed % 2**32))
            scores[name] = energy_distance(held[judge] / scale, rows / scale)
        kind = min(scores, key=lambda name: scores[name])
    return ResidualNoise(kind, seed).fit(codes, residuals)


class QuantileMap:
    """Column by column, quantiles of generated rows onto those of the training rows.

    Interpolated, so new values appear between the old ones; never outside a column's range, whose
    extremes it therefore exposes.

    Parameters
    ----------
    n_quantiles : int, default=1000
        Points of the map; at most the number of rows.
    """

    def __init__(self, n_quantiles: int = 1000) -> None:
        self.n_quantiles = n_quantiles

    def fit(self, X: np.ndarray, generated: np.ndarray) -> QuantileMap:
        """Learn from training rows and a draw."""
        levels = np.linspace(0, 1, min(self.n_quantiles, len(X)))
        self.real_ = np.quantile(X.astype(np.float64), levels, axis=0)
        self.generated_ = np.quantile(generated.astype(np.float64), levels, axis=0)
        return self

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """Return mapped rows, in their own dtype."""
        columns: Any = zip(rows.T, self.generated_.T, self.real_.T, strict=True)
        mapped = [np.interp(x, generated, real) for x, generated, real in columns]
        return np.stack(mapped, axis=1).astype(rows.dtype)


def _square_root(covariance: np.ndarray) -> np.ndarray:
    """F with F'F the covariance, of any rank."""
    values, vectors = np.linalg.eigh(covariance)
    return np.sqrt(np.clip(values, 0, None))[:, None] * vectors.T
