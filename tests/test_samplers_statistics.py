"""Samplers over codes: what each one's draws are distributed like."""

import numpy as np
import pytest
import torch
from scipy.stats import binom, kstest

from geomgen.samplers import (
    CellSampler,
    GaussianSampler,
    MixtureSampler,
    PriorSampler,
    UniformSphereSampler,
)

from .helpers import quick
from .test_samplers import ANYWHERE, Z, make_model, modelled


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


TRAINED = (
    "DiffusionSampler",
    "FlowSampler",
    "RiemannianSampler",
    "SecondStageSampler",
)  # their own files say
SLACK = {
    "CellSampler": 2e-3,  # its ridge is 1e-3 of the variance
    "AutoSampler": 0.1,
    "CopulaSampler": 0.02,  # a Gaussian copula of data that are Gaussian
    "KernelSampler": 0.1,  # a kernel adds its own variance
    "LocalSampler": 0.1,  # a neighbourhood's Gaussian reaches past the edge of the codes
    "NeighbourInterpolationSampler": 0.1,  # between codes there is less spread than among them
}


@pytest.mark.parametrize(
    "sampler",
    [
        *(quick(cls) for cls in ANYWHERE if cls.__name__ not in TRAINED),
        MixtureSampler(n_components=1),
        CellSampler(n_cells=1),
        CellSampler(n_cells=40, random_state=0),
    ],
    ids=repr,
)
def test_moments_are_those_of_the_codes(sampler):
    slack = SLACK.get(type(sampler).__name__, 0)
    check_moments(sampler.fit(CORRELATED).sample(20000, random_state=0), *MOMENTS, slack=slack)


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
    """Whitening: other units of the codes give the same cells."""
    M = np.random.RandomState(5).normal(size=(3, 3))
    one, two = (CellSampler(n_cells=5, random_state=0).fit(c) for c in (Z, Z @ M + 7))
    np.testing.assert_allclose(np.sort(one.weights_), np.sort(two.weights_))


def test_cells_have_full_covariances():
    """Two cells of opposite correlations, which the whole does not have."""
    left = np.random.RandomState(0).normal(size=(3000, 2)) @ [[1, 0.9], [0, 0.4]]
    codes = np.r_[left - [20, 0], left * [1, -1] + [20, 0]]
    sampler = CellSampler(n_cells=2, ridge=1e-9, random_state=0).fit(codes)
    draws = sampler.sample(20000, random_state=0)
    for side, found in ((codes[:3000], draws[:, 0] < 0), (codes[3000:], draws[:, 0] > 0)):
        check_moments(draws[found], side.mean(0), np.cov(side.T, bias=True))


def test_prior_sampler_takes_the_models_own():
    """A copy of it: the model stays in float32."""
    model = make_model("euclidean")
    model.prior.zero += 7
    draws = PriorSampler().fit(Z, model=model).sample(5000, random_state=0)
    check_moments(draws, np.full(3, 7), np.eye(3))
    assert model.prior.zero.dtype == torch.float32


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
