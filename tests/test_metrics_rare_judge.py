"""The report by labels and a judge that errs: correction and intervals."""

import math

import numpy as np
import pytest
import scipy.stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from geomgen.metrics._intervals import corrected_interval, proportion_interval, ratio_interval
from geomgen.metrics.rare import judge_lift, lift_interval
from geomgen.metrics.rare_report import rare_mode_report

RNG = np.random.RandomState


class Noisy(ClassifierMixin, BaseEstimator):
    """Tells rows by the sign of the first column, wrong at known rates by the second, uniform."""

    def __init__(self, tpr=0.8, fpr=0.1):
        self.tpr, self.fpr = tpr, fpr

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.where(X[:, 0] > 0, X[:, 1] < self.tpr, X[:, 1] < self.fpr)


def rows(n_rare, n_others, rng):
    rare = np.arange(n_rare + n_others) < n_rare
    return np.c_[np.where(rare, 1.0, -1.0), rng.uniform(size=len(rare))], rare


def two_modes(n_rare, n_others, seed=0, shift=20.0):
    rng = RNG(seed)
    rare = np.arange(n_rare + n_others) < n_rare
    return rng.normal(size=(len(rare), 2)) + shift * rare[:, None], rare


def test_labels_of_separated_modes():
    X, rare = two_modes(40, 1960)
    drawn, drawn_rare = two_modes(80, 1920, seed=1)
    found = rare_mode_report(drawn, X, y=np.where(rare, "fraud", "ok"), rate=0.02)
    assert found.n_rare == 80 and found.lift == 2
    assert found.corrected_lift == pytest.approx(2)
    assert (found.judge_lift, found.judge_tpr, found.judge_fpr) == (1, 1, 0)
    low, high = found.corrected_interval
    assert low < 2 < high and high - low > 0  # an error-free judge of 40 rows may yet err
    assert found.lift_interval == pytest.approx(lift_interval(drawn_rare, 0.02, method="wilson"))


def test_judge_lift_is_that_of_the_scorers():
    X, rare = two_modes(60, 940, shift=1.5)
    found = rare_mode_report(X, X, y=rare, judge=LogisticRegression(), rare_label=True)
    direct = judge_lift(X, rare, LogisticRegression())
    assert found.judge_lift == pytest.approx(direct, rel=0.1)
    assert found.judge_lift == pytest.approx(found.judge_tpr + found.judge_fpr * (1 - 0.06) / 0.06)


def test_correction_undoes_a_noisy_judge():
    """Its formula exactly, and the truth on average."""
    rng, corrected, raw = RNG(0), [], []
    for _ in range(200):
        X, rare = rows(100, 900, rng)
        drawn, _ = rows(200, 800, rng)  # a lift of 2
        found = rare_mode_report(drawn, X, y=rare, judge=Noisy(), rate=0.1)
        r, tpr, fpr = found.generated_rate, found.judge_tpr, found.judge_fpr
        assert found.corrected_lift == pytest.approx((r - fpr) / (tpr - fpr) / 0.1)
        corrected.append(found.corrected_lift)
        raw.append(found.lift)
    error = np.std(corrected) / np.sqrt(200)
    assert abs(np.mean(corrected) - 2) < 4 * error < 0.15
    assert np.mean(raw) == pytest.approx((0.2 * 0.8 + 0.8 * 0.1) / 0.1, rel=0.02)


def test_bias_of_the_correction_falls_as_one_over_n():
    """Exactly, over the binomial laws of the counts: E[1 / (TPR - FPR)] is not one over it."""
    tpr, fpr, r = 0.7, 0.2, 0.3

    def bias(n):
        k = np.arange(n + 1)
        a, b = (scipy.stats.binom.pmf(k, n, q)[:, None] for q in (tpr, fpr))
        hits, alarms = k[:, None] / n, k / n
        able = hits > alarms
        estimate = np.where(able, (r - alarms) / np.where(able, hits - alarms, 1), 0)
        weights = a * b.T * able
        return (weights * estimate).sum() / weights.sum() - (r - fpr) / (tpr - fpr)

    biases = np.array([bias(n) for n in (100, 200, 400)])
    assert (np.abs(biases) > 1e-4).all()
    np.testing.assert_allclose(biases[:-1] / biases[1:], 2, rtol=0.1)


@pytest.mark.parametrize(
    ("n_rare", "n_others", "tpr", "fpr", "lift", "known"),
    [
        (40, 1960, 0.9, 0.01, 1, True),
        (40, 1960, 0.9, 0.01, 1, False),
        (100, 400, 0.8, 0.1, 1, False),
        (20, 1980, 1.0, 0.0, 2, True),
    ],
)
def test_corrected_interval_covers(n_rare, n_others, tpr, fpr, lift, known):
    rng, held, n = RNG(0), [], n_rare + n_others
    pi, m = n_rare / n, 2000
    r = pi * lift * tpr + (1 - pi * lift) * fpr
    for _ in range(400):
        low, high = corrected_interval(
            (rng.binomial(m, r), m),
            (rng.binomial(n_rare, tpr), n_rare),
            (rng.binomial(n_others, fpr), n_others),
            pi if known else (rng.binomial(n, pi), n),
            confidence=0.9,
            random_state=0,
        )
        held.append(low <= lift <= high)
    assert abs(np.mean(held) - 0.9) < 0.03 + 2 * np.sqrt(0.9 * 0.1 / 400)


def test_corrected_interval_of_a_weak_judge():
    """Rates in the wrong order are ruled out: they would turn a sure excess into none."""
    low, high = corrected_interval(
        (950, 1000), (6, 10), (4, 10), 0.5, confidence=0.95, random_state=0
    )
    assert 1.5 < low <= high == 2


def test_interval_of_a_ratio():
    """A known rate divides the ends; an estimated one widens them, and it then covers."""
    ends = proportion_interval(30, 1000)
    fixed = ratio_interval(0.03, ends, 0.02, (0.02, 0.02))
    assert fixed == pytest.approx((ends[0] / 0.02, ends[1] / 0.02))
    low, high = ratio_interval(0.03, ends, 0.02, proportion_interval(20, 1000))
    assert low < fixed[0] and high > fixed[1]
    none, few = proportion_interval(0, 50), (0.03, 0.2)
    assert ratio_interval(0.0, none, 0.1, few)[0] == 0 < ratio_interval(0.0, none, 0.1, few)[1]
    for q_high in (0.19, 0.2, 0.21, 0.3):  # 2 q is no pole
        low, high = ratio_interval(0.1, (0.05, 0.2), 0.1, (0.03, q_high))
        assert 0.05 / 0.3 < low < 0.5 and 2 < high < 0.2 / 0.03
    assert ratio_interval(0.1, (0.05, 0.2), 0.1, (0.0, 0.2))[1] == math.inf
    rng, held = RNG(0), []
    for j, k in rng.binomial(1500, (0.04, 0.02), size=(600, 2)):
        p, q = (proportion_interval(c, 1500) for c in (j, k))
        low, high = ratio_interval(j / 1500, p, k / 1500, q)
        held.append(low <= 2 <= high)
    assert abs(np.mean(held) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 600)


def test_estimated_rate_widens_the_intervals():
    X, rare = two_modes(40, 1960)
    known, estimated = (rare_mode_report(X, X, y=rare, rate=rate) for rate in (0.02, None))
    assert known.lift == estimated.lift
    for name in ("lift_interval", "corrected_interval"):
        (a, b), (c, d) = getattr(known, name), getattr(estimated, name)
        assert c < a < b < d


@pytest.mark.parametrize(("tpr", "fpr"), [(0.3, 0.6), (0.0, 0.0)])
def test_correction_is_refused_where_the_judge_is_blind(tpr, fpr):
    X, rare = rows(50, 450, RNG(0))
    with pytest.warns(UserWarning, match="is not above its false-positive rate"):
        found = rare_mode_report(X, X, y=rare, judge=Noisy(tpr, fpr))
    assert math.isnan(found.corrected_lift) and np.isnan(found.corrected_interval).all()
    assert found.lift == pytest.approx(found.generated_rate / 0.1)
    assert "refused" in repr(found)


def test_corrected_lift_stays_a_lift():
    """Fewer rows judged rare than false alarms alone would give: 0, not less."""
    X, rare = rows(50, 450, RNG(0))
    drawn = np.c_[np.full(100, -1.0), np.full(100, 0.99)]
    found = rare_mode_report(drawn, X, y=rare, judge=Noisy(0.9, 0.2))
    assert (found.n_rare, found.corrected_lift, found.corrected_interval[0]) == (0, 0, 0)
    assert found.recall == 0 and math.isnan(found.in_support)


def test_boosting_judges_tables():
    """The rare rows lie in a corner of two columns of ten; neighbours are lost in the others."""
    rng = RNG(0)
    X, drawn = rng.normal(size=(2, 2000, 10))
    rare, drawn_rare = ((Z[:, 0] > 0.8) & (Z[:, 1] > 0.8) for Z in (X, drawn))
    neighbour = rare_mode_report(drawn, X, y=rare)
    boosted = rare_mode_report(drawn, X, y=rare, judge="boosting")
    assert boosted.judge_tpr > 0.9 > 0.5 > neighbour.judge_tpr
    assert boosted.n_rare == pytest.approx(drawn_rare.sum(), rel=0.1)
