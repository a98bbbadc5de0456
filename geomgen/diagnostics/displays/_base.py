"""What displays share: axes, colours, legends, the plane that rows are shown in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

__all__ = [
    "COLORS",
    "GREY",
    "Plane",
    "cycle_styles",
    "legend_beside",
    "named_results",
    "open_axes",
    "scatter_by",
    "to_rows",
]

# Okabe and Ito's colours, told apart by the colour-blind; their yellow is too pale for points
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#777777"
MARKERS = ("o", "^", "s", "D")
_LINES = ("-", "--", "-.", ":")

Plane = tuple[Callable[[np.ndarray], np.ndarray], tuple[str, str]]


def open_axes(ax: Any, n_panels: int, figsize: tuple[float, float]) -> tuple[Any, list[Any]]:
    """Find the axes to draw on, or make a figure for them.

    Parameters
    ----------
    ax : Axes, sequence of Axes or None
        One for all panels, one a panel, or None for a new figure.
    n_panels : int
        Panels that a new figure gets.
    figsize : tuple of float
        Width and height of a new figure, in inches.

    Returns
    -------
    figure : Figure
    axes : list of Axes
        One, or one a panel.
    """
    from matplotlib.axes import Axes

    if ax is None:
        import matplotlib.pyplot as plt  # only here: importing geomgen must start no backend

        figure, axes = plt.subplots(
            1, n_panels, figsize=figsize, layout="constrained", squeeze=False
        )
        return figure, list(axes[0])
    if isinstance(ax, Axes):
        return ax.figure, [ax]
    panels = "one Axes" if n_panels == 1 else f"one Axes, {n_panels} of them"
    if isinstance(ax, str | Mapping) or not np.iterable(ax):
        raise TypeError(f"ax={ax!r} must be {panels}, or None for a new figure.")
    found = list(np.ravel(np.asarray(ax, dtype=object)))
    if not all(isinstance(a, Axes) for a in found):
        raise TypeError(f"ax={ax!r} must be {panels}, or None for a new figure.")
    if n_panels == 1 or len(found) != n_panels:
        raise ValueError(
            f"ax holds {len(found)} Axes, but this picture has {n_panels} "
            f"panel{'s' if n_panels > 1 else ''}: pass {panels}, or None for a new figure."
        )
    return found[0].figure, found


def named_results(results: Any, kind: type, name: str) -> dict[str, Any]:
    """Return a dict of results by name; a single one gets an empty name."""
    found = dict(results) if isinstance(results, Mapping) else {"": results}
    if not found:
        raise ValueError(f"{name} is empty: pass at least one {kind.__name__}.")
    for key, value in found.items():
        if not isinstance(value, kind):
            which = f"{name}[{key!r}]" if isinstance(results, Mapping) else name
            raise TypeError(
                f"{which}={value!r} must be a {kind.__name__}; {name} may be one, or a dict of "
                "them by name."
            )
    return {str(key): value for key, value in found.items()}


def to_rows(X: Any, name: str) -> np.ndarray:
    """Return finite rows as float64, or raise, naming them."""
    return check_array(X, dtype=np.float64, input_name=name)


def cycle_styles(i: int) -> dict[str, Any]:
    """Colour, dash and marker of the i-th line: two lines never share all three."""
    turn = i // len(COLORS)
    return {
        "color": COLORS[i % len(COLORS)],
        "linestyle": _LINES[turn % len(_LINES)],
        "marker": MARKERS[i % len(MARKERS)],
        "markersize": 4,
    }


def legend_beside(ax: Any, **kwargs: Any) -> None:
    """Put a legend to the right of the axes, where it hides nothing."""
    if ax.get_legend_handles_labels()[1]:
        ax.legend(
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            borderaxespad=0.0,
            frameon=False,
            fontsize="small",
            **kwargs,
        )


# ---------------------------------------------------------------------------------------- points
def check_labels(y: Any, n: int) -> np.ndarray | None:
    """Return one label or number a row."""
    if y is None:
        return None
    labels = column_or_1d(y)
    if len(labels) != n:
        raise ValueError(f"y has {len(labels)} entries for {n} rows: pass one a row, or None.")
    check_consistent_length(labels)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("y has NaN or infinite entries, which have no colour: leave these out.")
    if not _continuous(labels) and (n_labels := len(np.unique(labels))) > _MOST_LABELS:
        raise ValueError(
            f"y has {n_labels} different labels: at most {_MOST_LABELS} can be told apart. Group "
            "them, or leave y=None."
        )
    return labels


_MOST_LABELS = 4 * len(COLORS)


def _continuous(y: np.ndarray) -> bool:
    """Whether y is a quantity rather than labels."""
    return y.dtype.kind == "f" and ((y % 1 != 0).any() or len(np.unique(y)) > _MOST_LABELS)


def scatter_by(ax: Any, points: np.ndarray, y: np.ndarray | None, **kwargs: Any) -> Any:
    """Scatter points coloured by y, the rare labels on top; return what a colour bar is made of."""
    style = {"s": 9, "linewidths": 0, "alpha": 0.7, **kwargs}
    if y is None:
        ax.scatter(*points.T, **{"color": COLORS[0], **style})
        return None
    if _continuous(y):
        return ax.scatter(*points.T, c=y, **{"cmap": "viridis", **style})
    labels, counts = np.unique(y, return_counts=True)
    for i, label in enumerate(labels):
        turn, color = divmod(i, len(COLORS))
        ax.scatter(
            *points[y == label].T,
            color=COLORS[color],
            marker=MARKERS[turn],
            label=str(label),
            zorder=2 + (counts > counts[i]).mean(),
            **style,
        )
    return None


def plane_of(rows: np.ndarray, what: str, standardize: bool) -> Plane:
    """Choose the plane to show rows in: their own, or that of two principal components.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        What the plane is fitted to.
    what : str
        Name of a coordinate: "code", "column".
    standardize : bool
        Whether coordinates count in units of their standard deviation.

    Returns
    -------
    to_plane : callable
        (n, d) -> (n, 2).
    labels : tuple of str
        Of the two axes.
    """
    if rows.shape[1] == 2:
        return np.asarray, (f"{what} 1", f"{what} 2")
    if rows.shape[1] == 1:
        # spread by the golden ratio: even at every number of rows, and nothing is drawn
        def spread(values: np.ndarray) -> np.ndarray:
            return np.c_[values, np.arange(len(values)) * 0.6180339887498949 % 1]

        return spread, (f"{what} 1", "(spread out, no meaning)")
    scaler = StandardScaler(with_mean=standardize, with_std=standardize).fit(rows)
    pca = PCA(min(2, len(rows)), svd_solver="full").fit(scaler.transform(rows))
    if pca.n_components_ < 2:
        raise ValueError(f"{len(rows)} row has no principal components: pass at least two rows.")
    total = scaler.transform(rows).var(0, ddof=1).sum()
    share = pca.explained_variance_ / total if total > 0 else np.zeros(2)
    names = [
        f"principal component {i + 1} ({s:.0%} of variance)" for i, s in enumerate(share.tolist())
    ]
    return lambda values: pca.transform(scaler.transform(values)), (names[0], names[1])
