"""The Gaussian mixture: rare modes, and the number of components."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.exceptions import ConvergenceWarning

from geomgen.datasets import make_ring_mixture
from geomgen.samplers.mixture import MixtureSampler

from .test_samplers import make_model
from .test_sphere_densities import circle


def rare_lift(sampler, codes, labels, n=20_000):
    """Draws within four standard deviations of the rare mode, relative to the codes."""
    draws = sampler.fit(codes).sample(n, random_state=0)
    near = np.linalg.norm(draws - [4, 0], axis=1) < 0.8
    return near.mean() / (labels == 0).mean()


@pytest.mark.parametrize("n_components", [8, 10, "auto"])
def test_no_rare_mode_is_lost(n_components):
    """One per cent of a ring, over ten seeds of the codes and the fit."""
    for seed in range(10):
        codes, labels = make_ring_mixture(3000, rare_weight=0.01, random_state=seed)
        sampler = MixtureSampler(n_components=n_components, random_state=seed)
        assert 0.7 < rare_lift(sampler, codes, labels) < 1.3, seed


def test_the_start_is_the_likeliest():
    """Of several starts EM goes on from one that is no worse than a single one."""
    codes, _ = make_ring_mixture(2000, rare_weight=0.01, random_state=0)
    for seed in range(5):
        one, ten = (
            MixtureSampler(n_components=8, n_init=n, random_state=seed).fit(codes) for n in (1, 10)
        )
        assert ten.mixture_.lower_bound_ > one.mixture_.lower_bound_ - 5e-3
        assert ten.mixture_.converged_


def test_em_goes_on_from_the_start():
    codes = np.random.RandomState(0).normal(size=(500, 2)) ** 3
    sampler = MixtureSampler(n_components=4, random_state=0)
    start = sampler._start(codes / np.sqrt(codes.var(0).mean()), 4, n_init=10)
    begun = start.lower_bound_
    with pytest.warns(ConvergenceWarning, match="increase max_iter"):
        sampler.set_params(max_iter=1).fit(codes)
    assert sampler.mixture_.lower_bound_ > begun
    assert sampler.set_params(max_iter=200).fit(codes).mixture_.lower_bound_ > begun + 0.01


# -------------------------------------------------------------------- number of components
@pytest.mark.parametrize("truth", [1, 2, 4, 8])
def test_auto_finds_the_number_of_clusters(truth):
    rng = np.random.RandomState(truth)
    codes = 12 * rng.normal(size=(truth, 5))[np.arange(1600) % truth] + rng.normal(size=(1600, 5))
    sampler = MixtureSampler(n_components="auto", random_state=0).fit(codes)
    assert sampler.mixture_.n_components == truth
    assert len(sampler.mixture_.means_) == truth


def test_auto_takes_many_components_for_a_curve():
    """Held-out codes of a circle are likelier under tens of Gaussians than under ten."""
    angles = np.random.RandomState(0).uniform(0, 2 * np.pi, 8000)
    radii = 1 + 0.02 * np.random.RandomState(1).normal(size=8000)
    codes, held_out = np.split(radii[:, None] * circle(angles), 2)
    ten, auto = (MixtureSampler(n_components=k, random_state=0).fit(codes) for k in (10, "auto"))
    assert auto.mixture_.n_components in (16, 32, 64)
    assert auto._log_density(held_out).mean() > ten._log_density(held_out).mean() + 0.05


@pytest.mark.parametrize("n", [2, 3, 4, 7, 30])
@pytest.mark.parametrize("copies", [1, 3])
def test_auto_of_few_codes(n, copies):
    codes = np.repeat(np.random.RandomState(0).normal(size=(n, 3)), copies, axis=0)
    sampler = MixtureSampler(n_components="auto", random_state=0).fit(codes)
    assert sampler.mixture_.n_components <= max(1, n * copies // 4)
    assert np.isfinite(sampler.sample(50, random_state=0)).all()


def test_auto_is_reproducible_and_keeps_shares():
    codes = np.random.RandomState(0).normal(size=(1000, 2))
    codes[:100] += 30
    one, two = (
        MixtureSampler(n_components="auto", random_state=3).fit(codes).sample(5000, 0)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
    low, high = binom.interval(1 - 1e-4, 5000, 0.1)
    assert low <= (one[:, 0] > 15).sum() <= high


def test_auto_on_the_sphere():
    rng = np.random.RandomState(0)
    codes = 4 * np.eye(3)[np.arange(900) % 3] + 0.3 * rng.normal(size=(900, 3))
    sampler = MixtureSampler(n_components="auto", random_state=0)
    draws = sampler.fit(codes, model=make_model("sphere")).sample(900, random_state=0)
    assert sampler.mixture_.n_components >= 3
    np.testing.assert_allclose(np.bincount(draws.argmax(1)) / 900, 1 / 3, atol=0.08)


@pytest.mark.parametrize("n_components", [0, "many", 2.5, None])
def test_n_components_is_checked(n_components):
    with pytest.raises((ValueError, TypeError), match="'n_components' parameter.*'auto'"):
        MixtureSampler(n_components=n_components).fit(np.eye(4))
