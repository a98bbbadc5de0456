"""The report on a rare mode: three sources of truth, reach and support."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture

from geomgen.datasets import make_ring_mixture
from geomgen.metrics._rarity import _Gaussians
from geomgen.metrics.neighbours import expected_coverage
from geomgen.metrics.rare import lift_interval
from geomgen.metrics.rare_report import rare_mode_report

RNG = np.random.RandomState


def two_modes(n_rare, n_others, seed=0, shift=20.0):
    rng = RNG(seed)
    rare = np.arange(n_rare + n_others) < n_rare
    return rng.normal(size=(len(rare), 2)) + shift * rare[:, None], rare


# ---------------------------------------------------------------------------- known mixtures
RING = make_ring_mixture(4000, random_state=1, return_mixture=True)


def test_fresh_draws_of_a_mixture():
    X, y, mixture = RING
    found = rare_mode_report(X, mixture=mixture)
    assert (found.n_rare, found.rate) == ((y == 0).sum(), 0.02)
    assert found.lift == (y == 0).mean() / 0.02
    assert found.lift_interval == pytest.approx(lift_interval(y == 0, 0.02, method="wilson"))
    assert found.judge_lift == pytest.approx(1, abs=1e-6) and found.in_support > 0.95
    assert abs(found.recall - found.expected_recall) < 0.1
    assert math.isnan(found.corrected_lift) and "corrected" not in repr(found)


def test_rows_far_from_every_mode_are_counted_but_not_in_support():
    """Reading G10: the largest responsibility is of some component, however far."""
    X, _, mixture = RING
    line = np.c_[np.linspace(1, 20, 100), np.zeros(100)]
    found = rare_mode_report(np.r_[X[:100], line], mixture=mixture, component=0)
    on_line = np.abs(line[:, 0] - 4) <= 3 * mixture.std
    counted = mixture.predict(np.r_[X[:100], line]) == 0
    assert found.n_rare == counted.sum() > 90
    near = mixture.distances(np.r_[X[:100], line])[:, 0] <= 3
    assert found.in_support == pytest.approx((near & counted).sum() / counted.sum())
    assert found.in_support < 2 * on_line.mean()


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_responsibilities_are_scikit_learns(kind):
    X = np.r_[
        RNG(0).normal(size=(200, 3)), 3 + RNG(1).normal(size=(60, 3)) @ np.triu(np.ones((3, 3)))
    ]
    fitted = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    ours = _Gaussians.of(fitted)
    np.testing.assert_allclose(ours.responsibilities(X), fitted.predict_proba(X), atol=1e-10)
    rare = int(fitted.weights_.argmin())
    found = rare_mode_report(X, mixture=fitted)
    assert found.n_rare == (fitted.predict(X) == rare).sum()
    assert found.rate == pytest.approx(fitted.weights_[rare])
    precisions = [np.linalg.inv(f @ f.T) for f in ours.factors]
    expected = [
        [np.sqrt((x - m) @ P @ (x - m)) for m, P in zip(ours.means, precisions, strict=True)]
        for x in X[:5]
    ]
    np.testing.assert_allclose(ours.distances(X[:5]), expected)


def test_rules_of_paper_g():
    X, _, mixture = make_ring_mixture(3000, std=1.2, random_state=0, return_mixture=True)
    r = mixture.responsibilities(X)
    expected = {
        "responsibility": r.argmax(1) == 0,
        "mahalanobis": mixture.distances(X).argmin(1) == 0,
        0.5: r[:, 0] > 0.5,
        0.9: r[:, 0] > 0.9,
    }
    counts = {}
    for rule, mask in expected.items():
        found = rare_mode_report(X, mixture=mixture, rule=rule)
        counts[rule] = found.n_rare
        assert found.n_rare == mask.sum()
        # the rule's own lift is that on real rows, here many draws of the truth
        fresh, _ = mixture.sample(200_000, random_state=1)
        real = _Gaussians.of(mixture).select(fresh, 0, rule).mean() / 0.02
        assert found.judge_lift == pytest.approx(real, abs=0.06)  # four errors
    assert len(set(counts.values())) == 4


def test_an_overlapped_mode_is_under_counted():
    """The rule gives its rows to heavier neighbours, and the report says so."""
    X, _, mixture = make_ring_mixture(3000, std=1.2, random_state=0, return_mixture=True)
    found = rare_mode_report(X, mixture=mixture, rule=0.5)
    assert found.judge_tpr < 0.7 and found.judge_lift < 0.7
    assert found.in_support > 0.95


@pytest.mark.parametrize("p", [1, 2, 8, 40])
def test_support_holds_the_same_mass_in_any_dimension(p):
    mixture = GaussianMixture(2)
    mixture.weights_, mixture.means_ = np.array([0.5, 0.5]), np.stack([np.zeros(p), np.full(p, 99)])
    mixture.covariances_ = np.stack([np.eye(p)] * 2)
    found = rare_mode_report(RNG(0).normal(size=(4000, p)), mixture=mixture, component=0)
    mass = scipy.stats.chi2.cdf(9, 2)
    assert found.in_support == pytest.approx(mass, abs=4 * np.sqrt(mass * (1 - mass) / 4000))


# ------------------------------------------------------------------------------ a function
def test_a_function_of_rows_sees_the_frames():
    columns = ["amount", "hour"]
    X, drawn = (pd.DataFrame(RNG(s).normal(size=(500, 2)), columns=columns) for s in (0, 1))
    found = rare_mode_report(drawn, X, rarity=lambda rows: rows["amount"] > 1)
    expected = (drawn["amount"] > 1).mean(), (X["amount"] > 1).mean()
    assert (found.generated_rate, found.rate) == expected
    assert (found.judge_lift, found.judge_tpr, found.judge_fpr) == (1, 1, 0)
    known = rare_mode_report(drawn, X, rarity=lambda rows: rows["amount"] > 1, rate=0.1587)
    assert known.lift == pytest.approx(expected[0] / 0.1587)


# ----------------------------------------------------------------------- recall and support
def test_recall_and_support_closed_cases():
    """Real rare rows at 10, 11, 13 and 17: balls of one neighbour reach 1, 1, 2 and 4."""
    X = np.r_[np.zeros(96), [10.0, 11.0, 13.0, 17.0]][:, None]
    for drawn, recall, support in [
        ([0.0, 10.5], 2 / 4, 1.0),
        ([0.0, 8.9], 0.0, 0.0),
        ([0.0, 9.0], 1 / 4, 1.0),
        ([0.0, 12.0, 30.0], 2 / 4, 1 / 2),
        ([0.0, 10.0, 14.0], 4 / 4, 1.0),
        ([0.0, 0.0], 0.0, np.nan),
    ]:
        found = rare_mode_report(
            np.array(drawn)[:, None], X, rarity=lambda x: x[:, 0] > 5, n_neighbors=1
        )
        assert found.recall == recall
        assert found.in_support == pytest.approx(support, nan_ok=True)


def test_repeating_one_rare_row_has_lift_but_no_reach():
    X, rare = two_modes(100, 900)
    drawn = np.r_[X[rare][:1].repeat(100, axis=0), X[~rare]]
    found = rare_mode_report(drawn, X, y=rare)
    assert found.lift == 1 and found.in_support == 1
    assert found.recall < 0.3 < 0.9 < found.expected_recall


def test_recall_of_fresh_draws_is_the_expected():
    rng, found = RNG(0), []
    for _ in range(150):
        X, drawn = (np.r_[rng.normal(size=(30, 2)), 50 + rng.normal(size=(70, 2))] for _ in "ab")
        found.append(rare_mode_report(drawn, X, rarity=lambda x: x[:, 0] < 25))
    recall = np.array([f.recall for f in found])
    assert found[0].expected_recall == expected_coverage(30, 30)
    assert abs(recall.mean() - found[0].expected_recall) < 4 * recall.std() / np.sqrt(150)


def test_units_of_the_columns_do_not_matter():
    X, rare = two_modes(30, 270, shift=3.0)
    drawn, units = two_modes(30, 270, seed=1, shift=3.0)[0], np.array([1e-3, 1e4])
    assert rare_mode_report(drawn * units, X * units, y=rare) == rare_mode_report(drawn, X, y=rare)


def test_constant_columns_and_few_rare_rows():
    X, rare = two_modes(3, 97)
    padded, drawn = np.c_[X, np.ones(100)], np.c_[two_modes(3, 97, seed=1)[0], np.ones(100)]
    found = rare_mode_report(drawn, padded, y=rare)
    assert found == rare_mode_report(drawn[:, :2], X, y=rare)
    assert found.expected_recall == expected_coverage(3, 3, n_neighbors=2)


# --------------------------------------------------------------------------------- interface
def test_table_and_text():
    X, rare = two_modes(40, 960, shift=3.0)
    found = rare_mode_report(X, X, y=rare, judge=LogisticRegression())
    frame = found.to_frame()
    assert list(frame.columns) == ["value", "low", "high"]
    assert frame.loc["lift"].tolist() == [found.lift, *found.lift_interval]
    assert frame.loc["corrected_lift"].tolist() == [
        found.corrected_lift,
        *found.corrected_interval,
    ]
    assert frame.loc["recall", "value"] == found.recall and frame.low.notna().sum() == 2
    for word in ("lift", "corrected lift", "recall", "in support", "judge", "95% interval"):
        assert word in repr(found)


def test_the_same_seed_gives_the_same_report_and_touches_nothing():
    X, rare = two_modes(40, 460, shift=2.0)
    judge, before = LogisticRegression(), X.copy()
    state = np.random.get_state()[1].copy()
    first, second = (rare_mode_report(X, X, y=rare, judge=judge) for _ in range(2))
    other = rare_mode_report(X, X, y=rare, judge=judge, random_state=1)
    assert first == second
    assert first.corrected_interval != other.corrected_interval
    assert (np.random.get_state()[1] == state).all() and not hasattr(judge, "classes_")
    np.testing.assert_array_equal(X, before)


def test_intervals_by_name():
    X, y, mixture = RING
    found = rare_mode_report(X, mixture=mixture, interval="clopper-pearson", confidence=0.8)
    assert found.lift_interval == pytest.approx(lift_interval(y == 0, 0.02, confidence=0.8))
    assert "80% interval" in repr(found)


GOOD, RARE = two_modes(10, 40)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({}, "exactly one of y .*, mixture .* and rarity .*; got none"),
        ({"y": RARE, "mixture": RING[2]}, "exactly one of .* got y and mixture"),
        ({"y": RARE[:-1]}, r"y has shape \(49,\): it must be one label a row, \(50,\)"),
        ({"y": RARE, "rare_label": 7}, "no rows with the rare label 7"),
        ({"y": np.arange(50) == 3}, "Of 50 real rows 1 are rare"),
        ({"y": RARE, "judge": "forest"}, "judge='forest' must be 'boosting'"),
        ({"y": RARE, "rate": 0.0}, r"rate=0.0 must be in \(0, 1\]"),
        ({"y": RARE, "rate": 1.5}, r"rate=1.5 must be in \(0, 1\]"),
        ({"y": RARE, "confidence": 1}, "confidence=1 must be in"),
        ({"y": RARE, "interval": "wald"}, "'wald' is not known"),
        ({"y": RARE, "n_neighbors": 0}, "n_neighbors=0 must be a whole number"),
        ({"y": RARE, "component": 1}, "component=1 belongs to mixture, and y was given"),
        ({"rarity": lambda X: X[:, 0] > 9, "judge": "boosting"}, "belongs to y, and rarity"),
        ({"rarity": lambda X: X[:, 0]}, "must return one bool a row"),
        ({"rarity": lambda X: X[:9, 0] > 9}, r"bool of shape \(9,\) for 50 rows"),
        ({"rarity": lambda X: X[:, 0] > 99}, "0 of the real rows are rare"),
        ({"mixture": RING[2], "component": 8}, "component=8 must be one of 0 to 7"),
        ({"mixture": RING[2], "rule": "nearest"}, "rule='nearest' must be 'responsibility'"),
        ({"mixture": RING[2], "rule": 1.0}, "rule=1.0 must be"),
    ],
)
def test_report_rejects(kwargs, message):
    with pytest.raises(ValueError, match=message):
        rare_mode_report(GOOD, GOOD, **kwargs)


@pytest.mark.parametrize(
    ("drawn", "real", "message"),
    [
        (GOOD[:1], GOOD, "X_generated has 1 rows: at least 2"),
        (GOOD, GOOD[:1], "X_real has 1 rows: at least 2"),
        (GOOD[:, :1], GOOD, "X_real has 2 columns and X_generated 1"),
        (GOOD, None, "X_real is needed"),
        (np.full((5, 2), np.nan), GOOD, "X_generated contains NaN"),
    ],
)
def test_report_rejects_rows(drawn, real, message):
    with pytest.raises(ValueError, match=message):
        rare_mode_report(drawn, real, y=RARE)


def test_report_rejects_other_mixtures():
    with pytest.raises(TypeError, match="has no weights_: pass a RingMixture"):
        rare_mode_report(GOOD, mixture=GaussianMixture(2))
    with pytest.raises(ValueError, match="X_generated has 3 columns and the mixture 2"):
        rare_mode_report(np.ones((5, 3)), mixture=RING[2])
