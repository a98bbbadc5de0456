"""k-means cells with a Gaussian each: the default sampler."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from sklearn import config_context
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from geomgen._fields import Count, Interval, Positive, estimator
from geomgen.manifolds import Sphere
from geomgen.samplers._base import LatentSampler
from geomgen.samplers._projected import Block, component_batches, log_mixture
from geomgen.samplers._strata import stratified_counts
from geomgen.samplers._whitening import on_the_flat, whitening

__all__ = ["CellSampler"]


@estimator
class CellSampler(LatentSampler):
    """k-means cells on whitened codes, a Gaussian of full covariance in each, stratified draws.

    A mixture without EM: fitted in seconds where EM takes minutes, with hundreds of cells. The
    number of draws of a cell is its share of the codes up to rounding, so the rate of a rare
    cell does not vary as it would with independent draws.

    Attributes
    ----------
    mean_ : ndarray of shape (n_components,)
        Mean of the codes.
    unwhiten_ : ndarray of shape (rank, n_components)
        From whitened coordinates back to codes.
    weights_ : ndarray of shape (n_cells,)
        Share of the codes in each cell.
    means_ : ndarray of shape (n_cells, rank)
        Cell means, whitened.
    factors_ : ndarray of shape (n_cells, rank, rank)
        Cholesky factors of the cells' covariances, whitened.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.r_[np.full((98, 1), 0.0), np.full((2, 1), 9.0)]  # a mode of 2 %
    >>> sampler = CellSampler(n_cells=2, ridge=1e-6, random_state=0).fit(Z)
    >>> int((sampler.sample(1000, random_state=0) > 5).sum())
    20
    """

    n_cells: Annotated[
        Count | None, "Number of cells; by default one per 50 codes, at most ``max_cells``."
    ] = None
    max_cells: Annotated[Count, "Most cells by default: EM takes a time in proportion to them."] = (
        1000
    )
    ridge: Annotated[
        Positive | None,
        """Added to the whitened covariances' diagonals, where the codes' own variance is 1; by
        default 1e-4 for cells of more codes than dimensions on average, 1e-2 otherwise.""",
    ] = None
    whiten: Annotated[
        bool, "Whether k-means sees whitened codes, or the codes as they are, in one unit."
    ] = True
    em_steps: Annotated[
        Annotated[int, Interval(0)],
        """Steps of EM that the mixture is refined by: likelier, and many times slower to fit.""",
    ] = 0

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        n = len(Z)
        self.mean_, whiten, self.unwhiten_ = whitening(Z)
        U = (Z - self.mean_) @ whiten
        n_cells = (
            int(np.clip(n / 50, 1, self.max_cells))
            if self.n_cells is None
            else min(self.n_cells, n)
        )
        ridge = self.ridge or (1e-4 if n > n_cells * U.shape[1] else 1e-2)
        seen = U if self.whiten else U @ self.unwhiten_
        labels = self._assign(seen, n_cells)
        cells = [U[labels == label] for label in np.unique(labels)]
        self.weights_ = np.array([len(cell) / n for cell in cells])
        self.means_ = np.stack([cell.mean(0) for cell in cells])
        self.factors_ = np.stack([_factor(cell, ridge) for cell in cells])
        if self.em_steps:
            self._refine(U, ridge)

    def _refine(self, U: np.ndarray, ridge: float) -> None:
        mixture = GaussianMixture(
            len(self.weights_),
            reg_covar=ridge,
            max_iter=self.em_steps,
            weights_init=self.weights_,
            means_init=self.means_,
            precisions_init=np.linalg.inv(self.factors_ @ np.swapaxes(self.factors_, 1, 2)),
            random_state=0,  # it has nothing to draw
        )
        with threadpool_limits(1), config_context(array_api_dispatch=False):
            with warnings.catch_warnings():  # a few steps are what was asked for
                warnings.simplefilter("ignore", ConvergenceWarning)
                mixture.fit(U)
        self.weights_, self.means_ = mixture.weights_, mixture.means_
        self.factors_ = np.linalg.cholesky(mixture.covariances_)

    def _assign(self, U: np.ndarray, n_cells: int) -> np.ndarray:
        """Label each code with its cell."""
        U = U.astype(np.float32)
        n_cells = min(n_cells, len(np.unique(U, axis=0))) if n_cells > 1 else 1
        if n_cells == 1:
            return np.zeros(len(U), dtype=int)
        kmeans = MiniBatchKMeans(
            n_cells, batch_size=2048, max_iter=30, n_init=3, random_state=self.random_state
        )
        with threadpool_limits(1):  # sums in one order, hence the same cells on any machine
            return kmeans.fit(U).labels_

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        counts = stratified_counts(self.weights_, n, rng)
        noise = np.split(rng.standard_normal((n, self.means_.shape[1])), np.cumsum(counts)[:-1])
        cells = zip(self.means_, self.factors_, noise, strict=True)
        U = np.concatenate([mean + e @ factor.T for mean, factor, e in cells])
        return rng.permutation(U @ self.unwhiten_ + self.mean_)

    def _log_density(self, Z: np.ndarray) -> np.ndarray:
        covariances = self.factors_ @ np.swapaxes(self.factors_, 1, 2)
        if isinstance(self.manifold_, Sphere):
            means = self.means_ @ self.unwhiten_ + self.mean_
            covariances = self.unwhiten_.T @ covariances @ self.unwhiten_
            return log_mixture(Z, self._blocks(means, covariances), True)
        U, log_volume = on_the_flat(Z, self.mean_, self.unwhiten_)
        return log_mixture(U, self._blocks(self.means_, covariances), False) + log_volume

    def _blocks(self, means: np.ndarray, covariances: np.ndarray) -> Iterator[Block]:
        for part in component_batches(*means.shape):
            yield self.weights_[part], means[part], covariances[part]


def _factor(cell: np.ndarray, ridge: float) -> np.ndarray:
    centred = cell - cell.mean(0)
    covariance = centred.T @ centred / len(cell)
    return np.linalg.cholesky(covariance + ridge * np.eye(cell.shape[1]))
