"""What the decoder makes of a code's radius (paper L)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from geomgen.diagnostics._base import Result
from geomgen.diagnostics._probe import Probe

__all__ = ["RadialSensitivity", "radial_sensitivity"]


@dataclass(frozen=True, eq=False, repr=False)
class RadialSensitivity(Result):
    """Reconstruction error of rescaled codes.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        Factors of the radius.
    mse : ndarray of shape (n_alphas,)
        Mean squared error over rows and features.
    standard_error : ndarray of shape (n_alphas,)
        Of the mean over rows.
    baseline : float
        The error at α = 1.
    """

    alphas: np.ndarray
    mse: np.ndarray
    standard_error: np.ndarray
    baseline: float

    @property
    def relative(self) -> np.ndarray:
        """Errors as multiples of the one at α = 1."""
        return self.mse / self.baseline if self.baseline else np.full(len(self.mse), np.nan)

    @property
    def summary(self) -> str:
        """The error at α = 1, and the worst one."""
        worst = int(self.mse.argmax())
        return (
            f"reconstruction MSE {self.baseline:.3g} at α = 1; worst {self.mse[worst]:.3g} "
            f"(×{self.relative[worst]:.3g}) at α = {self.alphas[worst]:g}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row an α: ``mse``, ``standard_error``, ``relative``."""
        columns = {
            "mse": self.mse,
            "standard_error": self.standard_error,
            "relative": self.relative,
        }
        return pd.DataFrame(columns, index=pd.Index(self.alphas, name="alpha"))


def radial_sensitivity(
    fitted: Any,
    X: Any,
    *,
    alphas: Sequence[float] = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0),
    verbose: int = 0,
) -> RadialSensitivity:
    r"""Reconstruction error when codes are moved along their ray.

    .. math:: \mathrm{MSE}(\alpha) = \frac{1}{N p} \sum_i \|D(\alpha E(x_i)) - x_i\|^2

    Parameters
    ----------
    fitted : object
        A fitted autoencoder, or a Pipeline or a search that ends in one.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows, at least two; best held out.
    alphas : sequence of float, default=(0.25, ..., 4)
        Factors α > 0.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    RadialSensitivity
        ``mse`` is float64 of shape (n_alphas,), in squared units of rows as the autoencoder sees
        them; ``relative`` is free of units.

    Raises
    ------
    NotFittedError, TypeError
        If it is not fitted, or holds no autoencoder of this package.
    ValueError
        For alphas that are not positive, or bad rows (NaN, another width, fewer than two).

    Notes
    -----
    A spherical model projects before it decodes, so it is constant here, up to rounding, by
    construction: that says nothing about how well its directions are used. The curve does not
    change when codes are rescaled, :math:`E \to cE`, but it does when they are shifted: the ray
    starts at the origin, which means nothing to a deterministic autoencoder.

    References
    ----------
    Paper L (LISA), section 2.2 and Fig. 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from geomgen import SphericalAE
    >>> X = load_iris().data
    >>> model = SphericalAE(n_components=3, max_epochs=5, random_state=0).fit(X)
    >>> radial_sensitivity(model, X, alphas=(0.5, 1, 2)).relative.round(4)
    array([1., 1., 1.])
    """
    factors = np.array(alphas, dtype=np.float64)
    if factors.ndim != 1 or not len(factors) or not (np.isfinite(factors) & (factors > 0)).all():
        raise ValueError(f"alphas={alphas!r} must be a sequence of positive, finite numbers.")
    probe = Probe(fitted, X, random_state=0, verbose=verbose)

    def errors(x: Tensor) -> Tensor:
        z = probe.model.encode_ambient(x)
        scaled = (probe.model.decode(alpha * z) for alpha in (1.0, *factors.tolist()))
        return torch.stack([(x_hat - x).double().square().mean(1) for x_hat in scaled], 1)

    found = probe.apply(errors, probe.rows, width=probe.width(1), label="radii")
    spread = found.std(0, ddof=1) / np.sqrt(len(found))
    baseline, *mse = found.mean(0)  # summed alike, so that equal errors have equal means
    return RadialSensitivity(factors, np.array(mse), spread[1:], float(baseline))
