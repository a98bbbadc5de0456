"""Rare-mode rate, lift and recall, their intervals, and the judge."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from geomgen.metrics.rare import (
    is_rare,
    judge_lift,
    lift_interval,
    neighbour_judge,
    rare_mode_lift,
    rare_mode_rate,
    rare_recall,
)


def normal(n, p, seed=0):
    return np.random.RandomState(seed).normal(size=(n, p))


# -------------------------------------------------------------------------- rare-mode lift
def mask(k, n):
    return np.arange(n) < k


def test_rare_mode_lift():
    assert rare_mode_lift(mask(44, 2000), 0.02) == pytest.approx(1.1)
    assert rare_mode_lift(mask(0, 10), 0.5) == 0
    assert rare_mode_lift([1, 0], 1) == 0.5


def test_rare_mode_rate():
    assert rare_mode_rate(mask(44, 2000)) == 0.022
    assert rare_mode_rate(mask(44, 2000)) / 0.02 == rare_mode_lift(mask(44, 2000), 0.02)


def test_rare_recall_is_a_ratio_of_counts():
    assert rare_recall(mask(30, 100), mask(40, 90)) == 0.75
    assert rare_recall(mask(2000, 2000), mask(1010, 10_000)) == pytest.approx(1.98, abs=1e-3)
    assert rare_recall(mask(0, 5), mask(1, 5)) == 0


@pytest.mark.parametrize("rare", [[], [[True]], True])
def test_rates_reject(rare):
    for function in (rare_mode_rate, lambda m: rare_recall(m, [True])):
        with pytest.raises(ValueError, match="at least one row"):
            function(rare)


def test_rare_recall_needs_a_rare_row():
    with pytest.raises(ValueError, match="None of the 3 real rows is rare"):
        rare_recall([True], [False] * 3)


@pytest.mark.parametrize("function", [rare_mode_lift, lift_interval])
@pytest.mark.parametrize(
    ("rare", "rate"), [([], 0.1), ([[True]], 0.1), ([True], 0), ([True], 1.1), ([True], math.nan)]
)
def test_lift_rejects(function, rare, rate):
    with pytest.raises(ValueError, match="at least one row|must be in"):
        function(rare, rate)


@pytest.mark.parametrize(("k", "n"), [(0, 50), (3, 50), (50, 50), (1, 1)])
@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_lift_interval_is_clopper_pearson(k, n, confidence):
    a, rate = (1 - confidence) / 2, 0.25
    low = scipy.stats.beta.ppf(a, k, n - k + 1) if k else 0.0
    high = scipy.stats.beta.ppf(1 - a, k + 1, n - k) if k < n else 1.0
    found = lift_interval(mask(k, n), rate, confidence=confidence)
    assert found == pytest.approx((low / rate, high / rate), rel=1e-6)


@pytest.mark.parametrize("method", ["wilson", "clopper-pearson"])
@pytest.mark.parametrize(("k", "n"), [(0, 50), (3, 50), (50, 50), (1, 1)])
def test_lift_interval_is_scipys(k, n, method):
    name = {"wilson": "wilson", "clopper-pearson": "exact"}[method]
    low, high = scipy.stats.binomtest(k, n).proportion_ci(0.9, method=name)
    found = lift_interval(mask(k, n), 0.5, confidence=0.9, method=method)
    assert found == pytest.approx((2 * low, 2 * high), abs=1e-12)


def coverage(p, n, method, confidence):
    """Of a binomial interval, exactly: the probability of the counts whose interval holds p."""
    counts = np.arange(n + 1)
    ends = np.array(
        [lift_interval(mask(k, n), 1.0, confidence=confidence, method=method) for k in counts]
    )
    holds = (ends[:, :1] <= p) & (p <= ends[:, 1:])
    return (scipy.stats.binom.pmf(counts[:, None], n, p) * holds).sum(0)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_wilson_covers_on_average_and_clopper_pearson_always(confidence):
    p = np.linspace(0.005, 0.995, 199)
    for n in (10, 40, 150):
        wilson = coverage(p, n, "wilson", confidence)
        assert abs(wilson.mean() - confidence) < 0.03
        assert coverage(p, n, "clopper-pearson", confidence).min() >= confidence - 1e-12
        assert wilson.min() < confidence  # it is not the other one


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"method": "wald"}, "'wald' is not known: use 'wilson'"),
        ({"confidence": 0}, "confidence=0 must be in"),
        ({"confidence": 95, "method": "wilson"}, "confidence=95 must be in"),
    ],
)
def test_lift_interval_rejects(kwargs, message):
    with pytest.raises(ValueError, match=message):
        lift_interval([True], 0.5, **kwargs)


def test_lift_interval_covers():
    """The exact coverage is at least nominal; 500 draws may fall short by four errors."""
    rng, n, rate = np.random.RandomState(0), 400, 0.02
    counts = rng.binomial(n, 2 * rate, size=500)  # of true lift 2
    intervals = {k: lift_interval(mask(k, n), rate, confidence=0.9) for k in set(counts)}
    covered = np.mean([intervals[k][0] <= 2 <= intervals[k][1] for k in counts])
    assert 0.9 - 4 * np.sqrt(0.9 * 0.1 / 500) < covered < 1
    exact = sum(
        scipy.stats.binom.pmf(k, n, 2 * rate)
        for k in range(60)
        if lift_interval(mask(k, n), rate, confidence=0.9)[0] <= 2
        and lift_interval(mask(k, n), rate, confidence=0.9)[1] >= 2
    )
    assert 0.9 <= exact < 1


@pytest.mark.parametrize(
    ("y", "label", "expected"),
    [
        (["b", "b", "a"], None, [0, 0, 1]),
        (["b", "b", "a"], "b", [1, 1, 0]),
        (pd.Series([3, 1, 3, 1], index=[9, 8, 7, 6]), None, [0, 1, 0, 1]),  # a tie: sorted order
        ([False, False, True], None, [0, 0, 1]),
        ([0, 5, 5], 0, [1, 0, 0]),
    ],
)
def test_is_rare(y, label, expected):
    found = is_rare(y, label)
    assert found.dtype == bool and found.tolist() == expected


@pytest.mark.parametrize(("y", "label"), [([1, 1], None), ([1, 1], 1), ([1, 2], 3), (["a"], "b")])
def test_is_rare_says_what_to_do(y, label):
    with pytest.raises(ValueError, match="StratifiedKFold"):
        is_rare(y, label)


def test_is_rare_needs_labels():
    with pytest.raises(ValueError, match="pass y"):
        is_rare(None)


# -------------------------------------------------------------------------------- the judge
@pytest.mark.parametrize("judge", [None, DecisionTreeClassifier(max_depth=2, random_state=0)])
def test_judge_lift_of_separated_modes(judge):
    rare = mask(30, 500)
    assert judge_lift(normal(500, 2) + 20 * rare[:, None], rare, judge) == 1


def test_judge_lift_of_indistinguishable_modes():
    """A neighbour's label is then a draw of the labels: no bias, for any rate."""
    rare = np.random.RandomState(1).permutation(mask(400, 2000))
    # judged rare ~ 400 binomial draws' worth; neighbours are shared, so allow twice four errors
    assert abs(judge_lift(normal(2000, 2), rare) - 1) < 8 * np.sqrt(0.8 / 400)


def test_judge_lift_of_a_biased_judge():
    """The majority of all rows loses the rare mode."""
    rare = mask(20, 200)
    assert judge_lift(normal(200, 2), rare, KNeighborsClassifier(n_neighbors=150)) == 0


@pytest.mark.parametrize("k", [0, 1, 9])
def test_judge_lift_without_rows_to_hold_out(k):
    assert math.isnan(judge_lift(normal(10, 2), mask(k, 10) if k != 9 else ~mask(1, 10)))


def test_neighbour_judge_standardises():
    """Without it the second column, of large units, would decide."""
    rng = np.random.RandomState(0)
    X = np.c_[np.repeat([0.0, 1.0], 100), 1e6 * rng.normal(size=200)]
    judge = neighbour_judge().fit(X, X[:, 0])
    new = np.c_[np.repeat([0.0, 1.0], 100), 1e6 * rng.normal(size=200)]
    assert (judge.predict(new) == new[:, 0]).mean() > 0.95
