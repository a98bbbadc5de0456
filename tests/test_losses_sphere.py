"""Paper L: repulsion and objective of LISA; reconstruction, distributions and the VAE's terms."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from geomgen.distributions import Delta, DiagonalNormal
from geomgen.losses import squared_error, uniformity
from geomgen.manifolds import Sphere
from geomgen.models import LISAGenerator, SphericalAE, VAEGenerator

from .helpers import small

X = np.random.RandomState(0).normal(size=(60, 5))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def unit(n, d, seed=0, dtype=torch.float64):
    gaussian = torch.randn(n, d, generator=seeded(seed), dtype=dtype)
    return gaussian / gaussian.norm(dim=1, keepdim=True)


def paper_uniformity(u, t):
    """Eq. 13, with the kernel of Eq. 12, by its double sum over i != j."""
    n, total = len(u), 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                total += math.exp(-t * sum((a - b) ** 2 for a, b in zip(u[i], u[j], strict=True)))
    return math.log(total / (n * (n - 1)))


# ------------------------------------------------------------------------------- Eq. 13
@pytest.mark.parametrize("t", [0.1, 2.0, 20.0])
@pytest.mark.parametrize(("n", "d"), [(2, 2), (13, 3), (6, 16)])
def test_uniformity_is_eq_13(n, d, t):
    u = unit(n, d)
    expected = paper_uniformity(u.tolist(), t)
    assert uniformity(u, t).item() == pytest.approx(expected, rel=1e-10)
    assert uniformity(u.float(), t).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("t", [0.5, 60.0])
@pytest.mark.parametrize("copies", [1, 2])
def test_uniformity_gradient(t, copies):
    u = unit(5, 3).repeat(copies, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda u: uniformity(u, t), u)


def test_uniformity_in_float32_at_high_temperature():
    """Two antipodal codes: exp(-240) underflows in float32, its logarithm does not."""
    u = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    value = uniformity(u, 60.0)
    value.backward()
    assert value.item() == -240 and value.dtype == torch.float32
    expected = 120 * torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
    torch.testing.assert_close(u.grad, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uniformity_at_duplicates(dtype):
    u = unit(1, 4, dtype=dtype).repeat(6, 1).requires_grad_()
    value = uniformity(u, 60.0)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-4) and u.grad.isfinite().all()
    tangential = u.grad - (u.grad * u).sum(1, keepdim=True) * u
    assert tangential.norm().item() == pytest.approx(0, abs=1e-4)  # a stationary point


@pytest.mark.parametrize("t", [0.5, 2.0])
def test_uniformity_extremes(t):
    pair = torch.tensor([[0.6, 0.8], [-0.6, -0.8]], dtype=torch.float64)
    assert uniformity(pair, t).item() == pytest.approx(-4 * t)
    assert uniformity(pair[:1], t).item() == 0
    angle = torch.tensor(2 * math.pi / 3, dtype=torch.float64)
    triangle = torch.stack([torch.stack([(k * angle).cos(), (k * angle).sin()]) for k in range(3)])
    assert uniformity(triangle, t).item() == pytest.approx(-3 * t)  # |u_i - u_j|² = 3
    values = [uniformity(unit(2, 2, seed), t).item() for seed in range(20)]
    assert all(-4 * t < value < 0 for value in values)


def test_uniformity_is_invariant_to_rotations_and_order():
    u, Q = unit(9, 4), torch.linalg.qr(torch.randn(4, 4, generator=seeded(1)).double()).Q
    value = uniformity(u).item()
    assert uniformity(u @ Q).item() == pytest.approx(value, rel=1e-12)
    assert uniformity(u.flip(0)).item() == pytest.approx(value, rel=1e-12)


# ------------------------------------------------------------------------- Eqs. 6, 14, 15
def test_projection_is_eq_6():
    z = torch.randn(9, 3, generator=seeded(), dtype=torch.float64)
    expected = z.numpy() / np.linalg.norm(z.numpy(), axis=1, keepdims=True)
    np.testing.assert_allclose(Sphere().project(z), expected, rtol=1e-14)
    zero = torch.zeros(1, 3, requires_grad=True)
    Sphere().project(zero).sum().backward()
    assert zero.grad.isfinite().all() and not Sphere().project(zero).any()


@pytest.mark.parametrize("params", [{}, {"lam": 0.5, "t": 5.0}, {"lam": 0.1, "reduction": "sum"}])
def test_lisa_objective_is_eq_14(params):
    est = small(LISAGenerator, n_components=3, **params).fit(X)
    model, x = est.net_.module_.double(), torch.tensor(X)
    terms = est._objective(model, x, seeded())
    with torch.no_grad():
        ambient = model.encoder.trunk(x).numpy()
        u = ambient / np.linalg.norm(ambient, axis=1, keepdims=True)
        error = (model.decoder.trunk(torch.tensor(u)).numpy() - X) ** 2
    recon = error.sum(1).mean() if est.reduction == "sum" else error.mean()
    expected = recon + est.lam * paper_uniformity(u.tolist(), est.t)
    assert sum(terms.values()).item() == pytest.approx(expected, rel=1e-10)
    assert est.reduction == params.get("reduction", "mean")


@pytest.mark.parametrize("cls", [LISAGenerator, SphericalAE])
def test_decoding_is_invariant_to_the_radius(cls):
    """Eq. 15: f(Π(αy)) = f(Π(y)), while direction counts."""
    est = small(cls, n_components=3, dtype="float64").fit(X)
    Y = np.random.RandomState(1).normal(size=(20, 3))
    radii = np.random.RandomState(2).lognormal(sigma=3, size=(20, 1))
    rows = est.inverse_transform(Y)
    np.testing.assert_allclose(est.inverse_transform(radii * Y), rows, rtol=1e-9)
    assert np.abs(est.inverse_transform(-Y) - rows).max() > 1e-3


# ------------------------------------------------------------------------- reconstruction
def test_squared_error():
    a, b = (torch.randn(7, 4, generator=seeded(s), dtype=torch.float64) for s in (0, 1))
    squares = (a.numpy() - b.numpy()) ** 2
    assert squared_error(a, b).item() == pytest.approx(squares.sum(1).mean())
    assert squared_error(a, b, "sum").item() == pytest.approx(squares.sum() / 7)
    assert squared_error(a, b, "mean").item() == pytest.approx(squares.mean())
    assert torch.autograd.gradcheck(squared_error, (a.requires_grad_(), b))


# ------------------------------------------------------------------------------------ VAE
@pytest.mark.parametrize("params", [{}, {"beta": 4.0}, {"reduction": "mean", "beta": 0.1}])
def test_vae_objective(params):
    """½|x - x̂|² and the closed form of KL(N(µ, σ²) || N(0, 1)), at the same noise."""
    est = small(VAEGenerator, likelihood="gaussian", **params).fit(X)
    model, x = est.net_.module_.double(), torch.tensor(X)
    terms = est._objective(model, x, seeded(3))
    noise = torch.randn(60, 2, generator=seeded(3), dtype=torch.float64).numpy()
    with torch.no_grad():
        mu, log_sigma = np.split(model.encoder.trunk(x).numpy(), 2, axis=1)
        z = mu + np.exp(log_sigma) * noise
        error = (model.decoder.trunk(torch.tensor(z)).numpy() - X) ** 2
    recon = 0.5 * (error.sum(1).mean() if est.reduction == "sum" else error.mean())
    kl = 0.5 * (mu**2 + np.exp(2 * log_sigma) - 1 - 2 * log_sigma).sum(1).mean()
    assert terms["recon"].item() == pytest.approx(recon, rel=1e-10)
    assert terms["kl"].item() == pytest.approx(est.beta * kl, rel=1e-10)
    assert set(terms) == {"recon", "kl"}


# -------------------------------------------------------------------------- distributions
LOC, SCALE = torch.tensor([[1.0, -2.0], [0.0, 5.0]]), torch.tensor([[0.5, 2.0], [1.0, 1e-3]])


def test_delta():
    q, before = Delta(LOC), torch.get_rng_state()
    assert torch.equal(q.rsample(), LOC) and torch.equal(q.mean, LOC)
    assert torch.equal(q.rsample(torch.Size((3,))), LOC.expand(3, 2, 2))
    assert (q.batch_shape, q.event_shape) == ((2,), (2,))
    assert torch.equal(torch.get_rng_state(), before)


def test_diagonal_normal_draws():
    n, q, before = 20000, DiagonalNormal(LOC, SCALE), torch.get_rng_state()
    draws = q.rsample(torch.Size((n,)), generator=seeded())
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(draws, q.rsample(torch.Size((n,)), generator=seeded()))
    assert not torch.equal(draws, q.rsample(torch.Size((n,)), generator=seeded(1)))
    standard = (draws - LOC) / SCALE
    assert standard.mean(0).abs().max() < 4 / n**0.5  # four standard errors of a mean
    assert (standard.var(0) - 1).abs().max() < 4 * (2 / n) ** 0.5  # and of a variance
    correlations = torch.corrcoef(standard.flatten(1).T) - torch.eye(4)
    assert correlations.abs().max() < 4 / n**0.5


def test_diagonal_normal_is_torchs():
    """One event of d numbers: density and divergence are sums over them."""
    q = DiagonalNormal(LOC, SCALE)
    reference = Independent(Normal(LOC, SCALE), 1)
    x = torch.tensor([[0.3, 0.2], [-1.0, 5.0]])
    assert torch.equal(q.log_prob(x), reference.log_prob(x)) and q.log_prob(x).shape == (2,)
    prior = DiagonalNormal(torch.zeros(2), torch.ones(2))
    expected = 0.5 * (LOC**2 + SCALE**2 - 1 - 2 * SCALE.log()).sum(1)
    torch.testing.assert_close(kl_divergence(q, prior), expected)


def test_diagonal_normal_is_reparameterised():
    loc, scale = LOC.clone().requires_grad_(), SCALE.clone().requires_grad_()
    draw = DiagonalNormal(loc, scale).rsample(generator=seeded())
    draw.sum().backward()
    noise = torch.randn(2, 2, generator=seeded())
    assert torch.equal(loc.grad, torch.ones(2, 2)) and torch.equal(scale.grad, noise)
