"""Samplers over codes: what all share, and what each one's draws are distributed like."""

import pickle

import numpy as np
import pytest
import torch
from scipy.stats import binom, kstest

from geomgen.manifolds import Euclidean, Sphere
from geomgen.nn import (
    GaussianLikelihood,
    LatentVariableModel,
    PointPosterior,
    StandardNormal,
    UniformSphere,
    mlp,
)
from geomgen.samplers import (
    CellSampler,
    GaussianSampler,
    MixtureSampler,
    PriorSampler,
    UniformSphereSampler,
)

from .helpers import SAMPLERS, name

Z = np.random.RandomState(0).normal([1, -2, 3], [1, 2, 0.5], size=(200, 3))
LEARNT = [cls for cls in SAMPLERS if cls not in (PriorSampler, UniformSphereSampler)]
each = pytest.mark.parametrize("cls", SAMPLERS, ids=name)
each_learnt = pytest.mark.parametrize("cls", LEARNT, ids=name)
modelled = pytest.mark.parametrize("kind", [None, "euclidean", "sphere"])


def make_model(kind, d=3):
    if kind is None:
        return None
    prior, manifold = {"euclidean": (StandardNormal, Euclidean), "sphere": (UniformSphere, Sphere)}[
        kind
    ]
    encoder, decoder = PointPosterior(mlp(4, (), d)), GaussianLikelihood(mlp(d, (), 4))
    return LatentVariableModel(encoder, decoder, prior(d), manifold())


def global_states():
    return torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes()


# ----------------------------------------------------------------------------- all samplers
@each
@modelled
def test_contract(cls, kind):
    """Shape, dtype, manifold, reproducibility, silence about global states, pickling."""
    np.random.seed(0)
    before, codes = global_states(), Z.copy()
    sampler = cls(random_state=0).fit(Z, model=make_model(kind))
    draws = sampler.sample(101, random_state=1)
    assert draws.shape == (101, 3) and draws.dtype == np.float64 and np.isfinite(draws).all()
    assert sampler.sample(101, random_state=1).tobytes() == draws.tobytes()
    assert pickle.loads(pickle.dumps(sampler)).sample(101, 1).tobytes() == draws.tobytes()
    again = cls(random_state=0).fit(Z, model=make_model(kind))
    assert again.sample(101, random_state=1).tobytes() == draws.tobytes()
    assert not np.isin(sampler.sample(101, random_state=2), draws).any()
    assert len(np.unique(draws, axis=0)) == 101
    assert global_states() == before
    np.testing.assert_array_equal(Z, codes)
    if kind == "sphere" or cls is UniformSphereSampler:
        np.testing.assert_allclose(np.linalg.norm(draws, axis=1), 1, rtol=1e-12)
    else:
        assert np.linalg.norm(draws, axis=1).std() > 0.1


@each
def test_without_a_seed_numpys_global_state_decides(cls):
    sampler = cls(random_state=0).fit(Z)
    np.random.seed(3)
    one, two = sampler.sample(5), sampler.sample(5)
    np.random.seed(3)
    np.testing.assert_array_equal(sampler.sample(5), one)
    assert not np.array_equal(one, two)


@each
@pytest.mark.parametrize("n", [0, -1, 2.5, "3", True, None])
def test_n_samples_is_checked(cls, n):
    with pytest.raises(ValueError, match="n_samples"):
        cls().fit(Z).sample(n)


@each
def test_rows_are_in_no_order(cls):
    """First and second half of the draws are alike, though the codes are sorted by mode."""
    two = np.repeat([[-9.0, 1.0], [9.0, 1.0]], 100, axis=0)
    two = two + np.random.RandomState(0).normal(size=(200, 2))
    draws = cls(random_state=0).fit(two).sample(2000, random_state=0)[:, 0] > 0
    assert abs(draws[:1000].mean() - draws[1000:].mean()) < 5 * np.sqrt(0.5 / 1000)
    assert 0.3 < (draws[1:] != draws[:-1]).mean() < 0.7


# ------------------------------------------------------------------------- degenerate codes
CASES = {
    "constant": np.full((30, 3), 2.0),
    "one feature": Z[:, :1],
    "collinear": np.outer(np.linspace(-1, 1, 40), [1, 2, -1]) + [5, 0, 0],
    "few rows": Z[:4],
    "repeated rows": np.repeat(Z[:3], 20, axis=0),
    "tiny": 1e-12 * Z,
    "huge": 1e12 * Z,
    "far": Z + 1e6,
    "float32": Z.astype(np.float32),
}


@each
@modelled
@pytest.mark.parametrize("case", CASES)
def test_degenerate_codes(cls, kind, case):
    codes = CASES[case]
    sampler = cls(random_state=0).fit(codes, model=make_model(kind, codes.shape[1]))
    draws = sampler.sample(500, random_state=0)
    assert draws.shape == (500, codes.shape[1]) and np.isfinite(draws).all()
    if kind == "sphere":
        np.testing.assert_allclose(np.linalg.norm(draws, axis=1), 1, rtol=1e-9)
    elif cls in LEARNT:
        # means within 6 standard errors, in the codes' own units (MixtureSampler has a ridge)
        error = np.abs(draws.mean(0) - codes.mean(0, dtype=np.float64))
        assert (error <= 6 * codes.std(0) / 500**0.5 + 1e-3 * (case == "constant") + 1e-300).all()


@each
def test_one_row(cls):
    if cls is MixtureSampler:
        with pytest.raises(ValueError, match="minimum of 2"):
            cls().fit(Z[:1])
        return
    draws = cls(random_state=0).fit(Z[:1]).sample(4, random_state=0)
    if cls in LEARNT:
        np.testing.assert_allclose(draws, np.repeat(Z[:1], 4, axis=0))


@pytest.mark.parametrize("cls", [CellSampler, GaussianSampler], ids=name)
def test_draws_of_collinear_codes_are_collinear(cls):
    codes = CASES["collinear"]
    draws = cls(random_state=0).fit(codes).sample(300, random_state=0) - [5, 0, 0]
    np.testing.assert_allclose(draws, np.outer(draws[:, 0], [1, 2, -1]), atol=1e-12)
    assert draws[:, 0].std() == pytest.approx(codes[:, 0].std(), rel=0.2)


@each
def test_bad_codes(cls):
    for bad, message in ((np.full((3, 2), np.nan), "NaN"), (Z[0], "2D array"), (Z[:0], "0 sample")):
        with pytest.raises(ValueError, match=message):
            cls().fit(bad)
    with pytest.raises(ValueError, match="space"):
        cls(space="sphere").fit(Z)


# ------------------------------------------------------------------------------------ space
@each_learnt
@pytest.mark.parametrize("space", ["unit", "ambient"])
def test_space_and_the_radius_of_codes(cls, space):
    """A spherical model's radii are arbitrary: "unit" does not see them, "ambient" does."""
    radii = np.random.RandomState(1).lognormal(size=(200, 1))
    one, two = (
        cls(space=space, random_state=0).fit(codes, model=make_model("sphere")).sample(50, 0)
        for codes in (Z, radii * Z)
    )
    if space == "unit":
        np.testing.assert_allclose(one, two, atol=1e-6)
    else:
        assert np.abs(one - two).max() > 1e-2


@each
def test_space_changes_nothing_without_a_sphere(cls):
    unit, ambient = (
        cls(space=s, random_state=0).fit(Z, model=make_model("euclidean")).sample(9, 0)
        for s in ("unit", "ambient")
    )
    np.testing.assert_array_equal(unit, ambient)


def test_ambient_space_is_eq_18():
    """Fit the codes as they are, project the draws."""
    sampler = GaussianSampler(space="ambient").fit(Z, model=make_model("sphere"))
    plain = GaussianSampler().fit(Z)
    expected = plain.sample(20, 0)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(sampler.sample(20, 0), expected, rtol=1e-12)


# ------------------------------------------------------------------------------ statistics
def check_moments(draws, mean, covariance, errors=5.0, slack=0.0):
    """Means and covariances within so many standard errors (of normal draws)."""
    n, variances = len(draws), np.diag(covariance)
    assert (np.abs(draws.mean(0) - mean) <= errors * np.sqrt(variances / n)).all()
    spread = np.sqrt((covariance**2 + np.outer(variances, variances)) / n)
    excess = np.abs(np.cov(draws.T, bias=True) - covariance)
    assert (excess <= errors * spread + slack * np.sqrt(np.outer(variances, variances))).all()


MIXING = np.array([[2.0, 0, 0], [1, 1, 0], [-3, 0.5, 0.1]])
CORRELATED = np.random.RandomState(1).normal(size=(3000, 3)) @ MIXING.T + [10, 0, -5]
MOMENTS = CORRELATED.mean(0), np.cov(CORRELATED.T, bias=True)


@pytest.mark.parametrize("params", [{}, {"n_components": 1}, {"n_cells": 1}, {"n_cells": 40}])
@each_learnt
def test_moments_are_those_of_the_codes(cls, params):
    if set(params) - set(cls().get_params()):
        pytest.skip("not a parameter of this sampler")
    sampler = cls(random_state=0, **params).fit(CORRELATED)
    slack = 2e-3 if cls is CellSampler else 0  # its ridge is 1e-3 of the variance
    check_moments(sampler.sample(20000, random_state=0), *MOMENTS, slack=slack)


def test_gaussian_draws_are_normal():
    draws = GaussianSampler().fit(Z).sample(5000, random_state=0)
    for column, code in zip(draws.T, Z.T, strict=True):
        assert kstest(column, "norm", (code.mean(), code.std())).pvalue > 1e-3


@pytest.mark.parametrize("share", [0.5, 0.1, 0.02])
def test_mixture_weights(share):
    codes = np.random.RandomState(0).normal(size=(1000, 2))
    codes[: round(1000 * share)] += 30
    sampler = MixtureSampler(n_components=2, random_state=0).fit(codes)
    count = (sampler.sample(5000, random_state=0)[:, 0] > 15).sum()
    low, high = binom.interval(1 - 1e-4, 5000, share)
    assert low <= count <= high


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_mixture_ridge_is_relative(scale):
    one = MixtureSampler(n_components=3, reg_covar=1e-2, random_state=0).fit(Z).sample(20, 0)
    scaled = MixtureSampler(n_components=3, reg_covar=1e-2, random_state=0).fit(scale * Z)
    np.testing.assert_allclose(scaled.sample(20, 0) / scale, one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", [1, 7, 49, 50, 51, 333, 1000, 4999])
def test_cell_counts_are_stratified(n):
    """A cell's draws are its share, rounded up or down: a binomial count would stray further."""
    codes = np.random.RandomState(0).normal(scale=0.1, size=(1000, 2))
    codes[:20] += [30, 0]
    codes[20:120] += [0, 30]
    sampler = CellSampler(n_cells=3, random_state=0).fit(codes)
    np.testing.assert_allclose(np.sort(sampler.weights_), [0.02, 0.1, 0.88])
    for seed in range(20):
        draws = sampler.sample(n, random_state=seed)
        for found, share in ((draws[:, 0] > 15, 0.02), (draws[:, 1] > 15, 0.1)):
            exact = round(n * share, 9)
            assert np.floor(exact) <= found.sum() <= np.ceil(exact)


def test_cell_rounding_is_unbiased():
    """One draw at a time, a cell of 2 % comes out at 2 %."""
    codes = np.r_[np.zeros((98, 1)), np.full((2, 1), 9.0)]
    sampler = CellSampler(n_cells=2, ridge=1e-6, random_state=0).fit(codes)
    count = sum(sampler.sample(1, random_state=seed)[0, 0] > 5 for seed in range(5000))
    low, high = binom.interval(1 - 1e-4, 5000, 0.02)
    assert low <= count <= high


def test_cells_are_equivariant_to_affine_maps():
    """Whitening: other units of the codes give the same cells and draws."""
    M = np.random.RandomState(5).normal(size=(3, 3))
    one, two = (CellSampler(n_cells=5, random_state=0).fit(c) for c in (Z, Z @ M + 7))
    np.testing.assert_allclose(np.sort(one.weights_), np.sort(two.weights_))


@modelled
def test_prior_sampler(kind):
    """The model's prior, N(0, I) without a model, whatever the codes."""
    draws = PriorSampler().fit(Z, model=make_model(kind)).sample(20000, random_state=0)
    if kind == "sphere":
        check_moments(draws, np.zeros(3), np.eye(3) / 3)
    else:
        check_moments(draws, np.zeros(3), np.eye(3))
        assert kstest(draws[:, 0], "norm").pvalue > 1e-3
    other = PriorSampler().fit(Z + 50, model=make_model(kind)).sample(20000, random_state=0)
    np.testing.assert_array_equal(draws, other)


@pytest.mark.parametrize("d", [2, 3, 16])
def test_uniform_sphere_sampler(d):
    draws = UniformSphereSampler().fit(np.ones((5, d))).sample(20000, random_state=0)
    check_moments(draws, np.zeros(d), np.eye(d) / d)
    if d == 3:  # Archimedes: each coordinate is uniform on [-1, 1]
        assert kstest(draws[:, 0], "uniform", (-1, 2)).pvalue > 1e-3
