"""The report's pictures of tables; numbers and categories are told apart here alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from geomgen.metrics._tables import is_numeric

__all__ = ["associations", "distances", "empty", "lifts", "marginals"]

REAL, DRAWN = "#4c5a6b", "#d1660a"
_MOST_CATEGORIES = 12
_MOST_WRITTEN = 24  # names of columns beside a map of them


def empty(n_rows: int, n_columns: int, width: float, height: float) -> tuple[Figure, Any]:
    """Make a figure that no backend and no global state knows of."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(n_rows, n_columns, squeeze=False)


def marginals(real: pd.DataFrame, drawn: pd.DataFrame, columns: list[Any]) -> Figure:
    """Distributions of columns, real and drawn."""
    n_rows = -(-len(columns) // 4)
    figure, axes = empty(n_rows, 4, 10, 2.1 * n_rows)
    for ax in axes.flat[len(columns) :]:
        ax.set_axis_off()
    for ax, name in zip(axes.flat, columns, strict=False):
        pair = real[name].dropna(), drawn[name].dropna()
        (_numbers if is_numeric(real[name]) else _categories)(ax, *pair)
        ax.set_title(_short(name), fontsize=9)
        ax.tick_params(labelsize=7)
        ax.set_yticks([])
    axes.flat[0].legend(fontsize=7)
    return figure


def _numbers(ax: Any, real: pd.Series, drawn: pd.Series) -> None:
    """Histograms over the real rows' range, whose ends take in what is drawn beyond it."""
    if real.empty:
        return
    low, high = np.quantile(real, [0.001, 0.999])
    edges = np.linspace(low, high, 31) if high > low else np.array([low - 0.5, low + 0.5])
    for values, style in (
        (real, {"color": REAL, "alpha": 0.35, "label": "real"}),
        (drawn, {"color": DRAWN, "histtype": "step", "lw": 1.4, "label": "generated"}),
    ):
        inside = np.clip(values, edges[0], edges[-1])
        ax.hist(inside, edges, weights=np.full(len(values), 1 / max(len(values), 1)), **style)


def _categories(ax: Any, real: pd.Series, drawn: pd.Series) -> None:
    """Shares of the most frequent categories; the others are one bar."""
    shares = [values.value_counts(normalize=True) for values in (real, drawn)]
    names = [*shares[0].index[:_MOST_CATEGORIES]]
    rest = [1 - s.reindex(names).fillna(0).sum() for s in shares]
    place = np.arange(len(names) + (max(rest) > 1e-9))
    for k, (share, others) in enumerate(zip(shares, rest, strict=True)):
        heights = [*share.reindex(names).fillna(0), others][: len(place)]
        color, label = ((REAL, "real"), (DRAWN, "generated"))[k]
        ax.bar(place + 0.4 * k - 0.2, heights, 0.4, color=color, label=label)
    texts = [_short(name, 8) for name in names] + ["others"]
    ax.set_xticks(place, texts[: len(place)], rotation=60)


def associations(real: pd.DataFrame, drawn: pd.DataFrame) -> Figure:
    """Draw maps of how columns go together: real, drawn, and the difference."""
    figure, axes = empty(1, 3, 10, 3.6)
    difference = drawn - real
    for ax, values, title in zip(
        axes[0], (real, drawn, difference), ("real", "generated", "difference"), strict=True
    ):
        image = ax.imshow(values.to_numpy(), cmap="RdBu_r", vmin=-1, vmax=1)
        ax.set_title(title, fontsize=10)
        ax.set_xticks([])
        ax.set_yticks([])
    if len(real) <= _MOST_WRITTEN:
        axes[0][0].set_yticks(range(len(real)), [_short(c, 16) for c in real.index], fontsize=7)
    figure.colorbar(image, ax=axes[0].tolist(), shrink=0.8)
    return figure


def distances(to_train: dict[str, np.ndarray]) -> Figure:
    """Distribution functions of distances to the nearest training row."""
    figure, axes = empty(1, 1, 6.5, 3.2)
    ax = axes[0][0]
    for (name, values), color in zip(to_train.items(), (DRAWN, REAL), strict=True):
        ax.ecdf(values, color=color, label=name)
    ax.set_xlabel("distance to the nearest training row (standardised columns)")
    ax.set_ylabel("share of rows")
    ax.legend()
    return figure


def lifts(rates: tuple[float, float], lines: pd.DataFrame) -> Figure:
    """Rates of the rare class, and its lifts with their intervals against 1."""
    figure, axes = empty(1, 2, 9, 2.6)
    left, right = axes[0]
    left.barh(["real", "generated"], rates, color=[REAL, DRAWN])
    left.set_xlabel("rate of the rare class")
    left.invert_yaxis()
    lines = lines[np.isfinite(lines["value"])]
    place = np.arange(len(lines))
    ends = np.abs(lines[["low", "high"]].to_numpy().T - lines["value"].to_numpy())
    right.errorbar(lines["value"], place, xerr=ends, fmt="o", color=DRAWN, capsize=4)
    right.axvline(1, color=REAL, ls="--")
    right.set_yticks(place, [str(name).replace("_", " ") for name in lines.index])
    right.set_ylim(-0.6, len(lines) - 0.4)
    right.set_xlabel("lift: generated rate over real rate")
    return figure


def _short(name: Any, most: int = 24) -> str:
    text = str(name).replace("$", r"\$")
    return text if len(text) <= most else text[: most - 1] + "…"
