"""Fréchet distance between the Gaussians of two samples: the FID, on any features."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.linalg

from geomgen.metrics._checks import check_pair
from geomgen.metrics._features import extract, inception_features

__all__ = ["frechet_distance", "frechet_distance_from_moments", "inception_features"]


def frechet_distance(X: Any, Y: Any, *, features: Any = None) -> float:
    r"""Squared Fréchet distance between the Gaussians fitted to two samples.

    With the means :math:`\mu` and covariances :math:`\Sigma` (divisor n - 1) of the features,

    .. math:: d^2 = \|\mu_1 - \mu_2\|^2
       + \mathrm{tr}\bigl(\Sigma_1 + \Sigma_2 - 2(\Sigma_1\Sigma_2)^{1/2}\bigr)

    which is the squared 2-Wasserstein distance of the Gaussians, and the FID on the features of
    InceptionV3.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n, p), or what ``features`` takes
        Rows of one sample; images where the features are those of images.
    Y : array-like or DataFrame of shape (m, p), or what ``features`` takes
        Rows of the other.
    features : None, callable, torch.nn.Module, fitted transformer or "inception", default=None
        From rows to features of shape (n, q). None takes the rows as they are; a module runs in
        evaluation mode, on its own device and in batches, and is left as it was; "inception" is
        :func:`inception_features` of images.

    Returns
    -------
    float
        At least 0, in squared units of the features. It sees means and covariances only: samples
        that share these have distance 0, whatever their modes.

    Raises
    ------
    ValueError
        If a sample has one row, the features differ in number, or one is not finite.

    Warns
    -----
    UserWarning
        If a sample has fewer rows than there are features. The value is exact for the samples,
        which is larger on average than that of their distributions.

    References
    ----------
    Dowson and Landau, 1982, *The Fréchet distance between multivariate normal distributions*;
    Heusel et al., 2017, *GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium*.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.RandomState(0).normal(size=(50, 3))
    >>> round(frechet_distance(X, X + [3, 0, 4]), 9)
    25.0
    >>> round(frechet_distance(X, X, features=lambda rows: rows[:, :2] ** 2), 9)
    0.0
    """
    names = ("X", "Y") if features is None else ("Features of X", "Features of Y")
    A, B = check_pair(extract(X, features), extract(Y, features), names=names, min_rows=2)
    fewest, q = min(len(A), len(B)), A.shape[1]
    if fewest >= q:
        means, covariances = (A.mean(0), B.mean(0)), (_covariance(A), _covariance(B))
        return _distance(*means, *covariances, _root_trace(*covariances))
    warnings.warn(
        f"The smaller sample has {fewest} rows for {q} features: the Fréchet distance is exact for "
        "these samples and biased upward for what they were drawn from. Draw more rows, use fewer "
        "features (such as PCA's), or compare with the distance of two real samples as small.",
        UserWarning,
        stacklevel=2,
    )
    left, right = _factor(A), _factor(B)
    # tr (AᵀA BᵀB)^½ is the sum of the singular values of A Bᵀ: no covariance is formed.
    traces = (left**2).sum() + (right**2).sum()
    shared = np.linalg.svd(left @ right.T, compute_uv=False).sum()
    gap = A.mean(0) - B.mean(0)
    return max(float(gap @ gap + traces - 2 * shared), 0.0)


def frechet_distance_from_moments(mean1: Any, cov1: Any, mean2: Any, cov2: Any) -> float:
    r"""Squared Fréchet distance between two Gaussians.

    .. math:: d^2 = \|\mu_1 - \mu_2\|^2
       + \mathrm{tr}\bigl(\Sigma_1 + \Sigma_2 - 2(\Sigma_1\Sigma_2)^{1/2}\bigr)

    Parameters
    ----------
    mean1 : array-like of shape (q,)
        Mean of the first.
    cov1 : array-like of shape (q, q)
        Its covariance, which may be singular.
    mean2 : array-like of shape (q,)
        Mean of the second.
    cov2 : array-like of shape (q, q)
        Its covariance.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ValueError
        If the shapes do not match, a value is not finite, or a covariance is not symmetric or has
        a negative eigenvalue.

    References
    ----------
    Dowson and Landau, 1982, *The Fréchet distance between multivariate normal distributions*.

    Examples
    --------
    >>> frechet_distance_from_moments([0.0], [[1.0]], [3.0], [[4.0]])
    10.0
    """
    moments = [np.asarray(a, dtype=np.float64) for a in (mean1, cov1, mean2, cov2)]
    q = moments[0].size
    shapes = zip(("mean1", "cov1", "mean2", "cov2"), moments, 2 * ((q,), (q, q)), strict=True)
    for name, moment, shape in shapes:
        if moment.shape != shape or not np.isfinite(moment).all():
            raise ValueError(
                f"{name} has shape {moment.shape}: it must be finite, and of shape {shape} as "
                "mean1 is."
            )
        if len(shape) == 2 and not np.allclose(moment, moment.T, rtol=1e-6, atol=_noise(moment)):
            raise ValueError(f"{name} is not symmetric: pass a covariance matrix.")
    m1, S1, m2, S2 = moments
    return _distance(m1, m2, S1, S2, _root_trace(S1, S2))


def _distance(
    m1: np.ndarray, m2: np.ndarray, S1: np.ndarray, S2: np.ndarray, root_trace: float
) -> float:
    return max(float((m1 - m2) @ (m1 - m2) + S1.trace() + S2.trace() - 2 * root_trace), 0.0)


def _root_trace(S1: np.ndarray, S2: np.ndarray) -> float:
    """Trace of (S1 S2)^½, from eigenvalues of symmetric matrices alone."""
    try:  # those of S1 S2 are those of Lᵀ S1 L, where S2 = L Lᵀ
        values = scipy.linalg.eigvalsh(S1, S2, type=2, driver="gv")
    except scipy.linalg.LinAlgError:
        values = np.zeros(1)  # S2 is singular
    if values[0] > len(values) * np.finfo(np.float64).eps * values[-1]:
        return float(np.sqrt(values).sum())
    # An eigenvalue is lost in rounding, and its root would be off by half the digits. With factors
    # S = R Rᵀ the roots are the singular values of R1ᵀ R2, which are not.
    return float(np.linalg.svd(_root(S1).T @ _root(S2), compute_uv=False).sum())


def _root(S: np.ndarray) -> np.ndarray:
    """Return a factor R of S = R Rᵀ, of as many columns as the rank."""
    values, vectors = np.linalg.eigh(S)
    if values[0] < -1e-6 * values[-1]:
        raise ValueError(
            f"A covariance has the eigenvalue {values[0]:.3g}: it must have none below 0."
        )
    kept = values > _noise(S)
    return vectors[:, kept] * np.sqrt(values[kept])


def _noise(S: np.ndarray) -> float:
    """Bound of the rounding error of eigenvalues."""
    return float(len(S) * np.finfo(np.float64).eps * np.abs(S).max(initial=0))


def _covariance(A: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.cov(A, rowvar=False))


def _factor(A: np.ndarray) -> np.ndarray:
    """Return a factor F of the covariance FᵀF: centred rows, or their triangle if smaller."""
    F = (A - A.mean(0)) / np.sqrt(len(A) - 1)
    return F if len(A) <= A.shape[1] else np.asarray(np.linalg.qr(F, mode="r"))
