"""Paper L, Lemma 1: densities of projected Gaussians and mixtures, and of fitted samplers."""

import math

import mpmath
import numpy as np
import pytest
from scipy.special import gammaln
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from geomgen import AE, SphericalAE
from geomgen.diagnostics._projection import log_radial
from geomgen.diagnostics.projected import (
    projected_density,
    projected_mixture_logpdf,
    projected_normal_logpdf,
)
from geomgen.samplers import GaussianSampler, MixtureSampler

from .helpers import small

X = np.random.RandomState(0).normal(size=(300, 5)) @ np.diag([3, 1, 1, 0.3, 0.3]) + 1


def unit(n, d, seed=0):
    gaussian = np.random.RandomState(seed).standard_normal((n, d))
    return gaussian / np.linalg.norm(gaussian, axis=1, keepdims=True)


def circle(angles):
    return np.c_[np.cos(angles), np.sin(angles)]


def normal(d, seed=0, mean=1.0, spread=1.0):
    """Mean and covariance of a normal, with the spread of the log variances."""
    rng = np.random.RandomState(seed)
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    variances = np.exp(spread * rng.uniform(-1, 1, d))
    return mean * rng.standard_normal(d) / math.sqrt(d), (turn * variances) @ turn.T


def log_area(d):
    return math.log(2) + d / 2 * math.log(math.pi) - gammaln(d / 2)


# ------------------------------------------------------------------------ the radial integral
@pytest.mark.parametrize("d", [2, 3, 5, 16, 128, 512])
def test_radial_integral_is_a_parabolic_cylinder_function(d):
    betas = np.array([-40.0, -7.3, -2.0, -0.4, 0.0, 0.6, 2.0, 4.5, 7.0, 25.0])
    with mpmath.workdps(60):
        for beta, found in zip(betas, log_radial(betas, d), strict=True):
            b = mpmath.mpf(float(beta))
            exact = mpmath.log(mpmath.gamma(d) * mpmath.pcfd(-d, -b)) - b * b / 4
            assert found == pytest.approx(float(exact), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("d", [2, 64, 512])
def test_radial_integral_far_out(d):
    """One-sided gamma integral at the left, normal moments at the right."""
    left, right = log_radial(np.array([-1e7, 1e7]), d)
    assert left == pytest.approx(gammaln(d) - d * math.log(1e7) - 0.5e14, rel=1e-14)
    moments = (d - 1) * math.log(1e7) + 0.5 * math.log(2 * math.pi)
    assert right == pytest.approx(moments, rel=1e-12)


@pytest.mark.parametrize("d", [2, 3, 16])
def test_density_is_eq_17(d):
    """The integral over the radius, of the printed integrand, by mpmath."""
    mean, covariance = normal(d, mean=2.0)
    U = np.r_[unit(2, d), [mean / np.linalg.norm(mean)], [-mean / np.linalg.norm(mean)]]
    precision = np.linalg.inv(covariance)
    log_norm = -0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    for u, found in zip(U, projected_normal_logpdf(U, mean, covariance), strict=True):
        a, b, c = (x @ precision @ y for x, y in ((u, u), (u, mean), (mean, mean)))

        def integrand(r, a=a, b=b, c=c):
            return mpmath.exp(-(a * r * r - 2 * b * r + c) / 2) * r ** (d - 1)

        exact = mpmath.log(mpmath.quad(integrand, [0, 1, 2, 4, 8, 16, 32])) + log_norm
        assert found == pytest.approx(float(exact), rel=1e-10)


# ------------------------------------------------------------------------------ it is a density
@pytest.mark.parametrize("mean", [0.0, 1.0, 30.0])
def test_density_on_the_circle_integrates_to_one(mean):
    angles = np.arange(20000) * 2 * np.pi / 20000
    log_density = projected_normal_logpdf(circle(angles), *normal(2, 3, mean))
    assert np.exp(log_density).mean() * 2 * np.pi == pytest.approx(1, rel=1e-10)


def sphere_rule(n=200):
    """Points and weights of a product rule on S²."""
    heights, weights = np.polynomial.legendre.leggauss(n)
    z, angles = (a.ravel() for a in np.meshgrid(heights, np.arange(n) * 2 * np.pi / n))
    U = np.c_[np.sqrt(1 - z**2) * np.cos(angles), np.sqrt(1 - z**2) * np.sin(angles), z]
    return U, np.tile(weights, n) * 2 * np.pi / n


@pytest.mark.parametrize("mean", [0.0, 4.0])
def test_density_on_the_sphere_has_the_draws_moments(mean):
    (U, weights), (mu, covariance) = sphere_rule(), normal(3, 4, mean)
    mass = weights * np.exp(projected_normal_logpdf(U, mu, covariance))
    assert mass.sum() == pytest.approx(1, rel=1e-10)
    draws = np.random.RandomState(0).multivariate_normal(mu, covariance, size=100_000)
    draws /= np.linalg.norm(draws, axis=1, keepdims=True)
    moments = np.c_[draws, draws**2, draws[:, :1] * draws[:, 1:]]
    expected = mass @ np.c_[U, U**2, U[:, :1] * U[:, 1:]]
    errors = moments.std(0) / math.sqrt(len(draws))
    assert (np.abs(moments.mean(0) - expected) < 4 * errors).all() and errors.max() < 0.01


@pytest.mark.parametrize("d", [16, 128])
def test_density_integrates_to_one_by_importance_sampling(d):
    mean, covariance = normal(d, mean=0.5, spread=0.15)
    log_density = projected_normal_logpdf(unit(20000, d), mean, covariance)
    weights = np.exp(log_density + log_area(d))  # over uniform draws
    error = weights.std() / math.sqrt(len(weights))
    assert 1e-3 < error < 0.02 and abs(weights.mean() - 1) < 4 * error


@pytest.mark.parametrize("d", [2, 3, 16, 128, 512])
def test_isotropic_centred_normal_is_uniform(d):
    found = projected_normal_logpdf(unit(5, d), np.zeros(d), 7 * np.eye(d))
    np.testing.assert_allclose(found, -log_area(d), rtol=1e-12)


@pytest.mark.parametrize("d", [2, 16, 512])
def test_density_is_free_of_scale_and_frame(d):
    (mean, covariance), U = normal(d), unit(20, d)
    found = projected_normal_logpdf(U, mean, covariance)
    assert found.std() > 0.1
    scaled = projected_normal_logpdf(U, 1e4 * mean, 1e8 * covariance)
    np.testing.assert_allclose(scaled, found, rtol=1e-10)
    turn = np.linalg.qr(np.random.RandomState(1).standard_normal((d, d)))[0]
    turned = projected_normal_logpdf(U @ turn.T, turn @ mean, turn @ covariance @ turn.T)
    np.testing.assert_allclose(turned, found, rtol=1e-10)


@pytest.mark.parametrize("d", [2, 512])
def test_density_far_from_the_origin_is_a_tangent_normal(d):
    """At the mean's own direction |mu|^(d-1) / (2 pi)^((d-1)/2); next to nothing opposite."""
    mean = 1e6 * unit(1, d)[0]
    U = np.array([mean, -mean]) / 1e6
    at, opposite = projected_normal_logpdf(U, mean, np.eye(d))
    assert at == pytest.approx((d - 1) * (math.log(1e6) - math.log(2 * math.pi) / 2), rel=1e-9)
    assert np.isfinite(opposite) and opposite == pytest.approx(-0.5e12, rel=1e-6)


def test_mixture_is_the_weighted_sum():
    U, parts = unit(50, 4), [normal(4, seed, 3.0) for seed in range(3)]
    means, covariances = (list(part) for part in zip(*parts, strict=True))
    densities = [np.exp(projected_normal_logpdf(U, *part)) for part in parts]
    found = projected_mixture_logpdf(U, [0.5, 0.2, 0.3], means, covariances)
    np.testing.assert_allclose(np.exp(found), np.dot([0.5, 0.2, 0.3], densities), rtol=1e-10)
    without = projected_mixture_logpdf(U, [1, 0, 0], means, covariances)
    np.testing.assert_allclose(np.exp(without), densities[0], rtol=1e-10)


# ------------------------------------------------------------------------------ fitted models
SHAPES = ["full", "tied", "diag", "spherical"]


@pytest.mark.parametrize(
    "sampler",
    [
        *(GaussianSampler(space=space) for space in ("unit", "ambient")),
        *(MixtureSampler(n_components=3, covariance_type=shape) for shape in SHAPES),
        MixtureSampler(n_components=3, space="ambient"),
    ],
    ids=repr,
)
def test_density_of_a_fitted_model_is_that_of_its_draws(sampler):
    model = small(SphericalAE, sampler=sampler).fit(X)
    density, n, n_bins = projected_density(model), 20000, 20
    draws = model.sample_latent(n, random_state=1)
    angles = np.arctan2(draws[:, 1], draws[:, 0])
    counts = np.histogram(angles, bins=n_bins, range=(-np.pi, np.pi))[0]
    fine = -np.pi + (np.arange(n_bins * 500) + 0.5) * 2 * np.pi / (n_bins * 500)
    masses = np.exp(density(circle(fine))).reshape(n_bins, -1).sum(1) * 2 * np.pi / len(fine)
    assert masses.sum() == pytest.approx(1, rel=1e-6) and masses.max() > 2 / n_bins
    expected = n * masses
    chi2 = ((counts - expected) ** 2 / np.maximum(expected, 1)).sum()
    assert chi2 < 50  # one in 10 000 of 19 degrees of freedom
    assert f"{len(density.weights)} Gaussian" in density.summary
    assert density.to_frame()["weight"].sum() == pytest.approx(1)


@pytest.mark.parametrize("space", ["unit", "ambient"])
@pytest.mark.parametrize("name", ["mvg", "gmm"])
def test_parameters_are_in_the_units_of_the_codes(space, name):
    samplers = {
        "mvg": GaussianSampler(space=space),
        "gmm": MixtureSampler(n_components=1, space=space),
    }
    model = small(SphericalAE, sampler=samplers[name], n_components=3).fit(X)
    codes = model._apply(model._module.encode_ambient, X.astype(np.float32)).astype(float)
    if space == "unit":
        codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    density = projected_density(model)
    np.testing.assert_allclose(density.means[0], codes.mean(0), rtol=1e-4, atol=1e-6)
    expected = np.cov(codes.T, bias=True)
    np.testing.assert_allclose(density.covariances[0], expected, rtol=1e-3, atol=1e-5)


def test_density_through_a_pipeline_in_a_search():
    pipe = make_pipeline(StandardScaler(), small(SphericalAE, sampler="mvg"))
    search = GridSearchCV(pipe, {"sphericalae__lr": [1e-3]}, cv=2).fit(X)
    U = circle(np.arange(5.0))
    expected = projected_density(search.best_estimator_[-1])(U)
    np.testing.assert_array_equal(projected_density(search)(U), expected)


# ----------------------------------------------------------------------------------- bad input
def test_bad_models():
    with pytest.raises(NotFittedError):
        projected_density(SphericalAE())
    for model in (small(SphericalAE).fit(X), PCA(2).fit(X)):
        check_is_fitted(model)
        with pytest.raises(TypeError, match=r"Fit it with sampler='mvg' or sampler='gmm'"):
            projected_density(model)
    with pytest.raises(TypeError, match="codes of AE are not on a sphere"):
        projected_density(small(AE, sampler="mvg").fit(X))
    few = small(SphericalAE, sampler="mvg", n_components=4).fit(X[:3])
    with pytest.raises(ValueError, match="covariance 0 of 1 is singular.*Fit more codes"):
        projected_density(few)


EYE = np.eye(3)


@pytest.mark.parametrize(
    ("mean", "covariance", "message"),
    [
        (np.zeros(4), EYE, r"mean has shape \(4,\)"),
        (np.zeros(3), np.eye(4), r"covariances have shape \(1, 4, 4\)"),
        (np.zeros(3), np.ones(3), r"covariances have shape \(1, 3\)"),
        (np.zeros(3), np.ones((3, 3)), "covariance 0 of 1 is singular"),
        (np.zeros(3), np.diag([1.0, 1.0, -1.0]), "covariance 0 of 1 is singular"),
        (np.zeros(3), EYE + np.triu(np.full((3, 3), 0.1), 1), "not symmetric"),
        (np.zeros(3), EYE * np.nan, "covariances contains NaN"),
        (np.full(3, np.inf), EYE, "means contains infinity"),
    ],
)
def test_bad_normals(mean, covariance, message):
    with pytest.raises(ValueError, match=message):
        projected_normal_logpdf(unit(5, 3), mean, covariance)


@pytest.mark.parametrize("weights", [[0.5, 0.6], [1.5, -0.5], [[0.5, 0.5]]])
def test_bad_weights(weights):
    with pytest.raises(ValueError, match="weights=.* whose sum is 1"):
        projected_mixture_logpdf(unit(5, 3), weights, np.zeros((2, 3)), [EYE, EYE])
    with pytest.raises(ValueError, match="there are 1: 2 of shape"):
        projected_mixture_logpdf(unit(5, 3), [0.5, 0.5], np.zeros((1, 3)), [EYE])


def test_bad_codes():
    for U, message in [(2 * unit(5, 3), "norm 2"), (np.ones((5, 1)), "one component")]:
        with pytest.raises(ValueError, match=message):
            projected_normal_logpdf(U, np.zeros(3), EYE)
