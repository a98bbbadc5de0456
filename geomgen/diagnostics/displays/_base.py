"""What displays share: axes, colours, legends, the plane that rows are shown in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_array, column_or_1d

from geomgen.pipeline import unwrap

__all__ = [
    "COLORS",
    "GREY",
    "Plane",
    "by_name",
    "check_labels",
    "cycle_styles",
    "legend_above",
    "legend_beside",
    "named_results",
    "open_axes",
    "plane_of",
    "scatter_by",
    "to_labels",
    "to_rows",
]

# Okabe and Ito's colours, told apart by the colour-blind; their yellow is too pale for points
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#777777"
# for more labels than that: Tol's muted colours, and black
_MANY = (
    *("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#882255", "#44AA99", "#AA4499"),
    *("#999933", "#000000"),
)
MARKERS = ("o", "^", "s", "D")
_LINES = ("-", "--", "-.", ":")
_MOST_LABELS = 20  # pairs of one of ten colours and one of four markers

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
    if len(found) != n_panels:
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
    try:
        return check_array(X, dtype=np.float64, input_name=name)
    except ValueError as error:
        raise ValueError(f"{name} must be a table of finite numbers: {error}") from error


def to_labels(y: Any, name: str) -> np.ndarray:
    """Return labels as an array of one dimension, not empty, or raise, naming them."""
    try:
        labels = column_or_1d(y)
    except ValueError as error:
        raise ValueError(f"{name} must have one entry a row: {error}") from error
    if not len(labels):
        raise ValueError(f"{name} is empty: pass at least one entry.")
    return labels


def by_name(fitted: Any) -> dict[str, Any]:
    """Return fitted objects by name; a single one is named as its class."""
    if isinstance(fitted, Mapping):
        if not fitted:
            raise ValueError("fitted is empty: pass a fitted autoencoder, or several by name.")
        return {str(name): model for name, model in fitted.items()}
    inner = fitted
    while hasattr(inner, "best_estimator_") or isinstance(inner, Pipeline):
        inner = inner.steps[-1][1] if isinstance(inner, Pipeline) else unwrap(inner)
    return {type(inner).__name__: fitted}


def cycle_styles(i: int) -> dict[str, Any]:
    """Colour, dash and marker of the i-th line: two lines never share all three."""
    turn = i // len(COLORS)
    return {
        "color": COLORS[i % len(COLORS)],
        "linestyle": _LINES[turn % len(_LINES)],
        "marker": MARKERS[i % len(MARKERS)],
        "markersize": 4,
    }


_LEGEND: dict[str, Any] = {"borderaxespad": 0.0, "frameon": False, "fontsize": "small"}


def legend_beside(axes: Sequence[Any], **kwargs: Any) -> None:
    """Put one legend of all axes to the right of the last, where it hides nothing."""
    handles = [handle for ax in axes for handle in ax.get_legend_handles_labels()[0]]
    if handles:
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}
        axes[-1].legend(handles=handles, **place, **_LEGEND, **kwargs)


def legend_above(ax: Any) -> None:
    """Put a legend over the axes: its labels are long, and what is drawn may be anywhere."""
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.01), **_LEGEND)


# ---------------------------------------------------------------------------------------- points
def check_labels(y: Any, n: int) -> np.ndarray | None:
    """Return one label or number a row."""
    if y is None:
        return None
    labels = to_labels(y, "y")
    if len(labels) != n:
        raise ValueError(f"y has {len(labels)} entries for {n} rows: pass one a row, or None.")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("y has NaN or infinite entries, which have no colour: leave these out.")
    if not _continuous(labels) and (n_labels := len(np.unique(labels))) > _MOST_LABELS:
        raise ValueError(
            f"y has {n_labels} different labels: at most {_MOST_LABELS} can be told apart. Group "
            "them, or leave y=None."
        )
    return labels


def _continuous(y: np.ndarray) -> bool:
    """Whether y is a quantity rather than labels."""
    return y.dtype.kind == "f" and ((y % 1 != 0).any() or len(np.unique(y)) > _MOST_LABELS)


def scatter_by(ax: Any, points: np.ndarray, y: np.ndarray | None, **kwargs: Any) -> Any:
    """Scatter points coloured by y, the rare labels on top; return what a colour bar is made of."""
    style = {"s": 10, "linewidths": 0, "alpha": 0.7, **kwargs}
    if y is None:
        ax.scatter(*points.T, **_colored(COLORS[0], style))
        return None
    if _continuous(y):
        return ax.scatter(*points.T, c=y, **{"cmap": "viridis", **style})
    labels, counts = np.unique(y, return_counts=True)
    palette = COLORS if len(labels) <= len(COLORS) else _MANY
    for i, label in enumerate(labels):
        own = {
            "marker": MARKERS[i % len(MARKERS)],
            "label": str(label),
            "zorder": 2 + (counts > counts[i]).mean(),
        }
        ax.scatter(*points[y == label].T, **_colored(palette[i % len(palette)], {**own, **style}))
    return None


def _colored(color: str, style: dict[str, Any]) -> dict[str, Any]:
    """Add a colour, unless the caller has one."""
    return style if {"c", "color", "facecolors"} & style.keys() else {"color": color, **style}


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
        f"principal component {i + 1}\n({s:.0%} of variance)" for i, s in enumerate(share.tolist())
    ]
    return lambda values: pca.transform(scaler.transform(values)), (names[0], names[1])
