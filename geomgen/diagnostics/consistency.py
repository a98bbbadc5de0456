"""Encoder-decoder consistency (paper G)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from geomgen.diagnostics._base import Result, check_choice, check_count
from geomgen.diagnostics._pointwise import consistency
from geomgen.diagnostics._probe import Probe

__all__ = ["Consistency", "encoder_decoder_consistency"]


@dataclass(frozen=True, eq=False, repr=False)
class Consistency(Result):
    """Consistency errors of rows.

    Attributes
    ----------
    errors : ndarray of shape (n_samples,)
        One a row, in its order; between 0 and k for a projection.
    k : int
        Directions in a frame.
    directions : {"random", "manifold"}
        How frames were drawn.
    floor : float
        The least mean that any autoencoder of this latent dimension can reach.
    """

    errors: np.ndarray
    k: int
    directions: str
    floor: float

    @property
    def summary(self) -> str:
        """Mean and spread of the errors, beside the least mean there can be."""
        return (
            f"consistency error over {len(self.errors)} rows, k={self.k}, {self.directions} "
            f"directions: mean {self.errors.mean():.3g}, median {np.median(self.errors):.3g} "
            f"(least possible mean {self.floor:.3g})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row a row of X: ``error``, and ``relative`` (a share of k)."""
        return pd.DataFrame({"error": self.errors, "relative": self.errors / self.k})


def encoder_decoder_consistency(
    fitted: Any,
    X: Any,
    *,
    k: int = 1,
    directions: Literal["random", "manifold"] = "random",
    random_state: Any = None,
    verbose: int = 0,
) -> Consistency:
    r"""Error with which decoder after encoder keeps k directions of the rows' space.

    .. math:: \mathrm{EDC}_k(x; V_k) = \|J_{DE}(x) V_k - V_k\|_F^2, \qquad
       J_{DE}(x) = J_D(E(x))\, J_E(x)

    Parameters
    ----------
    fitted : object
        A fitted autoencoder, or a Pipeline or a search that ends in one.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows, at least two.
    k : int, default=1
        Directions in a frame, at most n_features; of the manifold, at most
        min(n_features, n_components), n_components - 1 on the sphere.
    directions : {"random", "manifold"}, default="random"
        Orthonormal frames :math:`V_k`: random ones of the rows' space, which is the paper's
        definition, or an orthonormal basis of the decoder's tangents
        :math:`J_D(E(x)) W_k`, along the learnt manifold.
    random_state : int, RandomState or None, default=None
        Seed of the frames; None draws from numpy's global state.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    Consistency
        ``errors`` has shape (n_samples,), float64.

    Raises
    ------
    NotFittedError, TypeError
        If it is not fitted, or holds no autoencoder of this package.
    ValueError
        For an illegal k, bad rows (NaN, another width, fewer than two), or a network that has no
        derivative.

    Notes
    -----
    For random frames :math:`\mathbb{E}\,\mathrm{EDC}_k = \frac{k}{n} \|J_{DE} - I\|_F^2`, so k
    changes the spread and not what is measured; and since :math:`J_{DE}` has at most rank d (d - 1
    on the sphere), this is at least :math:`k (1 - d/n)`, given as ``floor``: with d far below n
    even the perfect autoencoder of a d-dimensional manifold is near k, because most directions
    lead off the manifold. What the paper asks for, the identity "along important directions", is
    what ``directions="manifold"`` measures: 0 for that autoencoder. The value does not depend on
    the scale of the codes, but it does on that of the columns relative to each other.

    References
    ----------
    Paper G (GA-AE), Eqs. 9-10 (Definition 2).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from geomgen import AE
    >>> X = load_iris().data
    >>> model = AE(n_components=2, hidden=(16,), max_epochs=5, random_state=0).fit(X)
    >>> found = encoder_decoder_consistency(model, X, k=2, random_state=0)
    >>> found.errors.shape, found.floor
    ((150,), 1.0)
    """
    check_choice("directions", directions, ("random", "manifold"))
    probe = Probe(fitted, X, random_state=random_state, verbose=verbose)
    random = directions == "random"
    k = check_count("k", k, 1, *((probe.n, " (n_features)") if random else probe.grade_limit))
    for which in ("encoder", "decoder"):
        probe.check_differentiable(which)
    scale = probe.units(standardize=not random)[1]
    errors = probe.apply(
        consistency(probe, k, directions, scale, probe.generator(0)),
        probe.rows,
        width=probe.width(k),
        label="consistency",
    )
    floor = k * max(0.0, 1 - probe.latent_dim / probe.n) if random else 0.0
    return Consistency(errors, k, directions, floor)
