"""Precision, recall, density and coverage."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from geomgen.metrics.neighbours import (
    ball_membership,
    expected_coverage,
    precision_recall_density_coverage,
)


def normal(n, p, seed=0):
    return np.random.RandomState(seed).normal(size=(n, p))


def naive_inside(points, centres, k):
    """Whether each point is in each centre's ball: (points, centres), by full matrices."""
    within = cdist(centres, centres)
    np.fill_diagonal(within, np.inf)
    return cdist(points, centres) <= np.sort(within, axis=1)[:, k - 1]


def naive(real, generated, k):
    """Kynkäänniemi et al., Eqs. 1-2, and Naeem et al., Eqs. 3-7, as they are written."""
    inside = naive_inside(generated, real, k)
    recalled = naive_inside(real, generated, k)
    return (
        inside.any(1).mean(),
        recalled.any(1).mean(),
        inside.sum() / k / len(generated),
        (inside.any(0).mean()),
    )


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("n", "m"), [(6, 900), (300, 300), (1100, 257)])
def test_prdc_is_its_definition(n, m, k):
    real, generated = normal(n, 3), 0.3 + 1.2 * normal(m, 3, 1)
    found = precision_recall_density_coverage(real, generated, n_neighbors=k)
    assert found == pytest.approx(naive(real, generated, k), abs=1e-15)


@pytest.mark.parametrize("offset", [0, 1000])
def test_edges_of_the_balls_belong_to_them(offset):
    """On a grid every ball has rows at its very edge, and rows are repeated."""
    rng = np.random.RandomState(0)
    real, generated = (offset + rng.randint(0, 6, (n, 3)).astype(float) for n in (300, 200))
    found = precision_recall_density_coverage(real, generated, n_neighbors=5)
    assert found == pytest.approx(naive(real, generated, 5), abs=1e-15)


@pytest.mark.parametrize("p", [4, 40])
def test_tight_clusters_far_from_the_origin(p):
    """The product form of the distances has lost its digits: copies lie at the edges."""
    centres = 1e3 + 1e-6 * normal(300, p)
    centres[0] = 1e4
    within = cdist(centres, centres)
    np.fill_diagonal(within, np.inf)
    points = centres[np.argsort(within, axis=1)[:, 4]]
    balls, covered = ball_membership(points, centres, 5)
    assert covered.all()  # each holds the copy that gave its radius
    np.testing.assert_array_equal(balls, naive_inside(points, centres, 5).sum(1))


def test_copies_are_perfect():
    X = normal(50, 2)
    assert precision_recall_density_coverage(X, X[::-1])[:2] == (1, 1)
    assert precision_recall_density_coverage(X, X[::-1]).coverage == 1


def test_a_collapsed_generator_has_full_precision():
    real, collapsed = normal(400, 2), 1e-3 * normal(400, 2, 1)
    found = precision_recall_density_coverage(real, collapsed)
    assert found.precision == 1 and found.density > 1
    assert found.recall == 0 and found.coverage < 0.1


def test_an_outlier_lets_anything_pass():
    real = np.r_[normal(100, 2), [[1e3, 1e3]]]
    far = 500 + normal(100, 2, 1)
    found = precision_recall_density_coverage(real, far)
    assert found.precision == 1
    assert found.density < 0.25 and found.coverage < 0.02


def test_prdc_of_half_the_modes():
    sign = np.where(np.arange(200) % 2, 1.0, -1.0)[:, None]
    found = precision_recall_density_coverage(100 * sign + normal(200, 2), 100 + normal(200, 2, 1))
    assert found.recall <= 0.5 and found.coverage <= 0.5
    assert found.precision > 0.8 and found.density > 0.8


@pytest.mark.parametrize(("n", "m", "k"), [(60, 60, 5), (60, 20, 2), (30, 90, 1)])
@pytest.mark.parametrize("heavy", [False, True])
def test_expected_coverage_and_density(n, m, k, heavy):
    """Of fresh draws, in any continuous distribution; within four standard errors."""
    rng, found = np.random.RandomState(0), []
    for _ in range(400):
        real, fresh = rng.normal(size=(n, 2)), rng.normal(size=(m, 2))
        if heavy:
            real, fresh = real**3, fresh**3
        balls, covered = ball_membership(fresh, real, k)
        found.append((covered.mean(), balls.mean() / k))
    error = np.std(found, axis=0) / np.sqrt(len(found))
    expected = (expected_coverage(n, m, n_neighbors=k), 1)
    assert (np.abs(np.mean(found, axis=0) - expected) < 4 * error).all()


def test_expected_coverage_closed_forms():
    assert expected_coverage(2, 1, n_neighbors=1) == 0.5
    assert expected_coverage(7, 0) == 0
    for k in (1, 3, 5):
        assert expected_coverage(10**6, 10**6, n_neighbors=k) == pytest.approx(
            1 - 2.0**-k, abs=1e-5
        )


def test_prdc_invariances():
    X, Y = normal(120, 3), 0.5 + normal(130, 3, 1)
    Q, found = np.linalg.qr(normal(3, 3, 2))[0], precision_recall_density_coverage(X, Y)
    assert precision_recall_density_coverage(50 + X @ Q, 50 + Y @ Q) == pytest.approx(found)
    assert precision_recall_density_coverage(1e-3 * X, 1e-3 * Y) == pytest.approx(found)
    swapped = precision_recall_density_coverage(Y, X)
    assert (swapped.precision, swapped.recall) == (found.recall, found.precision)


def test_prdc_takes_frames_and_changes_nothing():
    X, Y = normal(30, 2), normal(40, 2, 1)
    frames = pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(Y[:, ::-1], columns=["b", "a"])
    before = X.copy()
    assert precision_recall_density_coverage(*frames) == precision_recall_density_coverage(X, Y)
    np.testing.assert_array_equal(X, before)


def test_prdc_of_constant_columns():
    X, Y = np.c_[normal(30, 1), np.ones(30)], np.c_[normal(30, 1, 1), np.ones(30)]
    assert precision_recall_density_coverage(X, Y) == (
        precision_recall_density_coverage(X[:, :1], Y[:, :1])
    )


@pytest.mark.parametrize(
    ("X", "Y", "k", "message"),
    [
        (np.eye(3), np.eye(9, 3), 5, "X_real has 3 rows: at least 6"),
        (np.eye(9, 3), np.eye(3), 5, "X_generated has 3 rows: at least 6"),
        (np.eye(9, 3), np.eye(9, 2), 5, "X_real has 3 columns and X_generated 2"),
        (np.full((9, 2), np.nan), np.eye(9, 2), 5, "X_real contains NaN"),
        (np.eye(9), np.eye(9), 0, "n_neighbors=0 must be a whole number"),
        (np.eye(9), np.eye(9), 1.5, "n_neighbors=1.5 must be a whole number"),
        (np.eye(9), np.eye(9), True, "n_neighbors=True must be a whole number"),
    ],
)
def test_prdc_rejects(X, Y, k, message):
    with pytest.raises(ValueError, match=message):
        precision_recall_density_coverage(X, Y, n_neighbors=k)


@pytest.mark.parametrize(("n", "m", "k"), [(5, 10, 5), (6, -1, 5), (6, 6, 0)])
def test_expected_coverage_rejects(n, m, k):
    with pytest.raises(ValueError, match="must"):
        expected_coverage(n, m, n_neighbors=k)
