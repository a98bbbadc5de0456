"""Nearest neighbours and means of all distances, against the pairs one by one."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from geomgen.metrics import _pairs
from geomgen.metrics._pairs import mean_distance, nearest, quadratic_forms


def normal(n, p, seed=0):
    return np.random.RandomState(seed).normal(size=(n, p))


def hostile(name, n, p, seed):
    """Samples in which products of rows lose the digits of distances."""
    X = normal(n, p, seed)
    if name == "offset":
        return 1000 + X
    if name == "clusters":
        return 1e-6 * X + np.where(np.arange(n) % 2, 1.0, -1.0)[:, None]
    if name == "outlier":
        X[n // 2] = 1e4
        return 1e-3 * X
    if name == "copies":
        return X[np.arange(n) % 7]
    if name == "constant":
        return np.full((n, p), 0.1)
    if name == "huge":
        return 1e150 * X
    if name == "tiny":
        return 1e-150 * X
    return X


HOSTILE = ["normal", "offset", "clusters", "outlier", "copies", "constant", "huge", "tiny"]


def by_hand(X, Y, k):
    """The k nearest by differences, of equal ones the lower index."""
    D = cdist(X, Y)
    if X is Y:
        np.fill_diagonal(D, np.inf)
    j = np.argsort(D, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(D, j, 1), j


# ------------------------------------------------------------------------------- neighbours
@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("p", [2, 30])
@pytest.mark.parametrize("name", HOSTILE)
def test_nearest_is_exact(name, p, k):
    X, Y = hostile(name, 150, p, 0), hostile(name, 400, p, 1)
    distances, indices = nearest(X, Y, k)
    np.testing.assert_allclose(distances, by_hand(X, Y, k)[0], rtol=1e-12, atol=0)
    assert indices.shape == (150, k) and (np.sort(indices) >= 0).all()
    own = np.linalg.norm(X[:, None] - Y[indices], axis=2)
    np.testing.assert_allclose(distances, own, rtol=1e-12, atol=0)
    assert all(len(set(row)) == k for row in indices)


@pytest.mark.parametrize("name", ["normal", "offset", "outlier", "constant", "copies"])
def test_of_equal_distances_the_lower_index_is_first(name):
    X, Y = hostile(name, 60, 12, 0), hostile(name, 300, 12, 1)
    np.testing.assert_array_equal(nearest(X, Y, 9)[1], by_hand(X, Y, 9)[1])


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("p", [3, 20])
def test_a_row_is_not_its_own_neighbour(p, k):
    X = normal(300, p)
    X[7] = X[100] = X[200]
    distances, indices = nearest(X, X, k)
    assert (indices != np.arange(300)[:, None]).all()
    assert distances[7, 0] == distances[100, 0] == distances[200, 0] == 0
    np.testing.assert_allclose(distances, by_hand(X, X, k)[0], rtol=1e-12)
    assert (nearest(X, X.copy(), 1)[0] == 0).all()


@pytest.mark.parametrize(("n", "m", "k"), [(1, 1, 1), (3, 5, 5), (70, 33, 33), (40, 257, 60)])
@pytest.mark.parametrize("block", [1, 2**23])
def test_nearest_at_the_edges_of_blocks(n, m, k, block, monkeypatch):
    monkeypatch.setattr(_pairs, "_BLOCK", block)
    X, Y = normal(n, 9), normal(m, 9, 1)
    expected = by_hand(X, Y, k)
    np.testing.assert_allclose(nearest(X, Y, k)[0], expected[0], rtol=1e-12)
    np.testing.assert_array_equal(nearest(X, Y, k)[1], expected[1])
    if m > k:
        np.testing.assert_array_equal(nearest(Y, Y, k)[1], by_hand(Y, Y, k)[1])


def test_nearest_is_scikit_learns():
    X, Y = normal(200, 40), normal(1500, 40, 1)
    expected = NearestNeighbors(n_neighbors=4, algorithm="brute").fit(Y).kneighbors(X)
    found = nearest(X, Y, 4)
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)


def test_float32_leaves_few_pairs_and_none_of_them_wrongly():
    """The bounds are an economy only if they are narrow."""
    X, Y = normal(50, 100), normal(3000, 100, 1)
    i, j = _pairs._Candidates(X, Y, 3)._pairs(X, None, np.float32)
    assert len(i) < 5 * 50
    pairs = set(zip(i.tolist(), j.tolist(), strict=True))
    needed = by_hand(X, Y, 3)[1]
    assert all((row, column) in pairs for row in range(50) for column in needed[row].tolist())


def test_many_columns_are_bounded_in_float64(monkeypatch):
    X, Y = normal(3, 2**16), normal(6, 2**16, 1)
    np.testing.assert_array_equal(nearest(X, Y, 2)[1], by_hand(X, Y, 2)[1])


@pytest.mark.parametrize("p", [2, 20])
def test_nearest_leaves_its_arguments(p):
    X, Y = normal(20, p), normal(30, p, 1)
    X.flags.writeable = Y.flags.writeable = False
    before = X.copy(), Y.copy()
    nearest(X, Y, 2), nearest(X, X, 2)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(Y, before[1])


@pytest.mark.parametrize("p", [2, 20])
@pytest.mark.parametrize(("same", "k"), [(False, 11), (True, 10), (False, 0)])
def test_nearest_says_how_many_rows_there_are(p, same, k):
    X = normal(10, p)
    with pytest.raises(ValueError, match=f"k={k} neighbours .* among {10 - same} other rows"):
        nearest(X, X if same else X.copy(), k)


# -------------------------------------------------------------------------------- distances
@pytest.mark.parametrize("p", [1, 30])
@pytest.mark.parametrize("name", HOSTILE)
def test_mean_distance_of_hostile_samples(name, p):
    X, Y = hostile(name, 300, p, 0), hostile(name, 1400, p, 1)
    w, v = np.random.RandomState(2).rand(300), np.random.RandomState(3).rand(1400)
    expected = (w.astype(np.longdouble) @ cdist(X, Y)) @ v
    assert mean_distance(X, Y, w, v) == pytest.approx(float(expected), rel=1e-11)
    expected = (w.astype(np.longdouble) @ cdist(X, X)) @ w
    assert mean_distance(X, X, w, w) == pytest.approx(float(expected), rel=1e-11)


def test_float32_distances():
    X, Y, w = 1000 + normal(300, 5), 1000 + normal(200, 5, 1), np.full(300, 1 / 300)
    found = mean_distance(X, Y, w, np.full(200, 1 / 200), dtype="float32")
    assert found == pytest.approx(cdist(X, Y).mean(), rel=1e-6)
    assert found != mean_distance(X, Y, w, np.full(200, 1 / 200))


@pytest.mark.parametrize("n", [1, 128, 1300])
def test_quadratic_forms(n):
    Z, A = normal(n, 4), normal(n, 3, 1)
    np.testing.assert_allclose(
        quadratic_forms(Z, A), np.einsum("ib,ij,jb->b", A, cdist(Z, Z), A), rtol=1e-9, atol=1e-12
    )


def test_near_pairs_are_gathered_some_at_a_time(monkeypatch):
    monkeypatch.setattr(_pairs, "_GATHER", 50)
    X, w = hostile("copies", 90, 6, 0), np.full(90, 1 / 90)
    assert mean_distance(X, X, w, w) == pytest.approx(cdist(X, X).mean(), rel=1e-13)
    np.testing.assert_array_equal(nearest(X, X, 3)[1], by_hand(X, X, 3)[1])


@pytest.mark.cuda
@pytest.mark.parametrize("name", HOSTILE)
def test_distances_on_cuda(name):
    X, Y = hostile(name, 300, 30, 0), hostile(name, 1400, 30, 1)
    w, v = np.full(300, 1 / 300), np.full(1400, 1 / 1400)
    state = torch.cuda.get_rng_state()
    found = mean_distance(X, Y, w, v, device="cuda")
    assert found == pytest.approx(cdist(X, Y).mean(), rel=1e-11)
    assert quadratic_forms(X, w[:, None], device="cuda")[0] == pytest.approx(
        cdist(X, X).mean(), rel=1e-11
    )
    assert torch.equal(state, torch.cuda.get_rng_state())
