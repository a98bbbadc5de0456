"""Density on the sphere of a Gaussian, or a mixture of them, projected onto it (paper L, Lemma 1).

A sampler draws codes from a density on R^d, and the decoder sees only their directions. The
density of these, with respect to the surface measure, is an integral over the radius.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_array, check_is_fitted

from geomgen.diagnostics._base import Result
from geomgen.diagnostics._projection import cholesky_factors, log_projected_normal
from geomgen.diagnostics.sphere import check_unit_codes
from geomgen.manifolds import Sphere
from geomgen.pipeline import unwrap
from geomgen.samplers import GaussianSampler, MixtureSampler

__all__ = [
    "ProjectedDensity",
    "projected_density",
    "projected_mixture_logpdf",
    "projected_normal_logpdf",
]

_CHUNK = 4096  # codes whose radial integrals are taken at once


def projected_normal_logpdf(U: Any, mean: Any, covariance: Any) -> np.ndarray:
    r"""Log density of the directions of normal draws.

    .. math:: \log \tilde p(u) = \log \int_0^\infty N(r u;\, \mu, \Sigma)\, r^{d-1}\, dr,
       \qquad u \in S^{d-1}

    Parameters
    ----------
    U : array-like of shape (n, d)
        Unit codes, :math:`d \ge 2`.
    mean : array-like of shape (d,)
        The mean :math:`\mu`.
    covariance : array-like of shape (d, d)
        The covariance :math:`\Sigma`, positive definite.

    Returns
    -------
    ndarray of shape (n,), float64
        In nats, with respect to the surface measure: the uniform law has minus the log of the
        sphere's surface. Mean and covariance multiplied by c and c² give the same.

    Raises
    ------
    ValueError
        If the codes are not unit codes, a shape does not fit, or the covariance is not symmetric
        or is singular: the law then lies on a smaller sphere and has no density on this one.

    Notes
    -----
    With :math:`\Sigma = L L^\top`, :math:`w = L^{-1}\mu`, :math:`v = L^{-1}u`, :math:`s = r\|v\|`
    and :math:`\beta = w \cdot v / \|v\|`, the integral is

    .. math:: \frac{e^{-(\|w\|^2 - \beta^2)/2}}{(2\pi)^{d/2} |L|\, \|v\|^d}
       \int_0^\infty s^{d-1} e^{-(s-\beta)^2/2}\, ds

    The last factor is a parabolic cylinder function. It is taken by the trapezoidal rule in the
    logarithm of s, centred and scaled by the integrand's mode and curvature, and is correct to
    about 1e-13 for all d and :math:`\beta`; nothing over- or underflows.

    References
    ----------
    Paper L (LISA), Lemma 1 (Eq. 17); Mardia and Jupp, 2000, *Directional statistics*.

    Examples
    --------
    >>> density = projected_normal_logpdf([[1.0, 0.0]], [0.0, 0.0], [[4.0, 0.0], [0.0, 4.0]])
    >>> np.exp(-density).round(4)  # uniform: one over the length of the circle
    array([6.2832])
    """
    return projected_mixture_logpdf(U, [1.0], [mean], [covariance])


def projected_mixture_logpdf(U: Any, weights: Any, means: Any, covariances: Any) -> np.ndarray:
    r"""Log density of the directions of draws of a Gaussian mixture.

    .. math:: \log \tilde p(u) = \log \sum_k w_k
       \int_0^\infty N(r u;\, \mu_k, \Sigma_k)\, r^{d-1}\, dr, \qquad u \in S^{d-1}

    Parameters
    ----------
    U : array-like of shape (n, d)
        Unit codes, :math:`d \ge 2`.
    weights : array-like of shape (K,)
        The weights :math:`w_k`, at least 0, of sum 1.
    means : array-like of shape (K, d)
        The means :math:`\mu_k`.
    covariances : array-like of shape (K, d, d)
        The covariances :math:`\Sigma_k`, positive definite.

    Returns
    -------
    ndarray of shape (n,), float64
        In nats, with respect to the surface measure.

    Raises
    ------
    ValueError
        As for :func:`projected_normal_logpdf`, and for weights that are none.

    References
    ----------
    Paper L (LISA), Lemma 1 (Eq. 17) and Eq. 18.

    Examples
    --------
    >>> poles, spread = [[0.0, 9.0], [0.0, -9.0]], [np.eye(2), np.eye(2)]
    >>> density = projected_mixture_logpdf([[0, 1], [1, 0]], [0.5, 0.5], poles, spread)
    >>> density[0] > density[1] + 30
    np.True_
    """
    U = check_unit_codes(U, "U")
    d = U.shape[1]
    weights = check_array(weights, dtype=np.float64, ensure_2d=False, input_name="weights")
    if weights.ndim != 1 or weights.min() < 0 or abs(weights.sum() - 1) > 1e-6:
        raise ValueError(f"weights={weights} must be a list of numbers >= 0 whose sum is 1.")
    means = check_array(means, dtype=np.float64, input_name="means")
    if means.shape != (len(weights), d):
        raise ValueError(
            f"The mean has shape {means.shape[1:]} and there are {len(means)}: {len(weights)} of "
            f"shape ({d},) are needed, by the weights and the codes."
        )
    factors = cholesky_factors(covariances, len(weights), d)
    parts = np.full((len(weights), len(U)), -np.inf)
    for k in np.nonzero(weights)[0]:
        for i in range(0, len(U), _CHUNK):
            log_density = log_projected_normal(U[i : i + _CHUNK], means[k], factors[k])
            parts[k, i : i + _CHUNK] = math.log(weights[k]) + log_density
    return logsumexp(parts, axis=0)


@dataclass(frozen=True, eq=False, repr=False)
class ProjectedDensity(Result):
    """The law of a sampler's codes on the sphere; call it with unit codes for log densities.

    Attributes
    ----------
    weights : ndarray of shape (K,)
        Weights of the mixture; one for a Gaussian.
    means : ndarray of shape (K, d)
        Means, before projection.
    covariances : ndarray of shape (K, d, d)
        Covariances, before projection.
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    def __call__(self, U: Any) -> np.ndarray:
        """Return log densities at unit codes of shape (n, d), with respect to the surface."""
        return projected_mixture_logpdf(U, self.weights, self.means, self.covariances)

    @property
    def summary(self) -> str:
        """One line."""
        n, d = self.means.shape
        plural = "s" if n > 1 else ""
        return f"density of {n} Gaussian{plural} projected onto the unit sphere of R^{d}"

    def to_frame(self) -> pd.DataFrame:
        """One row a component: its weight, and the length and spread of it before projection."""
        variances = np.trace(self.covariances, axis1=1, axis2=2) / self.means.shape[1]
        return pd.DataFrame(
            {
                "weight": self.weights,
                "mean_norm": np.linalg.norm(self.means, axis=1),
                "scale": np.sqrt(variances),
            }
        )


def projected_density(fitted: Any) -> ProjectedDensity:
    """Density on the sphere of the codes that a fitted spherical model samples.

    Parameters
    ----------
    fitted : estimator
        A fitted spherical autoencoder with ``sampler="mvg"`` or ``"gmm"`` (in either ``space``),
        or a Pipeline or search that ends in one.

    Returns
    -------
    ProjectedDensity
        Call it with unit codes, as ``fitted.transform`` gives them, for their log densities.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If it has no sampler, or one whose draws are no Gaussian mixture; if its codes are not on
        a sphere.
    ValueError
        If a covariance is singular: fewer codes than components, or collapsed codes.

    References
    ----------
    Paper L (LISA), Lemma 1 (Eq. 17) for the proposals of Eq. 18.

    Examples
    --------
    >>> from geomgen import LISAGenerator
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = LISAGenerator(n_components=3, sampler="mvg", max_epochs=5, random_state=0).fit(X)
    >>> density = projected_density(model)
    >>> density.summary
    'density of 1 Gaussian projected onto the unit sphere of R^3'
    >>> density(model.transform(X)).shape
    (150,)
    """
    fitted = unwrap(fitted)
    while isinstance(fitted, Pipeline):
        fitted = unwrap(fitted.steps[-1][1])
    check_is_fitted(fitted)
    name, sampler = type(fitted).__name__, getattr(fitted, "sampler_", None)
    if not isinstance(sampler, GaussianSampler | MixtureSampler):
        raise TypeError(
            f"{name} draws its codes from {sampler!r}, whose density on the sphere is not known. "
            "Fit it with sampler='mvg' or sampler='gmm'."
        )
    if not isinstance(sampler.manifold_, Sphere):
        raise TypeError(
            f"The codes of {name} are not on a sphere: their density needs no projection. Use a "
            "spherical model, such as SphericalAE or LISAGenerator."
        )
    weights, means, covariances = _gaussians(sampler)
    cholesky_factors(covariances, *means.shape)  # singular: found here, not at the first call
    return ProjectedDensity(weights, means, covariances)


def _gaussians(sampler: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, means and full covariances of a fitted sampler, in the units of its codes."""
    if isinstance(sampler, GaussianSampler):
        factor = sampler.factor_
        return np.ones(1), sampler.mean_[None], (factor.T @ factor)[None]
    mixture = sampler.mixture_
    n, d = mixture.means_.shape
    covariances = {
        "full": lambda c: c,
        "tied": lambda c: np.repeat(c[None], n, axis=0),
        "diag": lambda c: c[:, :, None] * np.eye(d),
        "spherical": lambda c: c[:, None, None] * np.eye(d),
    }[mixture.covariance_type](mixture.covariances_)
    scale = sampler.scale_  # the mixture was fitted to codes divided by it
    return mixture.weights_, mixture.means_ * scale, covariances * scale**2
