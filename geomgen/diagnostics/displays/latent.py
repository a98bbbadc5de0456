"""Picture of the latent space: codes of rows, and the sampler's draws."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np

from geomgen.diagnostics._base import check_choice, check_count
from geomgen.diagnostics._probe import Probe
from geomgen.diagnostics.displays._base import (
    GREY,
    Plane,
    check_labels,
    legend_beside,
    open_axes,
    plane_of,
    scatter_by,
    to_rows,
)

__all__ = ["LatentDisplay"]

_MOST_DRAWS = 2000


class LatentDisplay:
    """Codes of rows coloured by their labels, with the sampler's draws beside or over them.

    Codes of two components are shown as they are; of one, along a line; of three on the unit
    sphere, on a map of it; else by the two principal components of the codes of rows.

    Parameters
    ----------
    codes : array-like of shape (n_codes, d)
        Codes of rows.
    y : array-like of shape (n_codes,), optional
        Labels, or a quantity (floats), that codes are coloured by.
    drawn : array-like of shape (n_draws, d), optional
        Codes that a sampler drew.
    projection : {"auto", "pca", "map"}, default="auto"
        "map" is of the sphere: longitude, and height, so that areas are true and a uniform law
        looks uniform. "auto" takes it for unit codes of three components.

    Attributes
    ----------
    ax_ : Axes or ndarray of Axes
        An array of two where draws are beside the codes.
    figure_ : Figure
        Their figure.

    See Also
    --------
    SamplesDisplay : The same for rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from geomgen import AE
    >>> X, y = load_iris(return_X_y=True)
    >>> model = AE(n_components=2, hidden=(16,), max_epochs=5, random_state=0).fit(X)
    >>> display = LatentDisplay.from_estimator(model, X, y, random_state=0)
    >>> display.codes.shape, display.drawn.shape, len(display.ax_)
    ((150, 2), (150, 2), 2)
    """

    def __init__(
        self,
        codes: Any,
        y: Any = None,
        drawn: Any = None,
        *,
        projection: Literal["auto", "pca", "map"] = "auto",
    ) -> None:
        self.codes = to_rows(codes, "codes")
        self.y = check_labels(y, len(self.codes))
        self.drawn = None if drawn is None else to_rows(drawn, "drawn")
        if self.drawn is not None and self.drawn.shape[1] != self.codes.shape[1]:
            raise ValueError(
                f"drawn has {self.drawn.shape[1]} components and codes {self.codes.shape[1]}: they "
                "must be codes of one model."
            )
        check_choice("projection", projection, ("auto", "pca", "map"))
        if projection == "map" and not self._spherical:
            raise ValueError(
                "projection='map' is of the sphere: it needs unit codes of three components; these "
                f"have {self.codes.shape[1]}. Use 'auto' or 'pca'."
            )
        self.projection = projection

    @classmethod
    def from_estimator(
        cls,
        fitted: Any,
        X: Any,
        y: Any = None,
        *,
        n_draws: int | None = None,
        projection: Literal["auto", "pca", "map"] = "auto",
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Encode rows, draw codes, and show both.

        Parameters
        ----------
        fitted : object
            A fitted autoencoder, or a Pipeline or a search that ends in one.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows, at least two.
        y : array-like of shape (n_samples,), optional
            Labels, or a quantity (floats), that codes are coloured by.
        n_draws : int, optional
            Codes to draw; 0 for none. Default: as many as rows, at most 2000.
        projection : {"auto", "pca", "map"}, default="auto"
            As in the class.
        random_state : int, RandomState or None, default=None
            Of the draws; None draws from numpy's global state.
        ax : Axes, pair of Axes or None, default=None
            One: draws go over the codes, in grey. Two: beside them. None: two of a new figure.
        **kwargs : dict
            Passed to ``Axes.scatter``.

        Returns
        -------
        LatentDisplay
        """
        probe = Probe(fitted, X, random_state=0)
        n = min(len(probe.rows), _MOST_DRAWS) if n_draws is None else n_draws
        check_labels(y, len(probe.rows))  # before the draw, which moves a RandomState
        drawn = None
        if check_count("n_draws", n, 0):
            drawn = probe.estimator.sample_latent(n, random_state)
        return cls(probe.codes, y, drawn, projection=projection).plot(ax, **kwargs)

    @classmethod
    def from_codes(
        cls,
        codes: Any,
        y: Any = None,
        drawn: Any = None,
        *,
        projection: Literal["auto", "pca", "map"] = "auto",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Show codes; parameters as in the class and in ``from_estimator``."""
        return cls(codes, y, drawn, projection=projection).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : Axes, pair of Axes or None, default=None
            One: draws go over the codes, in grey. Two: beside them. None: two of a new figure.
        **kwargs : dict
            Passed to ``Axes.scatter``.

        Returns
        -------
        self
        """
        n_panels = 1 if self.drawn is None else 2
        self.figure_, axes = open_axes(ax, n_panels, (6.4, 3.6 if n_panels == 2 else 4.8))
        to_plane, labels = self._plane()
        beside = len(axes) == 2
        colored = scatter_by(axes[0], to_plane(self.codes), self.y, **kwargs)
        if self.drawn is not None:
            style: dict[str, Any] = {"s": 10, "linewidths": 0, "alpha": 0.7, "color": GREY}
            if not beside:  # crosses under the codes: both stay visible
                over = {"marker": "x", "linewidths": 0.8, "label": "drawn codes"}
                style.update(over, s=12, zorder=1)
            # what colours the codes says nothing about draws
            own = {k: v for k, v in kwargs.items() if k in ("s", "alpha")}
            axes[-1].scatter(*to_plane(self.drawn).T, **{**style, **own})
        for panel in axes:
            panel.set_xlabel(labels[0])
        axes[0].set_ylabel(labels[1])
        if beside:
            self._match(axes)
            axes[0].set_title(f"{len(self.codes)} codes of rows")
            axes[1].set_title(f"{len(self.drawn)} drawn codes")  # type: ignore[arg-type]
        elif self.drawn is None:
            axes[0].set_title(f"{len(self.codes)} codes of rows")
        if colored is not None:
            self.figure_.colorbar(colored, ax=axes, label="y")
        legend_beside(axes, markerscale=1.6)
        self.ax_ = np.array(axes) if beside else axes[0]
        return self

    @property
    def _spherical(self) -> bool:
        both = self.codes if self.drawn is None else np.r_[self.codes, self.drawn]
        return both.shape[1] == 3 and bool(np.allclose(np.linalg.norm(both, axis=1), 1, atol=1e-4))

    def _plane(self) -> Plane:
        mapped = self.projection == "map" or (self.projection == "auto" and self._spherical)
        if not mapped:
            return plane_of(self.codes, "code", standardize=False)

        def to_map(codes: np.ndarray) -> np.ndarray:
            return np.c_[np.degrees(np.arctan2(codes[:, 1], codes[:, 0])), codes[:, 2]]

        return to_map, ("longitude (degrees; areas are true)", "height on the sphere")

    def _match(self, axes: list[Any]) -> None:
        """Give both panels the same limits: what is beside must be comparable."""
        for get, put in (("get_xlim", "set_xlim"), ("get_ylim", "set_ylim")):
            limits = np.array([getattr(a, get)() for a in axes])
            for a in axes:
                getattr(a, put)(limits[:, 0].min(), limits[:, 1].max())
