"""Pictures of what radius and direction of codes are used for (paper L)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from geomgen.diagnostics.displays._base import (
    GREY,
    by_name,
    cycle_styles,
    legend_above,
    named_results,
    open_axes,
)
from geomgen.diagnostics.radial import RadialSensitivity, radial_sensitivity
from geomgen.diagnostics.spectrum import DirectionalSpectrum, directional_spectrum

__all__ = ["RadialSensitivityDisplay", "SpectrumDisplay"]

_WIDE = 20  # largest over smallest value from which an axis is logarithmic


class RadialSensitivityDisplay:
    """Reconstruction error over the factor α that codes are moved along their ray by.

    Parameters
    ----------
    results : RadialSensitivity or dict of str to RadialSensitivity
        One, or several by name.

    Attributes
    ----------
    ax_ : Axes
        Where it was drawn.
    figure_ : Figure
        Its figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from geomgen import AE, SphericalAE
    >>> X = load_iris().data
    >>> models = {"AE": AE(n_components=3, max_epochs=5, random_state=0).fit(X),
    ...           "sphere": SphericalAE(n_components=3, max_epochs=5, random_state=0).fit(X)}
    >>> display = RadialSensitivityDisplay.from_estimator(models, X)
    >>> display.ax_.get_xlabel()
    'factor α of the code’s radius'
    """

    def __init__(self, results: RadialSensitivity | Mapping[str, RadialSensitivity]) -> None:
        self.results = named_results(results, RadialSensitivity, "results")

    @classmethod
    def from_estimator(
        cls,
        fitted: Any,
        X: Any,
        *,
        alphas: Sequence[float] = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0),
        relative: bool = False,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Compute the errors of one fitted autoencoder or several, and show them.

        Parameters
        ----------
        fitted : object or dict of str to object
            A fitted autoencoder, or a Pipeline or a search that ends in one; or several by name.
        X, alphas
            As in :func:`~geomgen.diagnostics.radial_sensitivity`.
        relative : bool, default=False
            Whether errors are shown as multiples of the one at α = 1.
        ax : Axes or None, default=None
            None makes a figure.
        **kwargs : dict
            Passed to ``Axes.errorbar``.

        Returns
        -------
        RadialSensitivityDisplay
        """
        results = {
            name: radial_sensitivity(model, X, alphas=alphas)
            for name, model in by_name(fitted).items()
        }
        return cls(results).plot(ax, relative=relative, **kwargs)

    @classmethod
    def from_result(
        cls,
        results: RadialSensitivity | Mapping[str, RadialSensitivity],
        *,
        relative: bool = False,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show errors; parameters as in the class and in ``from_estimator``."""
        return cls(results).plot(ax, relative=relative, **kwargs)

    def plot(self, ax: Any = None, *, relative: bool = False, **kwargs: Any) -> Self:
        """Draw it; errors in their own units have bars of two standard errors.

        Multiples of the error at α = 1 have none: both errors are of the same rows.

        Parameters
        ----------
        ax : Axes or None, default=None
            None makes a figure.
        relative : bool, default=False
            Whether errors are shown as multiples of the one at α = 1.
        **kwargs : dict
            Passed to ``Axes.errorbar``.

        Returns
        -------
        self
        """
        self.figure_, (self.ax_,) = open_axes(ax, 1, (6.4, 4.8))
        lows, highs = [], []
        for i, (name, found) in enumerate(self.results.items()):
            values = found.relative if relative else found.mse
            order = np.argsort(found.alphas)
            bars = None if relative else 2 * found.standard_error[order]
            style = {**cycle_styles(i), "capsize": 2, "label": name or None, **kwargs}
            self.ax_.errorbar(found.alphas[order], values[order], yerr=bars, **style)
            lows.append(np.nanmin(values, initial=np.inf))
            highs.append(np.nanmax(values, initial=-np.inf))
        if min(lows) > 0 and max(highs) > _WIDE * min(lows):
            self.ax_.set_yscale("log", nonpositive="clip")
        else:  # from 0, or the rounding of a constant curve would look like a finding
            highest = max(highs)
            self.ax_.set_ylim(0, 1.15 * highest if 0 < highest < np.inf else None)
        alphas = np.unique(np.concatenate([r.alphas for r in self.results.values()]))
        if alphas[-1] > 4 * alphas[0]:
            self._logarithmic(alphas)
        as_they_are = "α = 1: codes as they are"
        self.ax_.axvline(1, color=GREY, linestyle=":", linewidth=1, label=as_they_are)
        self.ax_.set_xlabel("factor α of the code’s radius")
        own = "mean squared reconstruction error ± 2 s.e."
        self.ax_.set_ylabel("reconstruction error / that at α = 1" if relative else own)
        legend_above(self.ax_)
        return self

    def _logarithmic(self, alphas: np.ndarray) -> None:
        from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

        self.ax_.set_xscale("log")
        # the fewest of the usual factors that do not run into each other
        powers = 2.0 ** np.arange(np.floor(np.log2(alphas[0])), np.log2(alphas[-1]) + 0.5)
        self.ax_.xaxis.set_major_locator(FixedLocator(powers[:: -(-len(powers) // 9)].tolist()))
        self.ax_.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        self.ax_.xaxis.set_minor_locator(NullLocator())


class SpectrumDisplay:
    """Eigenvalues of the directions of codes, beside those of directions spread evenly.

    Parameters
    ----------
    results : DirectionalSpectrum or dict of str to DirectionalSpectrum
        One, or several by name.

    Attributes
    ----------
    ax_ : Axes
        Where it was drawn.
    figure_ : Figure
        Its figure.

    Examples
    --------
    >>> import numpy as np
    >>> codes = np.random.RandomState(0).standard_normal((500, 4))
    >>> display = SpectrumDisplay.from_codes({"even": codes, "long": codes * [9, 1, 1, 1]})
    >>> len(display.results["even"].eigenvalues)
    4
    """

    def __init__(self, results: DirectionalSpectrum | Mapping[str, DirectionalSpectrum]) -> None:
        self.results = named_results(results, DirectionalSpectrum, "results")

    @classmethod
    def from_estimator(
        cls, fitted: Any, X: Any, *, center: bool = False, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Compute the spectra of one fitted autoencoder or several, and show them.

        Parameters
        ----------
        fitted : object or dict of str to object
            A fitted autoencoder, or a Pipeline or a search that ends in one; or several by name.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows, at least two.
        center : bool, default=False
            As in :func:`~geomgen.diagnostics.directional_spectrum`.
        ax : Axes or None, default=None
            None makes a figure.
        **kwargs : dict
            Passed to ``Axes.plot``.

        Returns
        -------
        SpectrumDisplay
        """
        results = {
            name: directional_spectrum(model, X, center=center)
            for name, model in by_name(fitted).items()
        }
        return cls(results).plot(ax, **kwargs)

    @classmethod
    def from_codes(cls, codes: Any, *, center: bool = False, ax: Any = None, **kwargs: Any) -> Self:
        """Compute the spectra of codes, an array or several by name, and show them."""
        several = codes if isinstance(codes, Mapping) else {"": codes}
        results = {n: directional_spectrum(c, center=center) for n, c in several.items()}
        return cls(results).plot(ax, **kwargs)

    @classmethod
    def from_results(
        cls,
        results: DirectionalSpectrum | Mapping[str, DirectionalSpectrum],
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show spectra; parameters as in the class and in ``from_estimator``."""
        return cls(results).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw it: a line a model, in falling order; the uniform level 1/d is dashed.

        Parameters
        ----------
        ax : Axes or None, default=None
            None makes a figure.
        **kwargs : dict
            Passed to ``Axes.plot``.

        Returns
        -------
        self
        """
        from matplotlib.ticker import MaxNLocator

        self.figure_, (self.ax_,) = open_axes(ax, 1, (6.4, 4.8))
        for i, (name, found) in enumerate(self.results.items()):
            d = len(found.eigenvalues)
            rank = f"effective rank {found.effective_rank:.1f} of {d}"
            label = f"{name}: {rank}" if name else rank
            style = {**cycle_styles(i), "label": label + " (centred)" * found.center, **kwargs}
            self.ax_.plot(np.arange(1, d + 1), found.eigenvalues, **style)
        for d in sorted({len(r.eigenvalues) for r in self.results.values()}):
            ends = [0.7, d + 0.3]
            even = {"color": GREY, "linestyle": (0, (5, 3)), "linewidth": 1}
            self.ax_.plot(ends, [1 / d] * 2, label=f"spread evenly: 1/{d}", zorder=1, **even)
        values = np.concatenate([r.eigenvalues for r in self.results.values()])
        positive = values[values > 0]
        if len(positive) and positive.max() > _WIDE * positive.min():
            self.ax_.set_yscale("log", nonpositive="mask")
        else:
            self.ax_.set_ylim(bottom=0)
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        self.ax_.set_xlabel("direction, in falling order")
        self.ax_.set_ylabel("eigenvalue (of the unit codes’ second moment)")
        legend_above(self.ax_)
        return self
