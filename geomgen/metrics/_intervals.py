"""Intervals of proportions, and of what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import beta, norm
from sklearn.utils import check_random_state

__all__ = ["corrected_interval", "proportion_interval", "ratio_interval", "wilson"]

Interval = tuple[float, float]

_DRAWS = 20_000  # of each rate: the ends of a 95 % interval move by about 1 % of its width


def proportion_interval(
    count: int, n: int, *, confidence: float = 0.95, method: str = "wilson"
) -> Interval:
    """Interval of a binomial proportion: Wilson's score or Clopper and Pearson's exact one."""
    if method == "wilson":
        return wilson(count / n, 1 / n, confidence)
    if method != "clopper-pearson":
        raise ValueError(
            f"The interval {method!r} is not known: use 'wilson' (right on average) or "
            "'clopper-pearson' (never below its confidence)."
        )
    check_confidence(confidence)
    tail = (1 - confidence) / 2
    low = beta.ppf(tail, count, n - count + 1) if count else 0.0
    high = beta.ppf(1 - tail, count + 1, n - count) if count < n else 1.0
    return float(low), float(high)


def wilson(p: float, inverse_n: float, confidence: float) -> Interval:
    """Values q with (p - q)² ≤ z² q (1 - q) / n (Wilson, 1927); n need not be whole."""
    check_confidence(confidence)
    c = norm.ppf(0.5 + confidence / 2) ** 2 * inverse_n
    middle = (p + c / 2) / (1 + c)
    half = np.sqrt(c * (p * (1 - p) + c / 4)) / (1 + c)
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))


def ratio_interval(p: float, p_interval: Interval, q: float, q_interval: Interval) -> Interval:
    """Interval of p/q from those of two independent proportions (MOVER; Donner and Zou, 2012)."""
    (p_low, p_high), (q_low, q_high) = p_interval, q_interval

    def root(a: float, b: float) -> float:
        return float(np.sqrt(max((p * q) ** 2 - a * b, 0.0)))

    a, b = p_low * (2 * p - p_low), q_high * (2 * q - q_high)
    low = a / (p * q + root(a, b)) if p > 0 else 0.0  # stable where q_high is near 2 q
    a, b = p_high * (2 * p - p_high), q_low * (2 * q - q_low)
    high = (p * q + root(a, b)) / b if q_low > 0 else float("inf")
    return low, high


def corrected_interval(
    judged: Interval,
    hits: Interval,
    false_alarms: Interval,
    rate: Interval | float,
    *,
    confidence: float,
    random_state: Any,
) -> Interval:
    """Interval of (r - FPR) / (TPR - FPR) / rate from counts (successes, trials) of each.

    Quantiles over independent draws of the posteriors of the rates under Jeffreys' prior, given
    that TPR > FPR. The delta method has no width where a judge made no error on few rows.
    """
    check_confidence(confidence)
    rng = check_random_state(random_state)

    def posterior(counts: Interval) -> np.ndarray:
        successes, trials = counts
        return rng.beta(successes + 0.5, trials - successes + 0.5, _DRAWS)

    r, tpr, fpr = posterior(judged), posterior(hits), posterior(false_alarms)
    pi = posterior(rate) if isinstance(rate, tuple) else np.full(_DRAWS, rate)
    able = tpr > fpr
    if not able.any():
        return 0.0, float("inf")
    lift = np.clip((r - fpr)[able] / (tpr - fpr)[able], 0, 1) / pi[able]
    low, high = np.quantile(lift, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def check_confidence(confidence: float) -> None:
    """Raise unless a confidence is a probability strictly between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r} must be in (0, 1), such as 0.95.")
