"""Picture of generative gaps (paper G)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np

from geomgen.diagnostics.displays._base import (
    COLORS,
    GREY,
    by_name,
    legend_beside,
    named_results,
    open_axes,
)
from geomgen.diagnostics.gap import GenerativeGap, generative_gap

__all__ = ["GapDisplay"]


class GapDisplay:
    """Generative gaps with their intervals, and the zero that means no gap.

    Parameters
    ----------
    results : GenerativeGap or dict of str to GenerativeGap
        One, or several by name, of the same diagnostic: others have other units.

    Attributes
    ----------
    ax_ : Axes
        Where it was drawn.
    figure_ : Figure
        Its figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from geomgen import AE, VAEGenerator
    >>> X = load_iris().data
    >>> models = {"AE": AE(max_epochs=5, random_state=0).fit(X),
    ...           "VAE": VAEGenerator(max_epochs=5, random_state=0).fit(X)}
    >>> display = GapDisplay.from_estimator(models, X, diagnostic="cycle", random_state=0)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['AE', 'VAE']
    """

    def __init__(self, results: GenerativeGap | Mapping[str, GenerativeGap]) -> None:
        self.results = named_results(results, GenerativeGap, "results")
        measured = {(r.diagnostic, r.space) for r in self.results.values()}
        if len(measured) > 1:
            found = ", ".join(f"{d} ({s} space)" for d, s in sorted(measured))
            raise ValueError(
                f"results measure different things, in different units: {found}. Make one display "
                "for each."
            )

    @classmethod
    def from_estimator(
        cls,
        fitted: Any,
        X: Any,
        *,
        diagnostic: Any = "log_volume",
        space: Literal["latent", "data"] = "latent",
        law: Literal["prior", "sampler"] = "prior",
        k: int = 1,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Compute the gaps of one fitted autoencoder or several, and show them.

        Parameters
        ----------
        fitted : object or dict of str to object
            A fitted autoencoder, or a Pipeline or a search that ends in one; or several by name.
        X, diagnostic, space, law, k, random_state
            As in :func:`~geomgen.diagnostics.generative_gap`; for its other parameters pass its
            results to ``from_results``.
        ax : Axes or None, default=None
            None makes a figure.
        **kwargs : dict
            Passed to ``Axes.errorbar``.

        Returns
        -------
        GapDisplay
        """
        results = {
            name: generative_gap(
                model,
                X,
                diagnostic=diagnostic,
                space=space,
                law=law,
                k=k,
                random_state=random_state,
            )
            for name, model in by_name(fitted).items()
        }
        return cls(results).plot(ax, **kwargs)

    @classmethod
    def from_results(
        cls,
        results: GenerativeGap | Mapping[str, GenerativeGap],
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show gaps; parameters as in the class and in ``from_estimator``."""
        return cls(results).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw it: a point a gap, from top to bottom, with its interval.

        Parameters
        ----------
        ax : Axes or None, default=None
            None makes a figure.
        **kwargs : dict
            Passed to ``Axes.errorbar``.

        Returns
        -------
        self
        """
        n = len(self.results)
        self.figure_, (self.ax_,) = open_axes(ax, 1, (6.4, max(2.0, 1.4 + 0.45 * n)))
        found = list(self.results.values())
        gaps = np.array([r.gap for r in found])
        low, high = np.array([r.interval for r in found]).T
        # the percentiles of a bootstrap need not hold the estimate: no length is below 0
        errors = np.maximum([gaps - low, high - gaps], 0)
        percent = sorted({f"{100 * r.confidence:g} %" for r in found})
        style = {"fmt": "o", "color": COLORS[0], "capsize": 4, **kwargs}
        self.ax_.axvline(0, color=GREY, linestyle="--", linewidth=1, label="no gap")
        self.ax_.errorbar(
            gaps, np.arange(n), xerr=errors, label=f"gap, {' or '.join(percent)} interval", **style
        )
        self.ax_.set_yticks(np.arange(n), list(self.results))
        self.ax_.set_ylim(n - 0.5, -0.5)
        first = found[0]
        what = first.diagnostic.replace("_", " ")
        self.ax_.set_xlabel(f"{what}: mean off the manifold − mean on it ({first.space} space)")
        legend_beside([self.ax_])
        return self
