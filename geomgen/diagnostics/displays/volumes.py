"""Picture of k-volumes, on the manifold and off it (paper G)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np

from geomgen.diagnostics._base import check_choice
from geomgen.diagnostics.displays._base import COLORS, legend_above, open_axes
from geomgen.diagnostics.volumes import KVolumes, k_volumes

__all__ = ["VolumeDisplay"]


class VolumeDisplay:
    """Log k-volumes on the manifold, off it and at the sampler's draws, grade by grade.

    Parameters
    ----------
    result : KVolumes
        What :func:`~geomgen.diagnostics.k_volumes` returned.

    Attributes
    ----------
    ax_ : Axes
        Where it was drawn.
    figure_ : Figure
        Its figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from geomgen import AE
    >>> X = load_iris().data
    >>> model = AE(n_components=2, hidden=(16,), max_epochs=5, random_state=0).fit(X)
    >>> display = VolumeDisplay.from_estimator(model, X, n_codes=100, random_state=0)
    >>> display.ax_.get_ylabel()
    'log k-volume of the decoder'
    """

    def __init__(self, result: KVolumes) -> None:
        if not isinstance(result, KVolumes):
            raise TypeError(f"result={result!r} must be a KVolumes, which k_volumes returns.")
        self.result = result

    @classmethod
    def from_estimator(
        cls,
        fitted: Any,
        X: Any,
        *,
        grades: Sequence[int] | None = None,
        n_codes: int | None = 1000,
        standardize: bool = True,
        which: Literal["decoder", "encoder"] = "decoder",
        random_state: Any = None,
        kind: Literal["box", "violin"] = "box",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Compute the k-volumes of a fitted autoencoder, and show them.

        Parameters
        ----------
        fitted, X, grades, n_codes, standardize, which, random_state
            As in :func:`~geomgen.diagnostics.k_volumes`.
        kind : {"box", "violin"}, default="box"
            What is drawn for a law and grade.
        ax : Axes or None, default=None
            None makes a figure.
        **kwargs : dict
            Passed to ``Axes.boxplot`` or ``Axes.violinplot``.

        Returns
        -------
        VolumeDisplay
        """
        check_choice("kind", kind, ("box", "violin"))
        result = k_volumes(
            fitted,
            X,
            grades=grades,
            n_codes=n_codes,
            standardize=standardize,
            which=which,
            random_state=random_state,
        )
        return cls(result).plot(ax, kind=kind, **kwargs)

    @classmethod
    def from_result(
        cls,
        result: KVolumes,
        *,
        kind: Literal["box", "violin"] = "box",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show k-volumes; parameters as in the class and in ``from_estimator``."""
        return cls(result).plot(ax, kind=kind, **kwargs)

    def plot(
        self, ax: Any = None, *, kind: Literal["box", "violin"] = "box", **kwargs: Any
    ) -> Self:
        """Draw it: boxes hold the middle half, whiskers the middle nine tenths.

        Parameters
        ----------
        ax : Axes or None, default=None
            None makes a figure.
        kind : {"box", "violin"}, default="box"
            What is drawn for a law and grade.
        **kwargs : dict
            Passed to ``Axes.boxplot`` or ``Axes.violinplot``.

        Returns
        -------
        self
        """
        check_choice("kind", kind, ("box", "violin"))
        self.figure_, (self.ax_,) = open_axes(ax, 1, (6.4, 4.8))
        centres = np.arange(len(self.result.grades))
        laws = {
            "codes of rows (on the manifold)": self.result.on_manifold,
            "draws of the prior (off it)": self.result.off_manifold,
            "draws of the sampler": self.result.sampled,
        }
        if self.result.which == "encoder":
            names = ("rows (on the manifold)", "decoded prior (off it)", "decoded sampler")
            laws = dict(zip(names, laws.values(), strict=True))
        for i, (name, values) in enumerate(laws.items()):
            color, at = COLORS[i], centres + 0.27 * (i - 1)
            if kind == "box":
                style = {"widths": 0.22, "whis": (5, 95), "showfliers": False, **kwargs}
                drawn = self.ax_.boxplot(values, positions=at, patch_artist=True, **style)
                bodies = drawn["boxes"]
                for line in drawn["medians"]:
                    line.set(color="black", linewidth=1.5)
                for line in (*drawn["whiskers"], *drawn["caps"]):
                    line.set_color(color)
            else:
                # a constant column has no density to be estimated
                tiny = 1e-9 * np.cos(np.arange(len(values)))[:, None] * (np.ptp(values, 0) == 0)
                style = {"widths": 0.25, "showmedians": True, "showextrema": False, **kwargs}
                drawn = self.ax_.violinplot(values + tiny, positions=at, **style)
                bodies = drawn["bodies"]
                if "cmedians" in drawn:
                    drawn["cmedians"].set_color("black")
            for body in bodies:
                body.set(facecolor=color, edgecolor=color, alpha=0.6)
            bodies[0].set_label(name)
        self.ax_.set_xticks(centres, [str(k) for k in self.result.grades])
        self.ax_.set_xlim(-0.6, len(centres) - 0.4)
        units = "standardised codes" if self.result.standardized else "codes in their own units"
        self.ax_.set_xlabel(f"grade k (directions at a time; {units})")
        self.ax_.set_ylabel(f"log k-volume of the {self.result.which}")
        legend_above(self.ax_)
        return self
