"""Energy distance, rare-mode lift and effective rank."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from geomgen.metrics import (
    effective_rank,
    energy_distance,
    is_rare,
    judge_lift,
    lift_interval,
    neighbour_judge,
    rare_mode_lift,
)


def naive(X, Y):
    """The V-statistic by its three double means, in extended precision."""
    xy, xx, yy = (cdist(a, b).astype(np.longdouble).mean() for a, b in ((X, Y), (X, X), (Y, Y)))
    return float(2 * xy - xx - yy)


def normal(n, p, seed=0):
    return np.random.RandomState(seed).normal(size=(n, p))


# ------------------------------------------------------------------------- energy distance
@pytest.mark.parametrize("m", [1, 700, 1024, 1025])
@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 1025])
def test_energy_distance_at_tile_boundaries(n, m):
    X, Y = normal(n, 3), 0.5 + 2 * normal(m, 3, 1)
    assert energy_distance(X, Y) == pytest.approx(naive(X, Y), rel=1e-10)
    assert energy_distance(Y, X) == pytest.approx(naive(X, Y), rel=1e-10)


@pytest.mark.parametrize(("n", "m"), [(50, 80), (300, 1500)])
def test_energy_distance_is_scipys_squared(n, m):
    """In one dimension ED = 2 ∫(F - G)², of which scipy returns the root."""
    X, Y = normal(n, 1), 0.3 + normal(m, 1, 1)
    expected = scipy.stats.energy_distance(X[:, 0], Y[:, 0]) ** 2
    assert energy_distance(X, Y) == pytest.approx(expected, rel=1e-9)


def test_energy_distance_of_two_points():
    assert energy_distance([[0.0, 0.0]], [[3.0, 4.0]]) == 10
    assert energy_distance([[0.0], [2.0]], [[1.0]]) == pytest.approx(2 * 1 - 1)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("outlier", [False, True])
@pytest.mark.parametrize("width", [1e-3, 1e-6])
def test_energy_distance_of_tiny_clusters(offset, outlier, width):
    """The Gram form of the distances has lost all digits inside these clusters."""
    X, Y = offset + width * normal(300, 4), offset + width * (1 + normal(400, 4, 1))
    if outlier:
        X[7] = 1e4
    expected = naive(X, Y)
    assert energy_distance(X, Y) == pytest.approx(expected, rel=1e-5, abs=1e-12 * np.ptp(X))


@pytest.mark.parametrize("width", [1e-5, 1e-7])
def test_energy_distance_of_tiny_clusters_far_apart(width):
    """Equal but for the widths of two clusters, of which the Gram form knows one digit."""
    sign = np.where(np.arange(300) % 2, 1.0, -1.0)[:, None]
    X, Y = sign + width * normal(300, 2), sign + 2 * width * normal(300, 2, 1)
    assert energy_distance(X, Y) == pytest.approx(naive(X, Y), rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 257, 1300])
def test_energy_distance_of_copies(n):
    X = 1e3 + normal(n, 3)
    order = np.random.RandomState(0).permutation(n)
    assert 0 <= energy_distance(X, X) < 1e-14
    assert 0 <= energy_distance(X, X.copy()[order]) < 1e-14
    assert 0 <= energy_distance(X, np.repeat(X, 3, axis=0)) < 1e-14


def test_energy_distance_invariances():
    X, Y = normal(60, 3), 1 + normal(70, 3, 1)
    Q, value = np.linalg.qr(normal(3, 3, 2))[0], energy_distance(X, Y)
    assert energy_distance(Y, X) == pytest.approx(value, rel=1e-12)
    assert energy_distance(X @ Q + 50, Y @ Q + 50) == pytest.approx(value, rel=1e-9)
    assert energy_distance(1e-3 * X, 1e-3 * Y) == pytest.approx(1e-3 * value, rel=1e-9)
    assert energy_distance(np.r_[X, X], Y) == pytest.approx(value, rel=1e-9)


def test_energy_distance_takes_what_scikit_learn_takes():
    X, Y = normal(20, 2).astype(np.float32), normal(30, 2, 1)
    frames = pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(Y, columns=["a", "b"])
    assert energy_distance(*frames) == energy_distance(X, Y) == energy_distance(X, Y.tolist())
    X_before = X.copy()
    energy_distance(X, Y)
    np.testing.assert_array_equal(X, X_before)


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        ([[0.0, np.nan]], [[0.0, 1.0]], "X contains NaN"),
        ([[0.0, 1.0]], [[0.0, np.inf]], "Y contains infinity"),
        ([[0.0, 1.0]], [[0.0, 1.0, 2.0]], "X has 2 columns and Y 3"),
        ([0.0, 1.0], [[0.0]], "2D array"),
        ([[0.0]], 3.0, "2D array"),
        (np.empty((0, 2)), [[0.0, 1.0]], "0 sample"),
    ],
)
def test_energy_distance_rejects(X, Y, message):
    with pytest.raises(ValueError, match=message):
        energy_distance(X, Y)


# -------------------------------------------------------------------------- effective rank
def definition(Z, kind, center):
    Z = Z - Z.mean(0) if center else Z
    values = np.linalg.eigvalsh(Z.T @ Z / len(Z))
    p = values[values > 0] / values.sum()
    return 1 / (p**2).sum() if kind == "participation" else np.exp(scipy.stats.entropy(p))


@pytest.mark.parametrize("kind", ["participation", "entropy"])
@pytest.mark.parametrize("center", [False, True])
def test_effective_rank_is_its_definition(kind, center):
    Z = 2 + normal(50, 5) * [1, 2, 3, 4, 5]
    found = effective_rank(Z, kind=kind, center=center)
    assert found == pytest.approx(definition(Z, kind, center))
    assert effective_rank(1e-200 * Z, kind=kind, center=center) == pytest.approx(found)
    assert effective_rank(Z @ np.linalg.qr(normal(5, 5))[0], kind=kind, center=center) == (
        pytest.approx(found)
    )


@pytest.mark.parametrize("kind", ["participation", "entropy"])
def test_effective_rank_closed_forms(kind):
    assert effective_rank(7 * np.eye(6), kind=kind) == pytest.approx(6)
    assert effective_rank(np.eye(6), kind=kind, center=True) == pytest.approx(5)
    assert effective_rank(np.outer([1, -2, 3], [1, 2]), kind=kind) == pytest.approx(1)
    assert effective_rank(np.zeros((4, 3)), kind=kind) == 0
    assert effective_rank(np.full((4, 3), 0.1), kind=kind) == pytest.approx(1)
    assert effective_rank(np.full((4, 3), 0.5), kind=kind, center=True) == 0


def test_effective_rank_formulas():
    Z = np.diag(np.sqrt([3.0, 1.0]))  # p = (3/4, 1/4)
    assert effective_rank(Z) == pytest.approx(16 / 10)
    assert effective_rank(Z, kind="entropy") == pytest.approx(4 / 3**0.75)


@pytest.mark.parametrize("kwargs", [{"kind": "stable"}, {"kind": None}])
def test_effective_rank_rejects(kwargs):
    with pytest.raises(ValueError, match="'participation' or 'entropy'"):
        effective_rank(np.eye(2), **kwargs)


# -------------------------------------------------------------------------- rare-mode lift
def mask(k, n):
    return np.arange(n) < k


def test_rare_mode_lift():
    assert rare_mode_lift(mask(44, 2000), 0.02) == pytest.approx(1.1)
    assert rare_mode_lift(mask(0, 10), 0.5) == 0
    assert rare_mode_lift([1, 0], 1) == 0.5


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
