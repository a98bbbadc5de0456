"""How fast a decoder changes with its code, and the bound of Theorem 1 (paper L)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from geomgen._random import substream
from geomgen.diagnostics._base import Result, check_count
from geomgen.diagnostics._pointwise import spectral_norms
from geomgen.diagnostics._probe import Probe

__all__ = ["LipschitzConstant", "lipschitz_constant", "sampling_risk_bound"]


@dataclass(frozen=True, eq=False, repr=False)
class LipschitzConstant(Result):
    """Empirical Lipschitz constant of a decoder.

    Attributes
    ----------
    on_manifold : ndarray of shape (n_on,)
        Spectral norms of the decoder's tangent map at codes of rows.
    off_manifold : ndarray of shape (n_off,)
        The same at draws of the prior.
    pairs : ndarray of shape (n_pairs,)
        Distance of rows over distance of codes, for random pairs of these codes.
    metric : {"geodesic", "euclidean"}
        Distance of codes.
    standardized : bool
        Whether codes were measured in units of their own scale.
    """

    on_manifold: np.ndarray
    off_manifold: np.ndarray
    pairs: np.ndarray
    metric: str
    standardized: bool

    @property
    def constant(self) -> float:
        """The largest of all: a lower bound of the true constant."""
        return float(max(v.max() for v in self._parts().values()))

    @property
    def summary(self) -> str:
        """The constant, and the largest value of each kind."""
        parts = ", ".join(f"{name} {v.max():.3g}" for name, v in self._parts().items())
        unit = "standardised" if self.standardized else "own units"
        space = "geodesic distance" if self.metric == "geodesic" else f"Euclidean distance, {unit}"
        return f"Lipschitz constant of the decoder ≥ {self.constant:.3g} ({space}; {parts})"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a kind: number of values, median, 95th percentile, maximum."""
        columns = {
            name: {"n": len(v), "median": np.median(v), "q95": np.quantile(v, 0.95), "max": v.max()}
            for name, v in self._parts().items()
        }
        return pd.DataFrame(columns).T.astype({"n": int}).rename_axis("kind")

    def _parts(self) -> dict[str, np.ndarray]:
        return {
            "on_manifold": self.on_manifold,
            "off_manifold": self.off_manifold,
            "pairs": self.pairs,
        }


def lipschitz_constant(
    fitted: Any,
    X: Any,
    *,
    n_codes: int | None = 1000,
    n_partners: int = 8,
    standardize: bool = True,
    random_state: Any = None,
    verbose: int = 0,
) -> LipschitzConstant:
    r"""Empirical Lipschitz constant of the decoder on the space of its codes.

    .. math:: L_f = \sup_{u \ne v} \frac{\|D(u) - D(v)\|_2}{d(u, v)}
       = \sup_u \|\mathrm{d}D(u)\|_{\mathrm{op}}

    On the sphere d is the geodesic distance :math:`\arccos(u \cdot v)`, and the tangent map is the
    Jacobian on directions orthogonal to u; else d is the Euclidean distance.

    Parameters
    ----------
    fitted : object
        A fitted autoencoder, or a Pipeline or a search that ends in one.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows, at least two.
    n_codes : int or None, default=1000
        Codes of rows, and as many draws of the prior; each costs n_components tangents. None takes
        all rows.
    n_partners : int, default=8
        Random pairs a code.
    standardize : bool, default=True
        Whether Euclidean codes are measured in units of their standard deviation per dimension,
        as in :func:`k_volumes`; else the constant of a deterministic autoencoder depends on the
        arbitrary scale of its codes (:math:`E \to cE` divides it by c).
    random_state : int, RandomState or None, default=None
        Seed; None draws from numpy's global state.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    LipschitzConstant
        ``constant`` is the number; arrays are float64.

    Raises
    ------
    NotFittedError, TypeError
        If it is not fitted, or holds no autoencoder of this package.
    ValueError
        For bad rows (NaN, another width, fewer than two), or a decoder that has no derivative.

    Notes
    -----
    A maximum over points is a *lower* bound of the supremum, and grows with ``n_codes``; a bound
    of Theorem 1 computed from it is an estimate, not a guarantee. Spectral norms are exact at each
    point (largest eigenvalue of the Gram matrix of all tangents, in float64).

    References
    ----------
    Paper L (LISA), Assumption 1 of Theorem 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from geomgen import LISAGenerator
    >>> X = load_iris().data
    >>> model = LISAGenerator(n_components=3, max_epochs=5, random_state=0).fit(X)
    >>> found = lipschitz_constant(model, X, random_state=0)
    >>> found.metric, found.pairs.shape
    ('geodesic', (9200,))
    """
    check_count("n_partners", n_partners, 1)
    probe = Probe(fitted, X, random_state=random_state, verbose=verbose)
    index = probe.choose(n_codes, 0)
    probe.check_differentiable("decoder")
    units = probe.units(standardize)
    on = probe.codes[index]
    off = probe.prior_codes(len(index) if n_codes is None else n_codes, units, 1)
    norms, width = spectral_norms(probe, units[1]), probe.width(probe.d)
    local_on = probe.apply(norms, on, width=width, label="on manifold")
    local_off = probe.apply(norms, off, width=width, label="off manifold")
    divisor = torch.as_tensor(np.where(units[1] > 0, units[1], 1))

    def ratios(u: Tensor, v: Tensor) -> Tensor:
        change = (probe.model.decode(u) - probe.model.decode(v)).double().norm(dim=1)
        chord = ((u - v).double() / divisor.to(u.device)).norm(dim=1)
        distance = 2 * torch.asin((chord / 2).clamp_max(1)) if probe.spherical else chord
        return torch.where(distance > 0, change / distance, 0.0)

    pool = np.concatenate([on, off])
    rng = np.random.RandomState(substream(probe.seed, 2))
    partners = np.concatenate([rng.permutation(len(pool)) for _ in range(n_partners)])
    first = np.tile(np.arange(len(pool)), n_partners)
    pairs = probe.apply(
        ratios, pool[first], pool[partners], width=2 * probe.width(0), label="pairs"
    )
    metric = "geodesic" if probe.spherical else "euclidean"
    return LipschitzConstant(local_on, local_off, pairs, metric, bool(standardize))


def sampling_risk_bound(
    lipschitz: float, wasserstein: float, *, loss_lipschitz: float = 1.0
) -> float:
    r"""Bound of Theorem 1 on how much the sampling-time risk differs between two laws of codes.

    .. math:: |\mathcal{R}(\mu) - \mathcal{R}(\nu)| \le L_\ell L_f W_1(\mu, \nu), \qquad
       \mathcal{R}(\mu) = \mathbb{E}_{u \sim \mu} \mathbb{E}_x\, \ell(x, D(u))

    Parameters
    ----------
    lipschitz : float
        :math:`L_f`, of the decoder.
    wasserstein : float
        :math:`W_1`, of the law of the sampler from that of the codes, in the same distance.
    loss_lipschitz : float, default=1.0
        :math:`L_\ell`, of the loss in the reconstruction: 1 for :math:`\|x - \hat x\|`. The squared
        error has one on bounded rows only: :math:`2 R`, with R the largest distance of a row from
        a reconstruction (divided by n_features for the mean over features).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For a negative number, or one that is not finite.

    Warnings
    --------
    Never a score of samples. The risk pairs a sample with a row *drawn independently of it*, so
    for squared error it is least for a decoder that gives the mean row whatever the code:
    collapse makes both sides small. A small bound says that exchanging the sampler
    for the codes' own law would change this risk little, and nothing else; with the empirical
    :func:`lipschitz_constant` and a :math:`W_1` of finite samples it is an estimate, not a bound.

    References
    ----------
    Paper L (LISA), Theorem 1 (Eqs. 22-24).

    Examples
    --------
    >>> sampling_risk_bound(2.0, 0.25)
    0.5
    """
    named = {"lipschitz": lipschitz, "wasserstein": wasserstein, "loss_lipschitz": loss_lipschitz}
    for name, value in named.items():
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name}={value!r} must be a finite number of at least 0.")
    return float(loss_lipschitz * lipschitz * wasserstein)
