"""How many directions a set of codes uses."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import check_array

__all__ = ["effective_rank"]


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
    Z : array-like of shape (n, d)
        Codes; unit codes in paper L.
    kind : {"participation", "entropy"}, default="participation"
        Paper L does not define its :math:`\rho`; its Table 1 admits the participation ratio and
        not the exponential of the entropy.
    center : bool, default=False
        Whether to subtract the mean first. Paper L does not, and its codes lie on a sphere; the
        mean of Euclidean codes is arbitrary and counts as one large direction.

    Returns
    -------
    float
        Between 1 and d; 0 if every code is 0 (or, centred, if all are equal).

    References
    ----------
    Paper L (LISA), section 3.3 and Table 1; Roy and Vetterli, 2007, *The effective rank*.

    Examples
    --------
    >>> effective_rank([[1.0, 0.0], [0.0, 1.0]])
    2.0
    """
    Z = check_array(Z, dtype=np.float64, input_name="Z")
    if kind not in ("participation", "entropy"):
        raise ValueError(f"kind={kind!r} must be 'participation' or 'entropy'.")
    scale = np.linalg.svd(Z - Z.mean(0) if center else Z, compute_uv=False)
    if scale.max(initial=0) == 0:
        return 0.0
    p = (scale / scale.max()) ** 2
    p = p[p > 0] / p.sum()
    if kind == "participation":
        return float(1 / (p**2).sum())
    return float(np.exp(-(p * np.log(p)).sum()))
