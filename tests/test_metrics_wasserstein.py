"""Sliced Wasserstein distance."""

import numpy as np
import ot
import pandas as pd
import pytest
import scipy.stats
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from geomgen.metrics import wasserstein
from geomgen.metrics.wasserstein import sliced_wasserstein


def normal(n, p, seed=0):
    return np.random.RandomState(seed).normal(size=(n, p))


SIZES = [(1, 1), (1, 7), (30, 30), (30, 47), (60, 30), (101, 103)]


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_in_one_dimension_it_is_scipys(n, m):
    X, Y = normal(n, 1), 0.3 + 2 * normal(m, 1, 1)
    expected = scipy.stats.wasserstein_distance(X[:, 0], Y[:, 0])
    assert sliced_wasserstein(X, Y, order=1, n_projections=3) == pytest.approx(expected)


@pytest.mark.parametrize("order", [1, 1.5, 2, 4])
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_in_one_dimension_it_is_the_transport_problem(n, m, order):
    """The linear programme over all couplings: copies make the sizes equal."""
    X, Y = normal(n, 1), 0.3 + 2 * normal(m, 1, 1)
    if n * m > 1000:
        expected = ot.wasserstein_1d(X[:, 0], Y[:, 0], p=order) ** (1 / order)
    else:
        cost = cdist(np.repeat(X, m, axis=0), np.repeat(Y, n, axis=0)) ** order
        expected = cost[linear_sum_assignment(cost)].mean() ** (1 / order)
    assert sliced_wasserstein(X, Y, order=order) == pytest.approx(expected)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(("n", "m"), [(80, 80), (80, 55)])
@pytest.mark.parametrize("entries", [1, 1000, 2**20])
def test_it_is_pots_on_the_same_directions(n, m, order, entries, monkeypatch):
    monkeypatch.setattr(wasserstein, "_ENTRIES", entries)
    X, Y = normal(n, 4), 0.5 + 2 * normal(m, 4, 1)
    directions = wasserstein._directions(4, 60, 3)
    expected = ot.sliced.sliced_wasserstein_distance(X, Y, projections=directions, p=order)
    found = sliced_wasserstein(X, Y, order=order, n_projections=60, random_state=3)
    assert found == pytest.approx(expected)


def test_a_shift():
    """SW₂² of a shift by v is the mean of (θ·v)², |v|²/p over all directions."""
    X, v = normal(50, 6), np.arange(6.0)
    directions = wasserstein._directions(6, 4000, 0)
    exact = np.sqrt(((v @ directions) ** 2).mean())
    found = sliced_wasserstein(X, X + v, n_projections=4000)
    assert found == pytest.approx(exact)
    # Var (θ·v)² = 2(p-1) |v|⁴ / p²(p+2)
    error = np.sqrt(2 * 5 / (36 * 8) / 4000) * (v @ v)
    assert abs(found**2 - v @ v / 6) < 4 * error


def test_directions_are_uniform():
    directions = wasserstein._directions(3, 20_000, 0)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=0), 1)
    # on the sphere of R³ every coordinate is uniform on [-1, 1]
    for coordinate in directions:
        assert scipy.stats.kstest(coordinate, "uniform", (-1, 2)).pvalue > 1e-3


def test_invariances():
    X, Y = normal(40, 3), 1 + normal(50, 3, 1)
    value = sliced_wasserstein(X, Y)
    assert sliced_wasserstein(Y, X) == pytest.approx(value)
    assert sliced_wasserstein(X + 1e3, Y + 1e3) == pytest.approx(value)
    assert sliced_wasserstein(np.r_[X, X], Y) == pytest.approx(value)
    for scale in (1e-200, 1e-3, 1e200):
        assert sliced_wasserstein(scale * X, scale * Y) == pytest.approx(scale * value)
    assert sliced_wasserstein(X, Y, order=1) <= value <= sliced_wasserstein(X, Y, order=3)
    assert sliced_wasserstein(X, X[::-1]) == 0
    assert sliced_wasserstein(np.ones((3, 2)), np.ones((4, 2))) == 0


def test_the_seed_is_local():
    X, Y = normal(20, 3), 1 + normal(25, 3, 1)
    state = np.random.get_state()[1].copy()
    assert sliced_wasserstein(X, Y) == sliced_wasserstein(X, Y, random_state=0)
    assert sliced_wasserstein(X, Y) != sliced_wasserstein(X, Y, random_state=1)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_frames_are_matched_and_nothing_is_touched():
    X, Y = normal(20, 2), 1 + normal(30, 2, 1)
    frames = pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(Y, columns=["a", "b"])
    before = X.copy()
    assert sliced_wasserstein(frames[0], frames[1][["b", "a"]]) == sliced_wasserstein(X, Y)
    np.testing.assert_array_equal(X, before)


ROWS = [[0.0, 1.0], [2.0, 3.0]]


@pytest.mark.parametrize(
    ("X", "Y", "kwargs", "message"),
    [
        (ROWS, [[1.0]], {}, "X has 2 columns and Y 1"),
        ([[0.0, np.nan]], ROWS, {}, "X contains NaN"),
        (ROWS, [[np.inf, 0.0]], {}, "Y contains infinity"),
        (ROWS, ROWS, {"order": 0.5}, "order=0.5 must be a finite number of at least 1"),
        (ROWS, ROWS, {"order": np.inf}, "order=inf must be"),
        (ROWS, ROWS, {"order": "2"}, "order='2' must be"),
        (ROWS, ROWS, {"n_projections": 0}, "n_projections=0 must be an int of at least 1"),
        (ROWS, ROWS, {"n_projections": 9.5}, "n_projections=9.5 must be"),
    ],
)
def test_rejects(X, Y, kwargs, message):
    with pytest.raises(ValueError, match=message):
        sliced_wasserstein(X, Y, **kwargs)
