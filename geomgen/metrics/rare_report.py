"""One report on a rare mode: how much of it, how sure, how well reached, by what judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from geomgen.metrics._checks import check_count
from geomgen.metrics._intervals import proportion_interval, ratio_interval
from geomgen.metrics._rarity import Judged, by_function, by_labels, by_mixture, corrected_lift
from geomgen.metrics.neighbours import ball_membership, expected_coverage
from geomgen.metrics.rare import check_rate

__all__ = ["RareModeReport", "rare_mode_report"]

_NAN = float("nan")


@dataclass(frozen=True, repr=False)
class RareModeReport:
    """What :func:`rare_mode_report` found; printing it shows a readable summary.

    Attributes
    ----------
    n_generated, n_rare : int
        Generated rows, and those counted rare.
    rate : float
        True rate of the rare mode.
    generated_rate : float
        ``n_rare / n_generated``, paper G's RMR.
    lift, lift_interval : float, tuple of float
        ``generated_rate / rate``, paper G's RML, with its interval.
    corrected_lift, corrected_interval : float, tuple of float
        The lift freed from the judge's errors; nan if rarity is not judged by a classifier, or
        the judge cannot tell rare rows from others.
    recall, expected_recall : float
        Share of the real rare rows that a generated rare row reaches, and what draws from the
        truth would reach.
    in_support : float
        Share of the rows counted rare that lie where the rare mode is; nan if none was counted.
    judge_lift, judge_tpr, judge_fpr : float
        Lift that the judge reports for real rows, its true- and its false-positive rate.
    confidence : float
        Of the intervals.
    """

    n_generated: int
    n_rare: int
    rate: float
    generated_rate: float
    lift: float
    lift_interval: tuple[float, float]
    corrected_lift: float
    corrected_interval: tuple[float, float]
    recall: float
    expected_recall: float
    in_support: float
    judge_lift: float
    judge_tpr: float
    judge_fpr: float
    confidence: float

    def to_frame(self) -> pd.DataFrame:
        """Return a table: one row a figure, with the ends of its interval where it has one."""
        intervals = {"lift": self.lift_interval, "corrected_lift": self.corrected_interval}
        names = [
            "rate",
            "generated_rate",
            "lift",
            "corrected_lift",
            "recall",
            "expected_recall",
            "in_support",
            "judge_lift",
            "judge_tpr",
            "judge_fpr",
        ]
        rows = [(getattr(self, name), *intervals.get(name, (_NAN, _NAN))) for name in names]
        return pd.DataFrame(rows, index=names, columns=["value", "low", "high"])

    def __repr__(self) -> str:
        def lift(value: float, interval: tuple[float, float]) -> str:
            low, high = interval
            return f"{value:.2f}, {self.confidence:.0%} interval {low:.2f} to {high:.2f}"

        lines = [
            f"Rare mode: {self.n_rare} of {self.n_generated} generated rows, a rate of "
            f"{self.generated_rate:.4f} against {self.rate:.4f}",
            f"  lift            {lift(self.lift, self.lift_interval)}",
        ]
        if np.isfinite(self.corrected_lift):
            corrected = lift(self.corrected_lift, self.corrected_interval)
            lines.append(f"  corrected lift  {corrected}")
        elif self.judge_tpr <= self.judge_fpr:
            lines.append("  corrected lift  refused: the judge cannot tell rare rows from others")
        lines += [
            f"  recall          {self.recall:.2f} ({self.expected_recall:.2f} for draws from the "
            "truth)",
            f"  in support      {self.in_support:.2f}",
            f"  judge           lift {self.judge_lift:.2f} on real rows, true positives "
            f"{self.judge_tpr:.3f}, false positives {self.judge_fpr:.4f}",
        ]
        return "\n".join(lines)


def rare_mode_report(
    X_generated: Any,
    X_real: Any = None,
    *,
    y: Any = None,
    rare_label: Any = None,
    judge: Any = None,
    mixture: Any = None,
    component: int | None = None,
    rule: str | float = "responsibility",
    rarity: Any = None,
    rate: float | None = None,
    interval: str = "wilson",
    confidence: float = 0.95,
    n_neighbors: int = 5,
    random_state: Any = 0,
) -> RareModeReport:
    r"""Report on a rare mode: its share among draws, the part that is reached, the judge's errors.

    What is rare is said by exactly one of ``y``, ``mixture`` and ``rarity``. With :math:`r` the
    share of the draws counted rare and :math:`\pi` the true rate,

    .. math:: \text{lift} = \frac{r}{\pi}, \qquad
       \text{corrected lift} = \frac1\pi \cdot \frac{r - \mathrm{FPR}}{\mathrm{TPR} - \mathrm{FPR}},
       \qquad
       \text{judge lift} = \mathrm{TPR} + \mathrm{FPR} \cdot \frac{1 - \pi}{\pi} .

    Parameters
    ----------
    X_generated : array-like or DataFrame of shape (m, p)
        Draws, at least 2.
    X_real : array-like or DataFrame of shape (n, p), optional
        Real rows. Needed for ``y`` and ``rarity``; a mixture draws its own.
    y : array-like of shape (n,), optional
        Labels of the real rows: a judge says which draws are rare.
    rare_label : object, optional
        The rare label in y; by default the least frequent.
    judge : classifier or "boosting", optional
        Fitted on (X_real, y); its error rates are those on rows held out. By default the nearest
        real row in standardised columns, paper G's rule; "boosting", scikit-learn's
        HistGradientBoostingClassifier, suits tables.
    mixture : RingMixture or fitted GaussianMixture, optional
        The truth, or any object with ``weights_``, ``means_`` and ``covariances_``.
    component : int, optional
        The rare component; by default the lightest.
    rule : {"responsibility", "mahalanobis"} or float, default="responsibility"
        How a mixture counts: largest responsibility, nearest mean by Mahalanobis distance, or
        a responsibility above a threshold in [0, 1). Paper G tried .5 and .9.
    rarity : callable, optional
        Definition of rare rows: X_generated or X_real as given -> bool array, one a row.
    rate : float, optional
        :math:`\pi` in (0, 1], the rate in the rows that the generator was fitted on. By default
        the share of rare rows in X_real, whose own uncertainty is then part of the intervals, or
        the weight of the component.
    interval : {"wilson", "clopper-pearson"}, default="wilson"
        Interval of the lift: right on average, or never below its confidence.
    confidence : float, default=0.95
        Of both intervals, in (0, 1).
    n_neighbors : int, default=5
        Neighbours for recall and support; fewer if the real rare rows are fewer.
    random_state : int, RandomState or None, default=0
        Deals rows to folds, seeds the judge and the Monte Carlo of intervals and mixture.

    Returns
    -------
    RareModeReport

    Raises
    ------
    ValueError
        If not exactly one of ``y``, ``mixture`` and ``rarity`` is given, a sample has fewer than 2
        rows, the columns differ, fewer than 2 real rows are rare, or a number is out of its range.
    TypeError
        If the mixture is of no known kind.

    Warns
    -----
    UserWarning
        If the judge's TPR is not above its FPR: there is then no corrected lift.

    Notes
    -----
    *Lift* is calibration, *recall* is reach, *in support* is fidelity: draws that repeat one good
    rare row have a lift of 1 and next to no recall, and draws far from every mode still go to some
    component of a mixture.

    Recall is the share of the real rare rows whose ball, out to their ``n_neighbors``-th nearest
    other real *rare* row, holds a generated row that was counted rare; ``expected_recall`` depends
    on the numbers of rows. A row is in support (a precision would be the same) if it lies in such
    a ball or, for a mixture, in the ellipsoid that holds 98.9 % of the component: three standard
    deviations in two dimensions. Distances are in standardised columns, for a mixture in the
    units of the component. The real rare rows of a mixture are those that the rule counts in
    X_real; without X_real, as many draws of the component as the truth would give among m.

    The corrected lift assumes that the judge errs on draws as on real rows; it is held to
    [0, 1/:math:`\pi`]. Its interval is that of 20 000 draws from the posteriors of
    :math:`r`, TPR, FPR and :math:`\pi` under Jeffreys' prior. A judge with a lift far from 1 on
    real rows makes the raw lift useless, not the corrected one.

    References
    ----------
    Paper G (GA-AE), section 5.1 (rate, lift, rules); Rogan and Gladen, 1978, *Estimating prevalence
    from the results of a screening test* (correction); Donner and Zou, 2012, *Closed-form
    confidence intervals for functions of the normal mean and standard deviation* (the ratio of
    two estimated rates); Naeem et al., 2020 (balls).

    Examples
    --------
    >>> from geomgen.datasets import make_ring_mixture
    >>> X, y, mixture = make_ring_mixture(2000, random_state=0, return_mixture=True)
    >>> rare_mode_report(X, mixture=mixture)
    Rare mode: 43 of 2000 generated rows, a rate of 0.0215 against 0.0200
      lift            1.07, 95% interval 0.80 to 1.44
      recall          1.00 (0.97 for draws from the truth)
      in support      1.00
      judge           lift 1.00 on real rows, true positives 1.000, false positives 0.0000
    """
    _check_source(
        {"y": y, "mixture": mixture, "rarity": rarity},
        {
            "rare_label": (rare_label, "y"),
            "judge": (judge, "y"),
            "component": (component, "mixture"),
        },
    )
    check_count(n_neighbors, "n_neighbors")
    if rate is not None:
        check_rate(rate)
    rng = check_random_state(random_state)
    if y is not None:
        judged = by_labels(X_generated, X_real, y, rare_label, judge, rng)
    elif mixture is not None:
        judged = by_mixture(X_generated, X_real, mixture, component, rule, n_neighbors, rng)
    else:
        judged = by_function(X_generated, X_real, rarity)
    if len(judged.real_rows) < 2:
        raise ValueError(
            f"{len(judged.real_rows)} of the real rows are rare: at least 2 are needed. Give more "
            "real rows."
        )
    if rate is not None:
        judged = judged._replace(rate=rate, n_real=None)
    return _report(judged, interval, confidence, n_neighbors, rng)


def _report(
    judged: Judged, interval: str, confidence: float, n_neighbors: int, rng: np.random.RandomState
) -> RareModeReport:
    m, n_rare, pi = len(judged.counted), int(judged.counted.sum()), judged.rate
    r = n_rare / m
    ends = proportion_interval(n_rare, m, confidence=confidence, method=interval)
    rates = (pi, pi)
    if judged.n_real is not None:
        rare = round(pi * judged.n_real)
        rates = proportion_interval(rare, judged.n_real, confidence=confidence, method=interval)
    corrected, corrected_ends = corrected_lift(judged, confidence, rng)
    k = min(n_neighbors, len(judged.real_rows) - 1)
    recall, in_support = 0.0, _NAN
    if n_rare:
        balls, reached = ball_membership(judged.counted_rows, judged.real_rows, k)
        support = balls > 0 if judged.in_support is None else judged.in_support
        recall, in_support = float(reached.mean()), float(support.mean())
    return RareModeReport(
        n_generated=m,
        n_rare=n_rare,
        rate=pi,
        generated_rate=r,
        lift=r / pi,
        lift_interval=ratio_interval(r, ends, pi, rates),
        corrected_lift=corrected,
        corrected_interval=corrected_ends,
        recall=recall,
        expected_recall=expected_coverage(len(judged.real_rows), pi * m, n_neighbors=k),
        in_support=in_support,
        judge_lift=judged.tpr + judged.fpr * (1 - pi) / pi,
        judge_tpr=judged.tpr,
        judge_fpr=judged.fpr,
        confidence=confidence,
    )


def _check_source(sources: dict[str, Any], options: dict[str, tuple[Any, str]]) -> None:
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        raise ValueError(
            f"Say what is rare by exactly one of y (labels of X_real), mixture (the truth) and "
            f"rarity (a function of rows); got {' and '.join(given) or 'none'}."
        )
    for name, (value, source) in options.items():
        if value is not None and source not in given:
            raise ValueError(f"{name}={value!r} belongs to {source}, and {given[0]} was given.")
