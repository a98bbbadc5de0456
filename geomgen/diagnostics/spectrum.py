"""The spectrum of directions of codes (paper L)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array

from geomgen.diagnostics._base import Result
from geomgen.diagnostics._probe import Probe
from geomgen.metrics.spectrum import effective_rank

__all__ = ["DirectionalSpectrum", "directional_spectrum"]


@dataclass(frozen=True, eq=False, repr=False)
class DirectionalSpectrum(Result):
    """Eigenvalues of the second moment of unit codes, and what they say.

    Attributes
    ----------
    eigenvalues : ndarray of shape (d,)
        In falling order; they sum to 1, less the squared norm of the mean if centred.
    effective_rank : float
        Participation ratio, between 1 and d.
    entropy_rank : float
        Exponential of the eigenvalues' entropy, between 1 and d.
    center : bool
        Whether the mean was subtracted first.
    n_codes : int
        Codes it was computed from.
    """

    eigenvalues: np.ndarray
    effective_rank: float
    entropy_rank: float
    center: bool
    n_codes: int

    @property
    def lambda_max(self) -> float:
        """The largest eigenvalue; 1/d if directions are spread evenly."""
        return float(self.eigenvalues[0])

    @property
    def condition_number(self) -> float:
        """Largest over smallest eigenvalue; inf if a direction is never used."""
        smallest = self.eigenvalues[-1]
        return float(self.eigenvalues[0] / smallest) if smallest > 0 else float("inf")

    @property
    def summary(self) -> str:
        """The numbers of paper L's Table 1."""
        d = len(self.eigenvalues)
        return (
            f"directions of {self.n_codes} {'centred ' if self.center else ''}unit codes, d={d}: "
            f"λ_max {self.lambda_max:.3g} (even: {1 / d:.3g}), condition "
            f"{self.condition_number:.3g}, effective rank {self.effective_rank:.2f} "
            f"(entropy {self.entropy_rank:.2f})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row an eigenvalue: ``eigenvalue``, ``share``, ``cumulative``."""
        total = self.eigenvalues.sum()
        share = self.eigenvalues / total if total else np.zeros_like(self.eigenvalues)
        index = pd.RangeIndex(1, len(share) + 1, name="direction")
        columns = {"eigenvalue": self.eigenvalues, "share": share, "cumulative": share.cumsum()}
        return pd.DataFrame(columns, index=index)


def directional_spectrum(
    fitted_or_codes: Any, X: Any = None, *, center: bool = False
) -> DirectionalSpectrum:
    r"""Spectrum of the directions of codes.

    .. math:: M = \frac1n \sum_i \tilde z_i \tilde z_i^\top, \qquad \tilde z = z / \|z\|

    Parameters
    ----------
    fitted_or_codes : object or array-like of shape (n_codes, d)
        A fitted autoencoder, or a Pipeline or a search that ends in one; or codes, at least two.
    X : array-like or DataFrame of shape (n_samples, n_features), optional
        Rows whose codes are taken; with a fitted object only. Paper L takes test rows.
    center : bool, default=False
        Whether the mean of the unit codes is subtracted, so that M is their covariance. Paper L
        does not; a common direction of all codes then counts as one large eigenvalue.

    Returns
    -------
    DirectionalSpectrum
        ``eigenvalues`` are float64 of shape (d,).

    Raises
    ------
    NotFittedError, TypeError
        If it is not fitted, holds no autoencoder of this package, or X goes with codes.
    ValueError
        For bad codes or rows (NaN, another width, fewer than two), or a code of norm 0.

    Notes
    -----
    The radius of codes is divided out, so nothing here depends on their scale; it does on a shift
    or a stretch of single dimensions, which mean nothing to a deterministic Euclidean autoencoder.
    With fewer codes than dimensions the condition number is infinite. Paper L does not define its
    effective rank; its Table 1 admits the participation ratio and not the entropy.

    References
    ----------
    Paper L (LISA), section 3.3 and Table 1.

    See Also
    --------
    geomgen.metrics.effective_rank : The two ranks.

    Examples
    --------
    >>> directional_spectrum([[1.0, 0.0], [0.0, 3.0]])
    <DirectionalSpectrum: directions of 2 unit codes, d=2: λ_max 0.5 (even: 0.5), condition 1,
    effective rank 2.00 (entropy 2.00)>
    """
    codes = _codes(fitted_or_codes, X)
    # by the largest entry first: the square of a large or tiny code is not a double
    largest = np.abs(codes).max(1, keepdims=True)
    if not largest.all():
        raise ValueError(
            f"{int((largest == 0).sum())} of {len(codes)} codes have norm 0, hence no direction: "
            "the encoder maps rows to the origin. Train it longer, or lower lr."
        )
    unit = codes / largest
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    if center:
        unit = unit - unit.mean(0)
    singular = np.linalg.svd(unit / np.sqrt(len(unit)), compute_uv=False)
    singular = np.pad(singular, (0, unit.shape[1] - len(singular)))
    moment = np.diag(singular)  # codes with the same second moment, up to a rotation
    return DirectionalSpectrum(
        singular**2,
        effective_rank(moment),
        effective_rank(moment, kind="entropy"),
        bool(center),
        len(unit),
    )


def _codes(fitted_or_codes: Any, X: Any) -> np.ndarray:
    if hasattr(fitted_or_codes, "fit"):
        if X is None:
            raise TypeError(
                f"X=None: a {type(fitted_or_codes).__name__} needs rows X, whose codes to take."
            )
        return Probe(fitted_or_codes, X, random_state=0).codes.astype(np.float64)
    if X is not None:
        raise TypeError(
            f"X goes with a fitted autoencoder, not with a {type(fitted_or_codes).__name__}: pass "
            "codes alone."
        )
    return check_array(
        fitted_or_codes, dtype=np.float64, ensure_min_samples=2, input_name="fitted_or_codes"
    )
