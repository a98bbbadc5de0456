"""VampPrior, posterior flows, Hamiltonian and constant-variance VAEs, Geo-VAE."""

import copy
import math
import pickle
import sys

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp
from sklearn.datasets import load_iris

from geomgen.distributions import DiagonalNormal
from geomgen.models.constant_variance import ConstantVarianceVAE
from geomgen.models.flow_posterior import FlowPosteriorVAE
from geomgen.models.geo import GeoVAE
from geomgen.models.hamiltonian import HamiltonianVAE
from geomgen.models.vae import VAEGenerator
from geomgen.models.vamp import VampPriorVAE
from geomgen.nn import GaussianLikelihood, LatentVariableModel, StandardNormal
from geomgen.nn.constant_variance import ConstantVariancePosterior
from geomgen.nn.flow_posterior import AutoregressiveFlow, FlowedNormal, PlanarFlow, RadialFlow
from geomgen.nn.hamiltonian import TemperedLeapfrog, gradient

from .helpers import small

X = load_iris().data
GAUSSIAN = {"likelihood": "gaussian", "sigma": 0.5, "dtype": "float64"}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.from_numpy(np.random.RandomState(seed).normal(size=shape))


def trained(cls, **params):
    """An estimator, its torch model in float64, and its rows as a tensor."""
    est = small(cls, **{**GAUSSIAN, **params}).fit(X)
    return est, est.net_.module_, torch.tensor(X)


def check_gradient(est, model, x, weight, n=3):
    """Of the objective in a few entries of a weight, against central differences."""
    model.train()

    def loss():
        return sum(est._objective(model, x, seeded(5)).values())

    (slope,) = torch.autograd.grad(loss(), weight)
    flat, h = weight.data.view(-1), 1e-5
    for i in np.random.RandomState(0).permutation(weight.numel())[:n]:
        values = []
        for shift in (h, -h):
            flat[i] += shift
            values.append(loss().item())
            flat[i] -= shift
        wanted = (values[0] - values[1]) / (2 * h)
        assert slope.view(-1)[i].item() == pytest.approx(wanted, rel=1e-5, abs=1e-7)
    assert slope.abs().max() > 1e-6  # the objective does depend on it


def posterior(model, x):
    """Mean and scale of a normal posterior, by NumPy."""
    with torch.no_grad():
        mu, log_sigma = np.split(model.encoder.trunk(x).numpy(), 2, axis=1)
    return mu, np.exp(log_sigma)


def nll(model, z, sigma=GAUSSIAN["sigma"]):
    with torch.no_grad():
        error = model.decoder.trunk(torch.as_tensor(z)).numpy() - X
    return (error**2).sum(1) / (2 * sigma**2) + X.shape[1] * math.log(sigma)


# -------------------------------------------------------------------------------------- VampPrior
def log_vamp(model, z):
    """Eq. 9, one point at a time."""
    mu, sigma = posterior(model, model.prior.inputs)
    parts = [stats.norm.logpdf(point, mu, sigma).sum(1) for point in z]
    return logsumexp(parts, axis=1) - math.log(len(mu))


def test_vamp_prior_is_the_mean_of_posteriors():
    _, model, _ = trained(VampPriorVAE, n_pseudo_inputs=7)
    z = normal(20, 2)
    np.testing.assert_allclose(model.prior().log_prob(z).detach(), log_vamp(model, z), rtol=1e-10)


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_vamp_objective_is_eq_10(beta):
    est, model, x = trained(VampPriorVAE, n_pseudo_inputs=7, beta=beta)
    terms = est._objective(model, x, seeded(3))
    mu, sigma = posterior(model, x)
    z = mu + sigma * torch.randn(150, 2, generator=seeded(3), dtype=torch.float64).numpy()
    ratio = stats.norm.logpdf(z, mu, sigma).sum(1) - log_vamp(model, z)
    assert terms["recon"].item() == pytest.approx(nll(model, z).mean(), rel=1e-10)
    assert terms["kl"].item() == pytest.approx(beta * ratio.mean(), rel=1e-9)
    check_gradient(est, model, x, model.prior.inputs)
    check_gradient(est, model, x, model.encoder.trunk[0].weight)


def test_vamp_draws_follow_its_density():
    """Each coordinate against the mixture's distribution function (Kolmogorov-Smirnov)."""
    _, model, _ = trained(VampPriorVAE, n_pseudo_inputs=5, max_epochs=10)
    mu, sigma = posterior(model, model.prior.inputs)
    drawn = model.prior.sample(4000, seeded(1)).numpy()
    assert torch.equal(model.prior.sample(9, seeded()), model.prior.sample(9, seeded()))
    for j in range(2):
        test = stats.kstest(
            drawn[:, j], lambda t, j=j: stats.norm.cdf(t[:, None], mu[:, j], sigma[:, j]).mean(1)
        )
        assert test.pvalue > 1e-3
    assert model.prior.dim == 2


def test_pseudo_inputs_start_at_rows():
    est = small(VampPriorVAE, n_pseudo_inputs=40, lr=1e-12, max_epochs=1).fit(X)
    rows = X.astype(np.float32)
    inputs = est.net_.module_.prior.inputs.detach().numpy()
    found = np.abs(inputs[:, None] - rows).sum(2)
    assert (found.min(1) < 1e-5).all() and len(np.unique(inputs.round(4), axis=0)) > 30
    few = small(VampPriorVAE, n_pseudo_inputs=7, lr=1e-12, max_epochs=1).fit(X[[0, 60, 140]])
    counts = np.unique(few.net_.module_.prior.inputs.detach().numpy().round(3), axis=0)
    assert len(counts) == 3  # more inputs than rows: each row again


def test_pseudo_inputs_are_learnt_and_go_on():
    est = small(VampPriorVAE, n_pseudo_inputs=10, lr=1e-2, warm_start=True).fit(X)
    before = est.net_.module_.prior.inputs.detach().clone()
    assert np.abs(before.numpy()[:, None] - X).sum(2).min(1).min() > 1e-3  # no longer rows
    est.set_params(lr=1e-12).fit(X).partial_fit(X)
    torch.testing.assert_close(est.net_.module_.prior.inputs.detach(), before)
    with pytest.raises(ValueError, match=r"\['n_pseudo_inputs'\] changed"):
        est.set_params(n_pseudo_inputs=11).fit(X)


def test_vamp_prior_shares_the_encoder_and_a_copy_does_not():
    est, model, _ = trained(VampPriorVAE, sampler="prior")
    shared = model.encoder.trunk[0].weight
    assert model.prior.encoder is model.encoder
    assert sum(p is shared for p in model.parameters()) == 1
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.prior.encoder is other.encoder is not model.encoder
        with torch.no_grad():
            other.encoder.trunk[0].weight.zero_()
        other.load_state_dict(model.state_dict())
        assert torch.equal(other.encoder.trunk[0].weight, shared)
    codes = est.sample_latent(5, random_state=0)
    with torch.no_grad():
        shared.zero_()
    np.testing.assert_array_equal(est.sample_latent(5, random_state=0), codes)


def test_batch_statistics_are_those_of_rows():
    est = small(VampPriorVAE, norm="batch", extra_terms={"again": (1.0, encode_again)}).fit(X)
    model = est.net_.module_
    moving = [b for n, b in model.encoder.named_buffers() if n.endswith("running_mean")]
    kept = [b.clone() for b in moving]
    evaluated = model.eval().prior().log_prob(torch.zeros(2))
    trained = model.train().prior().log_prob(torch.zeros(2))
    torch.testing.assert_close(trained, evaluated)
    assert len(moving) == 1 and all(map(torch.equal, moving, kept))
    assert all(module.training for module in model.modules())


def test_gradients_of_the_prior_do_not_see_later_rows():
    """A pass of rows overwrites the running statistics, which autograd does not notice."""
    model = small(VampPriorVAE, norm="batch", dtype="float64").fit(X).net_.module_.train()
    slopes = []
    for rows in (None, 10 * torch.tensor(X)):
        value = model.prior().log_prob(torch.zeros(2).double())
        if rows is not None:
            model.encoder(rows)
        slopes.append(torch.autograd.grad(value, model.prior.inputs)[0])
    assert torch.equal(*slopes) and slopes[0].any()


def encode_again(model, x, z, generator):
    return 1e-3 * model.encode(x).square().mean()  # moves the statistics once more


# ------------------------------------------------------------------------------ flows, one by one
def make_flow(kind, d, seed=0, scale=1.0):
    if kind == "iaf":
        zuko = pytest.importorskip("zuko")
        layer = zuko.flows.MaskedAutoregressiveTransform(d, context=d, hidden_features=(8,))
        flow = AutoregressiveFlow(layer)
    else:
        flow = {"planar": PlanarFlow, "radial": RadialFlow}[kind](d, seeded(seed))
    flow = flow.double()
    for i, parameter in enumerate(flow.parameters()):
        parameter.data = parameter.data + scale * normal(*parameter.shape, seed=seed + i)
    return flow


KINDS = ["planar", "radial", "iaf"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_log_determinants_are_autograds(kind, d, scale):
    flow = make_flow(kind, d, scale=scale)
    z, h = normal(6, d, seed=8), normal(6, d, seed=9)
    found = flow(z, h)[1]
    for i in range(6):
        jacobian = torch.autograd.functional.jacobian(lambda a, i=i: flow(a, h[i])[0], z[i])
        sign, wanted = torch.linalg.slogdet(jacobian)
        assert sign == 1
        assert found[i].item() == pytest.approx(wanted.item(), rel=1e-8, abs=1e-10)
    stacked = flow(torch.stack([z, z + 1]), h)
    assert stacked[0].shape == (2, 6, d) and torch.equal(stacked[1][0], found)


@pytest.mark.parametrize("kind", KINDS)
def test_flows_start_as_the_identity_and_can_leave_it(kind):
    est, model, x = trained(FlowPosteriorVAE, flow=kind, n_flows=2, lr=1e-300, max_epochs=1)
    assert len(model.encoder.flows) == 2
    for flow in model.encoder.flows:
        z, log_det = flow(normal(6, 2), normal(6, 2, seed=1))
        torch.testing.assert_close(z, normal(6, 2))
        torch.testing.assert_close(log_det, torch.zeros(6, dtype=torch.float64))
    sum(est._objective(model, x, seeded()).values()).backward()
    slopes = [p.grad.abs().max() for p in model.encoder.flows.parameters() if p.grad is not None]
    assert max(slopes) > 1e-6


def test_planar_is_the_papers():
    """Appendix A.1: û, its constraint, and Eq. 10."""
    flow, z, h = make_flow("planar", 3), normal(4, 3, seed=2).numpy(), normal(4, 3, seed=3)
    with torch.no_grad():
        found = flow(torch.tensor(z), h)[0].numpy()
        raw = flow.parameters_of(h).numpy()
    for i, (u, w, b) in enumerate(zip(raw[:, :3], raw[:, 3:6], raw[:, 6], strict=True)):
        m = -1 + np.log1p(np.exp(w @ u))
        u_hat = u + (m - w @ u) * w / np.linalg.norm(w) ** 2
        assert w @ u_hat >= -1
        np.testing.assert_allclose(found[i], z[i] + u_hat * np.tanh(w @ z[i] + b), rtol=1e-8)


def test_radial_is_the_papers():
    """Appendix A.2: β̂, and Eq. 14."""
    flow, z, h = make_flow("radial", 3), normal(4, 3, seed=2).numpy(), normal(4, 3, seed=3)
    with torch.no_grad():
        found = flow(torch.tensor(z), h)[0].numpy()
        raw = flow.parameters_of(h).numpy()
    for i, (c, a, b) in enumerate(zip(raw[:, :3], raw[:, 3], raw[:, 4], strict=True)):
        alpha = np.log1p(np.exp(a))
        beta = -alpha + np.log1p(np.exp(b))
        r = np.linalg.norm(z[i] - c)
        np.testing.assert_allclose(found[i], z[i] + beta / (alpha + r) * (z[i] - c), rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_flows_are_invertible_whatever_their_parameters(kind):
    """On a line they increase, and nothing overflows."""
    line = torch.linspace(-20, 20, 2001, dtype=torch.float64)[:, None]
    for seed in range(20):
        z, log_det = make_flow(kind, 1, seed, scale=8.0)(line, line.new_ones(1))
        assert (z.diff(dim=0) >= 0).all() and z[-1] > z[0]
        assert log_det.isfinite().all()


def test_autoregressive_flow_draws_in_one_pass():
    est, model, x = trained(FlowPosteriorVAE, flow="iaf", n_flows=3, n_components=5)
    passes = []
    for flow in model.encoder.flows:
        flow.layer.hyper.register_forward_hook(lambda *_: passes.append(1))
    model.encoder(x).rsample(generator=seeded())
    assert len(passes) == 3
    orders = [flow.layer.order.tolist() for flow in model.encoder.flows]
    assert orders == [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [0, 1, 2, 3, 4]]


def test_iaf_without_zuko(monkeypatch):
    monkeypatch.setitem(sys.modules, "zuko.flows", None)
    with pytest.raises(ImportError, match=r'flow=\'iaf\' needs .* pip install "geomgen\[flows\]"'):
        small(FlowPosteriorVAE, flow="iaf").fit(X)


# --------------------------------------------------------------------------- flows as a posterior
@pytest.mark.parametrize("kind", KINDS)
def test_densities_are_those_of_the_draws(kind):
    """E_q[r(z)/q(z)] = 1 for any density r with lighter tails, within five standard errors."""
    flow, h, n = make_flow(kind, 2, scale=0.5), normal(1, 2, seed=3), 40_000
    base = DiagonalNormal(normal(1, 2, seed=1), normal(1, 2, seed=2).exp())
    q = FlowedNormal(base, lambda z: flow(z, h))
    z = q.rsample((n,), generator=seeded())
    centre, width = z.detach().mean(0), 0.5 * z.detach().std(0)
    ratio = (DiagonalNormal(centre, width).log_prob(z) - q.log_prob(z)).exp().detach().numpy()
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / math.sqrt(n) < 0.1
    torch.testing.assert_close(q.mean, flow(base.mean, h)[0])


def test_iafs_density_by_its_inverse():
    flow, h = make_flow("iaf", 3), normal(7, 3, seed=3)
    base = DiagonalNormal(normal(7, 3, seed=1), torch.ones(7, 3, dtype=torch.float64))
    q = FlowedNormal(base, lambda z: flow(z, h))
    z = q.rsample(generator=seeded())
    back = flow.layer(h).inv
    wanted = base.log_prob(back(z)) + back.log_abs_det_jacobian(z, back(z))
    torch.testing.assert_close(q.log_prob(z), wanted)


def test_a_flows_density_elsewhere_is_unknown():
    q = FlowedNormal(DiagonalNormal(normal(3, 2), normal(3, 2).exp()), lambda z: (z, z.sum(-1)))
    with pytest.raises(ValueError, match="last draw alone"):
        q.log_prob(q.mean)
    z = q.rsample(generator=seeded())
    q.log_prob(z)
    with pytest.raises(ValueError, match="last draw alone"):
        q.log_prob(z.clone())


@pytest.mark.parametrize("kind", KINDS)
def test_flow_objective(kind):
    """Eq. 15 of Rezende and Mohamed, at the same noise, and its gradient."""
    est, model, x = trained(FlowPosteriorVAE, flow=kind, n_flows=2, beta=0.5)
    for i, parameter in enumerate(model.encoder.flows.parameters()):
        parameter.data += 0.3 * normal(*parameter.shape, seed=i)  # they start as the identity
    terms = est._objective(model, x, seeded(3))
    with torch.no_grad():
        mu, log_sigma, h = model.encoder.trunk(x).chunk(3, dim=1)
        noise = torch.randn(150, 2, generator=seeded(3), dtype=torch.float64)
        z = mu + log_sigma.exp() * noise
        log_q = stats.norm.logpdf(z.numpy(), mu, log_sigma.exp()).sum(1)
        for flow in model.encoder.flows:
            z, log_det = flow(z, h)
            log_q = log_q - log_det.numpy()
    assert terms["recon"].item() == pytest.approx(nll(model, z).mean(), rel=1e-10)
    ratio = log_q - stats.norm.logpdf(z.numpy()).sum(1)
    assert terms["kl"].item() == pytest.approx(0.5 * ratio.mean(), rel=1e-9)
    assert np.abs(log_det.numpy()).max() > 1e-3
    check_gradient(est, model, x, next(model.encoder.flows.parameters()))
    check_gradient(est, model, x, model.encoder.trunk[0].weight)


def test_transform_is_the_transformed_mean():
    est, model, x = trained(FlowPosteriorVAE, lr=1e-2)
    with torch.no_grad():
        z, _, h = model.encoder.trunk(x).chunk(3, dim=1)
        untouched = z
        for flow in model.encoder.flows:
            z = flow(z, h)[0]
    np.testing.assert_allclose(est.transform(X), z, rtol=1e-10)
    assert (z - untouched).abs().max() > 1e-3


def test_without_flows_it_is_a_vae():
    """The same weights and noise give the same reconstruction, and the KL term in the mean."""
    est, model, x = trained(FlowPosteriorVAE, n_flows=0)
    plain, other, _ = trained(VAEGenerator)
    other.load_state_dict(
        {k: v[:4] if k.startswith("encoder.trunk.2") else v for k, v in model.state_dict().items()}
    )  # without the context
    one, two = (e._objective(m, x, seeded(1)) for e, m in ((est, model), (plain, other)))
    assert one["recon"].item() == pytest.approx(two["recon"].item(), rel=1e-12)
    many = [est._objective(model, x, seeded(s))["kl"].item() for s in range(200)]
    assert abs(np.mean(many) - two["kl"].item()) < 5 * np.std(many) / math.sqrt(200)


# ---------------------------------------------------------------------------- Hamiltonian dynamics
def quartic(z):
    return (z**4).sum(-1) / 4 + (z[..., 0] * z[..., -1]) + z.square().sum(-1)


def make_dynamics(d=3, n_steps=5, beta_0=0.4):
    dynamics = TemperedLeapfrog(d, n_steps, 0.4, beta_0).double()
    dynamics.step_logits.data = normal(d, seed=4)
    return dynamics


def algorithm_1(z, noise, slope, step, beta_0, K):
    """The paper's loop, in NumPy; ``slope`` is ∇U."""
    root = [1 / ((1 - beta_0**-0.5) * k**2 / K**2 + beta_0**-0.5) for k in range(K + 1)]
    rho = noise / root[0]
    for k in range(1, K + 1):
        half = rho - step / 2 * slope(z)
        z = z + step * half
        rho = root[k - 1] / root[k] * (half - step / 2 * slope(z))
    return z, rho


@pytest.mark.parametrize("K", [1, 2, 7])
def test_dynamics_are_algorithm_1(K):
    dynamics = make_dynamics(n_steps=K)
    z, noise = normal(6, 3), normal(6, 3, seed=1)

    def slope(z):
        return z**3 + 2 * z + z[:, [2, 1, 0]] * [1, 0, 1]

    step = 0.4 / (1 + np.exp(-normal(3, seed=4).numpy()))
    beta_0 = dynamics.beta_logit.sigmoid().item()
    wanted = algorithm_1(z.numpy(), noise.numpy(), slope, step, beta_0, K)
    assert beta_0 == pytest.approx(0.4)
    for found, array in zip(dynamics(z, noise, quartic), wanted, strict=True):
        np.testing.assert_allclose(found.detach(), array, rtol=1e-10)


@pytest.mark.parametrize("K", [1, 4])
@pytest.mark.parametrize("beta_0", [0.05, 0.9])
def test_dynamics_with_their_tempering_keep_volume(K, beta_0):
    """From (z, γ): the start divides by β_0^{d/2}, and the cooling multiplies by it."""
    dynamics = make_dynamics(n_steps=K, beta_0=beta_0)
    jacobian = torch.autograd.functional.jacobian(
        lambda s: torch.cat(dynamics(s[None, :3], s[None, 3:], quartic), 1)[0], normal(6)
    )
    assert float(torch.linalg.det(jacobian)) == pytest.approx(1, abs=1e-9)


def test_untempered_dynamics_are_reversible():
    dynamics = make_dynamics(beta_0=1 - 1e-14)
    z, noise = normal(6, 3), normal(6, 3, seed=1)
    there = dynamics(z, noise, quartic)
    back = dynamics(there[0], -there[1], quartic)
    torch.testing.assert_close(back[0], z, rtol=0, atol=1e-10)
    torch.testing.assert_close(-back[1], noise, rtol=0, atol=1e-10)
    assert (there[0] - z).abs().min() > 1e-3


def test_no_step_moves_nothing():
    z, noise = normal(6, 3), normal(6, 3, seed=1)
    found = make_dynamics(n_steps=0)(z, noise, quartic)
    assert torch.equal(found[0], z) and torch.equal(found[1], noise)


def test_gradients_with_autograd_and_without():
    z = normal(4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: gradient(quartic, z), z)
    with torch.no_grad():
        plain = gradient(quartic, normal(4, 3))
    assert not plain.requires_grad and torch.equal(plain, gradient(quartic, z).detach())


# -------------------------------------------------------------------------------- Hamiltonian VAE
@pytest.mark.parametrize("params", [{}, {"beta": 0.5, "n_leapfrog": 1}])
def test_hamiltonian_objective(params):
    est, model, x = trained(HamiltonianVAE, max_step=0.2, **params)
    terms = est._objective(model, x, seeded(3))
    mu, sigma = posterior(model, x)
    draws = seeded(3)
    eps, gamma = (torch.randn(150, 2, generator=draws, dtype=torch.float64) for _ in range(2))
    start = mu + sigma * eps.numpy()

    def slope(z):
        z = torch.tensor(z, requires_grad=True)
        U = ((model.decoder.trunk(z) - x) ** 2).sum() / (2 * 0.5**2) + z.square().sum() / 2
        return torch.autograd.grad(U, z)[0].numpy()

    step, beta_0 = model.dynamics.step, model.dynamics.beta_logit.sigmoid()
    z, rho = algorithm_1(
        start, gamma.numpy(), slope, step.detach().numpy(), beta_0.item(), est.n_leapfrog
    )
    # log p̄ - log q̄ of Algorithm 1; the β_0 of N(ρ_0; 0, I/β_0) and the factor β_0^{-d/2} cancel
    log_p = -nll(model, z) + stats.norm.logpdf(z).sum(1) + stats.norm.logpdf(rho).sum(1)
    log_q = stats.norm.logpdf(start, mu, sigma).sum(1) + stats.norm.logpdf(gamma.numpy()).sum(1)
    assert terms["recon"].item() == pytest.approx(nll(model, z).mean(), rel=1e-9)
    rest = terms["kl"].item() / est.beta
    assert terms["recon"].item() + rest == pytest.approx((log_q - log_p).mean(), rel=1e-9)
    for weight in (model.dynamics.step_logits, model.encoder.trunk[0].weight):
        check_gradient(est, model, x, weight)
    check_gradient(est, model, x, model.decoder.trunk[0].weight)
    model.eval()
    with torch.no_grad():
        held_out = est._objective(model, x, seeded(3))
    for name, term in terms.items():
        assert held_out[name].item() == pytest.approx(term.item(), rel=1e-10)


def test_without_steps_it_is_a_vae():
    est, model, x = trained(HamiltonianVAE, n_leapfrog=0)
    plain, other, _ = trained(VAEGenerator)
    other.load_state_dict(model.state_dict(), strict=False)
    one, two = (e._objective(m, x, seeded(1)) for e, m in ((est, model), (plain, other)))
    assert one["recon"].item() == pytest.approx(two["recon"].item(), rel=1e-12)
    many = [est._objective(model, x, seeded(s))["kl"].item() for s in range(200)]
    assert abs(np.mean(many) - two["kl"].item()) < 5 * np.std(many) / math.sqrt(200)


def test_the_estimate_of_the_likelihood_is_unbiased():
    """exp(ELBO) averages to p(x) where it is known, p(x) = N(0, WW' + σ²I) (Algorithm 1)."""
    n, sigma = 20_000, 0.8
    W, x = torch.tensor([[1.0, 0.5], [-0.3, 0.8], [0.2, -1.0]]).double(), normal(1, 3, seed=6)
    linear = torch.nn.Linear(2, 3, bias=False).double()
    linear.weight.data = W
    encoder = ConstantVariancePosterior(torch.nn.Linear(3, 2).double(), 0.9)
    decoder = GaussianLikelihood(linear, sigma)
    model = LatentVariableModel(encoder, decoder, StandardNormal(2), est_manifold()).double()
    model.dynamics = make_dynamics(2, 4)
    est = HamiltonianVAE(likelihood="gaussian", sigma=sigma)
    evidence = stats.multivariate_normal(cov=(W @ W.T).numpy() + sigma**2 * np.eye(3)).pdf(x)
    logs = elbos(est, model.eval(), x.expand(n, 3))
    ratio = np.exp(logs - 1.5 * math.log(2 * math.pi)) / evidence  # the constant is left out
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / math.sqrt(n) < 0.1
    model.dynamics = make_dynamics(2, 0)
    plain = elbos(est, model, x.expand(n, 3))
    assert logs.mean() > plain.mean() + 0.05  # and the bound is tighter than the VAE's


def est_manifold():
    return HamiltonianVAE._manifold


def elbos(est, model, x):
    """One estimate a row: the objective is their mean, taken here of one row at a time."""
    kept = []

    def keep(rest):
        kept.append(rest)
        return rest.sum()

    with torch.no_grad():
        generator = seeded()
        q, prior = model.encoder(x), model.prior()
        start = q.rsample(generator=generator)
        terms = est._objective(model, x, seeded())
        noise = torch.randn(start.shape, generator=generator, dtype=x.dtype)
        z, rho = model.dynamics(
            start, noise, lambda z: -model.decoder(z).log_prob(x) - prior.log_prob(z)
        )
        recon = -model.decoder(z).log_prob(x) - 1.5 * math.log(2 * math.pi)
        rest = q.log_prob(start) - prior.log_prob(z) + (rho**2 - noise**2).sum(-1) / 2
    assert (recon.mean() + rest.mean()).item() == pytest.approx(sum(terms.values()).item())
    return -(recon + rest).numpy()


def test_steps_stay_in_bounds_and_are_learnt():
    est = small(HamiltonianVAE, max_step=0.3, lr=0.5, likelihood="gaussian").fit(X)
    step = est.net_.module_.dynamics.step.detach()
    assert ((step > 0) & (step < 0.3)).all() and (step - 0.03).abs().max() > 1e-3
    with pytest.raises(ValueError, match="'beta_0' parameter of HamiltonianVAE"):
        small(HamiltonianVAE, beta_0=1.0).fit(X)


# ------------------------------------------------------------------------------ constant variance
@pytest.mark.parametrize("beta", [1.0, 0.25])
def test_constant_variance_objective(beta):
    """Ghosh et al., section 3: recon + β/2 ‖μ‖², and a constant."""
    est, model, x = trained(ConstantVarianceVAE, noise=0.4, beta=beta)
    terms = est._objective(model, x, seeded(3))
    with torch.no_grad():
        mu = model.encoder.trunk(x).numpy()
    z = mu + 0.4 * torch.randn(150, 2, generator=seeded(3), dtype=torch.float64).numpy()
    constant = 2 * (0.4**2 - 1 - 2 * math.log(0.4)) / 2
    assert terms["recon"].item() == pytest.approx(nll(model, z).mean(), rel=1e-6)
    expected = beta * ((mu**2).sum(1).mean() / 2 + constant)
    assert terms["kl"].item() == pytest.approx(expected, rel=1e-6)
    check_gradient(est, model, x, model.encoder.trunk[0].weight)
    np.testing.assert_allclose(est.transform(X), mu)
    with pytest.raises(ValueError, match=r"\['noise'\] changed"):
        est.set_params(noise=0.5, warm_start=True).fit(X)


# ---------------------------------------------------------------------------------------- Geo-VAE
def test_geo_vae_trains_as_a_vae_and_draws_by_its_posteriors():
    est, plain = small(GeoVAE).fit(X), small(VAEGenerator).fit(X)
    np.testing.assert_array_equal(est.transform(X), plain.transform(X))
    sampler, model = est.sampler_, est.net_.module_
    cells, precisions = sampler.cells_, sampler.metric_.precisions.numpy()
    codes = torch.tensor(cells.means_ @ cells.unwhiten_ + cells.mean_, dtype=torch.float32)
    with torch.no_grad():
        variances = model.encoder(model.decode(codes)).variance.double().numpy()
    for precision, variance in zip(precisions, variances, strict=True):
        recovered = cells.unwhiten_.T @ np.linalg.inv(precision) @ cells.unwhiten_
        np.testing.assert_allclose(recovered, np.diag(variance), rtol=1e-5, atol=1e-9)
    assert 0.5 < sampler.acceptance_ <= 1
