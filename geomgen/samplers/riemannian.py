"""Draws uniform with respect to the volume of a latent metric."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor

from geomgen._fields import Count, Positive, estimator
from geomgen._random import draw_seed
from geomgen.distributions import DiagonalNormal
from geomgen.manifolds import Euclidean
from geomgen.samplers._base import LatentSampler
from geomgen.samplers._hamiltonian import KernelMetric, hamiltonian_chains
from geomgen.samplers._strata import stratified_counts
from geomgen.samplers.cells import CellSampler

__all__ = ["RiemannianSampler"]

_NUMBERS = 2**18  # in the arrays of the chains advanced at once: 2 MiB stay in the cache
_PILOTS = 256  # chains that tune the step


@estimator
class RiemannianSampler(LatentSampler):
    r"""Draws uniform with respect to the Riemannian volume of the codes' space (Geo-VAE).

    .. math:: p(z) \propto \sqrt{\det G(z)}, \qquad
       G(z) = \sum_i \Sigma_i^{-1} e^{-(z - c_i)^\top \Sigma_i^{-1} (z - c_i) / \rho^2}
       + \lambda e^{-\tau \|z\|^2} I

    The :math:`c_i` are the cells' means of :class:`CellSampler`, the :math:`\Sigma_i` posterior
    covariances of a variational model, or the covariances of the cells. All is in whitened
    coordinates, where :math:`\tau = 1/d` makes the background the codes' own Gaussian. A lone
    centroid gives :math:`N(c_i, \rho^2 \Sigma_i / d)`.

    Each draw is the end of a Hamiltonian chain of its own: ``n_steps`` moves of ``n_leapfrog``
    gradients, from a draw of that Gaussian, the cell taken by its share. Chains this short keep
    to the mode they start in, so modes far apart come at the codes' rates; among cells that
    overlap the volume decides, not the data, the more so the more dimensions there are. The
    density is known up to a constant only. For a model with spherical codes the chains run in
    the ambient space, and their ends are projected.

    Attributes
    ----------
    cells_ : CellSampler
        Fitted to the codes: the centroids, their shares, the whitening.
    metric_ : KernelMetric
        The metric, in whitened coordinates.
    factors_ : Tensor of shape (n_cells, rank, rank)
        Cholesky factors of the :math:`\rho^2 \Sigma_i / d`.
    step_size_ : float
        Leapfrog step, tuned by pilot chains.
    acceptance_ : float
        Mean acceptance of the pilot chains after tuning; about 0.8 is right.

    References
    ----------
    Chadebec and Allassonnière, 2022, *A geometric perspective on variational autoencoders*,
    section 4; Duane et al., 1987, *Hybrid Monte Carlo*.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.random.RandomState(0).normal(3, 2, size=(200, 2))
    >>> sampler = RiemannianSampler(n_cells=1, random_state=0).fit(Z)
    >>> bool(abs(sampler.sample(500, random_state=0).mean() - 3) < 0.3)
    True
    """

    covariances: Annotated[
        Literal["posterior", "local"],
        """Of the centroids: those of q(z|x) at the decoded centroid, for models whose posterior
        is a Gaussian (the cells' for all others), or the cells'.""",
    ] = "posterior"
    n_cells: Annotated[
        Count | None,
        """Number of centroids; by default one per 50 codes, between 1 and 100. The cost of a
        draw is proportional to it.""",
    ] = None
    rho: Annotated[Positive | None, "Width ρ of the kernels; by default √d."] = None
    lam: Annotated[Positive, "Weight λ of the background."] = 1e-2
    n_steps: Annotated[Count, "Moves of a chain."] = 30
    n_leapfrog: Annotated[Count, "Leapfrog steps, hence gradients, of a move."] = 10

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        rng = np.random.RandomState(draw_seed(self.random_state))
        n_cells = self.n_cells or int(np.clip(len(Z) / 50, 1, 100))
        self.cells_ = CellSampler(n_cells=n_cells, random_state=draw_seed(rng)).fit(Z)
        centroids = torch.tensor(self.cells_.means_)
        covariances = torch.tensor(self._covariances(model))
        d = max(centroids.shape[1], 1)
        rho = self.rho or math.sqrt(d)
        self.metric_ = KernelMetric(centroids, torch.linalg.inv(covariances), rho, self.lam)
        self.factors_ = rho / math.sqrt(d) * torch.linalg.cholesky(covariances)
        self.step_size_, self.acceptance_ = 0.1, math.nan
        if centroids.shape[1]:  # constant codes leave nothing to explore
            starts = self._starts(self._cells(_PILOTS, rng), rng)
            u, _, self.step_size_ = self._run(starts, rng, tune=True)
            _, self.acceptance_, _ = self._run(u, rng)

    def _covariances(self, model: Any) -> np.ndarray:
        """Covariances at the centroids, whitened, (n_cells, rank, rank)."""
        cells = self.cells_
        if self.covariances == "posterior" and isinstance(self.manifold_, Euclidean) and model:
            like = next(model.parameters())
            codes = torch.tensor(cells.means_ @ cells.unwhiten_ + cells.mean_).to(like)
            with torch.no_grad():
                posterior = model.encoder(model.decode(codes))
            if isinstance(posterior, DiagonalNormal):
                whiten = np.linalg.pinv(cells.unwhiten_)
                variances = posterior.variance.double().cpu().numpy()
                return np.einsum("da,kd,db->kab", whiten, variances, whiten)
        return cells.factors_ @ cells.factors_.transpose(0, 2, 1)

    def _cells(self, n: int, rng: np.random.RandomState) -> Tensor:
        """Where n chains start: cells by their share, in random order."""
        counts = stratified_counts(self.cells_.weights_, n, rng)
        return torch.from_numpy(rng.permutation(np.repeat(np.arange(len(counts)), counts)))

    def _starts(self, cells: Tensor, rng: np.random.RandomState) -> Tensor:
        """Draws of the law that each cell would have alone."""
        noise = torch.from_numpy(rng.standard_normal((len(cells), self.factors_.shape[1], 1)))
        return self.metric_.centroids[cells] + (self.factors_[cells] @ noise)[..., 0]

    def _run(
        self, u: Tensor, rng: np.random.RandomState, tune: bool = False
    ) -> tuple[Tensor, float, float]:
        return hamiltonian_chains(
            self.metric_,
            u,
            rng,
            step=self.step_size_,
            n_steps=self.n_steps,
            n_leapfrog=self.n_leapfrog,
            tune=tune,
        )

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        d = self.factors_.shape[1]
        cells = self._cells(n, rng)
        at_once = max(1, _NUMBERS // max(1, len(self.factors_) * d + d * d))
        starts = (self._starts(chunk, rng) for chunk in cells.split(at_once))
        u = torch.cat([self._run(start, rng)[0] if d else start for start in starts])
        return u.numpy() @ self.cells_.unwhiten_ + self.cells_.mean_
