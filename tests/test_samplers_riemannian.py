"""RiemannianSampler: the metric, the dynamics, the chains."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from geomgen.manifolds import Euclidean, Sphere
from geomgen.nn import (
    GaussianLikelihood,
    LatentVariableModel,
    NormalPosterior,
    PointPosterior,
    StandardNormal,
    UniformSphere,
    mlp,
)
from geomgen.samplers._hamiltonian import KernelMetric, hamiltonian_chains, leapfrog
from geomgen.samplers.riemannian import RiemannianSampler

from .test_samplers_flow import global_states, square

Z = np.random.RandomState(0).normal([1, -2, 3], [1, 2, 0.5], size=(200, 3))


def make_metric(k=4, d=3, lam=0.05, rho=1.5):
    rng = np.random.RandomState(1)
    factors = rng.standard_normal((k, d, d))
    precisions = factors @ factors.transpose(0, 2, 1) + 0.2 * np.eye(d)
    return KernelMetric(
        torch.tensor(rng.standard_normal((k, d))), torch.tensor(precisions), rho, lam
    )


def make_model(posterior=PointPosterior, prior=StandardNormal, manifold=None, d=3):
    seeded = torch.Generator().manual_seed(0)
    encoder = posterior(mlp(4, (), posterior.n_outputs(d), generator=seeded))
    decoder = GaussianLikelihood(mlp(d, (), 4, generator=seeded))
    return LatentVariableModel(encoder, decoder, prior(d), manifold or Euclidean())


# -------------------------------------------------------------------------------- the metric
def test_log_volume_is_the_equation():
    """Transcription in NumPy, one point and one centroid at a time."""
    metric = make_metric()
    C, P = metric.centroids.numpy(), metric.precisions.numpy()
    points = np.random.RandomState(2).standard_normal((6, 3))
    expected = []
    for u in points:
        G = 0.05 * np.exp(-(u @ u) / 3) * np.eye(3)
        for c, precision in zip(C, P, strict=True):
            G = G + precision * np.exp(-(u - c) @ precision @ (u - c) / 1.5**2)
        expected.append(0.5 * np.log(np.linalg.det(G)))
    value, _ = metric.log_volume(torch.tensor(points))
    np.testing.assert_allclose(value.numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("lam", [1e-6, 0.05, 10.0])
def test_gradient_of_the_log_volume(lam):
    metric, h = make_metric(lam=lam), 1e-5
    u = torch.tensor(np.random.RandomState(3).standard_normal((7, 3)))
    _, gradient = metric.log_volume(u)
    for j in range(3):
        shift = h * torch.eye(3, dtype=u.dtype)[j]
        up, down = (metric.log_volume(u + s)[0] for s in (shift, -shift))
        np.testing.assert_allclose(gradient[:, j], (up - down) / (2 * h), rtol=1e-5, atol=1e-7)


def test_far_away_the_volume_is_not_a_number_and_nothing_is_raised():
    value, gradient = make_metric().log_volume(torch.full((1, 3), 1e3, dtype=torch.float64))
    assert value.isnan().all() and gradient.isnan().all()


# ------------------------------------------------------------------------------- the dynamics
def test_leapfrog_is_reversible_and_keeps_volume():
    """Forwards, momenta turned round, forwards: back at the start. The Jacobian's det is 1."""
    metric = make_metric()
    rng = np.random.RandomState(4)
    u, p = (torch.tensor(rng.standard_normal((5, 3))) for _ in range(2))

    def flow(u, p):
        return leapfrog(metric, u, p, metric.log_volume(u)[1], 0.1, 12)[:2]

    there = flow(u, p)
    back = flow(there[0], -there[1])
    torch.testing.assert_close(back[0], u, rtol=0, atol=1e-10)
    torch.testing.assert_close(-back[1], p, rtol=0, atol=1e-10)
    assert (there[0] - u).abs().min() > 1e-3

    jacobian = torch.autograd.functional.jacobian(
        lambda x: torch.cat(flow(x[None, :3], x[None, 3:]), dim=1)[0], torch.cat([u[0], p[0]])
    )
    assert float(torch.linalg.det(jacobian)) == pytest.approx(1, abs=1e-9)


def test_energy_error_is_of_second_order():
    metric = make_metric()
    rng = np.random.RandomState(4)
    u, p = (torch.tensor(rng.standard_normal((50, 3))) for _ in range(2))
    value, gradient = metric.log_volume(u)
    errors = []
    for n in (20, 40):
        end = leapfrog(metric, u, p, gradient, 0.4 / n, n)
        energy = (end[1].square() - p.square()).sum(-1) / 2 - (end[2] - value)
        errors.append(float(energy.abs().max()))
    assert 3 < errors[0] / errors[1] < 5


# --------------------------------------------------------------------------------- the chains
def one_centroid(lam=1e-12, rho=1.5):
    covariance = np.array([[2.0, 0.6], [0.6, 0.5]])
    centre = np.array([1.0, -2.0])
    metric = KernelMetric(
        torch.tensor(centre[None]), torch.tensor(np.linalg.inv(covariance)[None]), rho, lam
    )
    return metric, centre, rho**2 * covariance / 2


def run(metric, starts, n_steps, step, seed=0):
    rng = np.random.RandomState(seed)
    u, acceptance, _ = hamiltonian_chains(
        metric, torch.tensor(starts), rng, step=step, n_steps=n_steps, n_leapfrog=5
    )
    return u.numpy(), acceptance


def check_gaussian(u, mean, covariance):
    """Mean and covariance within 5 standard errors of independent draws."""
    n = len(u)
    assert (np.abs(u.mean(0) - mean) < 5 * np.sqrt(np.diag(covariance) / n)).all()
    spread = np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2
    assert (np.abs(np.cov(u.T) - covariance) < 5 * np.sqrt(spread / n)).all()


def test_one_centroid_is_a_gaussian_that_the_chains_leave_invariant():
    r"""√det G is then N(c, ρ²Σ/d): started from it one rough move keeps it."""
    metric, mean, covariance = one_centroid()
    starts = np.random.RandomState(1).multivariate_normal(mean, covariance, size=20_000)
    u, acceptance = run(metric, starts, n_steps=2, step=0.7)
    assert 0.3 < acceptance < 0.95  # without the rejections the moves would not keep it
    check_gaussian(u, mean, covariance)


def test_chains_forget_their_start():
    metric, mean, covariance = one_centroid()
    u, _ = run(metric, np.tile(mean + 1.0, (20_000, 1)), n_steps=25, step=0.4)
    check_gaussian(u, mean, covariance)


def test_chains_draw_from_the_volume_of_several_centroids():
    """Shares of squares against the quadrature of √det G, where modes overlap (chi-squared)."""
    metric = make_metric(d=2, lam=0.2)
    points, area = square(-9, 9, 180)
    density = metric.log_volume(torch.tensor(points))[0].exp().numpy()
    mass = density.reshape(18, 10, 18, 10).sum((1, 3)) / density.sum()
    u, acceptance = run(metric, np.zeros((5000, 2)), n_steps=60, step=0.3)
    edges = np.linspace(-9, 9, 19)
    counts = np.histogram2d(*u.T, bins=(edges, edges))[0]
    often = mass > 10 / 5000
    chi2 = ((counts - 5000 * mass)[often] ** 2 / (5000 * mass)[often]).sum()
    assert chi2 < often.sum() + 6 * np.sqrt(2 * often.sum())
    assert acceptance > 0.7


# -------------------------------------------------------------------------------- the sampler
@pytest.mark.parametrize(
    "model",
    [None, make_model(NormalPosterior), make_model(PointPosterior, UniformSphere, Sphere())],
    ids=["none", "variational", "sphere"],
)
def test_contract(model):
    np.random.seed(0)
    before, codes = global_states(), Z.copy()
    sampler = RiemannianSampler(n_steps=5, random_state=0).fit(Z, model=model)
    draws = sampler.sample(101, random_state=1)
    assert draws.shape == (101, 3) and draws.dtype == np.float64 and np.isfinite(draws).all()
    assert len(np.unique(draws, axis=0)) == 101
    for same in (sampler, pickle.loads(pickle.dumps(sampler)), clone(sampler).fit(Z, model=model)):
        assert same.sample(101, random_state=1).tobytes() == draws.tobytes()
    assert not np.isin(sampler.sample(101, random_state=2), draws).any()
    assert global_states() == before
    np.testing.assert_array_equal(Z, codes)
    assert 0.5 < sampler.acceptance_ <= 1
    assert not hasattr(sampler, "score_samples")
    if model is not None and isinstance(model.manifold, Sphere):
        np.testing.assert_allclose(np.linalg.norm(draws, axis=1), 1, rtol=1e-12)


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
def test_degenerate_codes(codes):
    draws = RiemannianSampler(random_state=0).fit(codes).sample(300, random_state=0)
    assert draws.shape == (300, codes.shape[1]) and np.isfinite(draws).all()
    error = np.abs(draws.mean(0) - codes.mean(0))
    assert (error <= 0.3 * codes.std(0) + 1e-12 * np.abs(codes).max()).all()


def test_one_cell_gives_the_gaussian_of_the_codes():
    """ρ = √d makes a lone centroid's draws have the codes' own covariance (and a ridge)."""
    sampler = RiemannianSampler(n_cells=1, lam=1e-9, random_state=0).fit(Z)
    draws = sampler.sample(4000, random_state=0)
    np.testing.assert_allclose(draws.mean(0), Z.mean(0), atol=5 * Z.std(0).max() / 4000**0.5)
    np.testing.assert_allclose(np.cov(draws.T), np.cov(Z.T, bias=True), rtol=0.15, atol=0.1)


def test_chains_start_from_the_lone_centroids_gaussian():
    """N(c, ρ²Σ/d), whatever the chains make of it."""
    sampler = RiemannianSampler(n_cells=1, rho=3.0, n_steps=1, random_state=0).fit(Z)
    starts = sampler._starts(torch.zeros(20_000, dtype=int), np.random.RandomState(0)).numpy()
    covariance = torch.linalg.inv(sampler.metric_.precisions[0]).numpy()
    check_gaussian(starts, sampler.metric_.centroids[0].numpy(), 3.0**2 * covariance / 3)


def test_modes_far_apart_come_at_their_rate():
    rng = np.random.RandomState(0)
    codes = np.r_[rng.normal(0, 1, (980, 2)), rng.normal(30, 1, (20, 2))]
    sampler = RiemannianSampler(random_state=0).fit(codes)
    assert abs((sampler.sample(1000, random_state=0)[:, 0] > 15).sum() - 20) <= 2


def test_covariances_are_those_of_the_posterior():
    """In whitened coordinates, of q(z|x) at the decoded centroid."""
    model = make_model(NormalPosterior)
    sampler = RiemannianSampler(n_cells=3, random_state=0).fit(Z, model=model)
    cells, metric = sampler.cells_, sampler.metric_
    for centroid, precision in zip(
        metric.centroids.numpy(), metric.precisions.numpy(), strict=True
    ):
        code = torch.tensor(centroid @ cells.unwhiten_ + cells.mean_, dtype=torch.float32)
        with torch.no_grad():
            variance = model.encoder(model.decode(code[None])).variance[0].double().numpy()
        recovered = cells.unwhiten_.T @ np.linalg.inv(precision) @ cells.unwhiten_
        np.testing.assert_allclose(recovered, np.diag(variance), rtol=1e-6, atol=1e-9)
    local = clone(sampler).set_params(covariances="local").fit(Z, model=model).metric_
    alone = clone(sampler).fit(Z).metric_
    plain = clone(sampler).fit(Z, model=make_model(PointPosterior)).metric_
    for other in (alone, plain):
        torch.testing.assert_close(other.precisions, local.precisions)
    assert not torch.allclose(local.precisions, metric.precisions)


@pytest.mark.parametrize(
    "params", [{"rho": 0.0}, {"lam": 0.0}, {"n_steps": 0}, {"covariances": "both"}]
)
def test_bad_parameters(params):
    name = next(iter(params))
    with pytest.raises(ValueError, match=f"The '{name}' parameter of RiemannianSampler"):
        RiemannianSampler(**params).fit(Z)
