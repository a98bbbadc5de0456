"""What a comparison of generators found: table, paired differences, picture."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from geomgen.metrics._registry import METRICS

__all__ = ["Comparison"]

_DIRECTION = {
    name: "lower is better"
    for name, metric in METRICS.items()
    if not metric.greater_is_better and not metric.tested
} | {name: "higher is better" for name in ("recall", "coverage", "rare_recall", "rare_in_support")}


class Comparison:
    """What :func:`compare` found.

    Attributes
    ----------
    values : DataFrame
        One row a generator, fold, seed and metric: ``value``, ``low``, ``high``, ``real``,
        ``real_sd``, ``verdict``, and the seconds that the fit took.

    Examples
    --------
    >>> from geomgen.metrics import compare
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> X = load_iris().data
    >>> found = compare({"mixture": GaussianMixture(3)}, X, metrics=["recall"], cv=2)
    >>> len(found.values)
    2
    """

    def __init__(self, values: pd.DataFrame) -> None:
        self.values = values

    def summary(self) -> pd.DataFrame:
        """Mean and spread over folds and seeds, beside what real rows get."""
        by = self.values.groupby(["metric", "generator"], sort=False)
        table = by.agg(mean=("value", "mean"), sd=("value", "std"), real=("real", "mean"))
        table["n"] = by["value"].count()
        names = (list(dict.fromkeys(self.values[level])) for level in table.index.names)
        return table.loc[[pair for pair in product(*names) if pair in table.index]]

    def differences(self, baseline: str) -> pd.DataFrame:
        """Differences to a baseline on the same folds and seeds.

        Parameters
        ----------
        baseline : str
            Name of one of the generators.

        Returns
        -------
        DataFrame
            One row a metric and generator: ``mean`` and ``sd`` of value minus baseline's,
            ``greater`` (in how many of the ``n`` pairs it was positive).
        """
        if baseline not in set(self.values["generator"]):
            known = list(dict.fromkeys(self.values["generator"]))
            raise ValueError(f"baseline={baseline!r} must be one of {known}.")
        wide = self.values.pivot_table(
            index=["metric", "fold", "seed"], columns="generator", values="value", sort=False
        )
        gaps = wide.drop(columns=baseline).sub(wide[baseline], axis=0)
        by = gaps.stack().rename("gap").reset_index().groupby(["metric", "generator"], sort=False)
        return by["gap"].agg(
            mean="mean", sd="std", greater=lambda gap: int((gap > 0).sum()), n="count"
        )

    def plot(self, metrics: Any = None, axes: Any = None) -> Any:
        """Draw each metric by generator: folds and seeds as points, their mean, and real rows.

        Parameters
        ----------
        metrics : sequence of str, optional
            All by default.
        axes : array of matplotlib Axes, optional
            One a metric; made if not given.

        Returns
        -------
        array of matplotlib Axes
        """
        known = list(dict.fromkeys(self.values["metric"]))
        names = known if metrics is None else list(metrics)
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f"metrics has {unknown}, which are not among {known}.")
        if axes is None:
            axes = _grid(len(names))
        axes = np.ravel(axes)
        if len(axes) < len(names):
            raise ValueError(f"axes has {len(axes)} panels for {len(names)} metrics.")
        for ax, name in zip(axes, names, strict=False):
            self._plot_one(ax, self.values[self.values["metric"] == name], name)
        for ax in axes[len(names) :]:
            ax.set_visible(False)
        axes[0].legend(frameon=False, fontsize="small")
        return axes

    def _plot_one(self, ax: Any, values: pd.DataFrame, name: str) -> None:
        generators = list(dict.fromkeys(self.values["generator"]))
        at = values["generator"].map(generators.index)
        runs = values.groupby("generator").cumcount()
        nudge = 0.4 * (runs / max(runs.max(), 1) - 0.5)  # or equal values would look like one
        ax.plot(values["value"], at + nudge, ".", alpha=0.6, color="C0", label="fold and seed")
        means = values.groupby("generator")["value"].mean().reindex(generators)
        ax.plot(means, range(len(generators)), "|", color="C3", markersize=14, label="mean")
        real, sd = values["real"].mean(), values["real_sd"].mean()
        if np.isfinite(real):
            ax.axvline(real, color="0.4", linestyle="--", linewidth=1, label="real rows")
        if np.isfinite(sd):
            ax.axvspan(real - 2 * sd, real + 2 * sd, color="0.85", zorder=0)
        ax.set_yticks(range(len(generators)), generators)
        ax.set_ylim(len(generators) - 0.5, -0.5)
        ax.set_title(name, fontsize="medium")
        ax.set_xlabel(_DIRECTION.get(name, "nearest real rows is best"), fontsize="small")

    def __repr__(self) -> str:
        return repr(self.summary())


def _grid(n: int) -> Any:
    import matplotlib.pyplot as plt  # only who plots loads a backend

    columns = min(3, n)
    rows = -(-n // columns)
    _, axes = plt.subplots(
        rows,
        columns,
        figsize=(4 * columns, 2.6 * rows),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    return axes
