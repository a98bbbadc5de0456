"""Picture of a training: every term of the loss over the epochs."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from geomgen._trainable import Trainable
from geomgen.diagnostics._base import check_choice
from geomgen.diagnostics.displays._base import COLORS, legend_beside, open_axes
from geomgen.pipeline import unwrap

__all__ = ["HistoryDisplay"]

_WIDE = 20  # largest over smallest typical size from which a linear axis hides a term


class HistoryDisplay:
    """The loss and each of its terms over the epochs, those of held-out rows dashed.

    Parameters
    ----------
    history : DataFrame
        One row an epoch, as in the attribute ``history_``: ``loss``, terms, ``valid_…`` of each.

    Attributes
    ----------
    ax_ : Axes
        Where it was drawn.
    figure_ : Figure
        Its figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from geomgen import LISAGenerator
    >>> X = load_iris().data
    >>> model = LISAGenerator(n_components=3, max_epochs=5, random_state=0).fit(X)
    >>> display = HistoryDisplay.from_estimator(model)
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['loss (sum of terms)', 'recon', 'uniformity']
    """

    def __init__(self, history: pd.DataFrame) -> None:
        if not isinstance(history, pd.DataFrame):
            raise TypeError(
                f"history={history!r} must be a DataFrame, one row an epoch: the attribute "
                "history_ of a fitted autoencoder."
            )
        terms = [
            c
            for c in history.columns
            if c != "seconds" and pd.api.types.is_numeric_dtype(history[c])
        ]
        if not len(history) or not terms:
            raise ValueError(
                f"history of shape {history.shape} is empty: it needs a row an epoch, and a column "
                "of numbers a term."
            )
        self.history = history
        self._terms = terms

    @classmethod
    def from_estimator(
        cls,
        fitted: Any,
        *,
        scale: Literal["auto", "linear", "log", "symlog"] = "auto",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show the training of a fitted autoencoder.

        Parameters
        ----------
        fitted : object
            A fitted autoencoder, or a Pipeline or a search that ends in one.
        scale : {"auto", "linear", "log", "symlog"}, default="auto"
            Of the terms. "auto" takes "log", or "symlog" if a term falls below 0, where terms or
            epochs differ much.
        ax : Axes or None, default=None
            None makes a figure.
        **kwargs : dict
            Passed to ``Axes.plot``.

        Returns
        -------
        HistoryDisplay
        """
        fitted = unwrap(fitted)
        check_is_fitted(fitted)
        while isinstance(fitted, Pipeline):
            fitted = unwrap(fitted.steps[-1][1])
        if not isinstance(fitted, Trainable):
            raise TypeError(
                f"fitted={fitted!r} has no history of a training: pass a fitted autoencoder of "
                "geomgen, alone or as the last step of a Pipeline or of a search."
            )
        check_is_fitted(fitted)
        return cls(fitted.history_).plot(ax, scale=scale, **kwargs)

    @classmethod
    def from_history(
        cls,
        history: pd.DataFrame,
        *,
        scale: Literal["auto", "linear", "log", "symlog"] = "auto",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show a history; parameters as in the class and in ``from_estimator``."""
        return cls(history).plot(ax, scale=scale, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        scale: Literal["auto", "linear", "log", "symlog"] = "auto",
        **kwargs: Any,
    ) -> Self:
        """Draw it: a colour a term, held-out rows dashed.

        Parameters
        ----------
        ax : Axes or None, default=None
            None makes a figure.
        scale : {"auto", "linear", "log", "symlog"}, default="auto"
            As in ``from_estimator``.
        **kwargs : dict
            Passed to ``Axes.plot``.

        Returns
        -------
        self
        """
        from matplotlib.ticker import MaxNLocator

        check_choice("scale", scale, ("auto", "linear", "log", "symlog"))
        self.figure_, (self.ax_,) = open_axes(ax, 1, (6.4, 4.0))
        names = list(dict.fromkeys(c.removeprefix("valid_") for c in self._terms))
        if len(names) == 2 and "loss" in names:
            names.remove("loss")  # the loss is its only term: one line would hide the other
        shown = [c for n in names for c in (n, f"valid_{n}") if c in self._terms]
        colors = dict(zip([n for n in names if n != "loss"], _colors(), strict=False))
        # a single epoch is a point, which a line does not show
        marker = "o" if len(self.history) == 1 else None
        for column in shown:
            name, held_out = column.removeprefix("valid_"), column.startswith("valid_")
            style = {
                "color": colors.get(name, "black"),
                "linestyle": "--" if held_out else "-",
                "linewidth": 1.2 if name == "loss" else 1.6,
                "marker": marker,
                "label": _label(name) + (", held out" if held_out else ""),
            }
            epochs = self.history.index.to_numpy()
            self.ax_.plot(epochs, self.history[column].to_numpy(), **{**style, **kwargs})
        values = self.history[shown].to_numpy(dtype=np.float64)
        self._set_scale(values, scale)
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        self.ax_.set_xlabel("epoch")
        self.ax_.set_ylabel(f"term of the loss, as weighted ({self.ax_.get_yscale()} scale)")
        legend_beside([self.ax_])
        return self

    def _set_scale(self, values: np.ndarray, scale: str) -> None:
        finite = values[np.isfinite(values)]
        sizes = np.abs(finite[finite != 0])
        if scale == "auto":
            wide = len(sizes) > 0 and np.quantile(sizes, 0.95) > _WIDE * np.quantile(sizes, 0.05)
            scale = ("symlog" if (finite <= 0).any() else "log") if wide else "linear"
        if scale == "symlog":
            # linear below what terms are typically at their smallest, so that zero has a place
            least = float(np.quantile(sizes, 0.05)) if len(sizes) else 1.0
            self.ax_.set_yscale("symlog", linthresh=10.0 ** np.floor(np.log10(least)))
        else:
            self.ax_.set_yscale(scale)


def _colors() -> list[str]:
    return [c for c in COLORS if c != "#000000"] * 4


def _label(name: str) -> str:
    return "loss (sum of terms)" if name == "loss" else name.replace("_", " ")
