"""Graded k-volumes of a fitted model, on and off the manifold (paper G)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from geomgen.diagnostics._base import Result, check_choice, check_grades
from geomgen.diagnostics._pointwise import after, log_volumes
from geomgen.diagnostics._probe import Probe

__all__ = ["KVolumes", "k_volumes"]


@dataclass(frozen=True, eq=False, repr=False)
class KVolumes(Result):
    """Log k-volumes at codes of three laws.

    Attributes
    ----------
    grades : tuple of int
        The k of each column.
    on_manifold : ndarray of shape (n_on, n_grades)
        At codes of rows (encoder: at rows).
    off_manifold : ndarray of shape (n_off, n_grades)
        At draws of the prior (encoder: at what they decode to).
    sampled : ndarray of shape (n_off, n_grades)
        At draws of the fitted sampler, likewise.
    which : {"decoder", "encoder"}
        Whose volumes.
    standardized : bool
        Whether codes were measured in units of their own scale.
    scale : ndarray of shape (d,)
        Those units; 1 where codes were taken as they are.
    """

    grades: tuple[int, ...]
    on_manifold: np.ndarray
    off_manifold: np.ndarray
    sampled: np.ndarray
    which: str
    standardized: bool
    scale: np.ndarray

    @property
    def summary(self) -> str:
        """Medians of the three laws, grade by grade."""
        medians = [np.median(v, axis=0) for _, v in self._laws()]
        values = ", ".join(
            f"k={k}: {' | '.join(f'{m[j]:.2f}' for m in medians)}"
            for j, k in enumerate(self.grades)
        )
        codes = "standardised codes" if self.standardized else "codes in their own units"
        return f"{self.which} log k-volumes, {codes}; medians on | off | sampled: {values}"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a law and grade: mean, standard deviation, percentiles over codes."""
        return pd.DataFrame(
            {
                "law": name,
                "k": k,
                "n_codes": len(values),
                "mean": values[:, j].mean(),
                "std": values[:, j].std(),
                **dict(zip(("q05", "median", "q95"), _quantiles(values[:, j]), strict=True)),
            }
            for name, values in self._laws()
            for j, k in enumerate(self.grades)
        )

    def _laws(self) -> list[tuple[str, np.ndarray]]:
        return [
            ("on_manifold", self.on_manifold),
            ("off_manifold", self.off_manifold),
            ("sampled", self.sampled),
        ]


def k_volumes(
    fitted: Any,
    X: Any,
    *,
    grades: Sequence[int] | None = None,
    n_codes: int | None = 1000,
    standardize: bool = True,
    which: Literal["decoder", "encoder"] = "decoder",
    random_state: Any = None,
    verbose: int = 0,
) -> KVolumes:
    r"""Log k-volumes that the decoder or the encoder gives to random frames.

    .. math:: \log \mathrm{vol}_{D,k}(z; W_k) = \tfrac12 \log\det\big(
       (J_D(z) W_k)^\top (J_D(z) W_k) + \varepsilon I_k\big)

    and :math:`\log \mathrm{vol}_{E,k}(x; V_k)` likewise with :math:`J_E(x) V_k`, for random
    orthonormal frames, one a code; grade k reads the first k directions of it.

    Parameters
    ----------
    fitted : object
        A fitted autoencoder, or a Pipeline or a search that ends in one.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows on the data manifold, at least two.
    grades : sequence of int, optional
        Values of k, at most min(n_features, n_components); n_components - 1 on the sphere, where
        frames are tangent to it. Default: the legal ones of 1, 2, 4, 8.
    n_codes : int or None, default=1000
        Codes of each law; rows of X are chosen at random if it has more. None takes all of them.
    standardize : bool, default=True
        Whether codes are measured in units of their standard deviation per dimension.
    which : {"decoder", "encoder"}, default="decoder"
        Eq. 8 or Eq. 7.
    random_state : int, RandomState or None, default=None
        Seed of frames and draws; None draws from numpy's global state.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    KVolumes
        ``summary`` is a line, ``to_frame()`` a table; arrays are float64, of shape
        (n_codes, n_grades).

    Raises
    ------
    NotFittedError, TypeError
        If it is not fitted, or holds no autoencoder of this package.
    ValueError
        For an illegal grade, bad rows (NaN, another width, fewer than two), or a network that has
        no derivative.

    Notes
    -----
    The loss of a deterministic autoencoder fixes no scale of the codes: :math:`E \to cE`,
    :math:`D \to D(\cdot / c)` changes no reconstruction, but log-volumes by :math:`-k \log c`, and
    what a draw of N(0, I) means. In standardised units :math:`u = (z - m) / s` (m and s: mean and
    standard deviation of the codes of X, the posterior's own variance included) directions are
    orthonormal in u, and the prior's draws are placed at :math:`z = m + s \odot \epsilon`: on- and
    off-manifold volumes are then the same for every c, and can be compared between models. The
    sampler is fitted to the codes, so its draws are in their units already. For a variational
    model, whose loss fixes the scale, s is near 1. ``standardize=False`` is the paper's literal
    protocol, whose numbers depend on the scale of the codes. Unit codes need no units.

    In both cases a volume is in the rows' units (as the autoencoder sees them, a pipeline's earlier
    steps done) to the power k, -k for the encoder: numbers of different k cannot be compared. A
    direction far shorter than :math:`\sqrt{\varepsilon} = 10^{-3}` counts as that, so that
    :math:`k \log 10^{-3} = -6.91 k` is the least there is.

    References
    ----------
    Paper G (GA-AE), Eqs. 6-8, 11, 12 and 16.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from geomgen import AE
    >>> X = load_iris().data
    >>> model = AE(n_components=2, hidden=(16,), max_epochs=5, random_state=0).fit(X)
    >>> volumes = k_volumes(model, X, n_codes=100, random_state=0)
    >>> volumes.grades, volumes.on_manifold.shape, volumes.off_manifold.shape
    ((1, 2), (100, 2), (100, 2))
    >>> volumes.to_frame().columns.tolist()
    ['law', 'k', 'n_codes', 'mean', 'std', 'q05', 'median', 'q95']
    """
    check_choice("which", which, ("decoder", "encoder"))
    probe = Probe(fitted, X, random_state=random_state, verbose=verbose)
    grades = check_grades(grades, *probe.grade_limit)
    index = probe.choose(n_codes, 0)
    n_draws = len(index) if n_codes is None else n_codes
    probe.check_differentiable(which)
    units = probe.units(standardize)
    off, drawn = probe.prior_codes(n_draws, units, 1), probe.sampler_codes(n_draws, 2)

    def at(law: int, points: np.ndarray, label: str) -> np.ndarray:
        volumes = log_volumes(probe, which, grades, units[1], probe.generator(3, law))
        if which == "encoder" and law > 0:
            volumes = after(probe.model.decode, volumes)
        return probe.apply(volumes, points, width=probe.width(grades[-1]), label=label)

    return KVolumes(
        grades,
        at(0, probe.codes[index] if which == "decoder" else probe.rows[index], "on manifold"),
        at(1, off, "off manifold"),
        at(2, drawn, "sampled"),
        which,
        bool(standardize),
        units[1],
    )


def _quantiles(values: np.ndarray) -> np.ndarray:
    return np.quantile(values, (0.05, 0.5, 0.95))
