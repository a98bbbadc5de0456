"""Picture of samplers: the draws of each over the codes they were fitted to."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from textwrap import wrap
from typing import Any, Self

import numpy as np
from sklearn.utils import check_random_state

from geomgen.base import GenerativeAutoencoder
from geomgen.diagnostics._base import check_count
from geomgen.diagnostics._probe import Probe
from geomgen.diagnostics.displays._base import COLORS, GREY, legend_beside, open_axes, to_rows
from geomgen.diagnostics.displays.latent import LatentDisplay
from geomgen.metrics._pairs import mean_distance
from geomgen.metrics.energy import energy_distance
from geomgen.samplers import make_sampler

__all__ = ["SamplersDisplay"]

_COLUMNS = 4
_TITLE = 32  # letters of a line that fit over a panel


class SamplersDisplay:
    r"""Draws of several samplers, a panel each, over the codes they were fitted to.

    Each title gives the energy distance of draws and codes in units of its floor, what new codes
    of the same law are expected to score:

    .. math:: \frac{\mathrm{ED}(\text{codes}, \text{draws})}
       {(1/n + 1/m)\,\mathbb{E}\|z - z'\|}

    for n codes and m draws. It is near 1 for draws as good as new codes, more for a wrong density,
    and less for draws that follow these very codes. Codes are shown as in ``LatentDisplay``: those
    of more than two components by their principal components, of three on the unit sphere on a
    map, of one along a line, their draws below. Grey without draws is what a sampler misses.

    Parameters
    ----------
    codes : array-like of shape (n_codes, d), n_codes ≥ 2
        Codes of rows.
    draws : dict of str to array-like of shape (n_draws, d)
        Codes that each sampler drew, by its name.

    Attributes
    ----------
    ratios : dict of str to float
        Energy distance over its floor, by sampler.
    ax_ : Axes or ndarray of Axes
        An array, one a sampler, where several have a panel each.
    figure_ : Figure
        Their figure.

    See Also
    --------
    LatentDisplay : Codes by label, beside the draws of the model's own sampler.
    geomgen.metrics.energy_floor : The floor, with its spread.

    References
    ----------
    Székely and Rizzo, 2013, *Energy statistics: a class of statistics based on distances*.

    Examples
    --------
    >>> from geomgen import AE
    >>> from geomgen.datasets import make_ring_mixture
    >>> X, _ = make_ring_mixture(500, random_state=0)
    >>> model = AE(n_components=2, hidden=(16,), max_epochs=5, random_state=0).fit(X)
    >>> display = SamplersDisplay.from_estimator(model, X, ("cells", "mvg"), random_state=0)
    >>> len(display.ax_)
    2
    >>> display.ratios["mvg"] > 2 * display.ratios["cells"]  # no Gaussian is a ring
    True
    """

    def __init__(self, codes: Any, draws: Mapping[str, Any]) -> None:
        self.codes = to_rows(codes, "codes")
        if len(self.codes) < 2:
            raise ValueError("codes has one row, which has no spread: pass at least two.")
        if not isinstance(draws, Mapping):
            raise TypeError(f"draws={draws!r} must be a dict of drawn codes by sampler.")
        if not draws:
            raise ValueError("draws is empty: pass the drawn codes of at least one sampler.")
        self.draws = {str(k): to_rows(Z, f"draws[{k!r}]") for k, Z in draws.items()}
        d = self.codes.shape[1]
        for name, drawn in self.draws.items():
            if drawn.shape[1] != d:
                raise ValueError(
                    f"draws[{name!r}] has {drawn.shape[1]} components and codes {d}: they must be "
                    "codes of one model."
                )
        self.ratios = _over_floor(self.codes, self.draws)

    @classmethod
    def from_estimator(
        cls,
        fitted: Any,
        X: Any,
        samplers: Any = ("cells", "mvg", "prior"),
        *,
        y: Any = None,
        n_samples: int = 1000,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Encode rows, fit each sampler to all the codes, and show what it draws.

        The estimator keeps its own sampler: it is left as it is.

        Parameters
        ----------
        fitted : object
            A fitted autoencoder, or a Pipeline or a search that ends in one.
        X : array-like or DataFrame of shape (n_rows, n_features)
            Rows, at least two.
        samplers : sequence or dict of str to sampler, default=("cells", "mvg", "prior")
            What an estimator takes as ``sampler``: names (see
            :func:`geomgen.samplers.make_sampler`), or objects, which are cloned. A dict gives them
            names of your own.
        y : array-like of shape (n_rows,), optional
            Labels, for samplers with ``conditional=True``.
        n_samples : int, default=1000
            Codes to draw of each; if there are more codes, so many are chosen at random to be
            shown and compared with.
        random_state : int, RandomState or None, default=None
            Of choice and draws; None draws from numpy's global state. Fits are seeded by the
            estimator, so that its own sampler is fitted as it was.
        ax : Axes, sequence of Axes or None, default=None
            One: all samplers over each other. One a sampler: a panel each. None: those of a new
            figure.
        **kwargs : dict
            Passed to ``Axes.scatter`` for the draws.

        Returns
        -------
        SamplersDisplay
        """
        by_name = _named(samplers)
        n = check_count("n_samples", n_samples, 1)
        probe = Probe(fitted, X, random_state=0)
        chosen = check_random_state(random_state).permutation(len(probe.rows))[: max(n, 2)]
        ambient = probe.apply(probe.model.encode_ambient, probe.rows)
        fits = {k: _refitted(probe.estimator, s, ambient, y) for k, s in by_name.items()}
        draws = {name: fit.sample_latent(n, random_state) for name, fit in fits.items()}
        return cls(probe.codes[chosen], draws).plot(ax, **kwargs)

    @classmethod
    def from_codes(
        cls, codes: Any, draws: Mapping[str, Any], *, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Show codes and draws; parameters as in the class and in ``from_estimator``."""
        return cls(codes, draws).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : Axes, sequence of Axes or None, default=None
            One: all samplers over each other. One a sampler: a panel each. None: those of a new
            figure.
        **kwargs : dict
            Passed to ``Axes.scatter`` for the draws.

        Returns
        -------
        self
        """
        n = len(self.draws)
        self.figure_, axes = open_axes(_grid(n) if ax is None else ax, n, (6.4, 4.8))
        apart = len(axes) == n
        every = np.concatenate(list(self.draws.values()))
        to_plane, labels = LatentDisplay(self.codes, drawn=every)._plane()
        points = [to_plane(self.codes)]
        style: dict[str, Any] = {"linewidths": 0, "alpha": 0.5}
        for panel in axes:  # larger than draws: grey shows around those that lie on codes
            label = "codes" if panel is axes[0] else None
            panel.scatter(*points[0].T, s=14, color=GREY, label=label, **style)
        for i, (name, drawn) in enumerate(self.draws.items()):
            title = "\n".join([*wrap(name, _TITLE), f"{self.ratios[name]:,.1f} × floor"])
            own = {"s": 5, "color": COLORS[0 if apart else i % len(COLORS)]}
            points.append(to_plane(drawn))
            if self.codes.shape[1] == 1:  # draws of a line lie below its codes, not among them
                points[-1][:, 1] -= 1.1 * (1 if apart else 1 + i)
            panel = axes[i % len(axes)]
            label = title if not apart else "draws" if i == 0 else None
            panel.scatter(*points[-1].T, **{**style, **own, "label": label, **kwargs})
            if apart:
                panel.set_title(title, fontsize="small")
        _share(axes, np.concatenate(points), labels, inner=ax is not None)
        legend_beside(axes[:_COLUMNS], markerscale=2)  # the first row is never a short one
        self.ax_ = axes[0] if len(axes) == 1 else np.array(axes)
        return self


def _over_floor(codes: np.ndarray, draws: dict[str, np.ndarray]) -> dict[str, float]:
    """Energy distances in units of the expectation that ``energy_floor`` estimates by splits."""
    n = len(codes)
    equal = np.full(n, 1 / n)
    apart = mean_distance(codes, codes, equal, equal) * n / (n - 1)  # of two different codes
    found = {}
    for name, drawn in draws.items():
        distance, floor = energy_distance(codes, drawn), (1 / n + 1 / len(drawn)) * apart
        with np.errstate(divide="ignore", invalid="ignore"):  # codes that are all equal
            found[name] = float(np.float64(distance) / floor)
    return found


def _named(samplers: Any) -> dict[str, Any]:
    """Samplers by name, each of them one that can be made."""
    if isinstance(samplers, str) or not np.iterable(samplers):
        raise TypeError(
            f"samplers={samplers!r} must be a sequence of names and samplers, or a dict of them by "
            "name: pass a list, also for one."
        )
    if isinstance(samplers, Mapping):
        found = {str(name): sampler for name, sampler in samplers.items()}
    else:
        samplers = list(samplers)
        names = [s if isinstance(s, str) else " ".join(repr(s).split()) for s in samplers]
        found = dict(zip(names, samplers, strict=True))
        if len(found) < len(samplers):
            raise ValueError(f"samplers={names} has one twice: pass a dict to tell them apart.")
    if not found:
        raise ValueError("samplers is empty: pass at least one name or sampler.")
    for sampler in found.values():
        make_sampler(sampler)  # a bad one is found before the first is fitted
    return found


def _refitted(
    estimator: GenerativeAutoencoder, sampler: Any, ambient: np.ndarray, y: Any
) -> GenerativeAutoencoder:
    """Copy an estimator, net and all shared, and fit the copy another sampler."""
    other = copy.copy(estimator).set_params(sampler=sampler)
    other.sampler_ = other._fit_sampler(ambient, y)
    return other


def _grid(n: int) -> list[Any]:
    """Make a figure of n panels in rows of at most four."""
    import matplotlib.pyplot as plt  # only here: importing geomgen must start no backend

    n_columns = min(n, _COLUMNS)
    n_rows = -(-n // n_columns)
    size = (2.6 * n_columns + 1.2, 2.8 * n_rows + 0.4)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=size, layout="constrained")
    panels = list(np.ravel(axes))
    for spare in panels[n:]:
        figure.delaxes(spare)
    return panels[:n]


def _share(axes: list[Any], points: np.ndarray, labels: tuple[str, str], *, inner: bool) -> None:
    """Give all panels the limits that hold all points; ``inner`` ones may keep their heights."""
    low, high = points.min(0), points.max(0)
    margin = np.where(high > low, 0.05 * (high - low), 0.5)
    for i, panel in enumerate(axes):
        panel.set_xlim(low[0] - margin[0], high[0] + margin[0])
        panel.set_ylim(low[1] - margin[1], high[1] + margin[1])
        panel.set_xlabel(labels[0], fontsize="small")
        if i % _COLUMNS == 0:
            panel.set_ylabel(labels[1], fontsize="small")
        elif not inner:
            panel.tick_params(labelleft=False)
