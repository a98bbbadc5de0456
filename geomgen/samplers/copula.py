"""A Gaussian copula over the codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm, rankdata

from geomgen._fields import estimator
from geomgen.samplers._base import LatentSampler

__all__ = ["CopulaSampler"]


@estimator
class CopulaSampler(LatentSampler):
    r"""A Gaussian copula: the components' own distributions, tied by normal correlations.

    .. math:: z_j = \hat F_j^{-1}(\Phi(g_j)), \qquad g \sim N(0, R)

    with :math:`\hat F_j^{-1}` the quantiles of component j, interpolated between the codes, and R
    the correlation matrix of the codes' normal scores :math:`\Phi^{-1}(r_{ij} / (n + 1))`,
    :math:`r_{ij}` being ranks.

    Every component has the codes' distribution, whatever it is, and stays within their range. The
    dependence is that of a normal law: modes, and other shapes that no single component shows,
    are lost. The interpolated quantiles have steps for a density, so none is given.

    Attributes
    ----------
    quantiles_ : ndarray of shape (n_samples, n_components)
        The codes, each component sorted.
    factor_ : ndarray of shape (min(n_samples, n_components), n_components)
        A square root F of the correlations, :math:`F^\top F = R`.

    References
    ----------
    Nelsen, 2006, *An introduction to copulas*; Patki, Wedge and Veeramachaneni, 2016, *The
    synthetic data vault*.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0, 1, 200)
    >>> draws = CopulaSampler().fit(np.c_[x, x**9]).sample(1000, random_state=0)
    >>> bool(np.abs(draws[:, 1] - draws[:, 0] ** 9).max() < 1e-3)  # a monotone curve is kept
    True
    """

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        n = len(Z)
        self.quantiles_ = np.sort(Z, axis=0)
        scores = norm.ppf(rankdata(Z, axis=0) / (n + 1))
        lengths = np.linalg.norm(scores, axis=0)
        scores /= np.where(lengths > 0, lengths, 1)  # a constant component has scores of 0
        # The square root of the correlations without forming them; exact for codes of any rank.
        _, scale, directions = np.linalg.svd(scores, full_matrices=False)
        self.factor_ = scale[:, None] * directions

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        ranks = norm.cdf(rng.standard_normal((n, len(self.factor_))) @ self.factor_)
        at = np.linspace(0, 1, len(self.quantiles_))
        pairs = zip(ranks.T, self.quantiles_.T, strict=True)
        return np.column_stack([np.interp(rank, at, quantiles) for rank, quantiles in pairs])
