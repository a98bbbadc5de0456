"""Which latent units and directions are in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor
from torch.distributions import kl_divergence

from geomgen.diagnostics._base import Result, check_number
from geomgen.diagnostics._probe import Probe
from geomgen.distributions import DiagonalNormal
from geomgen.nn import NormalPosterior

__all__ = ["Collapse", "collapse"]


@dataclass(frozen=True, eq=False, repr=False)
class Collapse(Result):
    """Use of the latent units and directions.

    Attributes
    ----------
    variance : ndarray of shape (d,)
        Variance of each unit's (posterior mean) code over rows.
    active : ndarray of bool of shape (d,)
        Whether that is above ``threshold``.
    kl : ndarray of shape (d,) or None
        Mean KL divergence of each unit's posterior from its prior, in nats; None unless the
        encoder gives normal distributions of scales of their own, and the prior is normal.
    direction_variance : ndarray of shape (d,)
        Variances along the principal directions of the codes, in falling order.
    dead : ndarray of bool of shape (d,)
        Whether a direction's variance is at most ``dead_threshold`` times the largest.
    standardized : bool
        Whether ``threshold`` is relative to the largest variance.
    threshold, dead_threshold : float
        As given.
    """

    variance: np.ndarray
    active: np.ndarray
    kl: np.ndarray | None
    direction_variance: np.ndarray
    dead: np.ndarray
    standardized: bool
    threshold: float
    dead_threshold: float

    @property
    def n_active(self) -> int:
        """Number of active units."""
        return int(self.active.sum())

    @property
    def dead_share(self) -> float:
        """Share of dead directions, in [0, 1]."""
        return float(self.dead.mean())

    @property
    def summary(self) -> str:
        """Active units, KL, dead directions."""
        of = " of the largest" if self.standardized else ""
        kl = "" if self.kl is None else f", KL {self.kl.sum():.3g} nats"
        return (
            f"{self.n_active} of {len(self.active)} units active (variance > "
            f"{self.threshold:g}{of}){kl}, {100 * self.dead_share:.3g} % of directions dead"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row a unit; the last two columns are of the j-th principal direction."""
        columns: dict[str, np.ndarray] = {"variance": self.variance, "active": self.active}
        if self.kl is not None:
            columns["kl"] = self.kl
        columns |= {"direction_variance": self.direction_variance, "dead": self.dead}
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self.active), name="unit"))


def collapse(
    fitted: Any,
    X: Any,
    *,
    threshold: float = 0.01,
    dead_threshold: float = 1e-4,
    standardize: bool | None = None,
    verbose: int = 0,
) -> Collapse:
    r"""Active units, KL divergence a unit, and dead directions of the codes.

    .. math:: A_j = \mathrm{Var}_x\, \mathbb{E}_{q(z|x)}[z_j] > 0.01, \qquad
       \mathrm{KL}_j = \mathbb{E}_x\, \mathrm{KL}(q(z_j|x) \,\|\, p(z_j)), \qquad
       \lambda_l \le 10^{-4}\, \lambda_{\max}

    with :math:`\lambda` the eigenvalues of the covariance of the codes.

    Parameters
    ----------
    fitted : object
        A fitted autoencoder, or a Pipeline or a search that ends in one.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows, at least two.
    threshold : float, default=0.01
        Variance above which a unit is active.
    dead_threshold : float, default=1e-4
        Variance, relative to the largest, up to which a direction is dead.
    standardize : bool, optional
        Whether ``threshold`` is relative to the largest variance of a unit. An absolute one means
        something where the prior fixes the scale of the codes, and is arbitrary for a
        deterministic encoder; so it is absolute for variational models, and relative for others,
        by default.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    Collapse
        Arrays have shape (d,); variances and KL are float64.

    Raises
    ------
    NotFittedError, TypeError
        If it is not fitted, or holds no autoencoder of this package.
    ValueError
        For a threshold that is not in (0, 1), or bad rows (NaN, another width, fewer than two).

    Notes
    -----
    ``variance`` and ``direction_variance`` are in squared units of the codes. Units are axes: a
    rotation of the codes changes which are active, but no direction's variance. If all codes are
    equal, no unit is active and every direction dead.

    References
    ----------
    Burda, Grosse and Salakhutdinov, 2016, *Importance weighted autoencoders*, section 5 (active
    units); Jing, Zbontar and LeCun, 2020, *Implicit rank-minimizing autoencoder* (directions).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from geomgen import VAEGenerator
    >>> X = load_iris().data
    >>> model = VAEGenerator(n_components=3, max_epochs=5, random_state=0).fit(X)
    >>> found = collapse(model, X)
    >>> found.active.shape, found.kl.shape, found.standardized
    ((3,), (3,), False)
    """
    check_number("threshold", threshold, 0, 1)
    check_number("dead_threshold", dead_threshold, 0, 1)
    probe = Probe(fitted, X, random_state=0, verbose=verbose)
    relative = not probe.variational if standardize is None else bool(standardize)
    codes = probe.codes.astype(np.float64)
    codes = codes - codes[0]  # equal codes are 0 now, whatever their mean rounds to
    codes = codes - codes.mean(0)
    variance = (codes**2).mean(0)
    moment = np.linalg.eigvalsh(codes.T @ codes / len(codes))[::-1].clip(min=0)
    # what rounding leaves of the variance of equal codes is no variance
    rounding = (4 * np.finfo(probe.codes.dtype).eps * np.abs(probe.codes).max()) ** 2
    least = threshold * variance.max() if relative else threshold
    return Collapse(
        variance,
        variance > max(least, rounding),
        _kl(probe),
        moment,
        moment <= max(dead_threshold * moment[0], rounding),
        relative,
        float(threshold),
        float(dead_threshold),
    )


def _kl(probe: Probe) -> np.ndarray | None:
    """Mean KL divergence a unit; None unless the posterior is a product over units."""
    prior = probe.model.prior()
    if not (isinstance(probe.model.encoder, NormalPosterior) and isinstance(prior, DiagonalNormal)):
        return None

    def kl(x: Tensor) -> Tensor:
        return kl_divergence(probe.model.encoder(x).base_dist, prior.base_dist)

    return probe.apply(kl, probe.rows, width=probe.width(0), label="KL").astype(np.float64).mean(0)
