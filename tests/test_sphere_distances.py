"""Paper L: the distance to the uniform law (Theorem 2) and Wasserstein's on the sphere."""

import itertools
import math

import numpy as np
import pytest
from scipy.spatial.distance import pdist

import geomgen.diagnostics.sphere as diagnostics
from geomgen.diagnostics.sphere import mmd_to_uniform, sphere_wasserstein
from geomgen.losses.sphere import uniform_log_kernel


def unit(n, d, seed=0):
    gaussian = np.random.RandomState(seed).standard_normal((n, d))
    return gaussian / np.linalg.norm(gaussian, axis=1, keepdims=True)


def circle(angles):
    return np.c_[np.cos(angles), np.sin(angles)]


# ------------------------------------------------------------------------ MMD to the uniform
def test_mmd_is_eq_27(monkeypatch):
    U = unit(41, 5)
    expected = np.exp(-3.0 * pdist(U) ** 2).mean() - math.exp(uniform_log_kernel(5, 3.0))
    found = mmd_to_uniform(U, t=3.0)
    assert found.value == pytest.approx(expected, rel=1e-10)
    monkeypatch.setattr(diagnostics, "_ENTRIES", 300)  # seven rows at a time
    blocks = mmd_to_uniform(U.astype(np.float32), t=3.0)
    assert blocks.value == pytest.approx(expected, rel=1e-5)
    assert blocks.standard_error == pytest.approx(found.standard_error, rel=1e-5)
    assert f"{found.value:.3g}" in found.summary
    assert found.to_frame().loc[0, ["value", "n_codes", "t"]].tolist() == [found.value, 41, 3.0]


def test_mmd_standard_error_is_hoeffdings():
    """By enumeration: pairs of kernels that share one code, two, or none."""
    U = unit(6, 3) + [2, 0, 0]  # far from uniform, so that the first term is not cut at 0
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    kernel = np.exp(4 * (U @ U.T - 1))
    none = np.mean(
        [kernel[i, j] * kernel[k, m] for i, j, k, m in itertools.permutations(range(6), 4)]
    )
    one = np.mean([kernel[i, j] * kernel[i, k] for i, j, k in itertools.permutations(range(6), 3)])
    two = np.mean([kernel[i, j] ** 2 for i, j in itertools.permutations(range(6), 2)])
    assert one > none
    variance = (4 * (6 - 2) * (one - none) + 2 * (two - none)) / (6 * 5)
    assert mmd_to_uniform(U, t=2.0).standard_error == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_mmd_forgives_rounded_norms():
    U, rounded = unit(30, 3), unit(30, 3) * (1 + 5e-6)
    assert mmd_to_uniform(rounded).value == pytest.approx(mmd_to_uniform(U).value, rel=1e-10)


def check_calibrated(found, truth, n_draws, error):
    """Unbiased within four standard errors of the mean, and with the spread it states."""
    values = np.array([one.value for one in found])
    spread = values.std(ddof=1)
    assert abs(values.mean() - truth) < 4 * spread / math.sqrt(n_draws)
    stated = math.sqrt(np.mean([getattr(one, error) ** 2 for one in found]))
    assert stated == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize("d", [2, 16, 128])
def test_mmd_of_uniform_codes(d):
    found = [mmd_to_uniform(unit(40, d, seed)) for seed in range(400)]
    check_calibrated(found, 0, 400, "uniform_standard_error")
    stated = np.mean([one.standard_error for one in found])
    assert stated == pytest.approx(found[0].uniform_standard_error, rel=0.3)


def test_mmd_of_two_poles():
    """Codes at a pole with probability 0.8, opposite otherwise: E k = 0.68 + 0.32 exp(-4t)."""
    rng, pole = np.random.RandomState(0), np.eye(3)[0]
    draws = [np.where(rng.rand(40, 1) < 0.8, pole, -pole) for _ in range(400)]
    truth = 0.68 + 0.32 * math.exp(-4) - math.exp(uniform_log_kernel(3, 1.0))
    check_calibrated([mmd_to_uniform(U, t=1.0) for U in draws], truth, 400, "standard_error")


def test_mmd_of_collapsed_codes():
    found = mmd_to_uniform(np.repeat(unit(1, 4), 10, axis=0), t=2)
    assert found.value == pytest.approx(1 - math.exp(uniform_log_kernel(4, 2.0)))
    assert found.standard_error == pytest.approx(0, abs=1e-7)


# ----------------------------------------------------------------------------- Wasserstein
def test_wasserstein_of_points():
    east, north = [[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]]
    assert sphere_wasserstein(east, north).value == pytest.approx(math.pi / 2)
    assert sphere_wasserstein(east, -np.array(east)).value == pytest.approx(math.pi)
    for angle in (1e-9, 3.0):
        found = sphere_wasserstein(circle(np.zeros(1)), circle(np.array([angle])), order=2)
        assert found.value == pytest.approx(angle, rel=1e-12)
    nearly_opposite = sphere_wasserstein(circle([0.0]), circle([math.pi - 1e-7])).value
    assert math.pi - nearly_opposite == pytest.approx(1e-7, rel=1e-6)
    mixed = sphere_wasserstein(circle([0.0, 0.0]), circle([0.0, 1.0]), order=2)
    assert mixed.value == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize("order", [1, 2.5])
def test_wasserstein_of_a_turned_circle(order):
    """Turned by less than half of their distance, each point goes to its own image."""
    angles = np.arange(30) * 2 * np.pi / 30
    found = sphere_wasserstein(circle(angles), circle(angles + 0.1)[::-1], order=order)
    assert found.value == pytest.approx(0.1, rel=1e-9)
    assert (found.standard_error, found.n_points, found.n_repeats) == (0, 30, 1)


def test_wasserstein_is_the_best_of_all_permutations():
    U, V = unit(6, 4), unit(6, 4, 1)
    angles = np.arccos(U @ V.T)
    best = min(angles[range(6), p].mean() for p in itertools.permutations(range(6)))
    assert sphere_wasserstein(U, V).value == pytest.approx(best, rel=1e-9)


def test_wasserstein_is_a_distance_free_of_the_frame():
    U, V = unit(80, 5), unit(80, 5, 1)
    value = sphere_wasserstein(U, V).value
    turn = np.linalg.qr(np.random.RandomState(2).standard_normal((5, 5)))[0]
    assert sphere_wasserstein(V, U).value == pytest.approx(value, rel=1e-12)
    assert sphere_wasserstein(U @ turn, V @ turn).value == pytest.approx(value, rel=1e-9)
    assert sphere_wasserstein(U, U[::-1]).value == 0 < value


def test_wasserstein_by_subsamples():
    U, V = unit(400, 3), unit(300, 3, 1)
    found = [sphere_wasserstein(U, V, max_points=40, random_state=s) for s in range(60)]
    again = sphere_wasserstein(U, V, max_points=40, random_state=3)
    assert again.value == found[3].value != found[4].value
    assert (again.n_points, again.n_repeats) == (40, 10) and "40 codes" in again.summary
    spread = np.std([one.value for one in found], ddof=1)
    stated = np.mean([one.standard_error for one in found])
    assert stated == pytest.approx(spread, rel=0.35)
    unequal = sphere_wasserstein(U[:50], V, n_repeats=2, random_state=0)
    assert (unequal.n_points, unequal.to_frame()["n_repeats"][0]) == (50, 2)


# ------------------------------------------------------------------------------- bad input
NAN = np.where(np.arange(10)[:, None] == 3, np.nan, unit(10, 3))


@pytest.mark.parametrize(
    ("U", "message"),
    [
        (1.1 * unit(10, 3), r"U must hold unit codes, but U\[\d\] has norm 1.1"),
        (np.zeros((10, 3)), r"U\[0\] has norm 0"),
        (np.ones((10, 1)), "one component"),
        (np.empty((0, 3)), "U has 0 codes"),
        (NAN, "U contains NaN"),
        (np.ones(3), "Expected 2D array"),
    ],
)
def test_bad_codes(U, message):
    for call in (mmd_to_uniform, lambda U: sphere_wasserstein(U, unit(4, 3))):
        with pytest.raises(ValueError, match=message):
            call(U)


def test_bad_calls():
    for t in (0, -1.0, math.nan):
        with pytest.raises(ValueError, match=r"t=.* must be a number in \(0, inf\)"):
            mmd_to_uniform(unit(5, 3), t)
    with pytest.raises(ValueError, match="U has 1 codes: it must have at least 4"):
        mmd_to_uniform(unit(1, 3))
    with pytest.raises(ValueError, match="U has 3 components and V 4"):
        sphere_wasserstein(unit(5, 3), unit(5, 4))
    for params in ({"order": 0.5}, {"order": "1"}, {"max_points": 0}, {"n_repeats": 1}):
        ((name, value),) = params.items()
        with pytest.raises(ValueError, match=f"{name}={value!r} must be"):
            sphere_wasserstein(unit(5, 3), unit(5, 3), **params)
