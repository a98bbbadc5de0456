"""The mixture of von Mises-Fisher laws."""

import math

import mpmath
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import ks_2samp, kstest, vonmises_fisher

from geomgen.samplers.von_mises import VonMisesFisherSampler, _concentrations

from .test_samplers import make_model
from .test_sphere_densities import log_area, unit

DIMENSIONS = pytest.mark.parametrize("d", [2, 3, 16, 128, 512])
KAPPAS = [1e-6, 0.01, 1, 30, 999, 1001, 1e5, 9e5]


def mixture_codes(n=6000, d=4, seed=0):
    """Three laws of known shares, means and concentrations."""
    means, kappas, shares = np.eye(d)[:3], [40.0, 15.0, 80.0], [0.6, 0.3, 0.1]
    parts = [
        vonmises_fisher(m, k).rvs(round(s * n), random_state=seed + i)
        for i, (m, k, s) in enumerate(zip(means, kappas, shares, strict=True))
    ]
    return np.concatenate(parts), means, np.array(kappas), np.array(shares)


# -------------------------------------------------------------------------- the concentrations
@DIMENSIONS
def test_concentration_inverts_the_mean_length(d):
    with mpmath.workdps(40):
        order = mpmath.mpf(d) / 2
        lengths = [mpmath.besseli(order, k) / mpmath.besseli(order - 1, k) for k in KAPPAS]
    found = _concentrations(np.array(lengths, dtype=float), d)
    np.testing.assert_allclose(found, KAPPAS, rtol=1e-5)


@pytest.mark.parametrize(("length", "expected"), [(0.0, 1e-8), (1.0, 1e6), (1 + 1e-15, 1e6)])
def test_concentration_is_bounded(length, expected):
    assert _concentrations(np.array([length]), 5) == expected


# ------------------------------------------------------------------------------------ draws
@pytest.mark.parametrize(("d", "kappa"), [(3, 4.0), (16, 25.0), (256, 60.0)])
def test_draws_are_scipys(d, kappa):
    sampler = VonMisesFisherSampler(n_components=1).fit(unit(9, d))
    mean = unit(1, d, seed=1)
    sampler.means_, sampler.concentrations_ = mean, np.array([kappa])
    draws = sampler.sample(4000, random_state=0)
    theirs = vonmises_fisher(mean[0], kappa).rvs(4000, random_state=1)
    for axis in (mean[0], *unit(3, d, seed=2)):
        assert ks_2samp(draws @ axis, theirs @ axis).pvalue > 1e-3
    np.testing.assert_allclose(np.linalg.norm(draws, axis=1), 1, rtol=1e-12)


def test_components_have_their_shares_in_any_order():
    U, means, _, shares = mixture_codes()
    sampler = VonMisesFisherSampler(n_components=3, random_state=0).fit(U)
    nearest = (sampler.sample(1000, random_state=0) @ means.T).argmax(1)
    np.testing.assert_allclose(np.bincount(nearest) / 1000, shares, atol=0.02)
    assert 0.4 < (nearest[1:] != nearest[:-1]).mean() < 0.65  # independent: 0.54


# ---------------------------------------------------------------------------------- density
@pytest.mark.parametrize("d", [3, 16, 128])
def test_density_is_scipys(d):
    U = unit(50, d)
    sampler = VonMisesFisherSampler(n_components=2).fit(U)
    kappas, weights = np.array([2.0, 90.0]), np.array([0.3, 0.7])
    sampler.means_, sampler.concentrations_, sampler.weights_ = unit(2, d, seed=1), kappas, weights
    parts = [vonmises_fisher(m, k).logpdf(U) for m, k in zip(sampler.means_, kappas, strict=True)]
    expected = logsumexp(np.array(parts) + np.log(weights)[:, None], axis=0)
    np.testing.assert_allclose(sampler._log_density(U), expected, rtol=1e-10)


def test_density_in_512_dimensions_of_no_concentration_is_uniform():
    """scipy's is infinite there."""
    sampler = VonMisesFisherSampler(n_components=1).fit(unit(9, 512))
    sampler.concentrations_ = np.array([1e-8])
    np.testing.assert_allclose(sampler._log_density(unit(3, 512)), -log_area(512), rtol=1e-9)


# -------------------------------------------------------------------------------------- fit
def test_fit_finds_the_laws():
    U, means, kappas, shares = mixture_codes()
    sampler = VonMisesFisherSampler(n_components=3, random_state=0).fit(U)
    order = (sampler.means_ @ means.T).argmax(0)
    np.testing.assert_allclose(sampler.weights_[order], shares, atol=0.02)
    np.testing.assert_allclose(sampler.means_[order], means, atol=0.03)
    np.testing.assert_allclose(sampler.concentrations_[order], kappas, rtol=0.1)


@pytest.mark.parametrize("d", [3, 16])
def test_one_law_is_scipys_fit(d):
    U = vonmises_fisher(unit(1, d)[0], 12.0).rvs(500, random_state=0)
    mean, kappa = vonmises_fisher.fit(U)
    sampler = VonMisesFisherSampler(n_components=1).fit(U)
    np.testing.assert_allclose(sampler.means_[0], mean, atol=1e-10)
    assert sampler.concentrations_[0] == pytest.approx(kappa, rel=1e-6)


def test_em_increases_the_likelihood():
    U = mixture_codes(1500, d=6)[0]
    found = [
        VonMisesFisherSampler(n_components=5, max_iter=m, tol=0, random_state=0).fit(U)
        for m in (1, 2, 5, 20, 100)
    ]
    likelihoods = [sampler._log_density(U).mean() for sampler in found]
    assert (np.diff(likelihoods) > -1e-10).all() and likelihoods[-1] > likelihoods[0] + 1e-3
    assert [sampler.n_iter_ for sampler in found[:4]] == [1, 2, 5, 20]


@pytest.mark.parametrize("d", [3, 12])
def test_fit_turns_with_the_codes(d):
    U = mixture_codes(1500, d=d)[0]
    turn = np.linalg.qr(np.random.RandomState(1).normal(size=(d, d)))[0]
    one, two = (VonMisesFisherSampler(n_components=3, random_state=0).fit(c) for c in (U, U @ turn))
    np.testing.assert_allclose(one._log_density(U), two._log_density(U @ turn), atol=1e-3)


def test_radii_of_codes_do_not_matter():
    U, radii = unit(200, 3), np.random.RandomState(1).lognormal(size=(200, 1))
    one, two, three = (
        VonMisesFisherSampler(n_components=2, space=space, random_state=0).fit(codes, model=model)
        for codes, model, space in (
            (U, None, "unit"),
            (radii * U, make_model("sphere"), "unit"),
            (radii * U, make_model("sphere"), "ambient"),
        )
    )
    for other in (two, three):
        np.testing.assert_allclose(other.sample(20, 0), one.sample(20, 0), atol=1e-6)


def test_degenerate_codes():
    constant = VonMisesFisherSampler().fit(np.full((9, 3), 2.0))
    assert constant.concentrations_.tolist() == [1e6]
    np.testing.assert_allclose(constant.sample(50, 0), 3**-0.5, atol=6e-3)
    opposite = VonMisesFisherSampler(n_components=1).fit(np.r_[unit(50, 3), -unit(50, 3)])
    assert opposite.concentrations_[0] < 1e-6  # no mean direction: uniform
    draws = opposite.sample(20_000, random_state=0)
    assert kstest(draws[:, 0], "uniform", (-1, 2)).pvalue > 1e-3
    origin = VonMisesFisherSampler(n_components=1).fit(np.r_[np.ones((9, 3)), np.zeros((1, 3))])
    # nine of ten directions agree: the mean length is 0.9, the variance about 2 / kappa
    assert origin.concentrations_[0] == pytest.approx(1 / (1 - 0.9), rel=0.01)


def test_other_codes_are_errors():
    with pytest.raises(ValueError, match=r"not on one\. Use a spherical model.*MixtureSampler"):
        VonMisesFisherSampler().fit(unit(9, 3), model=make_model("euclidean"))
    with pytest.raises(ValueError, match="n_features=1"):
        VonMisesFisherSampler().fit(np.ones((9, 1)))
    assert math.isclose(np.linalg.norm(VonMisesFisherSampler().fit(unit(9, 3)).sample(1, 0)), 1)
