"""Picture of mode coverage: whether every mode, rare ones too, is drawn at its rate."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from scipy.stats import binomtest
from sklearn.base import clone

from geomgen.diagnostics._base import check_choice, check_count, check_number
from geomgen.diagnostics.displays._base import COLORS, legend_above, open_axes, to_labels, to_rows
from geomgen.metrics.rare import neighbour_judge
from geomgen.pipeline import sample

__all__ = ["CoverageDisplay"]


class CoverageDisplay:
    """Share of drawn rows in each mode, with its interval, against the share expected.

    Parameters
    ----------
    labels : array-like of shape (n_modes,)
        Names of the modes.
    counts : array-like of int of shape (n_modes,)
        Drawn rows in each.
    expected : array-like of shape (n_modes,)
        Expected shares, or numbers of real rows: they are divided by their sum.
    confidence : float, default=0.95
        Coverage of each interval, at least.

    Attributes
    ----------
    shares : ndarray of shape (n_modes,)
        Share of each mode among drawn rows.
    low, high : ndarray of shape (n_modes,)
        Their Clopper-Pearson intervals: binomial draws, expected shares taken as known.
    ax_ : Axes
        Where it was drawn.
    figure_ : Figure
        Its figure.

    Notes
    -----
    Each interval stands for itself: of 20 modes drawn at their exact rates, one in 20 is expected
    to miss at 95 %. A judge that says which mode a row is of adds errors of its own, which count
    most for rare modes: see :class:`~geomgen.metrics.RareModeLiftScorer`.

    Examples
    --------
    >>> display = CoverageDisplay.from_counts([0, 1], [5, 995], [0.02, 0.98])
    >>> bool(display.high[0] < 0.02)  # the rare mode is drawn too rarely
    True
    """

    def __init__(
        self, labels: Any, counts: Any, expected: Any, *, confidence: float = 0.95
    ) -> None:
        self.labels = to_labels(labels, "labels")
        self.counts = to_labels(counts, "counts")
        self.expected = to_labels(expected, "expected").astype(np.float64)
        lengths = len(self.labels), len(self.counts), len(self.expected)
        if len(set(lengths)) > 1:
            raise ValueError(
                f"labels, counts and expected have {lengths[0]}, {lengths[1]} and {lengths[2]} "
                "entries: they need one a mode each."
            )
        whole = self.counts.dtype.kind in "iuf" and (self.counts % 1 == 0).all()
        if not whole or (self.counts < 0).any() or self.counts.sum() == 0:
            raise ValueError(f"counts={counts!r} must be numbers of rows: whole, and not all 0.")
        if not (np.isfinite(self.expected) & (self.expected >= 0)).all() or not self.expected.any():
            raise ValueError(f"expected={expected!r} must be shares or numbers of rows, not all 0.")
        self.expected = self.expected / self.expected.sum()
        self.confidence = check_number("confidence", confidence, 0, 1)
        n = int(self.counts.sum())
        self.shares = self.counts / n
        tests = [binomtest(int(c), n) for c in self.counts]
        ends = [t.proportion_ci(self.confidence, method="exact") for t in tests]
        self.low, self.high = (np.array([getattr(e, end) for e in ends]) for end in ("low", "high"))

    @classmethod
    def from_estimator(
        cls,
        fitted: Any,
        X: Any,
        y: Any,
        *,
        judge: Any = None,
        n_samples: int = 10_000,
        confidence: float = 0.95,
        scale: Literal["log", "linear"] = "log",
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw rows, have a judge say which mode each is of, and show their shares.

        Parameters
        ----------
        fitted : object
            What :func:`geomgen.sample` takes: a fitted autoencoder or density, a Pipeline or a
            search that ends in one.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Real rows, which the judge is fitted on.
        y : array-like of shape (n_samples,)
            Their modes; shares among them are what is expected.
        judge : object, optional
            A classifier, a clone of which is fitted to (X, y); or an object with ``predict`` and
            no ``fit`` that knows, such as the mixture of ``make_ring_mixture``. Default: the mode
            of the nearest real row, columns standardised.
        n_samples : int, default=10_000
            Rows to draw.
        confidence : float, default=0.95
            Coverage of each interval, at least.
        scale : {"log", "linear"}, default="log"
            Of the shares; rare modes are visible on the first.
        random_state : int, RandomState or None, default=None
            Of the draw; None draws from numpy's global state.
        ax : Axes or None, default=None
            None makes a figure.
        **kwargs : dict
            Passed to ``Axes.errorbar``.

        Returns
        -------
        CoverageDisplay
        """
        check_choice("scale", scale, ("log", "linear"))
        check_count("n_samples", n_samples, 1)
        check_number("confidence", confidence, 0, 1)
        real, modes = to_rows(X, "X"), _modes(y, "y")
        if len(real) != len(modes):
            raise ValueError(
                f"y has {len(modes)} entries for {len(real)} rows of X: pass one a row."
            )
        if not hasattr(neighbour_judge() if judge is None else judge, "predict"):
            raise TypeError(f"judge={judge!r} must have predict: a classifier, or None.")
        drawn = to_rows(sample(fitted, n_samples, random_state=random_state), "the drawn rows")
        if judge is None or hasattr(judge, "fit"):
            judge = (neighbour_judge() if judge is None else clone(judge)).fit(real, modes)
        return cls.from_labels(
            modes, judge.predict(drawn), confidence=confidence, scale=scale, ax=ax, **kwargs
        )

    @classmethod
    def from_labels(
        cls,
        y_real: Any,
        y_drawn: Any,
        *,
        confidence: float = 0.95,
        scale: Literal["log", "linear"] = "log",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show the shares of modes among drawn rows, against those among real rows.

        Parameters
        ----------
        y_real, y_drawn : array-like of shape (n_real,), (n_drawn,)
            Modes of real rows and of drawn ones.
        confidence, scale, ax, **kwargs
            As in ``from_estimator``.

        Returns
        -------
        CoverageDisplay
        """
        real, drawn = _modes(y_real, "y_real"), _modes(y_drawn, "y_drawn")
        labels, expected = np.unique(real, return_counts=True)
        unknown = sorted(set(drawn.tolist()) - set(labels.tolist()), key=str)
        if unknown:
            raise ValueError(
                f"y_drawn has the modes {unknown}, which y_real has not: no share is expected of "
                "them. Pass real rows of every mode, or expected shares to from_counts."
            )
        counts = np.array([(drawn == label).sum() for label in labels])
        return cls(labels, counts, expected, confidence=confidence).plot(ax, scale=scale, **kwargs)

    @classmethod
    def from_counts(
        cls,
        labels: Any,
        counts: Any,
        expected: Any,
        *,
        confidence: float = 0.95,
        scale: Literal["log", "linear"] = "log",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show counts; parameters as in the class and in ``from_estimator``."""
        return cls(labels, counts, expected, confidence=confidence).plot(ax, scale=scale, **kwargs)

    def plot(
        self, ax: Any = None, *, scale: Literal["log", "linear"] = "log", **kwargs: Any
    ) -> Self:
        """Draw it: a point a mode with its interval, a bar at the share expected.

        Parameters
        ----------
        ax : Axes or None, default=None
            None makes a figure.
        scale : {"log", "linear"}, default="log"
            Of the shares. On a log scale a mode of which nothing was drawn is an arrow at the
            bottom, under its interval.
        **kwargs : dict
            Passed to ``Axes.errorbar``.

        Returns
        -------
        self
        """
        check_choice("scale", scale, ("log", "linear"))
        self.figure_, (self.ax_,) = open_axes(ax, 1, (6.4, 4.8))
        at = np.arange(len(self.labels))
        hit = (self.low <= self.expected) & (self.expected <= self.high)
        log = scale == "log"
        seen = np.r_[self.shares, self.expected, self.low, self.high]
        floor = seen[seen > 0].min() / 2 if log else 0.0
        lost = log & (self.shares == 0)
        wide = {"colors": "black", "linewidth": 2.5, "zorder": 3, "label": "expected share"}
        positive = self.expected > floor if log else self.expected >= 0
        self.ax_.hlines(self.expected[positive], at[positive] - 0.32, at[positive] + 0.32, **wide)
        percent = f"{100 * self.confidence:g} % interval"
        groups = (
            (hit, COLORS[0], "o", f"drawn; {percent} holds it"),
            (~hit, COLORS[1], "s", f"drawn; {percent} misses it"),
        )
        for mask, color, marker, label in groups:
            if not mask.any():
                continue
            shares = np.where(lost, floor, self.shares)[mask]
            ends = np.maximum(self.low, floor)[mask], self.high[mask]
            errors = np.array([shares - ends[0], ends[1] - shares]).clip(min=0)
            style = {"fmt": marker, "color": color, "capsize": 4, "markersize": 5, "zorder": 4}
            self.ax_.errorbar(at[mask], shares, yerr=errors, **{"label": label, **style, **kwargs})
        if lost.any():
            arrow: dict[str, Any] = {"marker": "v", "s": 70, "zorder": 5, "clip_on": False}
            arrow["color"] = [COLORS[0] if h else COLORS[1] for h in hit[lost]]
            self.ax_.scatter(at[lost], np.full(lost.sum(), floor), label="none drawn", **arrow)
        self._label_axes(at, log, floor)
        return self

    def _label_axes(self, at: np.ndarray, log: bool, floor: float) -> None:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        if log:
            self.ax_.set_yscale("log")
            self.ax_.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            self.ax_.yaxis.set_minor_formatter(NullFormatter())
        self.ax_.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
        self.ax_.set_ylim(bottom=floor)
        names = [str(label) for label in self.labels]
        crowded = sum(map(len, names)) + 2 * len(names) > 70
        turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
        self.ax_.set_xticks(at, names, **turned)
        self.ax_.set_xlim(-0.6, len(at) - 0.4)
        self.ax_.set_xlabel("mode")
        total = f"{int(self.counts.sum()):,}".replace(",", " ")
        self.ax_.set_ylabel(f"share of {total} drawn rows{' (log scale)' if log else ''}")
        legend_above(self.ax_)


def _modes(y: Any, name: str) -> np.ndarray:
    if y is None:
        raise ValueError(f"{name}=None: the modes of rows are needed, one a row.")
    return to_labels(y, name)
