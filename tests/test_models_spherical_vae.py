"""The spherical VAE: its prior, its heads, its objective."""

import math

import numpy as np
import pytest
import torch
from scipy.special import betaln, digamma, ive
from scipy.stats import beta, kstest
from torch.distributions import kl_divergence

from geomgen.distributions import SphericalUniform
from geomgen.models import SphericalVAE
from geomgen.nn import UniformSphere
from geomgen.nn.spherical_heads import PowerSphericalPosterior, VonMisesFisherPosterior

from .helpers import small
from .test_distributions_spherical import log_area, seeded


# ------------------------------------------------------------------------------ prior and heads
def test_prior():
    prior = UniformSphere(5).double()
    draws = prior.sample(20_000, seeded())
    assert draws.dtype == torch.float64
    np.testing.assert_allclose(draws.norm(dim=1), 1, rtol=1e-12)
    assert kstest((1 + draws[:, 2].numpy()) / 2, beta(2, 2).cdf).pvalue > 1e-3
    np.testing.assert_allclose(prior().log_prob(draws[:4]), -math.log(8 * math.pi**2 / 3))
    assert prior().entropy().item() == pytest.approx(math.log(8 * math.pi**2 / 3))
    errors = draws.square().std(0) / math.sqrt(20_000)
    assert ((draws.square().mean(0) - prior().variance).abs() < 4 * errors).all()
    assert prior().mean.tolist() == [0] * 5


@pytest.mark.parametrize("head", [VonMisesFisherPosterior, PowerSphericalPosterior])
def test_head(head):
    out = torch.tensor([[3.0, 4.0, 0.0], [0.0, -2.0, 30.0]])
    q = head(torch.nn.Identity())(out)
    assert head.n_outputs(2) == 3 and isinstance(q, head.law)
    torch.testing.assert_close(q.loc, torch.tensor([[0.6, 0.8], [0.0, -1.0]]))
    torch.testing.assert_close(q.concentration, torch.tensor([1 + math.log(2), 31.0]))


# ------------------------------------------------------------------------------------ the model
X = np.random.RandomState(0).normal(size=(40, 5))


def numpy_divergence(posterior, d, kappa):
    """Davidson et al.: κ A(κ) + log C(κ) - log C(0); De Cao and Aziz: log|S| - entropy."""
    if posterior == "vmf":
        nu = d / 2 - 1
        log_bessel = np.log(ive(nu, kappa)) + kappa
        log_c = nu * np.log(kappa) - d / 2 * math.log(2 * math.pi) - log_bessel
        return kappa * ive(nu + 1, kappa) / ive(nu, kappa) + log_c + log_area(d)
    b = (d - 1) / 2
    log_mean = betaln(b + kappa, b) - betaln(b, b)
    return kappa * (digamma(b + kappa) - digamma(2 * b + kappa)) - log_mean


@pytest.mark.parametrize("posterior", ["vmf", "power_spherical"])
@pytest.mark.parametrize("d", [2, 3])
def test_objective_is_the_papers(posterior, d):
    params = {"posterior": posterior, "n_components": d, "likelihood": "gaussian", "sigma": 0.5}
    model = small(SphericalVAE, beta=0.7, dtype="float64", **params).fit(X)
    module, x = model._module, torch.tensor(X)
    terms = model._objective(module, x, seeded(3))
    with torch.no_grad():
        out = module.encoder.trunk(x).numpy()
        loc = out[:, :-1] / np.linalg.norm(out[:, :-1], axis=1, keepdims=True)
        kappa = 1 + np.log1p(np.exp(out[:, -1]))
        z = module.encoder(x).rsample(generator=seeded(3))
        rows = module.decoder.trunk(z).numpy()
    np.testing.assert_allclose(module.encode(x).detach(), loc, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, rtol=1e-12)
    recon = (((rows - X) / 0.5) ** 2).sum(1).mean() / 2
    divergence = numpy_divergence(posterior, d, kappa).mean()
    assert terms["kl"].item() == pytest.approx(0.7 * divergence, rel=1e-9)
    assert terms["recon"].item() == pytest.approx(recon + 5 * math.log(0.5), rel=1e-9)


@pytest.mark.parametrize("posterior", ["vmf", "power_spherical"])
def test_objective_gradient(posterior):
    """By the trunk's outputs, the proposals accepted being the same on both sides."""
    model = small(SphericalVAE, posterior=posterior, dtype="float64", n_components=3).fit(X)
    module, x = model._module, torch.tensor(X[:6])
    law = module.encoder.law
    out = module.encoder.trunk(x).detach().requires_grad_()

    def divergence(out):
        q = law(
            torch.nn.functional.normalize(out[:, :-1], dim=-1),
            torch.nn.functional.softplus(out[:, -1]) + 1,
        )
        return kl_divergence(q, SphericalUniform(3))

    assert torch.autograd.gradcheck(divergence, out)


def test_law_of_the_posterior_is_structure():
    model = small(SphericalVAE, warm_start=True).fit(X)
    with pytest.raises(ValueError, match=r"\['posterior'\] changed"):
        model.set_params(posterior="power_spherical").fit(X)
    with pytest.raises(ValueError, match="posterior"):
        small(SphericalVAE, posterior="normal").fit(X)


def test_more_divergence_weight_spreads_the_posteriors():
    kappas = []
    for weight in (0.01, 10.0):
        params = {"beta": weight, "likelihood": "gaussian", "max_epochs": 80, "lr": 2e-2}
        model = small(SphericalVAE, n_components=3, **params).fit(X)
        with torch.no_grad():
            kappas.append(model._module.encoder(torch.tensor(X).float()).concentration.mean())
    assert kappas[0] > 5 > 1.5 > kappas[1]


@pytest.mark.parametrize("posterior", ["vmf", "power_spherical"])
def test_recovers_a_circle(posterior):
    """Rows of a circle, in order: the codes go round once, and draws of the prior are on it."""
    t = np.linspace(0, 2 * math.pi, 160, endpoint=False)
    rows = 3 * np.c_[np.cos(t), np.sin(t), 0.3 * np.cos(t)]
    params = {"max_epochs": 50, "hidden": (32,), "lr": 2e-2, "sampler": "prior"}
    model = small(SphericalVAE, posterior=posterior, **params).fit(rows)
    turns = np.unwrap(np.arctan2(*model.transform(np.r_[rows, rows[:1]]).T[::-1]))
    assert abs(turns[-1] - turns[0]) == pytest.approx(2 * math.pi, abs=1e-3)
    drawn = model.sample(500, random_state=0)
    radius, angle = np.hypot(drawn[:, 0], drawn[:, 1]), np.arctan2(drawn[:, 1], drawn[:, 0])
    assert abs(radius.mean() - 3) < 0.3 and radius.std() < 0.3
    assert np.histogram(angle, 4, (-math.pi, math.pi))[0].min() > 60
