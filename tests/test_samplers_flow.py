"""FlowSampler, and what the samplers that train a network share."""

import pickle
import sys

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.base import clone

from geomgen.manifolds import Sphere
from geomgen.samplers.diffusion import DiffusionSampler
from geomgen.samplers.flow import FlowSampler

TINY = {"hidden": (8,), "max_epochs": 3, "random_state": 0}
Z = np.random.RandomState(0).normal([1, -2, 3], [1, 2, 0.5], size=(80, 3))


class OnSphere:
    """As much of a model as a sampler asks for."""

    manifold = Sphere()


def global_states():
    return torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes()


def square(low, high, n):
    """Midpoints of the cells of a square grid, and the area of one."""
    width = (high - low) / n
    line = low + width * (np.arange(n) + 0.5)
    return np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2), width**2


def moons(n, seed):
    """Two thick arcs: far from Gaussian, in no particular units."""
    rng = np.random.RandomState(seed)
    angle, side = rng.uniform(0, np.pi, n), rng.choice([-1, 1], n)
    arcs = np.c_[side * np.cos(angle) + side / 2, side * np.sin(angle)]
    return (arcs + 0.2 * rng.standard_normal((n, 2))) @ [[2.0, 0.0], [1.0, 1.0]] + [5, -3]


both = pytest.mark.parametrize("cls", [FlowSampler, DiffusionSampler])


# ---------------------------------------------------------------------- trained on a network
@both
@pytest.mark.parametrize("model", [None, OnSphere()])
def test_contract(cls, model):
    np.random.seed(0)
    before, codes = global_states(), Z.copy()
    sampler = cls(**TINY).fit(Z, model=model)
    draws = sampler.sample(101, random_state=1)
    assert draws.shape == (101, 3) and draws.dtype == np.float64 and np.isfinite(draws).all()
    assert len(np.unique(draws, axis=0)) == 101
    for same in (sampler, pickle.loads(pickle.dumps(sampler)), clone(sampler).fit(Z, model=model)):
        assert same.sample(101, random_state=1).tobytes() == draws.tobytes()
    assert not np.isin(sampler.sample(101, random_state=2), draws).any()
    other = clone(sampler).set_params(random_state=1).fit(Z, model=model)
    assert not np.isin(other.sample(101, random_state=1), draws).any()
    assert global_states() == before
    np.testing.assert_array_equal(Z, codes)
    if model is not None:
        np.testing.assert_allclose(np.linalg.norm(draws, axis=1), 1, rtol=1e-12)


@both
@pytest.mark.parametrize(
    "codes",
    [
        np.full((30, 3), 2.0),
        Z[:1],
        Z[:2],
        Z[:, :1],
        np.repeat(Z[:3], 20, axis=0),
        np.outer(np.linspace(-1, 1, 40), [1, 2, -1]) + [5, 0, 0],
        1e-12 * Z,
        Z + 1e6,
    ],
    ids=["constant", "one", "two", "d=1", "repeated", "collinear", "tiny", "far"],
)
def test_degenerate_codes(cls, codes):
    sampler = cls(hidden=(8,), max_epochs=60, lr=0.02, random_state=0).fit(codes)
    draws = sampler.sample(200, random_state=0)
    assert draws.shape == (200, codes.shape[1]) and np.isfinite(draws).all()
    spread = codes.std(0)
    assert (np.abs(draws.mean(0) - codes.mean(0)) <= spread + 1e-9 * np.abs(codes).max()).all()
    np.testing.assert_allclose(draws[:, spread == 0], np.tile(codes[:1, spread == 0], (200, 1)))


@both
def test_draws_of_collinear_codes_are_collinear(cls):
    codes = np.outer(np.linspace(-1, 1, 40), [1, 2, -1]) + [5, 0, 0]
    sampler = cls(**TINY).fit(codes)
    draws = sampler.sample(50, random_state=0) - [5, 0, 0]
    np.testing.assert_allclose(draws, np.outer(draws[:, 0], [1, 2, -1]), atol=1e-12)
    # on the line that they fill, the density is the one-dimensional one; off it there is none
    along = np.linspace(-3, 3, 2001)
    density = np.exp(sampler.score_samples(np.outer(along, [1, 2, -1]) + [5, 0, 0]))
    assert density.sum() * (along[1] - along[0]) * 6**0.5 == pytest.approx(1, abs=0.02)
    assert (sampler.score_samples(codes + [0, 1, 0]) == -np.inf).all()


@both
def test_units_of_the_codes(cls):
    """An affine map of the codes maps the draws, and divides the density by its determinant."""
    A = np.array([[2.0, 0, 0], [0, 3.0, 0], [0, 0, 0.5]])
    one, two = (cls(**TINY).fit(codes) for codes in (Z, 10 * Z + 7))
    np.testing.assert_allclose(two.sample(9, 0), 10 * one.sample(9, 0) + 7, rtol=1e-4)
    difference = one.score_samples(Z) - two.score_samples(10 * Z + 7)
    np.testing.assert_allclose(difference, 3 * np.log(10), atol=1e-4)
    density = cls(**TINY).fit(Z @ A).score_samples(Z @ A)
    assert np.isfinite(density).all() and density.dtype == np.float64


@both
def test_no_density_on_the_sphere(cls):
    sampler = cls(**TINY).fit(Z, model=OnSphere())
    with pytest.raises(ValueError, match="no density on the sphere"):
        sampler.score_samples(Z)


@both
def test_training_stops_at_the_best_epoch_on_held_out_codes(cls):
    """The kept weights are those of the lowest held-out loss, not the last."""
    sampler = cls(hidden=(32,), lr=0.05, max_epochs=60, n_iter_no_change=4, random_state=0).fit(Z)
    valid = sampler.history_["valid_loss"]
    assert len(valid) < 60 and valid.idxmin() == len(valid) - 4
    longer = clone(sampler).set_params(max_epochs=len(valid) - 4).fit(Z)
    np.testing.assert_array_equal(longer.sample(5, 0), sampler.sample(5, 0))
    last = clone(sampler).set_params(max_epochs=len(valid) - 1).fit(Z)  # best is behind it
    np.testing.assert_array_equal(last.sample(5, 0), sampler.sample(5, 0))


@both
def test_progress_is_shown_when_asked_for(cls, capsys):
    cls(**TINY).fit(Z)
    assert capsys.readouterr() == ("", "")
    cls(**TINY, verbose=1).fit(Z)
    assert cls.__name__ in capsys.readouterr().err


@both
@pytest.mark.parametrize(
    "params",
    [
        {"max_epochs": 0},
        {"lr": 0.0},
        {"batch_size": 0},
        {"hidden": (8, 0)},
        {"validation_fraction": 1.0},
        {"n_iter_no_change": 0},
        {"verbose": 2},
    ],
)
def test_bad_parameters(cls, params):
    name = next(iter(params))
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {cls.__name__}"):
        cls(**TINY | params).fit(Z)


# -------------------------------------------------------------------------------- the flow
@pytest.fixture(scope="module")
def flow():
    sampler = FlowSampler(hidden=(32,), n_transforms=2, max_epochs=40, lr=5e-3, random_state=0)
    return sampler.fit(moons(1000, 0))


def test_the_flow_integrates_to_one_and_its_draws_follow_its_density(flow):
    """Mass of 20 x 20 squares by quadrature, against the share of 20 000 draws in each."""
    low, high, n, m = -7.0, 17.0, 20, 10
    points, area = square(low, high, n * m)
    points = points - [0, 10]
    density = np.exp(flow.score_samples(points))
    mass = area * density.reshape(n, m, n, m).sum((1, 3))
    assert mass.sum() == pytest.approx(1, abs=0.01)  # the grid's error and tails outside it
    draws = flow.sample(20_000, random_state=0) + [0, 10]
    counts = np.histogram2d(*draws.T, bins=np.linspace(low, high, n + 1))[0]
    often = mass > 10 / 20_000  # expected more than ten times, where chi-squared holds
    chi2 = ((counts - 20_000 * mass)[often] ** 2 / (20_000 * mass)[often]).sum()
    assert chi2 < often.sum() + 6 * np.sqrt(2 * often.sum())


def test_the_flow_learns_what_a_gaussian_cannot(flow):
    """Held-out log-likelihood, in nats: the arcs are well above their Gaussian."""
    held_out = moons(2000, 1)
    mean, cov = held_out.mean(0), np.cov(held_out.T)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * cov).logabsdet
    assert flow.score_samples(held_out).mean() > -entropy + 0.3
    error = np.abs(flow.sample(4000, 0).mean(0) - mean)
    assert (error < 0.1 * np.sqrt(np.diag(cov))).all()


@pytest.mark.parametrize("kind", ["spline", "maf"])
@pytest.mark.parametrize("codes", [Z, Z[:, :1]], ids=["d=3", "d=1"])
def test_training_starts_from_the_gaussian_of_the_codes(kind, codes):
    """Before a step of any length, the density is N(mean, covariance) of the codes."""
    sampler = FlowSampler(kind=kind, lr=1e-12, max_epochs=1, random_state=0).fit(codes)
    gaussian = multivariate_normal(codes.mean(0), np.cov(codes.T, bias=True))
    np.testing.assert_allclose(sampler.score_samples(codes), gaussian.logpdf(codes), atol=1e-4)


def test_affine_maps_fit_a_gaussian_exactly_enough():
    """The MAF holds every Gaussian: its density approaches the sample's own."""
    codes = np.random.RandomState(0).standard_normal((2000, 2)) @ [[4.0, 2.0], [0.0, 1.0]] + 4
    sampler = FlowSampler(
        kind="maf", n_transforms=1, hidden=(8,), max_epochs=40, lr=1e-2, random_state=0
    ).fit(codes)
    cov, offset = np.cov(codes.T), codes[:200] - codes.mean(0)
    mahalanobis = (offset @ np.linalg.inv(cov) * offset).sum(1)
    exact = -0.5 * (mahalanobis + np.linalg.slogdet(2 * np.pi * cov).logabsdet)
    assert np.abs(sampler.score_samples(codes[:200]) - exact).mean() < 0.15  # log|det W| is 1.4
    np.testing.assert_allclose(np.cov(sampler.sample(20_000, 0).T), cov, rtol=0.2)


def test_kinds_differ_and_are_checked():
    spline, maf = (FlowSampler(**TINY, kind=kind).fit(Z).sample(3, 0) for kind in ("spline", "maf"))
    assert not np.allclose(spline, maf)
    with pytest.raises(ValueError, match="The 'kind' parameter"):
        FlowSampler(kind="nsf").fit(Z)
    with pytest.raises(ValueError, match="The 'n_transforms' parameter"):
        FlowSampler(n_transforms=0).fit(Z)


def test_zuko_is_needed_at_fit_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "zuko", None)
    monkeypatch.setitem(sys.modules, "zuko.flows", None)
    sampler = FlowSampler(**TINY)
    with pytest.raises(ImportError, match=r'pip install "geomgen\[flows\]"'):
        sampler.fit(Z)
