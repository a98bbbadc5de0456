"""Densities of the samplers: they integrate to one, and their draws follow them."""

import math

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from geomgen.samplers._projected import log_mixture, log_projected_normal
from geomgen.samplers.gaussian import GaussianSampler
from geomgen.samplers.kernel import KernelSampler
from geomgen.samplers.local import LocalSampler
from geomgen.samplers.mixture import MixtureSampler
from geomgen.samplers.prior import PriorSampler, UniformSphereSampler
from geomgen.samplers.von_mises import VonMisesFisherSampler

from .helpers import name
from .test_samplers import make_model
from .test_sphere_densities import circle, log_area, sphere_rule, unit

FLAT = [
    GaussianSampler(),
    MixtureSampler(n_components=3, reg_covar=1e-3, random_state=0),
    LocalSampler(n_neighbors=15, ridge=1e-2),
    KernelSampler(bandwidth=0.3),
    PriorSampler(),
]
ROUND = [
    *FLAT,
    GaussianSampler(space="ambient"),
    LocalSampler(n_neighbors=15, ridge=1e-2, space="ambient"),
    UniformSphereSampler(),
    VonMisesFisherSampler(n_components=2, random_state=0),
]
flat = pytest.mark.parametrize("sampler", FLAT, ids=lambda s: name(type(s)))
round_ = pytest.mark.parametrize("sampler", ROUND, ids=lambda s: f"{name(type(s))}-{s.space}")


def codes(n, d, seed=0):
    """Two clusters of different shapes, off the origin."""
    rng = np.random.RandomState(seed)
    Z = rng.normal(size=(n, d)) * np.linspace(0.4, 0.8, d) + np.linspace(0.3, 1, d)
    Z[: n // 4] *= -1.2
    return Z


def plane(n=601, half=8.0):
    """Points and weights of a rule on a square."""
    x = np.linspace(-half, half, n)
    return np.stack(np.meshgrid(x, x), -1).reshape(-1, 2), np.full(n * n, (x[1] - x[0]) ** 2)


def check_draws(sampler, points, mass, n=10_000):
    """Moments of the draws, and of their log density, are the quadrature's."""
    assert mass.sum() == pytest.approx(1, abs=1e-6)
    draws = sampler.sample(n, random_state=0)

    def features(Z):
        return np.c_[Z, Z**2, Z[:, :1] * Z[:, 1:], sampler._log_density(Z)]

    found, expected = features(draws), mass @ features(points)
    errors = found.std(0) / math.sqrt(n)
    assert (np.abs(found.mean(0) - expected) <= 4 * errors + 1e-9).all() and errors.max() < 0.04


# ------------------------------------------------------------------------------- quadrature
@flat
def test_density_in_the_plane(sampler):
    sampler.fit(codes(60, 2))
    points, weights = plane()
    check_draws(sampler, points, weights * np.exp(sampler._log_density(points)))


@round_
def test_density_on_the_circle(sampler):
    sampler.fit(codes(60, 2), model=make_model("sphere", 2))
    points = circle(np.arange(4000) * 2 * np.pi / 4000)
    check_draws(sampler, points, np.exp(sampler._log_density(points)) * 2 * np.pi / 4000)


@round_
def test_density_on_the_sphere(sampler):
    sampler.fit(codes(60, 3), model=make_model("sphere", 3))
    points, weights = sphere_rule(100)
    check_draws(sampler, points, weights * np.exp(sampler._log_density(points)))


# ---------------------------------------------------------------------- importance sampling
SMOOTH = [
    GaussianSampler(),
    MixtureSampler(n_components=3, reg_covar=0.3, random_state=0),
    LocalSampler(n_neighbors=300),
    KernelSampler(bandwidth=1.0),
    VonMisesFisherSampler(n_components=3, random_state=0),
]


def check_weights(weights):
    error = weights.std() / math.sqrt(len(weights))
    assert 1e-4 < error < 0.1 and abs(weights.mean() - 1) < 4 * error


@pytest.mark.parametrize("sampler", SMOOTH[:-1], ids=repr)
def test_density_in_16_dimensions_integrates_to_one(sampler):
    sampler.fit(np.random.RandomState(0).normal(size=(400, 16)))
    draws = 1.3 * np.random.RandomState(1).normal(size=(4000, 16))
    check_weights(np.exp(sampler._log_density(draws) - norm.logpdf(draws, scale=1.3).sum(1)))


@pytest.mark.parametrize("space", ["unit", "ambient"])
@pytest.mark.parametrize("sampler", SMOOTH, ids=repr)
def test_density_on_the_sphere_of_16_dimensions_integrates_to_one(sampler, space):
    Z = np.random.RandomState(0).normal(size=(400, 16)) + 0.1
    sampler.set_params(space=space).fit(Z, model=make_model("sphere", 16))
    check_weights(np.exp(sampler._log_density(unit(4000, 16, seed=1)) + log_area(16)))


# ----------------------------------------------------------------------- trusted libraries
def test_gaussian_density_is_scipys():
    Z = codes(300, 4)
    expected = multivariate_normal(Z.mean(0), np.cov(Z.T, bias=True)).logpdf(Z)
    np.testing.assert_allclose(GaussianSampler().fit(Z)._log_density(Z), expected, rtol=1e-10)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_mixture_density_is_scikit_learns(covariance_type):
    Z = 1e3 * codes(300, 3)
    sampler = MixtureSampler(n_components=2, covariance_type=covariance_type, random_state=0)
    mixture: GaussianMixture = sampler.fit(Z).mixture_
    expected = mixture.score_samples(Z / sampler.scale_) - 3 * math.log(sampler.scale_)
    np.testing.assert_allclose(sampler._log_density(Z), expected, rtol=1e-10)


def test_kernel_density_is_scikit_learns():
    Z = codes(300, 3) * [1, 10, 100]
    scale = Z.std(0)
    kernels = KernelDensity(bandwidth=0.4).fit(Z / scale)
    expected = kernels.score_samples(Z / scale) - np.log(scale).sum()
    found = KernelSampler(bandwidth=0.4).fit(Z)._log_density(Z)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_prior_density():
    Z = codes(9, 3)
    expected = norm.logpdf(Z).sum(1)
    np.testing.assert_allclose(PriorSampler().fit(Z)._log_density(Z), expected, rtol=1e-12)
    on_sphere = PriorSampler().fit(Z, model=make_model("sphere"))._log_density(unit(9, 3))
    np.testing.assert_allclose(on_sphere, -math.log(4 * math.pi), rtol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3, 512])
def test_uniform_density_is_one_over_the_surface(d):
    found = UniformSphereSampler().fit(np.ones((2, d)))._log_density(np.ones((2, d)))
    np.testing.assert_allclose(found, -log_area(d), rtol=1e-12)


# ----------------------------------------------------------------------------- how it is computed
@pytest.mark.parametrize("d", [2, 16, 128])
@pytest.mark.parametrize("spread", [0.05, 1.0])
def test_projected_mixture_is_the_sum_of_its_components(d, spread):
    """Components that do not matter are approximated: nothing of it is left in the sum."""
    rng = np.random.RandomState(0)
    means = unit(40, d)
    roots = spread * (rng.normal(size=(40, d, d)) / math.sqrt(d) + np.eye(d))
    covariances, weights = roots @ np.swapaxes(roots, 1, 2), rng.dirichlet(np.ones(40))
    U = np.r_[unit(50, d, seed=1), means[:5]]
    factors = np.linalg.cholesky(covariances)
    parts = [log_projected_normal(U, *pair) for pair in zip(means, factors, strict=True)]
    expected = logsumexp(np.array(parts) + np.log(weights)[:, None], axis=0)
    found = log_mixture(U, [(weights, means, covariances)], on_sphere=True)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    halves = [(weights[s], means[s], covariances[s]) for s in (slice(7), slice(7, 40))]
    np.testing.assert_allclose(log_mixture(U, halves, on_sphere=True), found, atol=1e-11)


def test_densities_do_not_depend_on_the_other_codes():
    Z = codes(2000, 16)
    sampler = LocalSampler().fit(Z[:1000])
    together = sampler._log_density(Z)
    alone = np.r_[sampler._log_density(Z[:3]), sampler._log_density(Z[3:1500])]
    np.testing.assert_allclose(together[:1500], alone, rtol=1e-12)


@flat
@pytest.mark.parametrize("kind", [None, "sphere"])
def test_units_and_frame(sampler, kind):
    """Volumes scale, angles do not; a turn of the codes turns the density."""
    Z, d = codes(60, 3), 3
    model = make_model(kind)
    one = sampler.fit(Z, model=model)._log_density(sampler._project(Z))
    if not isinstance(sampler, PriorSampler):
        scaled = sampler.fit(1e3 * Z, model=model)._log_density(sampler._project(1e3 * Z))
        loss = 0 if kind else d * math.log(1e3)
        np.testing.assert_allclose(scaled, one - loss, atol=1e-5)
    if isinstance(sampler, GaussianSampler | LocalSampler | PriorSampler):
        turn = np.linalg.qr(np.random.RandomState(1).normal(size=(3, 3)))[0]
        turned = sampler.fit(Z @ turn, model=model)._log_density(sampler._project(Z @ turn))
        np.testing.assert_allclose(turned, one, atol=1e-8)


def test_isotropic_gaussian_in_512_dimensions_is_uniform():
    sampler = GaussianSampler().fit(unit(600, 512), model=make_model("sphere", 512))
    sampler.mean_, sampler.factor_ = np.zeros(512), 3 * np.eye(512)
    np.testing.assert_allclose(sampler._log_density(unit(5, 512)), -log_area(512), rtol=1e-12)


@pytest.mark.parametrize("sampler", [GaussianSampler(), KernelSampler(), LocalSampler()], ids=repr)
@pytest.mark.parametrize("kind", [None, "sphere"])
def test_codes_of_fewer_dimensions_have_no_density(sampler, kind):
    Z = codes(30, 3) * [1, 1, 0]
    if isinstance(sampler, GaussianSampler) and kind is None:  # it has one on the flat they fill
        density = sampler.fit(Z)._log_density(np.r_[Z, Z + [0, 0, 1]])
        on_flat = GaussianSampler().fit(Z[:, :2])._log_density(Z[:, :2])
        np.testing.assert_allclose(density[:30], on_flat)
        assert (density[30:] == -np.inf).all()
        return
    if isinstance(sampler, LocalSampler):  # its ridge gives the plane a thickness
        sampler = LocalSampler(ridge=0)
    with pytest.raises(ValueError, match=r"singular.*fewer than 3 dimensions.*Fit more codes"):
        sampler.fit(Z, model=make_model(kind))._log_density(unit(3, 3))
