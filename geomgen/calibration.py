"""Draws whose rare event has the rate it should have."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Annotated, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from geomgen._draw import check_n_samples
from geomgen._fields import Count, Fraction, Interval, check_fields, estimator
from geomgen._frames import join, take
from geomgen._rejection import check_mask, draw_sorted
from geomgen.metrics.rare import held_out_judgement, is_rare, neighbour_judge
from geomgen.pipeline import sample

__all__ = ["RareModeCalibrator"]


@estimator
class RareModeCalibrator(MetaEstimatorMixin, BaseEstimator):
    r"""Wrap a fitted generator so that a rare event comes at its true rate.

    Draws are sorted into event and no event and drawn until there are enough of each: the share
    of the event is exact up to rounding. What is an event is said by a function of rows, or by a
    judge trained on labels. A judge errs; so its target is not the rate of the label but the rate
    at which it sees the event in real rows that it was not trained on, where it errs alike.

    With a lift of l, the event has l times its rate :math:`\pi`, and each row the weight that
    undoes it,

    .. math:: w_\text{event} = \frac{1}{l}, \qquad
       w_\text{other} = \frac{1 - \pi}{1 - l \pi}.

    Attributes
    ----------
    rate_ : float
        Rate of the event in the real rows, as it is judged.
    generated_rate_ : float
        Rate in the generator's own draws.
    acceptance_ : float
        Share of the generator's draws that are kept at a lift of 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KernelDensity
    >>> X = np.random.RandomState(0).normal(size=(1000, 1))
    >>> flat = KernelDensity(bandwidth=1.0).fit(X)  # too wide: it has too many large values
    >>> calibrated = RareModeCalibrator(generator=flat, event=lambda rows: rows[:, 0] > 2).fit(X)
    >>> bool(calibrated.generated_rate_ > 2 * calibrated.rate_)
    True
    >>> rows = calibrated.sample(2000, random_state=0)
    >>> bool(abs((rows[:, 0] > 2).mean() - calibrated.rate_) < 1e-3)
    True
    """

    generator: Annotated[
        Any,
        """Fitted: an estimator, a pipeline or a search that can be sampled. ``clone`` would unfit
        it: there, wrap it in scikit-learn's ``FrozenEstimator``.""",
    ] = None
    event: Annotated[
        Callable | None, "Takes rows and returns a bool each; in place of labels and a judge."
    ] = None
    judge: Annotated[
        Any, "A classifier, trained on labels; by default the nearest row, columns standardised."
    ] = None
    rare_label: Annotated[Any, "The label of the event; by default the least frequent in y."] = None
    rate: Annotated[
        Fraction | None, "True rate of the event, where that of the rows given to fit is not it."
    ] = None
    n_probe: Annotated[Count, "Draws by which the generator's own rate is estimated."] = 5000
    random_state: Annotated[Any, "Seed of these draws, and of the judge's folds."] = 0

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the rates from real rows; the generator is left as it is.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Real rows.
        y : array-like of shape (n_samples,), optional
            Their labels, needed unless ``event`` is given.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the event never occurs, in the real rows or in the draws.
        """
        check_fields(self)
        if self.generator is None:
            raise TypeError("generator=None: pass a fitted generator.")
        check_is_fitted(self.generator)
        seed = int(check_random_state(self.random_state).randint(2**31))
        before = dict(vars(self))
        try:
            self._fit(X, y, seed)
        except BaseException:
            self.__dict__ = before
            raise
        return self

    def _fit(self, X: Any, y: Any, seed: int) -> None:
        if self.event is None:
            self._fit_judge(X, y, seed)
        else:
            self.judge_ = None
            seen = self._judged(X)
            self.rate_ = float(seen.mean()) if self.rate is None else self.rate
        drawn = self._judged(sample(self.generator, self.n_probe, random_state=seed))
        self.generated_rate_ = float(drawn.mean())
        for where, rate in (("real rows", self.rate_), ("draws", self.generated_rate_)):
            if not 0 < rate < 1:
                raise ValueError(
                    f"The event has rate {rate:g} in the {where}: it cannot be calibrated. "
                    "Check the event or the judge, or train a generator that has it."
                )
        self.acceptance_ = self._acceptance(self.rate_)

    def sample(
        self,
        n_samples: int = 1,
        random_state: Any = None,
        *,
        lift: float = 1.0,
        return_weights: bool = False,
    ) -> Any:
        """Draw rows, the event at ``lift`` times its rate.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            None draws from numpy's global state.
        lift : float, default=1.0
            Over-samples the event on purpose; at most 1 / rate.
        return_weights : bool, default=False
            Whether to return, beside the rows, weights of mean 1 that undo the lift.

        Returns
        -------
        rows : ndarray or DataFrame of shape (n_samples, n_features)
            In random order.
        weights : ndarray of shape (n_samples,)
            With ``return_weights=True``.
        """
        check_is_fitted(self)
        n, rng = check_n_samples(n_samples), check_random_state(random_state)
        real = isinstance(lift, Real) and not isinstance(lift, bool)
        share = lift * self.rate_ if real else np.nan
        if not real or lift not in Interval(0, include_low=False) or share > 1:
            raise ValueError(
                f"lift={lift!r} must be in (0, {1 / self.rate_:.4g}]: the event has rate "
                f"{self.rate_:.4g}."
            )
        n_events = int(np.floor(n * share + rng.random_sample()))  # right on average
        events = np.repeat([True, False], [n_events, n - n_events])
        order = rng.permutation(n)
        rows = take(self._both(n_events, n - n_events, rng), order)
        if not return_weights:
            return rows
        other = (1 - self.rate_) / (1 - share) if share < 1 else 0.0
        return rows, np.where(events, 1 / lift, other)[order]

    def _fit_judge(self, X: Any, y: Any, seed: int) -> None:
        rare = is_rare(y, self.rare_label)
        judge = neighbour_judge() if self.judge is None else self.judge
        if min(rare.sum(), (~rare).sum()) < 2:
            raise ValueError(
                f"There are {rare.sum()} rare rows: the judge's rate needs two. Give event= and "
                "rate= instead."
            )
        held = held_out_judgement(judge, X, rare, seed)
        seen = held.mean()
        if self.rate is not None:  # the judge's hits and false alarms at another true rate
            hits, alarms = held[rare].mean(), held[~rare].mean()
            seen = hits * self.rate + alarms * (1 - self.rate)
        self.judge_ = clone(judge).fit(X, rare)
        self.rate_ = float(seen)

    def _judged(self, rows: Any) -> np.ndarray:
        judged: Any = self.event if self.judge_ is None else self.judge_.predict
        return check_mask(judged(rows), len(rows), "event" if self.judge_ is None else "judge")

    def _acceptance(self, share: float) -> float:
        """Share of draws kept: whichever kind is scarcer decides how many are needed."""
        own = self.generated_rate_
        return float(1 / max(share / own, (1 - share) / (1 - own)))

    def _both(self, n_events: int, n_others: int, rng: np.random.RandomState) -> Any:
        def propose(size: int) -> Any:
            return sample(self.generator, size, random_state=rng)

        wanted = {True: n_events, False: n_others}
        return join(draw_sorted(propose, self._judged, wanted, "event"))
