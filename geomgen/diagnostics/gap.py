"""The generative gap index: a diagnostic off the manifold less the same on it (paper G)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from geomgen._random import substream
from geomgen.diagnostics._base import Result, check_choice, check_count, check_number
from geomgen.diagnostics._pointwise import (
    Pointwise,
    after,
    consistency,
    cycle,
    log_volumes,
    reconstruction,
    spectral_norms,
)
from geomgen.diagnostics._probe import Probe

__all__ = ["GenerativeGap", "generative_gap"]

_DIAGNOSTICS = {
    "latent": ("log_volume", "spectral_norm", "cycle"),
    "data": ("log_volume", "consistency", "reconstruction"),
}


@dataclass(frozen=True, eq=False, repr=False)
class GenerativeGap(Result):
    """A diagnostic on and off the manifold, and the difference of its means.

    Attributes
    ----------
    gap : float
        Mean off the manifold less mean on it.
    standard_error : float
        Of the gap, from the variances of the two samples.
    interval : tuple of float
        Bootstrap percentile interval of the gap.
    confidence : float
        Coverage the interval aims at.
    on_manifold, off_manifold : ndarray of shape (n_on,), (n_off,)
        The values.
    diagnostic, space, law : str
        What was measured, where, and whose draws are off the manifold.
    standardized : bool
        Whether codes were measured in units of their own scale.
    """

    gap: float
    standard_error: float
    interval: tuple[float, float]
    confidence: float
    on_manifold: np.ndarray
    off_manifold: np.ndarray
    diagnostic: str
    space: str
    law: str
    standardized: bool

    @property
    def summary(self) -> str:
        """The gap, its standard error and interval."""
        low, high = self.interval
        units = "standardised codes" if self.standardized else "codes in their own units"
        return (
            f"gap of {self.diagnostic} ({self.space} space, {self.law} draws, {units}): "
            f"{self.gap:.3g} ± {self.standard_error:.2g}, "
            f"{100 * self.confidence:g} % interval [{low:.3g}, {high:.3g}]"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return three rows: on the manifold, off the manifold, and the gap."""
        samples = {"on_manifold": self.on_manifold, "off_manifold": self.off_manifold}
        rows: list[dict[str, Any]] = [
            {"name": name, "n": len(v), "mean": v.mean(), "standard_error": _error(v)}
            for name, v in samples.items()
        ]
        low, high = self.interval
        error = self.standard_error
        rows.append(
            {"name": "gap", "mean": self.gap, "standard_error": error, "low": low, "high": high}
        )
        return pd.DataFrame(rows).set_index("name").astype({"n": "Int64"})


def generative_gap(
    fitted: Any,
    X: Any,
    *,
    diagnostic: str | Callable[[np.ndarray], Any] = "log_volume",
    space: Literal["latent", "data"] = "latent",
    law: Literal["prior", "sampler"] = "prior",
    k: int = 1,
    n_codes: int | None = 1000,
    standardize: bool = True,
    confidence: float = 0.95,
    n_bootstrap: int = 1000,
    random_state: Any = None,
    verbose: int = 0,
) -> GenerativeGap:
    r"""How much a diagnostic changes from codes of rows to draws of the prior.

    .. math:: \mathrm{Gap}_z(\mathcal{D}_z) = \mathbb{E}_{z \sim p(z)} \mathcal{D}_z(z)
       - \mathbb{E}_x \mathcal{D}_z(E(x)), \qquad
       \mathrm{Gap}_x(\mathcal{D}_x) = \mathbb{E}_{z \sim p(z)} \mathcal{D}_x(D(z))
       - \mathbb{E}_x \mathcal{D}_x(x)

    Parameters
    ----------
    fitted : object
        A fitted autoencoder, or a Pipeline or a search that ends in one.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows on the data manifold, at least two; best held out.
    diagnostic : str or callable, default="log_volume"
        In latent space ``"log_volume"`` (of the decoder), ``"spectral_norm"`` (of its Jacobian) or
        ``"cycle"`` (squared error of E(D(z)), mean over units); in data space ``"log_volume"`` (of
        the encoder), ``"consistency"`` (Eq. 10) or ``"reconstruction"`` (squared error, mean over
        features). Or a function of an array of codes (m, n_components), or of rows
        (m, n_features_in_) as the autoencoder sees them, to m numbers; it is called by chunks.
    space : {"latent", "data"}, default="latent"
        Eq. 14 or Eq. 13.
    law : {"prior", "sampler"}, default="prior"
        Where codes off the manifold come from: the prior p(z), which is the paper's definition,
        or the fitted sampler.
    k : int, default=1
        Grade of ``"log_volume"`` and of ``"consistency"``.
    n_codes : int or None, default=1000
        Points on either side; rows of X are chosen at random if it has more. None takes all.
    standardize : bool, default=True
        Whether codes are measured in units of their standard deviation, the prior's draws
        included: see :func:`k_volumes`. Else the gap of a deterministic autoencoder depends on the
        arbitrary scale of its codes.
    confidence : float, default=0.95
        Coverage of the interval.
    n_bootstrap : int, default=1000
        Resamples of both sides, for the interval.
    random_state : int, RandomState or None, default=None
        Seed; None draws from numpy's global state.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    GenerativeGap
        ``on_manifold`` and ``off_manifold`` are float64 of shape (n_codes,).

    Raises
    ------
    NotFittedError, TypeError
        If it is not fitted, or holds no autoencoder of this package.
    ValueError
        For an unknown diagnostic, an illegal k, bad rows (NaN, another width, fewer than two), a
        network that has no derivative, or a function that does not return a finite number a point.

    Notes
    -----
    Standard error and interval are those of two independent samples of points: the model, and the
    units of the codes, are taken as known. A gap of 0 in one diagnostic does not make two laws
    equal.

    References
    ----------
    Paper G (GA-AE), Eqs. 11-14 (Definition 3).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from geomgen import AE
    >>> X = load_iris().data
    >>> model = AE(n_components=2, hidden=(16,), max_epochs=5, random_state=0).fit(X)
    >>> found = generative_gap(model, X, diagnostic="cycle", random_state=0)
    >>> found.to_frame().index.tolist(), found.off_manifold.shape
    (['on_manifold', 'off_manifold', 'gap'], (1000,))
    >>> generative_gap(model, X, diagnostic=lambda Z: Z[:, 0], random_state=0).diagnostic
    '<lambda>'
    """
    check_choice("space", space, tuple(_DIAGNOSTICS))
    check_choice("law", law, ("prior", "sampler"))
    check_number("confidence", confidence, 0, 1)
    check_count("n_bootstrap", n_bootstrap, 1)
    if not callable(diagnostic):
        check_choice(f"space={space!r}, diagnostic", diagnostic, _DIAGNOSTICS[space])
    probe = Probe(fitted, X, random_state=random_state, verbose=verbose)
    if diagnostic == "consistency":
        check_count("k", k, 1, probe.n, " (n_features)")
    elif diagnostic == "log_volume":
        check_count("k", k, 1, *probe.grade_limit)
    index = probe.choose(n_codes, 0)
    n_draws = len(index) if n_codes is None else n_codes
    units = probe.units(standardize)
    prior = law == "prior"
    drawn = probe.prior_codes(n_draws, units, 1) if prior else probe.sampler_codes(n_draws, 1)

    def values(side: int, points: np.ndarray, label: str) -> np.ndarray:
        function, width = _function(probe, diagnostic, space, k, units[1], side)
        if side and space == "data":
            function = after(probe.model.decode, function)
        return probe.apply(function, points, width=width, label=label).astype(np.float64)

    on = values(0, (probe.codes if space == "latent" else probe.rows)[index], "on manifold")
    off = values(1, drawn, "off manifold")
    rng = np.random.RandomState(substream(probe.seed, 4))
    resampled = _bootstrap(off, n_bootstrap, rng) - _bootstrap(on, n_bootstrap, rng)
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return GenerativeGap(
        float(off.mean() - on.mean()),
        float(np.hypot(_error(on), _error(off))),
        (float(low), float(high)),
        float(confidence),
        on,
        off,
        getattr(diagnostic, "__name__", type(diagnostic).__name__)
        if callable(diagnostic)
        else diagnostic,
        space,
        law,
        bool(standardize),
    )


def _function(
    probe: Probe, diagnostic: Any, space: str, k: int, scale: np.ndarray, side: int
) -> tuple[Pointwise, int]:
    """Return the diagnostic of a chunk of points, and the numbers it holds a point."""
    if callable(diagnostic):
        return _of_arrays(diagnostic), probe.width(0)
    frames = probe.generator(3, side)
    if diagnostic in ("cycle", "reconstruction"):
        return (cycle(probe, scale) if space == "latent" else reconstruction(probe)), probe.width(0)
    if diagnostic == "spectral_norm":
        probe.check_differentiable("decoder")
        return spectral_norms(probe, scale), probe.width(probe.d)
    if diagnostic == "consistency":
        for which in ("encoder", "decoder"):
            probe.check_differentiable(which)
        return consistency(probe, k, "random", scale, frames), probe.width(k)
    which = "decoder" if space == "latent" else "encoder"
    probe.check_differentiable(which)
    volumes = log_volumes(probe, which, (k,), scale, frames)
    return after(volumes, lambda v: v[:, 0]), probe.width(k)


def _of_arrays(diagnostic: Callable[[np.ndarray], Any]) -> Pointwise:
    def function(points: Tensor) -> Tensor:
        values = np.asarray(diagnostic(points.cpu().numpy()), dtype=np.float64)
        if values.shape != (len(points),) or not np.isfinite(values).all():
            raise ValueError(
                f"diagnostic={diagnostic!r} must return one finite number a point: "
                f"{len(points)} points gave an array of shape {values.shape}."
            )
        return torch.from_numpy(values)

    return function


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _bootstrap(values: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    return np.array([values[rng.randint(len(values), size=len(values))].mean() for _ in range(n)])
