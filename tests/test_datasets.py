"""The ring of paper G, and digits with a rare class."""

import numpy as np
import pytest
from scipy.stats import binom, chi2, multivariate_normal, norm
from sklearn.datasets import load_digits

from geomgen.datasets import make_rare_digits, make_ring_mixture


# ------------------------------------------------------------------------------------ ring
def test_ring_defaults():
    X, y, mixture = make_ring_mixture(random_state=0, return_mixture=True)
    assert X.shape == (12000, 2) and y.shape == (12000,)
    angles = np.arange(8) * np.pi / 4
    np.testing.assert_allclose(mixture.means, 4 * np.c_[np.cos(angles), np.sin(angles)], atol=1e-12)
    np.testing.assert_allclose(mixture.weights, [0.02] + [0.14] * 7)
    assert mixture.std == 0.2


@pytest.mark.parametrize(("k", "rare"), [(8, 0.02), (3, 0.5), (2, 0.001)])
def test_ring_shares_are_binomial(k, rare):
    n = 20000
    _, y, mixture = make_ring_mixture(
        n, n_components=k, rare_weight=rare, random_state=1, return_mixture=True
    )
    assert mixture.weights.sum() == pytest.approx(1)
    weights = [rare] + [(1 - rare) / (k - 1)] * (k - 1)
    for count, weight in zip(np.bincount(y, minlength=k), weights, strict=True):
        low, high = binom.interval(1 - 1e-5, n, weight)
        assert low <= count <= high


def test_ring_rows_are_normal_around_their_means():
    X, y, mixture = make_ring_mixture(
        20000, n_components=5, radius=2.0, std=0.5, random_state=0, return_mixture=True
    )
    standard = (X - mixture.means[y]) / 0.5
    assert np.abs(standard.mean(0)).max() < 4 / 20000**0.5
    assert np.abs(np.cov(standard.T) - np.eye(2)).max() < 4 * (2 / 20000) ** 0.5
    np.testing.assert_allclose(np.linalg.norm(mixture.means, axis=1), 2)


def test_ring_order_is_random():
    """The runs of equal components are as many as in a shuffled sequence."""
    _, y = make_ring_mixture(10000, random_state=0)
    p = ((np.bincount(y) / 10000) ** 2).sum()
    changes = (y[1:] != y[:-1]).mean()
    assert abs(changes - (1 - p)) < 4 * np.sqrt(p * (1 - p) / 10000)


def test_ring_is_reproducible():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    one, again, other = (make_ring_mixture(50, random_state=s) for s in (3, 3, 4))
    assert all(map(np.array_equal, one, again)) and not np.array_equal(one[0], other[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    first, second = make_ring_mixture(50), make_ring_mixture(50)
    assert not np.array_equal(first[0], second[0])


def test_ring_predict():
    X, y, mixture = make_ring_mixture(random_state=0, return_mixture=True)
    assert (mixture.predict(X) == y).mean() >= 0.99
    np.testing.assert_array_equal(mixture.predict(mixture.means), np.arange(8))


def test_ring_responsibilities():
    X, _, mixture = make_ring_mixture(
        100, n_components=3, std=3.0, rare_weight=0.1, random_state=0, return_mixture=True
    )
    density = np.stack([multivariate_normal(m, 9 * np.eye(2)).pdf(X) for m in mixture.means], 1)
    joint = density * mixture.weights
    expected = joint / joint.sum(1, keepdims=True)
    found = mixture.responsibilities(X)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_array_equal(mixture.predict(X), expected.argmax(1))
    assert 0.2 < found.max(1).min() < 0.6  # the components overlap here


def test_ring_far_from_every_mode():
    """Densities underflow, responsibilities do not."""
    mixture = make_ring_mixture(1, random_state=0, return_mixture=True)[2]
    far = mixture.responsibilities([[1e3, 1.0], [0.0, -1e3]])
    np.testing.assert_allclose(far.sum(1), 1)
    assert far.argmax(1).tolist() == [0, 6]


def test_ring_distances():
    mixture = make_ring_mixture(1, random_state=0, return_mixture=True)[2]
    X, y = mixture.sample(20000, random_state=1)
    own = mixture.distances(X)[np.arange(20000), y]
    share = chi2(2).cdf(9)  # within three standard deviations, in two dimensions
    assert abs((own < 3).mean() - share) < 4 * np.sqrt(share * (1 - share) / 20000)
    np.testing.assert_allclose(mixture.distances([[4.0, 0.2]])[0, 0], 1)


@pytest.mark.parametrize(
    "params",
    [
        {"n_components": 1},
        {"n_samples": 0},
        {"rare_weight": 0.0},
        {"rare_weight": 1.0},
        {"rare_weight": float("nan")},
        {"std": 0.0},
        {"std": -1.0},
        {"radius": -1.0},
        {"radius": float("nan")},
    ],
    ids=str,
)
def test_ring_rejects(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        make_ring_mixture(**params)


# ---------------------------------------------------------------------------------- digits
@pytest.mark.parametrize(("digit", "weight"), [(9, 0.02), (0, 0.05), (3, 0.1), (9, 1e-6)])
def test_rare_digits(digit, weight):
    X, y = make_rare_digits(digit, weight, random_state=0)
    all_X, all_y = load_digits(return_X_y=True)
    n_others = (all_y != digit).sum()
    n_rare = (y == digit).sum()
    assert len(y) == n_others + n_rare and X.shape == (len(y), 64)
    assert n_rare >= 1 and abs(n_rare - weight * len(y)) <= 1
    known = {(*row, label) for row, label in zip(all_X, all_y, strict=True)}
    rows = [(*row, label) for row, label in zip(X, y, strict=True)]
    assert set(rows) <= known and len(set(rows)) == len(rows)  # rows keep their digits


@pytest.mark.parametrize("digit", range(10))
def test_rare_digits_at_most(digit):
    """The whole class is kept at its own share."""
    counts = np.bincount(load_digits().target)
    _, y = make_rare_digits(digit, counts[digit] / counts.sum(), random_state=0)
    np.testing.assert_array_equal(np.bincount(y), counts)


def test_rare_digits_are_shuffled_and_chosen_at_random():
    one, again, other = (make_rare_digits(random_state=s) for s in (0, 0, 1))
    assert all(map(np.array_equal, one, again))
    nines = [set(map(tuple, X[y == 9])) for X, y in (one, other)]
    assert nines[0] != nines[1]
    positions = np.flatnonzero(one[1] == 9) / len(one[1])  # uniform on [0, 1]
    assert abs(positions.mean() - 0.5) < norm.isf(1e-4) * np.sqrt(1 / 12 / len(positions))


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"rare_digit": 10}, "rare_digit=10"),
        ({"rare_digit": "9"}, "rare_digit='9'"),
        ({"rare_weight": 0.0}, "rare_weight=0.0"),
        ({"rare_weight": 0.5}, r"rare_weight=0.5 must be in \(0, 0.100\]"),
        ({"rare_weight": float("nan")}, "rare_weight=nan"),
    ],
)
def test_rare_digits_rejects(params, match):
    with pytest.raises(ValueError, match=match):
        make_rare_digits(**params)
