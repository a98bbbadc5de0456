"""Picture of rows: real beside drawn."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from geomgen.diagnostics._base import check_count
from geomgen.diagnostics.displays._base import COLORS, legend_beside, open_axes, plane_of, to_rows
from geomgen.pipeline import sample

__all__ = ["SamplesDisplay"]

_POINTS, _IMAGES = 1000, 36


class SamplesDisplay:
    """Real rows beside drawn ones: as images, or as points in a plane.

    Images are tiles on one grey scale, the extremes of the real ones; numbers beyond are cut off.
    Rows of two columns are shown as they are; of more, by the two principal components of the real
    rows, columns standardised.

    Parameters
    ----------
    real : array-like or DataFrame of shape (n_real, n_features)
        Real rows.
    drawn : array-like or DataFrame of shape (n_drawn, n_features)
        Rows that a model drew.
    image_shape : tuple of int, optional
        Height and width, if a row is an image.

    Attributes
    ----------
    ax_ : Axes or ndarray of Axes
        An array of two where drawn rows are beside the real ones on axes of their own.
    figure_ : Figure
        Their figure.

    See Also
    --------
    CoverageDisplay : Whether modes come out at the right rates, which no eye can tell.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from geomgen import AE
    >>> X = load_digits().data
    >>> model = AE(max_epochs=2, random_state=0).fit(X)
    >>> display = SamplesDisplay.from_estimator(model, X, 9, image_shape=(8, 8), random_state=0)
    >>> display.ax_[0].images[0].get_array().shape  # three by three, and lines between
    (26, 26)
    """

    def __init__(
        self, real: Any, drawn: Any, *, image_shape: tuple[int, int] | None = None
    ) -> None:
        names = list(real.columns) if isinstance(real, pd.DataFrame) else None
        self.real, self.drawn = to_rows(real, "real"), to_rows(drawn, "drawn")
        n_features = self.real.shape[1]
        if self.drawn.shape[1] != n_features:
            raise ValueError(
                f"drawn has {self.drawn.shape[1]} columns and real {n_features}: they must be rows "
                "of one table, in the same units."
            )
        self.image_shape = _check_shape(image_shape, n_features)
        self._names = names

    @classmethod
    def from_estimator(
        cls,
        fitted: Any,
        X: Any,
        n_samples: int | None = None,
        image_shape: tuple[int, int] | None = None,
        *,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw rows, and show them beside real ones.

        Parameters
        ----------
        fitted : object
            What :func:`geomgen.sample` takes: a fitted autoencoder or density, a Pipeline or a
            search that ends in one.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Real rows; if there are more than ``n_samples``, so many of them are chosen at random.
        n_samples : int, optional
            Rows to draw, and to show of X. Default: as many as in X, at most 1000; or 36 images.
        image_shape : tuple of int, optional
            Height and width, if a row is an image.
        random_state : int, RandomState or None, default=None
            Of choice and draw; None draws from numpy's global state.
        ax : Axes, pair of Axes or None, default=None
            One: images side by side on it, points over each other. Two: one for real rows, one
            for drawn ones. None: two of a new figure.
        **kwargs : dict
            Passed to ``Axes.imshow`` or ``Axes.scatter``.

        Returns
        -------
        SamplesDisplay
        """
        real = to_rows(X, "X")
        _check_shape(image_shape, real.shape[1])
        if n_samples is None:
            n_samples = min(len(real), _POINTS if image_shape is None else _IMAGES)
        check_count("n_samples", n_samples, 1)
        chosen = check_random_state(random_state).permutation(len(real))[:n_samples]
        shown = X.iloc[chosen] if isinstance(X, pd.DataFrame) else real[chosen]
        drawn = sample(fitted, n_samples, random_state=random_state)
        return cls(shown, drawn, image_shape=image_shape).plot(ax, **kwargs)

    @classmethod
    def from_samples(
        cls,
        real: Any,
        drawn: Any,
        *,
        image_shape: tuple[int, int] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show rows; parameters as in the class and in ``from_estimator``."""
        return cls(real, drawn, image_shape=image_shape).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : Axes, pair of Axes or None, default=None
            One: images side by side on it, points over each other. Two: one for real rows, one
            for drawn ones. None: two of a new figure.
        **kwargs : dict
            Passed to ``Axes.imshow`` or ``Axes.scatter``.

        Returns
        -------
        self
        """
        self.figure_, axes = open_axes(ax, 2, (6.4, 3.6))
        if ax is None:  # images have no axes, so nothing else keeps the two apart
            self.figure_.get_layout_engine().set(wspace=0.08)
        if self.image_shape is None:
            self._scatter(axes, kwargs)
        else:
            self._show(axes, kwargs)
        if len(axes) == 2:
            for panel, name, rows in zip(
                axes, ("real", "drawn"), (self.real, self.drawn), strict=True
            ):
                panel.set_title(f"{len(rows)} {name} rows")
        self.ax_ = np.array(axes) if len(axes) == 2 else axes[0]
        return self

    def _scatter(self, axes: list[Any], kwargs: dict[str, Any]) -> None:
        to_plane, labels = plane_of(self.real, "column", standardize=True)
        if self._names is not None and len(self._names) <= 2:
            labels = (str(self._names[0]), str([*self._names, labels[1]][1]))
        both = {"real rows": to_plane(self.real), "drawn rows": to_plane(self.drawn)}
        for i, (name, points) in enumerate(both.items()):
            style = {"s": 7, "linewidths": 0, "alpha": 0.5, "color": COLORS[i], "label": name}
            axes[i % len(axes)].scatter(*points.T, **{**style, **kwargs})
        axes[0].set_ylabel(labels[1])
        everything = np.r_[both["real rows"], both["drawn rows"]]
        low, high = everything.min(0), everything.max(0)
        margin = np.where(high > low, 0.05 * (high - low), 0.5)
        for panel in axes:
            panel.set_xlabel(labels[0])
            panel.set_xlim(low[0] - margin[0], high[0] + margin[0])
            panel.set_ylim(low[1] - margin[1], high[1] + margin[1])
        if len(axes) == 1:
            legend_beside(axes, markerscale=2)

    def _show(self, axes: list[Any], kwargs: dict[str, Any]) -> None:
        assert self.image_shape is not None
        low, high = float(self.real.min()), float(self.real.max())
        side = int(np.ceil(np.sqrt(max(len(self.real), len(self.drawn)))))
        pictures = [_tiles(rows, self.image_shape, side) for rows in (self.real, self.drawn)]
        if len(axes) == 1:
            gap = np.full((len(pictures[0]), 2 * self.image_shape[1]), np.nan)
            pictures = [np.hstack([pictures[0], gap, pictures[1]])]
            axes[0].set_title(f"left: {len(self.real)} real rows, right: {len(self.drawn)} drawn")
        style = {"cmap": "gray_r", "vmin": low, "vmax": high, "interpolation": "nearest", **kwargs}
        for panel, picture in zip(axes, pictures, strict=True):
            panel.imshow(np.ma.masked_invalid(picture), **style)
            panel.set_axis_off()


def _check_shape(shape: Any, n_features: int) -> tuple[int, int] | None:
    if shape is None:
        return None
    if isinstance(shape, str) or not np.iterable(shape) or len(list(shape)) != 2:
        raise TypeError(f"image_shape={shape!r} must be (height, width), or None for points.")
    height, width = (check_count("a length of image_shape", side, 1) for side in shape)
    if height * width != n_features:
        raise ValueError(
            f"image_shape={(height, width)} has {height * width} pixels, but rows have "
            f"{n_features} columns."
        )
    return height, width


def _tiles(rows: np.ndarray, shape: tuple[int, int], side: int) -> np.ndarray:
    """Lay rows out as one square of images, blank lines between and blank tiles at the end."""
    height, width = shape
    images = np.full((side**2, height + 1, width + 1), np.nan)
    images[: len(rows), :height, :width] = rows.reshape(-1, height, width)
    tiled = images.reshape(side, side, height + 1, width + 1).swapaxes(1, 2)
    return tiled.reshape(side * (height + 1), side * (width + 1))[:-1, :-1]
