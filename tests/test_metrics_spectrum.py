"""The spectrum of codes, its effective ranks, and the diversity of samples."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.datasets import load_digits

from geomgen.metrics.diversity import sample_diversity
from geomgen.metrics.spectrum import effective_rank, spectrum


def normal(n, p, seed=0):
    return np.random.RandomState(seed).normal(size=(n, p))


def shares(Z, center):
    Z = Z - Z.mean(0) if center else Z
    values = np.linalg.eigvalsh(Z.T @ Z / len(Z))[::-1]
    return values / values.sum()


def definition(Z, kind, center):
    p = shares(Z, center)
    return 1 / (p**2).sum() if kind == "participation" else np.exp(scipy.stats.entropy(p))


# -------------------------------------------------------------------------------- spectrum
@pytest.mark.parametrize("center", [False, True])
def test_spectrum_is_that_of_the_second_moment(center):
    Z = 2 + normal(50, 5) * [1, 2, 3, 4, 5]
    found, p = spectrum(Z, center=center), shares(Z, center)
    np.testing.assert_allclose(found.shares, p)
    assert found.top_share == pytest.approx(p[0])
    assert found.condition_number == pytest.approx(p[0] / p[-1])
    assert found.participation == effective_rank(Z, center=center)
    assert found.entropy == effective_rank(Z, kind="entropy", center=center)


def test_spectrum_of_unit_codes_is_the_eigenvalues_themselves():
    U = normal(200, 4) * [3, 1, 1, 1]
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    expected = np.linalg.eigvalsh(U.T @ U / 200)[::-1]
    np.testing.assert_allclose(spectrum(U).shares, expected)


def test_spectrum_with_unused_directions():
    found = spectrum(np.outer([1, -2, 3, 4], [0.1, 0.2, 0.3]))
    assert found.shares.shape == (3,)
    np.testing.assert_allclose(found.shares, [1, 0, 0], atol=1e-15)
    assert found.condition_number == np.inf
    few = spectrum(normal(2, 5))  # fewer codes than dimensions
    assert few.shares.shape == (5,) and (few.shares[2:] == 0).all()
    assert few.condition_number == np.inf


@pytest.mark.parametrize(
    ("Z", "center"), [(np.zeros((4, 3)), False), (np.tile([0.1, 0.3, 1.0], (7, 1)), True)]
)
def test_spectrum_of_no_direction(Z, center):
    found = spectrum(Z, center=center)
    assert (found.shares == 0).all()
    assert found.top_share == found.participation == found.entropy == 0
    assert np.isnan(found.condition_number)


def test_spectrum_takes_frames_and_leaves_codes_alone():
    Z = normal(20, 3)
    before = Z.copy()
    np.testing.assert_array_equal(
        spectrum(pd.DataFrame(Z)).shares, spectrum(Z, center=False).shares
    )
    spectrum(Z, center=True)
    np.testing.assert_array_equal(Z, before)


# -------------------------------------------------------------------------- effective rank
@pytest.mark.parametrize("kind", ["participation", "entropy"])
@pytest.mark.parametrize("center", [False, True])
def test_effective_rank_is_its_definition(kind, center):
    Z = 2 + normal(50, 5) * [1, 2, 3, 4, 5]
    found = effective_rank(Z, kind=kind, center=center)
    assert found == pytest.approx(definition(Z, kind, center))
    for scale in (1e-200, 1e200):
        assert effective_rank(scale * Z, kind=kind, center=center) == pytest.approx(found)
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
    assert effective_rank(np.tile([0.1, 0.3, 1.0], (7, 1)), kind=kind, center=True) == 0


def test_effective_rank_formulas():
    Z = np.diag(np.sqrt([3.0, 1.0]))  # p = (3/4, 1/4)
    assert effective_rank(Z) == pytest.approx(16 / 10)
    assert effective_rank(Z, kind="entropy") == pytest.approx(4 / 3**0.75)


@pytest.mark.parametrize("kwargs", [{"kind": "stable"}, {"kind": None}])
def test_effective_rank_rejects(kwargs):
    with pytest.raises(ValueError, match="'participation' or 'entropy'"):
        effective_rank(np.eye(2), **kwargs)


@pytest.mark.parametrize("function", [spectrum, effective_rank])
@pytest.mark.parametrize(
    ("Z", "message"),
    [
        ([1.0, 2.0], "2D array"),
        ([[np.nan, 1.0]], "Z contains NaN"),
        (np.empty((0, 2)), "0 sample"),
        (pd.DataFrame({"a": ["x"]}), r"Columns \['a'\] of Z are not numbers"),
    ],
)
def test_codes_are_checked(function, Z, message):
    with pytest.raises(ValueError, match=message):
        function(Z)


# ------------------------------------------------------------------------------- diversity
def test_diversity_is_the_mean_variance():
    X, Y = normal(30, 4) * [1, 2, 3, 4], 5 + normal(40, 4, 1)
    found = sample_diversity(X, Y)
    assert found.real == pytest.approx(np.mean([np.var(x) for x in X.T]))
    assert found.generated == pytest.approx(np.mean([np.var(y) for y in Y.T]))
    assert found.ratio == pytest.approx(found.generated / found.real)
    assert sample_diversity(X, 3 * X).ratio == pytest.approx(9)
    assert sample_diversity(X, X + 1e6).ratio == pytest.approx(1)


def test_diversity_of_constants():
    X, same = normal(10, 2), np.full((7, 2), 0.1)
    assert sample_diversity(X, same)[1:] == (0, 0)
    assert np.isnan(sample_diversity(same, X).ratio)


def test_diversity_of_digits_is_far_below_the_bound():
    """On [0, 1] no variance exceeds 1/4, which rows of zeros and ones reach."""
    X = load_digits().data / 16
    found = sample_diversity(X, np.repeat([[0.0], [1.0]], 50, axis=0) * np.ones(64))
    assert found.generated == 0.25
    assert found.real < 0.1
    assert sample_diversity(2 * X - 1, X).real == pytest.approx(4 * found.real)


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        ([[0.0]], [[0.0], [1.0]], "X has 1 rows: at least 2"),
        ([[0.0], [1.0]], [[0.0]], "Y has 1 rows: at least 2"),
        ([[0.0], [1.0]], [[0.0, 1.0], [1.0, 1.0]], "X has 1 columns and Y 2"),
        ([[0.0], [np.nan]], [[0.0], [1.0]], "X contains NaN"),
    ],
)
def test_diversity_rejects(X, Y, message):
    with pytest.raises(ValueError, match=message):
        sample_diversity(X, Y)
