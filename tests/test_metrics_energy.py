"""Energy distance, its floor and its permutation test."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from scipy.spatial.distance import cdist

from geomgen.metrics import _pairs, energy
from geomgen.metrics.energy import energy_distance, energy_floor, energy_test


def naive(X, Y, w=None, v=None, unbiased=False):
    """The statistic by its three double means, in extended precision."""
    w, v = (
        np.full(len(a), 1 / len(a)) if b is None else np.asarray(b) / np.sum(b)
        for a, b in ((X, w), (Y, v))
    )
    xy, xx, yy = (
        a.astype(np.longdouble) @ cdist(P, Q) @ b
        for P, Q, a, b in ((X, Y, w, v), (X, X, w, w), (Y, Y, v, v))
    )
    if unbiased:
        xx, yy = xx / (1 - (w**2).sum()), yy / (1 - (v**2).sum())
    return float(2 * xy - xx - yy)


def normal(n, p, seed=0):
    return np.random.RandomState(seed).normal(size=(n, p))


# ----------------------------------------------------------------------------- the distance
@pytest.mark.parametrize("m", [1, 1024, 1025])
@pytest.mark.parametrize("n", [1, 2, 127, 128, 129, 1200])
def test_at_tile_boundaries(n, m):
    X, Y = normal(n, 3), 0.5 + 2 * normal(m, 3, 1)
    assert energy_distance(X, Y) == pytest.approx(naive(X, Y), rel=1e-10)
    assert energy_distance(Y, X) == pytest.approx(naive(X, Y), rel=1e-10)


@pytest.mark.parametrize(("n", "m"), [(50, 80), (300, 1500)])
def test_it_is_scipys_squared(n, m):
    """In one dimension ED = 2 ∫(F - G)², of which scipy returns the root."""
    X, Y = normal(n, 1), 0.3 + normal(m, 1, 1)
    expected = scipy.stats.energy_distance(X[:, 0], Y[:, 0]) ** 2
    assert energy_distance(X, Y) == pytest.approx(expected, rel=1e-9)


def test_weights_are_scipys():
    X, Y = normal(50, 1), normal(80, 1, 1)
    w, v = np.random.RandomState(2).rand(50), np.arange(80)
    expected = scipy.stats.energy_distance(X[:, 0], Y[:, 0], w, v) ** 2
    assert energy_distance(X, Y, X_weight=w, Y_weight=v) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("unbiased", [False, True])
def test_it_is_dcors(unbiased):
    threads = torch.get_num_threads()
    import dcor

    torch.set_num_threads(threads)  # importing dcor changes it
    X, Y = normal(60, 5), 0.3 + normal(90, 5, 1)
    kind = dcor.EstimationStatistic.U_STATISTIC if unbiased else "V_STATISTIC"
    expected = dcor.energy_distance(X, Y, estimation_stat=kind)
    assert energy_distance(X, Y, unbiased=unbiased) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("unbiased", [False, True])
def test_weights_are_the_formula(unbiased):
    X, Y = normal(150, 4), 1 + normal(200, 4, 1)
    w, v = np.random.RandomState(2).rand(150), np.random.RandomState(3).rand(200)
    found = energy_distance(X, Y, unbiased=unbiased, X_weight=w, Y_weight=v)
    assert found == pytest.approx(naive(X, Y, w, v, unbiased), rel=1e-10)


def test_weights_are_repeated_rows():
    X, Y, counts = normal(40, 3), normal(30, 3, 1), np.arange(40) % 4
    found = energy_distance(X, Y, X_weight=counts)
    assert found == pytest.approx(energy_distance(np.repeat(X, counts, axis=0), Y), rel=1e-10)


def test_of_two_points():
    assert energy_distance([[0.0, 0.0]], [[3.0, 4.0]]) == 10
    assert energy_distance([[0.0], [2.0]], [[1.0]]) == pytest.approx(2 * 1 - 1)
    assert energy_distance([[0.0], [2.0]], [[1.0], [1.0]], unbiased=True) == pytest.approx(0)


def test_the_unbiased_statistic_has_mean_zero_and_the_other_its_bias():
    """400 draws: the means are within four errors of 0 and of (1/n + 1/m) E|X - X'|."""
    n, m, mean = 12, 20, 2 / np.sqrt(np.pi)  # E|X - X'| of normal numbers
    pairs = [(normal(n, 1, 2 * i), normal(m, 1, 2 * i + 1)) for i in range(400)]
    for unbiased, expected in ((True, 0), (False, (1 / n + 1 / m) * mean)):
        values = np.array([energy_distance(X, Y, unbiased=unbiased) for X, Y in pairs])
        assert abs(values.mean() - expected) < 4 * values.std() / np.sqrt(400)
        assert (values.min() < 0) == unbiased


# ------------------------------------------------------------------------------- exactness
@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("outlier", [False, True])
@pytest.mark.parametrize("width", [1.0, 1e-3, 1e-6])
def test_of_hostile_samples(offset, outlier, width):
    """The Gram form of the distances has lost its digits inside these clusters."""
    X, Y = offset + width * normal(300, 4), offset + width * (1 + normal(400, 4, 1))
    if outlier:
        X[7] = 1e4
    mean = cdist(X, Y).mean()
    assert abs(energy_distance(X, Y) - naive(X, Y)) <= 1e-11 * mean


@pytest.mark.parametrize("width", [1e-5, 1e-7])
def test_of_tiny_clusters_far_apart(width):
    """Equal but for the widths of two clusters, of which the Gram form knows one digit."""
    sign = np.where(np.arange(300) % 2, 1.0, -1.0)[:, None]
    X, Y = sign + width * normal(300, 2), sign + 2 * width * normal(300, 2, 1)
    assert energy_distance(X, Y) == pytest.approx(naive(X, Y), rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 257, 1300])
def test_of_copies(n):
    X = 1e3 + normal(n, 3)
    order = np.random.RandomState(0).permutation(n)
    assert 0 <= energy_distance(X, X) < 1e-14
    assert 0 <= energy_distance(X, X.copy()[order]) < 1e-14
    assert 0 <= energy_distance(X, np.repeat(X, 3, axis=0)) < 1e-14
    assert energy_distance(np.full((n, 2), 0.1), np.full((n, 2), 0.1)) == 0


def test_invariances():
    X, Y = normal(60, 3), 1 + normal(70, 3, 1)
    Q, value = np.linalg.qr(normal(3, 3, 2))[0], energy_distance(X, Y)
    assert energy_distance(Y, X) == pytest.approx(value, rel=1e-12)
    assert energy_distance(X @ Q + 50, Y @ Q + 50) == pytest.approx(value, rel=1e-9)
    assert energy_distance(1e-3 * X, 1e-3 * Y) == pytest.approx(1e-3 * value, rel=1e-9)
    assert energy_distance(np.r_[X, X], Y) == pytest.approx(value, rel=1e-9)


def test_float32_is_near():
    X, Y = 1000 + normal(300, 5), 1001 + normal(200, 5, 1)
    assert energy_distance(X, Y, dtype="float32") == pytest.approx(energy_distance(X, Y), rel=1e-5)


@pytest.mark.cuda
def test_on_cuda():
    X, Y = 1000 + normal(3000, 5), 1001 + normal(9000, 5, 1)
    assert energy_distance(X, Y, device="cuda") == pytest.approx(energy_distance(X, Y), rel=1e-11)


# ---------------------------------------------------------------------------------- input
def test_takes_what_scikit_learn_takes():
    X, Y = normal(20, 2).astype(np.float32), normal(30, 2, 1)
    frames = pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(Y, columns=["a", "b"])
    assert energy_distance(*frames) == energy_distance(X, Y) == energy_distance(X, Y.tolist())
    assert energy_distance(frames[0], frames[1][["b", "a"]]) == energy_distance(X, Y)
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
@pytest.mark.parametrize("function", [energy_distance, energy_test])
def test_rejects_samples(function, X, Y, message):
    with pytest.raises(ValueError, match=message):
        function(X, Y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"X_weight": [1, 2, 3]}, r"X_weight has shape \(3,\).*shape \(2,\)"),
        ({"X_weight": [1, -1]}, "none of them negative"),
        ({"Y_weight": [0, 0]}, "Y_weight .* not all 0"),
        ({"Y_weight": [1, np.nan]}, "finite"),
        ({"X_weight": [[1, 1]]}, "X_weight"),
        ({"unbiased": True, "X_weight": [1, 0]}, "needs two rows of positive weight.* of X"),
        ({"dtype": "float16"}, "dtype='float16' must be 'float64' or 'float32'"),
        ({"device": "nowhere"}, "device='nowhere' cannot be used here"),
    ],
)
def test_rejects_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        energy_distance([[0.0], [1.0]], [[0.0], [2.0]], **params)


def test_unbiased_needs_two_rows():
    with pytest.raises(ValueError, match="Y has 1 rows: at least 2"):
        energy_distance([[0.0], [1.0]], [[0.0]], unbiased=True)


# ------------------------------------------------------------------------------- the test
def test_the_p_value_is_that_of_all_permutations():
    """Of the 20 ways to label 3 + 3 rows, as many are as far apart as the share found."""
    from itertools import combinations

    Z = np.array([0.0, 1.0, 2.5, 4.0, 4.5, 7.0])[:, None]
    statistic = energy_distance(Z[:3], Z[3:])
    every = [energy_distance(np.delete(Z, c, 0), Z[list(c)]) for c in combinations(range(6), 3)]
    exact = np.mean(np.array(every) >= statistic - 1e-12)
    found = energy_test(Z[:3], Z[3:], n_permutations=4000, random_state=0)
    assert found.statistic == pytest.approx(statistic, rel=1e-12)
    assert exact == 0.1 and abs(found.pvalue - exact) < 4 * np.sqrt(0.1 * 0.9 / 4000)


def test_p_values_are_uniform_under_the_null():
    """300 pairs of samples of one law; the Kolmogorov-Smirnov test at 0.1 % of a wrong alarm."""
    values = [
        energy_test(normal(15, 2, 2 * i), normal(25, 2, 2 * i + 1), n_permutations=199,
                    random_state=i).pvalue
        for i in range(300)
    ]  # fmt: skip
    assert scipy.stats.kstest(values, "uniform").pvalue > 1e-3
    assert np.mean(np.array(values) <= 0.1) <= 0.1 + 4 * np.sqrt(0.09 / 300)
    assert 0 < min(values) and max(values) <= 1


def test_it_sees_a_shift_and_a_scale():
    X = normal(100, 3)
    assert energy_test(X, 0.7 + normal(80, 3, 1), random_state=0).pvalue == 0.001
    assert energy_test(X, 2 * normal(80, 3, 1), random_state=0).pvalue == 0.001
    assert energy_test(X, normal(80, 3, 1), random_state=0).pvalue > 0.05


def test_ties_count_whatever_their_rounding():
    X = 1e3 + np.zeros((7, 2)) + 0.1
    assert energy_test(X, X[:5], random_state=0) == (0, 1)
    assert energy_test([[0.1]], [[1.7]], random_state=0).pvalue == 1  # two labellings, both equal
    halves = np.repeat(normal(2, 3), 10, axis=0)  # one relabelling in six is as even as these
    assert energy_test(halves, halves, random_state=0).pvalue == 1


def test_permutations_in_parts_are_the_same(monkeypatch):
    X, Y = normal(40, 3), 0.4 + normal(30, 3, 1)
    whole = energy_test(X, Y, n_permutations=99, random_state=0)
    monkeypatch.setattr(energy, "_LABELS", 700)
    parts = energy_test(X, Y, n_permutations=99, random_state=0)
    assert parts == pytest.approx(whole, rel=1e-12)
    assert whole.statistic == pytest.approx(energy_distance(X, Y), rel=1e-12)


def test_distances_are_computed_once_for_all_permutations(monkeypatch):
    calls, forms = [], _pairs.quadratic_forms
    monkeypatch.setattr(
        energy, "quadratic_forms", lambda Z, A: calls.append(A.shape[1]) or forms(Z, A)
    )
    energy_test(normal(20, 2), normal(20, 2, 1), n_permutations=500, random_state=0)
    assert calls == [501]


# ------------------------------------------------------------------------------ the floor
def split_mean(X, n, m):
    """Expectation over all disjoint samples: (1/n + 1/m) times the mean over distinct pairs."""
    return (1 / n + 1 / m) * cdist(X, X).sum() / (len(X) * (len(X) - 1))


@pytest.mark.parametrize(("n", "m"), [(30, 50), (50, None), (400, 200), (5000, 5000), (1, 999)])
def test_the_floor_has_its_expectation(n, m):
    """With few rows too, of which the value is rescaled; within four errors."""
    X = normal(120, 3)
    floor = energy_floor(X, n, m, n_repeats=200, random_state=0)
    error = floor.std / np.sqrt(200)
    assert abs(floor.mean - split_mean(X, n, m or n)) < 4 * error
    assert floor.mean == floor.values.mean() and floor.std == floor.values.std(ddof=1)
    assert len(floor.values) == 200


@pytest.mark.parametrize("rows", [1000, 100])
def test_the_floor_is_what_two_real_samples_score(rows):
    """Against fresh pairs of samples, with enough rows (1000) and rescaled (100)."""
    n, m = 60, 90
    fresh = [energy_distance(normal(n, 2, 2 * i), normal(m, 2, 2 * i + 1)) for i in range(300)]
    floor = energy_floor(normal(rows, 2, 10**6), n, m, n_repeats=300, random_state=0)
    # the rows at hand are one sample: their mean distance errs by about 1 / (2 sqrt(rows))
    error = np.hypot(np.std(fresh) / np.sqrt(150), floor.mean / (2 * np.sqrt(rows)))
    assert abs(floor.mean - np.mean(fresh)) < 4 * error
    assert floor.std == pytest.approx(np.std(fresh), rel=0.3)


def test_the_samples_of_the_floor_are_disjoint():
    """Of distinct rows no distance is 0, and of two rows there is one split."""
    floor = energy_floor([[0.0], [3.0]], 1, n_repeats=5, random_state=0)
    assert floor.values.tolist() == [6.0] * 5 and floor.std == 0


def test_the_floor_of_one_repeat_has_no_deviation():
    assert np.isnan(energy_floor(normal(9, 2), 4, n_repeats=1, random_state=0).std)


@pytest.mark.parametrize(
    ("args", "params", "message"),
    [
        (([[0.0]], 1), {}, "X has 1 rows: at least 2"),
        ((normal(9, 2), 0), {}, "n=0"),
        ((normal(9, 2), 2.5), {}, "n=2.5"),
        ((normal(9, 2), 2, -1), {}, "m=-1"),
        ((normal(9, 2), 2), {"n_repeats": 0}, "n_repeats=0"),
    ],
)
def test_the_floor_rejects(args, params, message):
    with pytest.raises(ValueError, match=message):
        energy_floor(*args, **params)


@pytest.mark.parametrize("n_permutations", [0, 9.5, None])
def test_the_test_rejects(n_permutations):
    with pytest.raises(ValueError, match="n_permutations="):
        energy_test(normal(4, 2), normal(4, 2), n_permutations=n_permutations)


def test_random_states():
    X, Y = normal(30, 2), normal(30, 2, 1)
    state = np.random.get_state()[1].copy()
    assert energy_test(X, Y, random_state=3) == energy_test(X, Y, random_state=3)
    a, b = (energy_floor(X, 9, random_state=3).values for _ in range(2))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(state, np.random.get_state()[1])
