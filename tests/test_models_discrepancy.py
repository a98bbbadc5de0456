"""Models that match the law of all codes with a prior: WAE, InfoVAE, AAE, GMM-DAE."""

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.datasets import load_iris
from torch.nn.functional import binary_cross_entropy_with_logits

from geomgen.losses import (
    covariance_error,
    coverage,
    critic_loss,
    energy,
    generator_loss,
    kolmogorov_smirnov,
    mmd,
    sliced_wasserstein,
)
from geomgen.models import AE, VAEGenerator
from geomgen.models.aae import AAE
from geomgen.models.gmmdae import GMMDAE
from geomgen.models.infovae import InfoVAE
from geomgen.models.wae import WAE
from geomgen.nn.mixture_prior import MixturePrior

from .helpers import small

X = load_iris().data
MODELS = [WAE, InfoVAE, AAE, GMMDAE]
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.RandomState(seed).normal(size=shape)).to(dtype)


# ------------------------------------------------------------------------------ discrepancies
def numpy_mmd(z, p, kernel, scales=SCALES):
    def k(a, b):
        squared, C = ((a - b) ** 2).sum(), 2 * len(a)
        if kernel == "imq":
            return sum(s * C / (s * C + squared) for s in scales)
        return sum(np.exp(-squared / (s * C)) for s in scales)

    def within(a):
        pairs = [k(a[i], a[j]) for i in range(len(a)) for j in range(len(a)) if i != j]
        return np.mean(pairs)

    return within(z) + within(p) - 2 * np.mean([k(a, b) for a in z for b in p])


def numpy_energy(z, p):
    def within(a):
        return cdist(a, a).sum() / (len(a) * (len(a) - 1))

    return 2 * cdist(z, p).mean() - within(z) - within(p)


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
@pytest.mark.parametrize("scales", [SCALES, (1.0,)])
def test_mmd_is_its_double_sums(kernel, scales):
    z, p = 0.5 + normal(6, 3), normal(9, 3, seed=1)
    wanted = numpy_mmd(z.numpy(), p.numpy(), kernel, scales)
    assert mmd(z, p, kernel, scales).item() == pytest.approx(wanted, rel=1e-12)
    assert mmd(z.float(), p.float(), kernel, scales).item() == pytest.approx(wanted, rel=1e-4)


def test_energy_is_its_double_sums_and_coverage_is_energy():
    z, p = 0.5 + normal(6, 3), normal(9, 3, seed=1)
    assert energy(z, p).item() == pytest.approx(numpy_energy(z.numpy(), p.numpy()), rel=1e-12)
    assert coverage(z, p).item() == energy(z, p).item()


@pytest.mark.parametrize(
    "distance",
    [
        pytest.param(lambda z, p: mmd(z, p, "imq"), id="imq"),
        pytest.param(lambda z, p: mmd(z, p, "rbf"), id="rbf"),
        pytest.param(energy, id="energy"),
        pytest.param(lambda z, p: sliced_wasserstein(z, p, generator=seeded()), id="sliced"),
    ],
)
class TestEveryDiscrepancy:
    def test_gradient(self, distance):
        z, p = normal(6, 3), normal(6, 3, seed=1)
        assert torch.autograd.gradcheck(distance, (z.requires_grad_(), p.requires_grad_()))

    def test_gradient_at_duplicates(self, distance):
        z, p = normal(3, 2).repeat(2, 1), normal(6, 2, seed=1)
        z[0] = p[0]
        z.requires_grad_()
        (gradient,) = torch.autograd.grad(distance(z, p), z)
        assert gradient.isfinite().all() and gradient.norm() > 0

    def test_one_row_has_none(self, distance):
        z = normal(1, 3).requires_grad_()
        value = distance(z, normal(1, 3, seed=1))
        assert value.item() == 0 and not value.requires_grad

    def test_of_far_batches_is_larger(self, distance):
        z, p = normal(200, 3), normal(200, 3, seed=1)
        values = [distance(z + shift, p).item() for shift in (0.0, 0.5, 1.0, 3.0, 30.0)]
        assert values == sorted(values) and values[0] < 0.1 * values[2]


def test_gradients_at_duplicates_are_those_of_finite_differences():
    """Where two codes coincide the kernel is smooth: its gradient is not doubled, nor lost."""
    z, p = normal(3, 2).repeat(2, 1), normal(5, 2, seed=1)
    z[0] = p[0]
    z.requires_grad_()
    for kernel in ("imq", "rbf"):
        assert torch.autograd.gradcheck(lambda z, k=kernel: mmd(z, p, k), z)


@pytest.mark.parametrize("distance", [mmd, energy])
def test_unbiased_discrepancies_are_0_on_average(distance):
    """400 pairs of batches of one law: the mean is within four standard errors of 0."""
    values = [distance(normal(16, 2, seed=s), normal(16, 2, seed=1000 + s)) for s in range(400)]
    values = torch.stack(values).numpy()
    assert abs(values.mean()) < 4 * values.std() / 20 and values.min() < 0


def test_sliced_wasserstein_in_one_dimension_is_the_best_assignment():
    z, p = normal(8, 1), normal(8, 1, seed=1)
    cost = (z - p.T).square().numpy()
    wanted = cost[linear_sum_assignment(cost)].mean()
    assert sliced_wasserstein(z, p, n_projections=3).item() == pytest.approx(wanted)


def test_sliced_wasserstein_is_its_formula():
    z, p = normal(8, 4), normal(8, 4, seed=1)
    theta = torch.randn(4, 7, generator=seeded(5), dtype=torch.float64).numpy()
    theta /= np.linalg.norm(theta, axis=0)
    gaps = np.sort(z.numpy() @ theta, 0) - np.sort(p.numpy() @ theta, 0)
    value = sliced_wasserstein(z, p, 7, seeded(5))
    assert value.item() == pytest.approx((gaps**2).mean(), rel=1e-12)
    shift = torch.tensor([3.0, 0.0, 4.0, 0.0])
    many = sliced_wasserstein(z, z + shift, 20_000, seeded())  # (θ'v)² has mean |v|²/d
    assert many.item() == pytest.approx(25 / 4, rel=0.04)  # 4 standard errors
    with pytest.raises(ValueError, match="z_prior has 7 draws for 8 codes"):
        sliced_wasserstein(z, p[:7])


# --------------------------------------------------------------------- marginals, covariance
def test_kolmogorov_smirnov_is_its_sum():
    u = torch.special.ndtr(normal(9, 3))
    ordered = np.sort(u.numpy(), 0)
    wanted = np.mean([(ordered[i - 1, j] - i / 9) ** 2 for i in range(1, 10) for j in range(3)])
    assert kolmogorov_smirnov(u).item() == pytest.approx(wanted, rel=1e-12)
    assert torch.autograd.gradcheck(kolmogorov_smirnov, u.requires_grad_())
    assert kolmogorov_smirnov(u[:1]).item() == 0


@pytest.mark.parametrize("n", [2, 16])
def test_kolmogorov_smirnov_of_the_target_on_average(n):
    draws = torch.rand(n, 20_000, generator=seeded(), dtype=torch.float64)
    values = torch.stack([kolmogorov_smirnov(u[:, None]) for u in draws.T[:4000]]).numpy()
    assert abs(values.mean() - (n + 1) / (6 * n**2)) < 4 * values.std() / 4000**0.5


def test_covariance_error():
    z, target = normal(9, 3), torch.eye(3, dtype=torch.float64)
    wanted = ((np.cov(z.numpy().T, bias=True) - np.eye(3)) ** 2).mean()
    assert covariance_error(z, target).item() == pytest.approx(wanted, rel=1e-12)
    assert torch.autograd.gradcheck(lambda z: covariance_error(z, target), z.requires_grad_())
    assert covariance_error(z[:1], target).item() == 0


PRIORS = [(3, None, 1.0), (4, 2, 0.3), (1, None, 2.0)]


@pytest.mark.parametrize(("d", "k", "scale"), PRIORS)
def test_mixture_prior_is_its_density(d, k, scale):
    prior, K = MixturePrior(d, k, scale).double(), k or d
    z = normal(7, d)
    means = np.eye(d)[:K]
    density = np.mean(
        [stats.multivariate_normal(m, scale**2 * np.eye(d)).pdf(z.numpy()) for m in means], 0
    )
    np.testing.assert_allclose(prior().log_prob(z).exp(), density, rtol=1e-9)
    cdf = stats.norm(means[:, None], scale).cdf(z.numpy()).mean(0)
    np.testing.assert_allclose(prior.cdf(z), cdf, rtol=1e-9, atol=1e-15)
    assert prior.dim == d and prior().mean.shape == (d,)


@pytest.mark.parametrize(("d", "k", "scale"), PRIORS)
def test_mixture_prior_draws(d, k, scale):
    """Marginals by a Kolmogorov-Smirnov test at 1e-3, covariance within four standard errors."""
    prior, state = MixturePrior(d, k, scale).double(), torch.get_rng_state()
    z = prior.sample(20_000, seeded())
    assert torch.equal(torch.get_rng_state(), state) and torch.equal(
        z, prior.sample(20_000, seeded())
    )
    for u in prior.cdf(z).T:
        assert stats.kstest(u.numpy(), "uniform").pvalue > 1e-3
    noise = prior.covariance_noise / 20_000
    assert covariance_error(z, prior.covariance).item() < 16 * noise


@pytest.mark.parametrize(("d", "k", "scale"), PRIORS)
def test_covariance_noise_is_what_draws_show(d, k, scale):
    prior = MixturePrior(d, k, scale).double()
    batches = prior.sample(2000 * 64, seeded()).view(2000, 64, d)
    errors = torch.stack([covariance_error(z, prior.covariance) for z in batches]).numpy()
    wanted = prior.covariance_noise / 64
    assert abs(errors.mean() - wanted) < 4 * errors.std() / 2000**0.5 + wanted / 64


# ------------------------------------------------------------------------------- objectives
def trained(cls, **params):
    est = small(cls, **params).fit(X)
    return est, est.net_.module_.double(), torch.tensor(X)


def maps(model, x, z=None):
    with torch.no_grad():
        z = model.encoder.trunk(x) if z is None else z
        return z.numpy(), model.decoder.trunk(z).numpy()


@pytest.mark.parametrize("discrepancy", ["mmd", "energy", "sliced"])
@pytest.mark.parametrize("params", [{}, {"lam": 3.0, "reduction": "mean", "kernel": "rbf"}])
def test_wae_objective_is_eq_4(discrepancy, params):
    est, model, x = trained(WAE, discrepancy=discrepancy, **params)
    terms, noise = est._objective(model, x, seeded(3)), seeded(3)
    drawn = torch.randn(150, 2, generator=noise, dtype=torch.float64).numpy()
    z, decoded = maps(model, x)
    if discrepancy == "mmd":
        wanted = numpy_mmd(z, drawn, est.kernel)
    elif discrepancy == "energy":
        wanted = numpy_energy(z, drawn)
    else:
        theta = torch.randn(2, 50, generator=noise, dtype=torch.float64).numpy()
        theta /= np.linalg.norm(theta, axis=0)
        wanted = ((np.sort(z @ theta, 0) - np.sort(drawn @ theta, 0)) ** 2).mean()
    squares = (decoded - X) ** 2
    recon = squares.mean() if est.reduction == "mean" else squares.sum(1).mean()
    assert terms["recon"].item() == pytest.approx(recon, rel=1e-10)
    assert terms["discrepancy"].item() == pytest.approx(est.lam * wanted, rel=1e-8)


@pytest.mark.parametrize("params", [{}, {"alpha": -1.0, "lam": 5.0, "kernel": "imq"}, {"alpha": 1}])
def test_infovae_objective(params):
    est, model, x = trained(InfoVAE, likelihood="gaussian", **params)
    terms, noise = est._objective(model, x, seeded(3)), seeded(3)
    e, drawn = (torch.randn(150, 2, generator=noise, dtype=torch.float64).numpy() for _ in range(2))
    with torch.no_grad():
        mu, log_sigma = np.split(model.encoder.trunk(x).numpy(), 2, axis=1)
    z = mu + np.exp(log_sigma) * e
    decoded = maps(model, x, torch.tensor(z))[1]
    kl = 0.5 * (mu**2 + np.exp(2 * log_sigma) - 1 - 2 * log_sigma).sum(1).mean()
    weight = est.alpha + est.lam - 1
    assert terms["recon"].item() == pytest.approx(0.5 * ((decoded - X) ** 2).sum(1).mean())
    assert terms["kl"].item() == pytest.approx((1 - est.alpha) * kl, abs=1e-12)
    wanted = weight * numpy_mmd(z, drawn, est.kernel)
    assert terms["mmd"].item() == pytest.approx(wanted, rel=1e-8)


def test_infovae_of_alpha_0_and_lam_1_is_the_vae():
    est, model, x = trained(InfoVAE, alpha=0.0, lam=1.0)
    terms = est._objective(model, x, seeded(3))
    vae = small(VAEGenerator)._objective(model, x, seeded(3))
    assert terms["mmd"].item() == 0
    assert all(terms[name].item() == vae[name].item() for name in vae)


def test_infovae_takes_no_beta_and_warms_the_divergence_alone():
    with pytest.raises(TypeError, match="beta"):
        InfoVAE(beta=1.0)
    est, model, x = trained(InfoVAE, warmup=10)
    assert "beta" not in est.get_params() and est.beta == 0.5
    model.train()
    model.n_epochs = 0
    cold = est._objective(model, x, seeded())
    model.eval()
    warm = est._objective(model, x, seeded())
    assert cold["kl"].item() == 0 < warm["kl"].item() and cold["mmd"] == warm["mmd"]


@pytest.mark.parametrize("params", [{}, {"lam": 2.0, "n_centers": 1, "scale": 0.5}])
def test_gmmdae_objective(params):
    est, model, x = trained(GMMDAE, **params)
    terms = est._objective(model, x, seeded())
    z, decoded = maps(model, x)
    means = np.eye(2)[: est.n_centers]
    cdf = stats.norm(means[:, None], est.scale).cdf(np.sort(z, 0)).mean(0)
    ks = ((cdf - np.arange(1, 151)[:, None] / 150) ** 2).mean() / (151 / (6 * 150**2))
    sigma = np.cov(means.T, bias=True).reshape(2, 2) + est.scale**2 * np.eye(2)
    error = ((np.cov(z.T, bias=True) - sigma) ** 2).mean()
    noise = model.prior.covariance_noise / 150  # itself tested above
    assert terms["recon"].item() == pytest.approx(((decoded - X) ** 2).sum(1).mean())
    assert terms["ks"].item() == pytest.approx(est.lam * ks, rel=1e-9)
    assert terms["covariance"].item() == pytest.approx(est.lam * error / noise, rel=1e-9)


def test_aae_objectives_are_cross_entropies():
    est, model, x = trained(AAE, lam=0.3)
    model.train()
    terms = est._objective(model, x, seeded())
    z, decoded = maps(model, x)
    logits = model.critic(torch.tensor(z))
    fooled = binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    assert terms["recon"].item() == pytest.approx(((decoded - X) ** 2).sum(1).mean())
    assert terms["adversarial"].item() == pytest.approx(0.3 * fooled.item(), rel=1e-10)
    drawn = model.critic(normal(40, 2))
    wanted = binary_cross_entropy_with_logits(drawn, torch.ones_like(drawn))
    wanted = wanted + binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))
    assert critic_loss(drawn, logits).item() == pytest.approx(wanted.item(), rel=1e-10)
    surely = torch.full((3, 1), 1000.0)
    assert critic_loss(surely, -surely).item() == 0 and generator_loss(-surely).item() == 1000


@pytest.mark.parametrize(
    "cls,params",
    [
        *((WAE, {"discrepancy": kind}) for kind in ("mmd", "energy", "sliced")),
        (InfoVAE, {"likelihood": "gaussian"}),  # a learnt one has no gradient of its own
        (AAE, {}),
        (GMMDAE, {}),
    ],
)
def test_gradients_are_those_of_finite_differences(cls, params):
    est, model, x = trained(cls, activation="tanh", **params)
    model.train()
    rows = x[::10]

    def loss():
        return sum(est._objective(model, rows, seeded(1)).values())

    for weight in (model.encoder.trunk[0].weight, model.decoder.trunk[-1].bias):
        (gradient,) = torch.autograd.grad(loss(), weight)
        flat = weight.data.view(-1)
        for i in (0, 3):
            kept = flat[i].item()
            values = []
            for step in (1e-5, -1e-5):
                flat[i] = kept + step
                values.append(loss().item())
            flat[i] = kept
            slope = (values[0] - values[1]) / 2e-5
            assert gradient.view(-1)[i].item() == pytest.approx(slope, rel=1e-4, abs=1e-6)


# ------------------------------------------------------------------------------------ limits
@pytest.mark.parametrize("cls", [WAE, AAE, GMMDAE])
def test_weight_0_is_the_plain_autoencoder(cls):
    plain, model = small(AE, sampler="mvg").fit(X), small(cls, lam=0, sampler="mvg").fit(X)
    np.testing.assert_array_equal(model.transform(X), plain.transform(X))


@pytest.mark.parametrize(
    "cls,params",
    [
        *((WAE, {"discrepancy": kind, "lam": 10.0}) for kind in ("mmd", "energy", "sliced")),
        (InfoVAE, {"lam": 10.0}),
        (AAE, {"lam": 1.0}),
        (GMMDAE, {"lam": 0.1}),
    ],
)
def test_codes_come_to_follow_the_prior(cls, params):
    """Their energy distance to draws of it falls below a quarter of the plain autoencoder's."""
    budget = {"hidden": (32,), "max_epochs": 60, "lr": 5e-3, "sampler": "mvg"}
    rows = (X - X.mean(0)) / X.std(0)
    est = small(cls, **budget, **params).fit(rows)
    drawn = est.net_.module_.prior.sample(2000, seeded())
    plain = small(AE, **budget).fit(rows)
    x = torch.tensor(rows, dtype=torch.float32)
    codes = [m.net_.module_.encoder(x).rsample(generator=seeded()) for m in (est, plain)]
    apart = [energy(z, drawn).item() for z in codes]
    assert apart[0] < apart[1] / 4


@pytest.mark.parametrize(
    "model,message",
    [
        (WAE(discrepancy="kl"), "discrepancy"),
        (WAE(kernel="laplace"), "kernel"),
        (WAE(lam=-1), "lam"),
        (InfoVAE(alpha=1.5), "alpha"),
        (InfoVAE(alpha=0.0, lam=0.5), r"lam=0.5 must be at least 1 - alpha = 1"),
        (GMMDAE(n_centers=9), "n_centers=9 must be at most n_components=8"),
        (GMMDAE(scale=0), "scale"),
        (AAE(critic_lr=0), "critic_lr"),
        (AAE(critic_hidden=(0,)), "critic_hidden"),
    ],
)
def test_bad_parameters(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(X)


# -------------------------------------------------------------------------------- the critic
def weights(est):
    return {name: p.detach().clone() for name, p in est.net_.module_.named_parameters()}


def moved(before, after):
    return {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}


@pytest.fixture
def adversary():
    est = small(AAE, sampler="mvg").fit(X)
    est.net_._noise = seeded()
    est.net_.module_.train()
    return est, torch.tensor(X, dtype=torch.float32)


def test_a_step_of_the_critic_moves_the_critic_alone(adversary):
    est, x = adversary
    before = weights(est)
    est.net_.module_.zero_grad()
    est.net_._train_critic(x)
    assert moved(before, weights(est)) == {"critic"}
    others = [p for n, p in est.net_.module_.named_parameters() if not n.startswith("critic")]
    assert all(p.grad is None for p in others)


def test_a_step_of_the_rest_leaves_the_critic(adversary):
    est, x = adversary
    est.net_._train_critic = lambda batch: torch.zeros(())
    before, steps = weights(est), est.net_.module_.n_steps
    est.net_.train_step(x)
    assert est.net_.module_.n_steps == steps + 1  # the objective was computed once
    assert moved(before, weights(est)) == {"encoder", "decoder"}
    critic = list(est.net_.module_.critic.parameters())
    assert all(p.grad is None and p.requires_grad for p in critic)


def test_the_critic_is_a_judge_of_codes():
    """It cannot tell codes that follow the prior, and can tell those that were left alone."""
    budget = {"hidden": (32,), "max_epochs": 60, "lr": 5e-3, "sampler": "mvg"}
    lost, tied = (small(AAE, lam=lam, **budget).fit(X).history_["critic_loss"] for lam in (0, 3))
    assert lost.iloc[-1] < 0.5 < 1.1 < tied.tail(10).mean() < 1.5


def test_critic_loss_is_kept_apart_from_the_loss():
    history = small(AAE, early_stopping=True).fit(X).history_
    assert history.columns.tolist() == [
        *("loss", "recon", "adversarial", "critic_loss", "valid_recon", "valid_loss", "seconds")
    ]
    np.testing.assert_allclose(history["recon"] + history["adversarial"], history["loss"])
    np.testing.assert_array_equal(history["valid_loss"], history["valid_recon"])


def rates(est):
    return [o.param_groups[0]["lr"] for o in (est.net_.optimizer_, est.net_.critic_optimizer_)]


def test_learning_rates_and_optimizer_parameters_reach_both():
    est = small(
        AAE, warm_start=True, critic_lr=0.004, net_params={"optimizer__betas": (0.5, 0.9)}
    ).fit(X)
    assert rates(est) == [1e-3, 0.004]
    for optimizer in (est.net_.optimizer_, est.net_.critic_optimizer_):
        group = optimizer.param_groups[0]
        assert type(optimizer) is torch.optim.Adam
        assert group["betas"] == (0.5, 0.9) and group["fused"]
    owned = [
        sum(p.numel() for p in o.param_groups[0]["params"])
        for o in (est.net_.optimizer_, est.net_.critic_optimizer_)
    ]
    critic = sum(p.numel() for p in est.net_.module_.critic.parameters())
    assert owned == [sum(p.numel() for p in est.net_.module_.parameters()) - critic, critic]
    est.set_params(lr=0.01, critic_lr=0.02).fit(X)
    assert rates(est) == [0.01, 0.02] and est.n_iter_ == 6
    with pytest.raises(ValueError, match=r"\['critic_hidden'\] changed"):
        est.set_params(critic_hidden=(3,)).fit(X)


def test_any_optimizer():
    for optimizer in (torch.optim.SGD, torch.optim.LBFGS):
        est = small(AAE, optimizer=optimizer, lr=1e-2, max_epochs=1).fit(X)
        assert isinstance(est.net_.critic_optimizer_, optimizer)
        assert np.isfinite(est.history_["critic_loss"]).all()


def poison(net, **kwargs):
    if len(net.history) == 3:
        with torch.no_grad():
            net.module_.critic[0].weight.fill_(torch.nan)


def test_a_critic_that_blows_up_is_named_and_taken_back():
    from skorch.callbacks import Callback

    class Poison(Callback):
        on_batch_end = staticmethod(poison)

    est = small(AAE, max_epochs=9, critic_lr=0.004, callbacks=[Poison()], warm_start=True)
    with pytest.raises(ValueError, match="stopped being finite in epoch 3"):
        est.fit(X)
    assert est.n_iter_ == 2 and np.isfinite(est.transform(X)).all()
    assert rates(est) == [1e-3, 0.004] and not est.net_.critic_optimizer_.state
    est.set_params(callbacks=None).fit(X)
    assert np.isfinite(est.history_.drop(columns="seconds")).all(axis=None)


def test_a_critics_loss_that_is_not_finite_is_named(adversary):
    net = adversary[0].net_
    net.history.new_epoch()
    net._record("train", [3], [{"recon": torch.ones(()), "critic_loss": torch.tensor(torch.inf)}])
    assert net._not_finite() == "The loss term 'critic_loss'"
    assert net.history[-1, "train_loss"] == 1 and net.history[-1, "train_critic_loss"] == torch.inf


def test_training_goes_on_the_same_from_a_copy():
    est = small(AAE).fit(X)
    others = pickle.loads(pickle.dumps(est)), copy.deepcopy(est)
    est.partial_fit(X)
    for other in others:
        other.partial_fit(X)
        before = weights(est)
        assert not moved(before, weights(other))
