"""How many directions a set of codes uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from geomgen.metrics._checks import check_sample

__all__ = ["Spectrum", "effective_rank", "spectrum"]


@dataclass(frozen=True, eq=False)
class Spectrum:
    r"""Eigenvalues of the second moment of codes, as shares of their sum.

    Attributes
    ----------
    shares : ndarray of shape (d,)
        :math:`p = \lambda / \sum \lambda`, in falling order; all 0 if every code is 0. Of unit
        codes, the eigenvalues themselves.
    """

    shares: np.ndarray

    @property
    def top_share(self) -> float:
        r"""The largest share: :math:`\lambda_{\max}` of unit codes; 1/d if all are equal."""
        return float(self.shares[0])

    @property
    def condition_number(self) -> float:
        r""":math:`\lambda_{\max} / \lambda_{\min}`; inf if a direction is unused, nan if all."""
        top, last = self.shares[[0, -1]]
        return float(top / last) if last > 0 else float("inf" if top > 0 else "nan")

    @property
    def participation(self) -> float:
        r"""Effective rank as participation ratio, :math:`1 / \sum p^2`."""
        return float(1 / (self.shares**2).sum()) if self.top_share > 0 else 0.0

    @property
    def entropy(self) -> float:
        r"""Effective rank as exponential of the entropy, :math:`e^{-\sum p \log p}`."""
        p = self.shares[self.shares > 0]
        return float(np.exp(-(p * np.log(p)).sum())) if len(p) else 0.0


def spectrum(Z: Any, *, center: bool = False) -> Spectrum:
    r"""Spectrum of the second moment of codes, :math:`M = \frac1n \sum_i z_i z_i^\top`.

    Parameters
    ----------
    Z : array-like or DataFrame of shape (n, d)
        Codes; unit codes in paper L.
    center : bool, default=False
        Whether to subtract the mean first. Paper L does not, and its codes lie on a sphere; the
        mean of Euclidean codes is arbitrary and counts as one large direction.

    Returns
    -------
    Spectrum
        ``shares``, and from them ``top_share`` (paper L's :math:`\lambda_{\max}`),
        ``condition_number``, ``participation`` (its :math:`\rho`) and ``entropy``. Eigenvalues
        that are rounding errors are 0. None of them depends on the unit of the codes.

    Raises
    ------
    ValueError
        If Z is not a matrix of finite numbers.

    References
    ----------
    Paper L (LISA), section 3.3 and Table 1.

    Examples
    --------
    >>> found = spectrum([[3.0, 0.0], [0.0, 1.0]])
    >>> found.shares.round(12).tolist(), round(found.condition_number, 12)
    ([0.9, 0.1], 9.0)
    """
    Z = check_sample(Z, name="Z")
    n, d = Z.shape
    largest = np.abs(Z).max()
    if largest == 0:
        return Spectrum(np.zeros(d))
    Z = Z / largest  # so that no square over- or underflows
    singular = np.linalg.svd(Z - Z.mean(0) if center else Z, compute_uv=False)
    # Relative to the codes before centring: what is left of equal codes is rounding.
    rounding = np.finfo(np.float64).eps * max(n, d) * max(singular[0], 1.0)
    singular[singular <= rounding] = 0
    values = np.pad(singular, (0, d - len(singular))) ** 2
    return Spectrum(values / (values.sum() or 1.0))


def effective_rank(
    Z: Any, *, kind: Literal["participation", "entropy"] = "participation", center: bool = False
) -> float:
    r"""Effective number of dimensions of codes, from the eigenvalues of their second moment.

    With :math:`M = \frac1n \sum_i z_i z_i^\top`, its eigenvalues :math:`\lambda` and
    :math:`p = \lambda / \sum \lambda`:

    .. math:: \rho = \frac{(\mathrm{tr}\,M)^2}{\mathrm{tr}\,M^2}
       \ \text{(participation)}, \qquad \rho = e^{-\sum p \log p}\ \text{(entropy)}

    Parameters
    ----------
    Z : array-like or DataFrame of shape (n, d)
        Codes; unit codes in paper L.
    kind : {"participation", "entropy"}, default="participation"
        Paper L does not define its :math:`\rho`; its Table 1 admits the participation ratio and
        not the exponential of the entropy.
    center : bool, default=False
        Whether to subtract the mean first; see :func:`spectrum`.

    Returns
    -------
    float
        Between 1 and d; 0 if every code is 0 (or, centred, if all are equal).

    Raises
    ------
    ValueError
        If Z is not a matrix of finite numbers, or the kind is unknown.

    References
    ----------
    Paper L (LISA), section 3.3 and Table 1; Roy and Vetterli, 2007, *The effective rank*.

    Examples
    --------
    >>> effective_rank([[1.0, 0.0], [0.0, 1.0]])
    2.0
    """
    if kind not in ("participation", "entropy"):
        raise ValueError(f"kind={kind!r} must be 'participation' or 'entropy'.")
    found = spectrum(Z, center=center)
    return found.participation if kind == "participation" else found.entropy
