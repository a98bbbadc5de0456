"""The laws on the sphere: normalisers, draws, and the gradients of draws."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import digamma, gammaln, ive
from scipy.stats import beta, gamma, ks_2samp, kstest, vonmises_fisher
from torch.distributions import kl_divergence

from geomgen.distributions import PowerSpherical, SphericalUniform, VonMisesFisher

LAWS = pytest.mark.parametrize("law", [VonMisesFisher, PowerSpherical])
DIMENSIONS = pytest.mark.parametrize("d", [2, 3, 5, 20, 128, 512])
KAPPAS = [1e-3, 0.03, 1.0, 7.0, 40.0, 300.0, 3e3, 1e5]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def unit(d, n=None, seed=0, dtype=torch.float64):
    shape = (d,) if n is None else (n, d)
    noise = torch.randn(shape, generator=seeded(seed), dtype=dtype)
    return noise / noise.norm(dim=-1, keepdim=True)


def make(law, d, kappa, seed=0):
    return law(unit(d, seed=seed), torch.tensor(kappa, dtype=torch.float64))


def log_area(d):
    return math.log(2) + d / 2 * math.log(math.pi) - gammaln(d / 2)


def angular(law, d, kappa):
    """Density of the angle to the direction, by quadrature of the formula of the law."""

    def log_density(a):
        along = math.cos(a) - 1 if law is VonMisesFisher else 2 * math.log(math.cos(a / 2))
        return kappa * along + (d - 2) * math.log(math.sin(a))

    grid = np.linspace(0, math.pi, 200_001)[1:-1]
    logs = np.array([log_density(a) for a in grid[::100]])
    peak, top = grid[::100][logs.argmax()], logs.max()

    def density(a):
        return math.exp(log_density(a) - top) if 0 < a < math.pi else 0.0

    return density, peak


def expectation(function, law, d, kappa):
    """Mean of a function of the cosine, by scipy's quadrature on both sides of the mode."""
    density, peak = angular(law, d, kappa)

    def integral(f):
        ends = [0, peak / 2, peak, (peak + math.pi) / 2, math.pi]
        return sum(quad(f, a, b, epsabs=0, epsrel=1e-11, limit=200)[0] for a, b in pairwise(ends))

    return integral(lambda a: function(math.cos(a)) * density(a)) / integral(density)


# ----------------------------------------------------------------------- normalisers and moments
@DIMENSIONS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bessel_functions(d, dtype):
    r"""log I_ν, I_{ν+1} / I_ν and the divergence, against 40-digit arithmetic."""
    kappas = torch.tensor(KAPPAS, dtype=dtype)
    m = unit(d, dtype=dtype)
    q = VonMisesFisher(m.expand(len(KAPPAS), d), kappas)
    lengths, at_mode, at_antipode = q.mean @ m, q.log_prob(m), q.log_prob(-m)
    divergence = kl_divergence(q, SphericalUniform(d))
    near = {"rel": 1e-11, "abs": 1e-11} if dtype == torch.float64 else {"rel": 3e-7, "abs": 1e-12}
    with mpmath.workdps(40):
        nu = mpmath.mpf(d) / 2 - 1
        for i, kappa in enumerate(kappas.tolist()):
            k = mpmath.mpf(kappa)
            bessel = mpmath.besseli(nu, k)
            ratio = mpmath.besseli(nu + 1, k) / bessel
            constant = (
                nu * mpmath.log(k) - (nu + 1) * mpmath.log(2 * mpmath.pi) - mpmath.log(bessel)
            )
            to_uniform = k * ratio + constant + log_area(d)
            assert lengths[i].item() == pytest.approx(float(ratio), rel=1e-6, abs=1e-14)
            assert at_mode[i].item() == pytest.approx(float(constant + k), **near)
            assert at_antipode[i].item() == pytest.approx(float(constant - k), **near)
            assert divergence[i].item() == pytest.approx(float(to_uniform), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("d", [2, 3, 5, 20, 128, 512])
def test_von_mises_fisher_where_scipy_is_finite(d):
    q, x = make(VonMisesFisher, d, 300.0), unit(d, 50, seed=1)
    theirs = vonmises_fisher(q.loc.numpy(), 300.0)
    np.testing.assert_allclose(q.log_prob(x), theirs.logpdf(x.numpy()), rtol=1e-10)
    assert q.entropy().item() == pytest.approx(theirs.entropy(), rel=1e-9)
    ratio = ive(d / 2, 300.0) / ive(d / 2 - 1, 300.0)
    np.testing.assert_allclose(q.mean, ratio * q.loc, rtol=1e-10)


@DIMENSIONS
@pytest.mark.parametrize("kappa", [1e-3, 1.0, 40.0, 3e3])
def test_power_spherical_is_the_papers(d, kappa):
    q, x = make(PowerSpherical, d, kappa), unit(d, 50, seed=1)
    a, b = (d - 1) / 2 + kappa, (d - 1) / 2
    log_whole = (a + b) * math.log(2) + b * math.log(math.pi) + gammaln(a) - gammaln(a + b)
    expected = kappa * np.log1p((x @ q.loc).numpy()) - log_whole
    np.testing.assert_allclose(q.log_prob(x), expected, rtol=1e-9)
    entropy = log_whole - kappa * (math.log(2) + digamma(a) - digamma(a + b))
    assert q.entropy().item() == pytest.approx(entropy, rel=1e-9)
    np.testing.assert_allclose(q.mean, (a - b) / (a + b) * q.loc, rtol=1e-10)


@LAWS
@pytest.mark.parametrize("d", [2, 3, 5, 20])
def test_density_integrates_to_one(law, d):
    """Over the angle: |S^(d-2)| sin^(d-2) is what the other coordinates leave."""
    q = make(law, d, 6.0)
    across = unit(d, seed=1)
    across = torch.nn.functional.normalize(across - (across @ q.loc) * q.loc, dim=-1)
    angle = (torch.arange(4000, dtype=torch.float64) + 0.5) * math.pi / 4000
    x = angle.cos()[:, None] * q.loc + angle.sin()[:, None] * across
    ring = 0.0 if d > 2 else math.log(2)  # S^0 is two points
    log_ring = log_area(d - 1) if d > 2 else ring
    total = (q.log_prob(x) + (d - 2) * angle.sin().log() + log_ring).exp().sum() * math.pi / 4000
    assert total.item() == pytest.approx(1, abs=1e-6)


@LAWS
@DIMENSIONS
def test_derivatives_by_the_concentration(law, d):
    m = unit(d)
    kappa = torch.tensor([0.01, 1.0, 30.0, 900.0], dtype=torch.float64, requires_grad=True)

    def outputs(k):
        q = law(m.expand(4, d), k)
        return q.mean @ m, q.log_prob(unit(d, seed=2)), q.entropy()

    assert torch.autograd.gradcheck(outputs, kappa, eps=1e-4, atol=1e-7, rtol=1e-5)
    assert torch.autograd.gradgradcheck(lambda k: outputs(k)[0], kappa, atol=1e-7, rtol=1e-4)


@LAWS
@DIMENSIONS
def test_no_concentration_is_uniform(law, d):
    q, x = make(law, d, 0.0), unit(d, 9, seed=1)
    np.testing.assert_allclose(q.log_prob(x), -log_area(d), rtol=1e-12)
    assert abs(kl_divergence(q, SphericalUniform(d)).item()) < 1e-12
    assert q.mean.norm().item() < 1e-12
    cosine = (q.rsample((4000,), generator=seeded()) @ q.loc).numpy()
    assert kstest((1 + cosine) / 2, beta((d - 1) / 2, (d - 1) / 2).cdf).pvalue > 1e-3


# ----------------------------------------------------------------------------------- draws
@LAWS
@pytest.mark.parametrize("d", [2, 3, 5, 64])
@pytest.mark.parametrize("kappa", [0.1, 5.0, 300.0])
def test_cosines_follow_their_density(law, d, kappa):
    q = make(law, d, kappa)
    angle = (q.rsample((10_000,), generator=seeded()) @ q.loc).clamp(-1, 1).arccos().numpy()
    density, _ = angular(law, d, kappa)
    grid = np.linspace(0, math.pi, 20_001)
    values = np.array([density(a) for a in grid])
    cumulated = np.r_[0, np.cumsum((values[1:] + values[:-1]) / 2)]
    assert kstest(angle, lambda a: np.interp(a, grid, cumulated / cumulated[-1])).pvalue > 1e-3


@LAWS
@pytest.mark.parametrize(("d", "kappa"), [(2, 1.0), (3, 12.0), (16, 40.0)])
def test_first_and_second_moments(law, d, kappa):
    q, n = make(law, d, kappa), 40_000
    z = q.rsample((n,), generator=seeded())
    np.testing.assert_allclose(z.norm(dim=1), 1, rtol=1e-12)
    along = expectation(lambda c: c * c, law, d, kappa)
    outer = q.loc[:, None] * q.loc
    second = along * outer + (1 - along) / (d - 1) * (torch.eye(d, dtype=torch.float64) - outer)
    features = torch.cat([z, (z[:, :, None] * z[:, None, :]).flatten(1)], 1)
    wanted = torch.cat([q.mean, second.flatten()])
    errors = features.std(0) / math.sqrt(n)  # 272 numbers at most: 4.5 errors are 1 in 500
    assert ((features.mean(0) - wanted).abs() <= 4.5 * errors + 1e-12).all()
    assert q.mean.norm().item() == pytest.approx(expectation(lambda c: c, law, d, kappa), rel=1e-9)


@LAWS
@pytest.mark.parametrize("d", [2, 3, 20])
def test_entropy_is_that_of_the_draws(law, d):
    q, n = make(law, d, 15.0), 40_000
    surprise = -q.log_prob(q.rsample((n,), generator=seeded()))
    assert abs(surprise.mean() - q.entropy()) < 4 * surprise.std() / math.sqrt(n)
    assert q.entropy() + kl_divergence(q, SphericalUniform(d)) == pytest.approx(log_area(d))


@LAWS
@pytest.mark.parametrize("d", [2, 4, 512])
def test_draws_at_a_large_concentration(law, d):
    r"""There :math:`-\kappa T` is gamma((d - 1) / 2), hence an angle is as 1 / sqrt(kappa)."""
    kappa, n = 1e10, 10_000
    q = make(law, d, kappa)
    distance = (q.rsample((n,), generator=seeded()) - q.loc).norm(dim=-1)
    squares = kappa * distance**2 / (2 if law is VonMisesFisher else 4)
    assert kstest(squares.numpy(), gamma((d - 1) / 2).cdf).pvalue > 1e-3
    slope = q._angle_slope(distance, q.concentration.expand(n))
    np.testing.assert_allclose(slope, -distance / (2 * kappa), rtol=3e-4)


@pytest.mark.parametrize("d", [2, 3, 20, 512])
@LAWS
def test_two_of_three_proposals_are_accepted(law, d, monkeypatch):
    proposed, randn = [], torch.randn
    monkeypatch.setattr(torch, "randn", lambda *a, **k: proposed.append(a[0][0]) or randn(*a, **k))
    for kappa in (1e-3, 1.0, 10.0, 100.0, 1e5):
        q = make(law, d, kappa)
        proposed.clear()
        q.rsample((3000,), generator=seeded())
        assert 3000 / sum(proposed) > 0.64  # 2/3, less three errors


@LAWS
@DIMENSIONS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_are_finite_at_any_concentration(law, d, dtype):
    kappa = torch.tensor([0, 1e-30, 1e-3, 1, 1e3, 1e5, 1e12], dtype=dtype).requires_grad_()
    loc = unit(d, 7, dtype=dtype).requires_grad_()
    z = law(loc, kappa).rsample((200,), generator=seeded())
    assert z.dtype == dtype and z.shape == (200, 7, d)
    np.testing.assert_allclose(
        z.detach().norm(dim=-1), 1, atol=5e-6 if dtype == torch.float32 else 1e-14
    )
    z.sum().backward()
    assert kappa.grad.isfinite().all() and loc.grad.isfinite().all()
    np.testing.assert_allclose(z[:, -1].detach(), loc[-1].detach().expand(200, d), atol=1e-4)


def test_draws_turn_with_the_direction():
    """With noise turned likewise, so a law does not know its frame: here, moments of a turn."""
    d, turn = 6, torch.linalg.qr(torch.randn(6, 6, generator=seeded(), dtype=torch.float64))[0]
    q = make(VonMisesFisher, d, 9.0)
    turned = VonMisesFisher(q.loc @ turn, q.concentration)
    x = unit(d, 9, seed=3)
    np.testing.assert_allclose(turned.log_prob(x @ turn), q.log_prob(x), rtol=1e-10)
    one, two = (p.rsample((20_000,), generator=seeded(4)) for p in (q, turned))
    probe = unit(d, 5, seed=5).T
    for a, b in zip((one @ probe).T, (two @ turn.T @ probe).T, strict=True):
        assert ks_2samp(a, b).pvalue > 1e-3


@LAWS
def test_draws_are_the_generators(law):
    state = torch.get_rng_state()
    q = law(unit(4, 5), torch.linspace(0.5, 50, 5, dtype=torch.float64))
    one, two, other = (q.rsample((3,), generator=seeded(s)) for s in (0, 0, 1))
    assert torch.equal(one, two) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_that_diverged_do_not_stall():
    q = VonMisesFisher(unit(3, 2), torch.tensor([math.nan, math.inf], dtype=torch.float64))
    assert q.rsample(generator=seeded()).shape == (2, 3)


@pytest.mark.parametrize(
    ("law", "share"), [(VonMisesFisher, 1 / (1 + math.exp(1.6))), (PowerSpherical, 0)]
)
def test_one_component_is_two_points(law, share):
    q = law(-torch.ones(1, dtype=torch.float64), torch.tensor(0.8, dtype=torch.float64))
    points = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    np.testing.assert_allclose(q.log_prob(points).exp(), [share, 1 - share], atol=1e-12)
    assert q.mean.item() == pytest.approx(2 * share - 1)
    entropy = -sum(p * math.log(p) for p in (share, 1 - share) if p)
    assert q.entropy().item() == pytest.approx(entropy, abs=1e-12)
    draws = q.rsample((10_000,), generator=seeded())
    assert (draws.abs() == 1).all()
    assert (draws > 0).double().mean().item() == pytest.approx(share, abs=0.02)


# -------------------------------------------------------------------------------- gradients
def cumulative_derivative(law, d, kappa, angle):
    """-dF/dκ / q at an angle, by scipy's quadrature and central differences."""

    def below(k):
        density, peak = angular(law, d, k)
        points = sorted({0.0, min(peak, angle), angle})
        part = sum(
            quad(density, a, b, epsabs=0, epsrel=1e-12, limit=300)[0] for a, b in pairwise(points)
        )
        ends = [0, peak, (peak + math.pi) / 2, math.pi]
        whole = sum(
            quad(density, a, b, epsabs=0, epsrel=1e-12, limit=300)[0] for a, b in pairwise(ends)
        )
        return part / whole, density(angle) / whole

    step = 1e-4 * kappa
    return -(below(kappa + step)[0] - below(kappa - step)[0]) / (2 * step) / below(kappa)[1]


@LAWS
@pytest.mark.parametrize("d", [2, 3, 5, 20])
@pytest.mark.parametrize("kappa", [0.3, 4.0, 60.0])
def test_path_of_an_angle(law, d, kappa):
    """At quantiles from 1% to 99%: the angle moves so that its cumulative law does not."""
    q = make(law, d, kappa)
    drawn = (q.rsample((2000,), generator=seeded()) @ q.loc).clamp(-1, 1).arccos()
    angles = drawn.quantile(torch.tensor([0.01, 0.3, 0.6, 0.99], dtype=torch.float64))
    found = q._angle_slope(angles, q.concentration.expand(4))
    expected = [cumulative_derivative(law, d, kappa, a) for a in angles.tolist()]
    np.testing.assert_allclose(found, expected, rtol=2e-5)


@LAWS
@pytest.mark.parametrize("d", [3, 5, 20])
@pytest.mark.parametrize("kappa", [1.0, 25.0])
def test_gradient_of_an_expectation(law, d, kappa):
    r"""Of exp(2 a·z), by κ and by m: against differences of its quadrature.

    Over the tangents at an angle its mean is that of exp(2 |a_⊥| sin θ · u), u a coordinate of a
    uniform direction of d - 1 components: a quadrature over two angles.
    """
    n, a = 20_000, unit(d, seed=7)
    across = unit(d, seed=8)
    across = torch.nn.functional.normalize(across - (across @ a) * a, dim=-1)
    m = 0.8 * a + 0.6 * across
    rows_m = m.expand(n, d).clone().requires_grad_()
    rows_k = torch.full((n,), kappa, dtype=torch.float64, requires_grad=True)
    q = law(torch.nn.functional.normalize(rows_m, dim=-1), rows_k)
    values = (2 * (q.rsample(generator=seeded()) @ a)).exp()
    by_m, by_kappa = torch.autograd.grad(values.sum(), (rows_m, rows_k))

    nodes = (np.arange(400) + 0.5) * math.pi / 400
    ring = np.sin(nodes) ** (d - 3)

    def mean(kappa, cosine):
        def over_tangents(c):
            sine = math.sqrt(max(0.0, (1 - c * c) * (1 - cosine**2)))
            around = (np.exp(2 * sine * np.cos(nodes)) * ring).sum() / ring.sum()
            return math.exp(2 * c * cosine) * around

        return expectation(over_tangents, law, d, kappa)

    cosine, step = float(a @ m), 1e-4
    slope_kappa = (mean(kappa + step, cosine) - mean(kappa - step, cosine)) / (2 * step)
    slope_cosine = (mean(kappa, cosine + step) - mean(kappa, cosine - step)) / (2 * step)
    slope_m = slope_cosine * (a - cosine * m)
    error = by_kappa.std() / math.sqrt(n)
    assert abs(by_kappa.mean() - slope_kappa) < 4 * error and error < 0.1 * abs(slope_kappa)
    errors = by_m.std(0) / math.sqrt(n)
    assert ((by_m.mean(0) - slope_m).abs() < 4.5 * errors).all()
    along = by_m @ slope_m / slope_m.norm()
    error = along.std() / math.sqrt(n)
    assert abs(along.mean() - slope_m.norm()) < 4 * error and error < 0.1 * slope_m.norm()


@pytest.mark.parametrize("d", [2, 3, 20])
def test_density_at_the_antipode_is_a_number(d):
    """Rounding puts some of the points that are farthest a little farther."""
    loc = torch.nn.functional.normalize(torch.randn(2000, d, generator=seeded()), dim=-1)
    for law in (PowerSpherical, VonMisesFisher):
        q = law(loc, torch.full((2000,), 3.0))
        assert (q.log_prob(-loc) < q.log_prob(loc) - 5).all()
