"""Maximum mean discrepancy."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist, pdist
from sklearn.metrics.pairwise import laplacian_kernel

from geomgen.metrics import mmd
from geomgen.metrics.mmd import kernel_mmd


def normal(n, p, seed=0):
    return np.random.RandomState(seed).normal(size=(n, p))


def rbf(A, B, h):
    return np.exp(-(cdist(A, B) ** 2) / (2 * h**2))


def imq(A, B, h):
    C = 2 * A.shape[1] * h**2
    return C / (C + cdist(A, B) ** 2)


def cubic(A, B, h):
    return (np.einsum("ip,jp->ij", A, B) / A.shape[1] + 1) ** 3


def definition(k, X, Y, unbiased):
    """Gretton et al. (2012), Eqs. 3 and 5, pair by pair."""

    def within(Z):
        K = k(Z, Z)
        return K[~np.eye(len(Z), dtype=bool)].mean() if unbiased else K.mean()

    return within(X) + within(Y) - 2 * k(X, Y).mean()


@pytest.mark.parametrize("entries", [1, 100, 2**20])
@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize(("kernel", "k"), [("rbf", rbf), ("imq", imq), ("polynomial", cubic)])
def test_the_definition_by_tiles_of_any_size(kernel, k, unbiased, entries, monkeypatch):
    monkeypatch.setattr(mmd, "_ENTRIES", entries)
    X, Y, h = normal(37, 3), 0.5 + 2 * normal(52, 3, 1), None if kernel == "polynomial" else 1.7
    expected = definition(lambda A, B: k(A, B, h), X, Y, unbiased)
    assert kernel_mmd(X, Y, kernel=kernel, bandwidth=h, unbiased=unbiased) == pytest.approx(
        expected, rel=1e-10
    )


def test_a_kernel_of_ones_own():
    X, Y = normal(20, 3), 1 + normal(30, 3, 1)
    found = kernel_mmd(X, Y, kernel=laplacian_kernel)
    assert found == pytest.approx(definition(laplacian_kernel, X, Y, True), rel=1e-10)


def test_the_linear_kernel_is_the_squared_distance_of_means():
    X, Y = normal(40, 4), 1 + normal(50, 4, 1)
    found = kernel_mmd(X, Y, kernel=lambda A, B: A @ B.T, unbiased=False)
    assert found == pytest.approx(((X.mean(0) - Y.mean(0)) ** 2).sum())


def test_normal_samples_have_the_closed_form():
    """For N(0, I) and N(v, I): MMD² = 2 (h²/(h²+2))^(p/2) (1 - exp(-|v|² / 2(h²+2)))."""
    p, h, shift = 3, 1.5, 0.8
    found = [
        kernel_mmd(normal(200, p, s), shift + normal(300, p, 500 + s), bandwidth=h)
        for s in range(60)
    ]
    expected = 2 * (h**2 / (h**2 + 2)) ** (p / 2) * (1 - np.exp(-p * shift**2 / 2 / (h**2 + 2)))
    assert abs(np.mean(found) - expected) < 4 * np.std(found) / np.sqrt(60)


@pytest.mark.parametrize("kernel", ["rbf", "imq", "polynomial"])
def test_unbiased_is_zero_on_average_for_one_distribution(kernel):
    found = [
        kernel_mmd(normal(30, 2, s), normal(20, 2, 500 + s), kernel=kernel) for s in range(200)
    ]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(200)
    assert min(found) < 0
    biased = [
        kernel_mmd(normal(30, 2, s), normal(20, 2, 500 + s), kernel=kernel, unbiased=False)
        for s in range(50)
    ]
    assert np.mean(biased) > 4 * np.std(biased) / np.sqrt(50)


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_the_default_bandwidth_is_the_median_distance(kernel):
    X, Y = normal(60, 5), 1 + normal(70, 5, 1)
    median = np.median(pdist(np.r_[X, Y]))
    h = median if kernel == "rbf" else median / np.sqrt(2 * 5)
    found = kernel_mmd(X, Y, kernel=kernel)
    assert found == pytest.approx(kernel_mmd(X, Y, kernel=kernel, bandwidth=h), rel=1e-10)


def test_the_default_bandwidth_of_many_rows_is_near_the_median():
    X, Y = normal(2000, 2), 1 + normal(1500, 2, 1)
    state = np.random.get_state()[1].copy()
    median = np.median(pdist(np.r_[X, Y]))
    assert mmd._median_distance(np.r_[X, Y]) == pytest.approx(median, rel=0.03)
    assert kernel_mmd(X, Y) == kernel_mmd(X, Y)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_the_default_bandwidth_leaves_copies_out():
    X = np.r_[np.zeros((50, 1)), [[3.0]]]
    assert mmd._median_distance(X) == 3
    assert kernel_mmd(X, X[:20]) == pytest.approx(kernel_mmd(X, X[:20], bandwidth=3.0))


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_invariances(kernel):
    X, Y = normal(40, 3), 1 + normal(50, 3, 1)
    Q, value = np.linalg.qr(normal(3, 3, 2))[0], kernel_mmd(X, Y, kernel=kernel)
    assert kernel_mmd(Y, X, kernel=kernel) == pytest.approx(value)
    assert kernel_mmd(X @ Q + 1000, Y @ Q + 1000, kernel=kernel) == pytest.approx(value, rel=1e-9)
    for scale in (1e-150, 1e-3, 1e200):
        assert kernel_mmd(scale * X, scale * Y, kernel=kernel) == pytest.approx(value)
    given = kernel_mmd(X, Y, kernel=kernel, bandwidth=0.7)
    assert kernel_mmd(10 * X, 10 * Y, kernel=kernel, bandwidth=7) == pytest.approx(given)


@pytest.mark.parametrize(("kernel", "k"), [("rbf", rbf), ("imq", imq)])
@pytest.mark.parametrize("far", ["all", "one"])
def test_no_digits_are_lost_far_from_the_origin(kernel, k, far):
    """Squared distances by norms and products lose the digits that an offset takes."""
    X, Y = normal(40, 3), 1 + normal(50, 3, 1)
    if far == "all":
        X, Y = X + 1e6, Y + 1e6
    else:
        X[7] = 1e8
    expected = definition(lambda A, B: k(A, B, 1.7), X, Y, True)
    assert kernel_mmd(X, Y, kernel=kernel, bandwidth=1.7) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("kernel", ["rbf", "imq", "polynomial"])
def test_copies_have_no_discrepancy(kernel):
    X = normal(60, 3)
    assert 0 <= kernel_mmd(X, X[::-1], kernel=kernel, unbiased=False) < 1e-12
    assert kernel_mmd(np.ones((4, 2)), np.ones((3, 2)), kernel=kernel) == pytest.approx(0)


def test_frames_are_matched_and_nothing_is_touched():
    X, Y = normal(20, 2), 1 + normal(30, 2, 1)
    frames = pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(Y, columns=["a", "b"])
    before = X.copy(), Y.copy()
    found = kernel_mmd(frames[0], frames[1][["b", "a"]])
    assert found == pytest.approx(kernel_mmd(X, Y), rel=1e-12)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(Y, before[1])


ONE, TWO = [[0.0, 1.0]], [[0.0, 1.0], [2.0, 3.0]]


@pytest.mark.parametrize(
    ("X", "Y", "kwargs", "message"),
    [
        (ONE, TWO, {}, "X has 1 rows: at least 2"),
        (TWO, ONE, {}, "Y has 1 rows: at least 2"),
        (TWO, [[1.0], [2.0]], {}, "X has 2 columns and Y 1"),
        (TWO, [[np.nan, 0.0], [0.0, 0.0]], {}, "Y contains NaN"),
        (TWO, TWO, {"kernel": "gauss"}, "kernel='gauss' must be 'rbf', 'imq', 'polynomial'"),
        (TWO, TWO, {"kernel": None}, "kernel=None must be"),
        (TWO, TWO, {"bandwidth": 0}, "bandwidth=0 must be a positive number"),
        (TWO, TWO, {"bandwidth": -1.0, "kernel": "imq"}, "bandwidth=-1.0 must be"),
        (TWO, TWO, {"bandwidth": np.nan}, "bandwidth=nan must be"),
        (TWO, TWO, {"bandwidth": "scott"}, "bandwidth='scott' must be"),
        (TWO, TWO, {"bandwidth": 1.0, "kernel": "polynomial"}, "takes no bandwidth=1.0"),
        (TWO, TWO, {"bandwidth": 1.0, "kernel": rbf}, "A kernel of your own takes no bandwidth"),
        (TWO, TWO, {"kernel": lambda A, B: np.ones(2)}, r"returned shape \(2,\)"),
    ],
)
def test_rejects(X, Y, kwargs, message):
    with pytest.raises(ValueError, match=message):
        kernel_mmd(X, Y, **kwargs)


def test_one_row_is_enough_for_the_biased_estimate():
    found = kernel_mmd([[0.0]], [[1.0]], bandwidth=1.0, unbiased=False)
    assert found == pytest.approx(2 - 2 * np.exp(-0.5))
