"""The likelihoods and the warm-up of the VAE."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_digits, load_iris, load_wine

from geomgen import VAEGenerator
from geomgen.distributions import DiagonalNormal, IndependentBernoulli
from geomgen.losses import kl, negative_log_likelihood
from geomgen.nn import LearntGaussianLikelihood

from .helpers import small

X = load_iris().data
UNIT = (X - X.min(0)) / np.ptp(X, axis=0)
RNG = np.random.RandomState(0)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# ------------------------------------------------------------------------------- the functions
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_gaussian_likelihood_is_scipys_without_its_constant(reduction):
    x, loc, scale = RNG.normal(size=(9, 4)), RNG.normal(size=(9, 4)), RNG.uniform(0.1, 3, (9, 4))
    p = DiagonalNormal(*map(torch.tensor, (loc, scale)))
    logs = -stats.norm.logpdf(x, loc, scale) - np.log(2 * np.pi) / 2
    expected = logs.sum(1).mean() if reduction == "sum" else logs.mean()
    assert negative_log_likelihood(p, torch.tensor(x), reduction).item() == pytest.approx(expected)


def test_bernoulli_likelihood_is_the_cross_entropy():
    x, logits = RNG.uniform(size=(9, 4)), RNG.normal(size=(9, 4))
    mu = 1 / (1 + np.exp(-logits))
    expected = -(x * np.log(mu) + (1 - x) * np.log(1 - mu)).sum(1).mean()
    p = IndependentBernoulli(torch.tensor(logits))
    assert negative_log_likelihood(p, torch.tensor(x)).item() == pytest.approx(expected)
    np.testing.assert_allclose(p.mean, mu)


def test_likelihoods_have_right_gradients():
    x = torch.tensor(RNG.uniform(size=(3, 2)))
    a, b = (torch.tensor(RNG.normal(size=(3, 2)), requires_grad=True) for _ in range(2))

    def gaussian(a, b):
        return negative_log_likelihood(DiagonalNormal(a, b.exp()), x)

    def bernoulli(a):
        return negative_log_likelihood(IndependentBernoulli(a), x, "mean")

    assert torch.autograd.gradcheck(gaussian, (a, b))
    assert torch.autograd.gradcheck(bernoulli, (a,))


def test_kl_in_closed_form_and_estimated():
    loc, scale = torch.tensor([[1.0, -1.0]]), torch.tensor([[0.5, 2.0]])
    q, p = DiagonalNormal(loc, scale), DiagonalNormal(torch.zeros(2), torch.ones(2))
    exact = 0.5 * (loc**2 + scale**2 - 1 - 2 * scale.log()).sum()
    assert kl(q, p, loc).item() == pytest.approx(exact.item())
    mixture = torch.distributions.MixtureSameFamily(  # torch has no closed form for it
        torch.distributions.Categorical(torch.ones(1)),
        DiagonalNormal(torch.zeros(1, 2), torch.ones(1, 2)),
    )
    z = q.rsample((20_000,), generator=seeded())
    estimates = [kl(q, mixture, part).item() for part in z]
    error = np.std(estimates) / len(estimates) ** 0.5
    assert abs(np.mean(estimates) - exact) < 4 * error < 0.1


# ------------------------------------------------------------------------------------ the model
@pytest.mark.parametrize("likelihood", ["gaussian", "learnt", "bernoulli"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_objective(likelihood, reduction):
    params = {"likelihood": likelihood, "reduction": reduction, "sigma": 0.3}
    model = small(VAEGenerator, dtype="float64", **params).fit(UNIT)
    module, x = model.net_.module_, torch.tensor(UNIT)
    terms = model._objective(module, x, seeded(3))
    with torch.no_grad():
        mu, log_sigma = np.split(module.encoder.trunk(x).numpy(), 2, axis=1)
        z = mu + np.exp(log_sigma) * torch.randn(150, 2, generator=seeded(3), dtype=x.dtype).numpy()
        out = module.decoder.trunk(torch.tensor(z)).numpy()
    if likelihood == "bernoulli":
        out = 1 / (1 + np.exp(-out))
        logs = -(UNIT * np.log(out) + (1 - UNIT) * np.log(1 - out))
    else:
        sigma = module.decoder.variance.sqrt().item()
        assert (sigma == pytest.approx(0.3, abs=1e-7)) == (likelihood == "gaussian")
        before = module.decoder.variance.clone()
        model._objective(module.eval(), 9 * x, seeded(3))
        assert torch.equal(module.decoder.variance, before)  # rows held out teach nothing
        logs = (out - UNIT) ** 2 / (2 * sigma**2) + np.log(sigma)
    expected = logs.sum(1).mean() if reduction == "sum" else logs.mean()
    assert terms["recon"].item() == pytest.approx(expected, rel=1e-9)


def test_learnt_sigma_is_the_root_mean_squared_error():
    """The likelihood's optimum in σ, at any net."""
    rows = load_digits().data / 16
    model = small(
        VAEGenerator, n_components=8, hidden=(64,), likelihood="learnt", max_epochs=60, lr=3e-3
    ).fit(rows)
    module, x = model.net_.module_, torch.tensor(rows, dtype=torch.float32)
    with torch.no_grad():
        z = module.encoder(x).rsample(generator=seeded())
        error = (module.decode(z) - x).square().mean().sqrt().item()
    assert module.decoder.variance.sqrt().item() == pytest.approx(error, rel=0.05)
    assert error < 0.9 * rows.std(0).mean()


def test_bernoulli_rows_stay_between_0_and_1():
    drawn = small(VAEGenerator, likelihood="bernoulli", max_epochs=20).fit(UNIT).sample(100, 0)
    assert drawn.min() >= 0 and drawn.max() <= 1
    with pytest.raises(ValueError, match=r"likelihood='bernoulli'.*\[0.1, 7.9\].*MinMaxScaler"):
        small(VAEGenerator, likelihood="bernoulli").fit(X)


def test_warm_up_raises_beta_linearly():
    model = small(VAEGenerator, beta=2.0, warmup=4, max_epochs=8, early_stopping=True)
    seen = []
    original = VAEGenerator._weight

    class Spy(VAEGenerator):
        def _weight(self, module):
            seen.append((module.training, module.n_epochs, original(self, module)))
            return seen[-1][2]

    Spy(**model.get_params()).fit(X)
    training = dict((epoch, weight) for is_training, epoch, weight in seen if is_training)
    assert training == {0: 0.0, 1: 0.5, 2: 1.0, 3: 1.5, **dict.fromkeys(range(4, 8), 2.0)}
    assert {weight for is_training, _, weight in seen if not is_training} == {2.0}


def test_early_stopping_waits_for_the_warm_up():
    """Until then the held-out loss rises with what the KL term is not yet weighted for."""
    rows = load_wine().data
    rows = (rows - rows.mean(0)) / rows.std(0)
    model = VAEGenerator(
        n_components=4, max_epochs=90, early_stopping=True, warmup=40, beta=4, random_state=0
    ).fit(rows)
    assert model.n_iter_ >= 40 + model.n_iter_no_change
    module, x = model.net_.module_, torch.tensor(rows, dtype=torch.float32)
    now = sum(term.item() for term in model._objective(module, x, seeded()).values())
    assert now < model.history_["valid_loss"].loc[5:15].min()


@pytest.mark.parametrize("scale", [1e-4, 1e-2, 1e2])
def test_learnt_sigma_follows_the_units_of_the_rows(scale):
    """From the first batch on: it does not have to travel there from 1."""
    head = LearntGaussianLikelihood(torch.nn.Identity()).train()
    x = scale * torch.randn(2000, 5, generator=seeded())
    for _ in range(3):
        p = head.calibrated(head(torch.zeros_like(x)), x)
    assert head.variance.item() == pytest.approx(x.square().mean().item(), rel=1e-5)
    assert p.stddev[0, 0].item() == pytest.approx(scale, rel=0.05)


def test_the_learnt_variance_is_a_running_mean():
    head = LearntGaussianLikelihood(torch.nn.Identity()).train()
    expected = 0.0
    for k, value in enumerate([4.0, 1.0, 9.0, *[2.0] * 20], start=1):
        x = torch.full((6, 3), value)
        head.calibrated(head(torch.zeros_like(x)), x)
        share = max(0.1, 1 / k)
        expected = (1 - share) * expected + share * value**2
        assert head.variance.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name,value", [("likelihood", "laplace"), ("sigma", 0), ("warmup", -1)])
def test_bad_parameters(name, value):
    with pytest.raises(ValueError, match=name):
        small(VAEGenerator, **{name: value}).fit(X)


def test_the_likelihood_is_part_of_the_structure():
    model = small(VAEGenerator, warm_start=True).fit(X)
    with pytest.raises(ValueError, match=r"\['sigma'\] changed"):
        model.set_params(sigma=2.0).fit(X)
