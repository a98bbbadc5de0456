"""DiffusionSampler: the loss, the integration, the density."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import norm
from torch import nn

from geomgen.metrics.energy import energy_distance
from geomgen.samplers.diffusion import DiffusionSampler, Velocity, _paired
from geomgen.samplers.gaussian import GaussianSampler

from .test_samplers_flow import square


class GaussianVelocity(nn.Module):
    r"""The exact field that carries N(0, 1) to N(m, s²) along straight, independent paths.

    With :math:`\sigma_t^2 = (1 - t)^2 + t^2 s^2` it is
    :math:`m + (t s^2 - (1 - t)) (u - t m) / \sigma_t^2`.
    """

    def __init__(self, m, s):
        super().__init__()
        self.m, self.s = torch.tensor(m), torch.tensor(s)

    def forward(self, u, t):
        variance = (1 - t) ** 2 + t**2 * self.s**2
        return self.m + (t * self.s**2 - (1 - t)) * (u - t * self.m) / variance


def exact_sampler(n_steps, m=(1.0, -2.0), s=(0.5, 3.0)):
    """A sampler whose network is exact, and whose whitening is the identity."""
    sampler = DiffusionSampler(n_steps=n_steps, max_epochs=1, hidden=(2,), random_state=0)
    sampler.fit(np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]))
    sampler.mean_, sampler.whiten_, sampler.unwhiten_ = np.zeros(2), np.eye(2), np.eye(2)
    sampler.network_ = GaussianVelocity(m, s)
    return sampler, np.array(m), np.array(s)


# ---------------------------------------------------------------------- with an exact field
def test_gaussian_to_gaussian():
    """Draws of the exact field are N(m, s²): within 5 standard errors of 40 000."""
    sampler, m, s = exact_sampler(30)
    draws = sampler.sample(40_000, random_state=0)
    assert (np.abs(draws.mean(0) - m) < 5 * s / 200 + 0.005).all()
    assert (np.abs(draws.std(0) / s - 1) < 5 / np.sqrt(80_000) + 0.005).all()
    assert abs(np.corrcoef(draws.T)[0, 1]) < 5 / 200


def test_density_of_the_exact_field_is_the_gaussians():
    sampler, m, s = exact_sampler(40)
    Z = m + s * np.random.RandomState(0).standard_normal((200, 2))
    expected = norm(m, s).logpdf(Z).sum(1)
    np.testing.assert_allclose(sampler.score_samples(Z), expected, atol=0.02)


def test_the_steps_are_of_second_order():
    """Half the step, a quarter of the error or better; Euler's steps would halve it."""
    errors = []
    for n_steps in (8, 16, 32):
        sampler, m, s = exact_sampler(n_steps)
        noise = np.random.RandomState(0).standard_normal((50, 2))
        drawn = sampler._apply(sampler._generate, noise)
        errors.append(np.abs(drawn - (m + s * noise)).max())  # the field's exact map
    assert errors[0] / errors[1] > 3 and errors[1] / errors[2] > 3


# ------------------------------------------------------------------------------ the training
def test_loss_is_the_equation():
    """Transcription in NumPy: u_t, and the straight path's velocity as the target."""
    sampler = DiffusionSampler()
    network = Velocity(2, (4,), torch.Generator().manual_seed(0))
    u = torch.randn(150, 2, generator=torch.Generator().manual_seed(1))
    terms = sampler._objective(network, u, torch.Generator().manual_seed(2))
    same = torch.Generator().manual_seed(2)
    noise, t = torch.randn(150, 2, generator=same).numpy(), torch.rand(150, 1, generator=same)
    t = t.numpy()
    for block in (slice(0, 64), slice(64, 128), slice(128, 150)):
        cost = cdist(u.numpy()[block], noise[block], "sqeuclidean")
        noise[block] = noise[block][linear_sum_assignment(cost)[1]]
    u_t = torch.tensor((1 - t) * noise + t * u.numpy())
    velocity = network(u_t, torch.tensor(t)).detach().numpy()
    expected = ((velocity - (u.numpy() - noise)) ** 2).mean()
    assert terms["velocity"].item() == pytest.approx(expected, rel=1e-5)


def test_pairing_is_the_cheapest_permutation():
    rng = np.random.RandomState(0)
    noise, u = (torch.tensor(rng.standard_normal((5, 1))) for _ in range(2))
    paired = _paired(noise, u)
    # on the line the cheapest pairing is the sorted one
    assert torch.equal(paired[u[:, 0].argsort(), 0], noise[:, 0].sort().values)


def test_time_enters_by_sines_and_cosines():
    network = Velocity(1, (), torch.Generator().manual_seed(0))
    t = 0.3
    features = [2.0, t, *(math.sin(2**k * math.pi * t) for k in range(4))]
    features += [math.cos(2**k * math.pi * t) for k in range(4)]
    expected = network.trunk(torch.tensor(features))
    torch.testing.assert_close(network(torch.tensor([2.0]), torch.tensor([t])), expected)


@pytest.fixture(scope="module")
def two_modes():
    rng = np.random.RandomState(0)
    y = rng.random_sample(1500) < 0.3
    codes = np.c_[np.where(y, 6.0, -2.0), np.where(y, 1.0, 3.0)]
    codes = codes + rng.standard_normal((1500, 2)) * [0.8, 1.5]
    sampler = DiffusionSampler(hidden=(64, 64), max_epochs=60, lr=5e-3, random_state=0)
    return codes, sampler.fit(codes)


def test_two_modes_are_learnt(two_modes):
    codes, sampler = two_modes
    draws = sampler.sample(4000, random_state=0)
    share = (draws[:, 0] > 2).mean()
    assert share == pytest.approx((codes[:, 0] > 2).mean(), abs=0.05)
    gaussian = energy_distance(GaussianSampler().fit(codes).sample(4000, 0), codes)
    assert energy_distance(draws, codes) < gaussian / 4


@pytest.mark.parametrize("n_steps", [3, 10])
def test_the_density_integrates_to_one_whatever_the_steps(two_modes, n_steps):
    """Exact determinants: only the grid's error is left."""
    sampler = two_modes[1]
    points, area = square(-12, 15, 90)
    default, sampler.n_steps = sampler.n_steps, n_steps
    density = np.exp(sampler.score_samples(points))
    sampler.n_steps = default
    assert area * density.sum() == pytest.approx(1, abs=2e-3)


def test_draws_follow_the_density(two_modes):
    """Mass of squares by quadrature, against the shares of draws (chi-squared)."""
    sampler, n, m = two_modes[1], 18, 5
    points, area = square(-12, 15, n * m)
    mass = area * np.exp(sampler.score_samples(points)).reshape(n, m, n, m).sum((1, 3))
    draws = sampler.sample(5000, random_state=0)
    edges = np.linspace(-12, 15, n + 1)
    counts = np.histogram2d(*draws.T, bins=(edges, edges))[0]
    often = mass > 10 / 5000
    chi2 = ((counts - 5000 * mass)[often] ** 2 / (5000 * mass)[often]).sum()
    assert chi2 < often.sum() + 6 * np.sqrt(2 * often.sum())


def test_n_steps_is_checked():
    with pytest.raises(ValueError, match="The 'n_steps' parameter of DiffusionSampler"):
        DiffusionSampler(n_steps=0).fit(np.eye(3))
