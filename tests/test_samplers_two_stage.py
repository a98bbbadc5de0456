"""The autoregressive law of discrete codes, and the VAE over codes."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, norm
from sklearn.datasets import load_iris

from geomgen import VQVAE
from geomgen.manifolds import Euclidean
from geomgen.metrics import energy_distance
from geomgen.nn.codebook import Codebook
from geomgen.samplers import AutoregressiveSampler, SecondStageSampler, make_sampler
from geomgen.samplers.autoregressive import Tokens

from .helpers import quick, small

RNG = np.random.RandomState(0)
Z = RNG.normal(size=(400, 2)) @ [[1.0, 0.5], [0, 0.3]] + [3, -1]
TINY = {"hidden": (16,), "max_epochs": 30, "lr": 0.02, "random_state": 0}


class Discrete:
    """What a sampler asks of a model with a codebook."""

    def __init__(self, vectors):
        self.manifold = Codebook(*np.shape(vectors)).double()
        self.manifold.vectors.copy_(torch.as_tensor(vectors))


def tuples(k, m):
    return np.stack(np.meshgrid(*[np.arange(k)] * m, indexing="ij"), -1).reshape(-1, m)


# ---------------------------------------------------------------------------------- the network
def tokens_network(edges, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.tensor(edges, dtype=torch.float64)
    values = torch.linspace(-1, 1, edges.shape[1] - 1)[:, None]
    return Tokens(edges, values, (8,), generator).double()


def test_the_network_is_autoregressive():
    network = tokens_network(np.tile(np.arange(6.0), (4, 1)))
    k = torch.tensor([[1, 2, 3, 4]])
    before = network(k)
    for i in range(4):
        changed = k.clone()
        changed[0, i] = 0
        after = network(changed)
        assert torch.equal(after[0, :i], before[0, :i])
        assert not torch.isclose(after[0, i:], before[0, i:]).any()


def test_probabilities_of_all_tuples_sum_to_one_and_absent_bins_have_none():
    network = tokens_network([[0, 1, 2, 3], [0, 1, 4, 4], [0, 5, 5, 5]])
    k = torch.tensor(tuples(3, 3))
    with torch.no_grad():
        log_p = network(k).sum(-1)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    there = (k[:, 1] < 2) & (k[:, 2] < 1)
    assert torch.equal(log_p.isfinite(), there)


def test_bins_of_coordinates():
    network = tokens_network([[0, 1, 2, 3], [0, 1, 4, 4]])
    u = torch.tensor([[-5, 0.0], [0.5, 1.0], [1.0, 3.9], [9, 4.0]], dtype=torch.float64)
    assert network.find(u).tolist() == [[0, 0], [0, 1], [1, 1], [2, 1]]


# ------------------------------------------------------------------------------ with a codebook
VECTORS = np.array([[0.0, 0], [1, 0], [0, 1], [5, 5]])


def dependent(n, seed=0):
    """Indices of three positions: the second follows the first, the third is their sum mod 4."""
    rng = np.random.RandomState(seed)
    a = rng.choice(4, p=[0.1, 0.2, 0.3, 0.4], size=n)
    b = np.where(rng.uniform(size=n) < 0.8, a, rng.randint(4, size=n))
    return np.c_[a, b, (a + b) % 4]


@pytest.fixture(scope="module")
def learnt():
    codes = VECTORS[dependent(1500)].reshape(1500, 6)
    noisy = codes + 0.1 * np.random.RandomState(1).normal(size=codes.shape)
    params = {**TINY, "hidden": (64,), "max_epochs": 60}
    return AutoregressiveSampler(**params).fit(noisy, model=Discrete(VECTORS))


def test_the_law_of_tuples_is_learnt(learnt):
    every = tuples(4, 3)
    p = np.exp(learnt.score_samples(VECTORS[every].reshape(64, 6)))
    assert p.sum() == pytest.approx(1, abs=1e-9)
    a, b, c = every.T
    truth = np.array([0.1, 0.2, 0.3, 0.4])[a] * (0.8 * (a == b) + 0.05) * (c == (a + b) % 4)
    assert np.abs(p - truth).sum() / 2 < 0.08  # total variation; 1500 tuples leave 0.04
    independent = np.prod(
        [[truth[every[:, i] == k].sum() for k in every[:, i]] for i in range(3)], 0
    )
    assert np.abs(independent - truth).sum() / 2 > 0.5


def test_ancestral_draws_have_the_probabilities_they_are_said_to_have(learnt):
    draws = learnt.sample(20_000, random_state=0)
    indices = learnt.manifold_.assign(torch.tensor(draws)).numpy()
    np.testing.assert_array_equal(VECTORS[indices].reshape(-1, 6), draws)
    every = tuples(4, 3)
    p = np.exp(learnt.score_samples(VECTORS[every].reshape(64, 6)))
    counts = np.bincount(indices @ [16, 4, 1], minlength=64)
    common = 20_000 * p > 5
    observed = np.r_[counts[common], counts[~common].sum()]
    expected = 20_000 * np.r_[p[common], p[~common].sum()]
    assert chisquare(observed, expected).pvalue > 1e-3


def test_it_uses_the_codebook_of_vqvae():
    model = small(VQVAE, n_codes=8, sampler="autoregressive").fit(load_iris().data)
    sampler = model.sampler_
    assert isinstance(sampler, AutoregressiveSampler) and isinstance(sampler.manifold_, Codebook)
    assert sampler.network_.edges.tolist() == [list(range(9))] * 2


# --------------------------------------------------------------------------- without a codebook
def test_bins_are_between_quantiles_of_whitened_codes():
    sampler = AutoregressiveSampler(n_bins=8, **TINY).fit(Z)
    U = (Z - sampler.mean_) @ sampler.whiten_
    expected = np.quantile(U, np.linspace(0, 1, 9), axis=0).T
    np.testing.assert_allclose(sampler.network_.edges, expected, rtol=1e-12)
    few = AutoregressiveSampler(n_bins=64, **TINY).fit(Z[:50])
    assert few.network_.edges.shape == (2, 6)


def test_the_density_is_the_histogram_of_the_draws():
    """Masses of the bins' boxes: integrated, said and drawn."""
    sampler = AutoregressiveSampler(n_bins=4, **TINY).fit(Z)
    edges = sampler.network_.edges.numpy()
    boxes = tuples(4, 2)
    low, high = (np.c_[edges[0][boxes[:, 0] + s], edges[1][boxes[:, 1] + s]] for s in (0, 1))
    volume = (high - low).prod(1) * np.abs(np.linalg.det(sampler.unwhiten_))

    def density(share):
        points = (low + share * (high - low)) @ sampler.unwhiten_ + sampler.mean_
        return np.exp(sampler.score_samples(points))

    mass = volume * density(0.5)
    assert mass.sum() == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(density(0.1), density(0.9), rtol=1e-9)
    draws = (sampler.sample(20_000, 0) - sampler.mean_) @ sampler.whiten_
    found = np.stack([np.searchsorted(edges[i][1:-1], draws[:, i]) for i in range(2)], 1)
    counts = np.bincount(found @ [4, 1], minlength=16)
    assert chisquare(counts, 20_000 * mass).pvalue > 1e-3
    box = found @ [4, 1] == counts.argmax()
    within = (draws[box] - low[counts.argmax()]) / (high - low)[counts.argmax()]
    cells = np.floor(4 * within).astype(int) @ [4, 1]  # uniform within: sixteen equal cells
    assert chisquare(np.bincount(cells, minlength=16)).pvalue > 1e-3


def test_beyond_the_codes_there_is_no_density():
    sampler = AutoregressiveSampler(**TINY).fit(Z)
    assert np.isfinite(sampler.score_samples(Z)).all()
    assert sampler.score_samples([[1e3, 0]]) == -np.inf


def test_repeated_values_share_their_bins():
    codes = RNG.choice([0.0, 1, 2, 9], size=(200, 1))
    sampler = AutoregressiveSampler(**TINY).fit(codes)
    assert (np.diff(sampler.network_.edges.numpy()) > 0).all()
    draws = sampler.sample(500, random_state=0)
    assert draws.min() >= 0 and draws.max() <= 9


@pytest.mark.parametrize("cls", [AutoregressiveSampler, SecondStageSampler])
def test_a_bent_law_is_learnt(cls):
    """A noisy parabola: far nearer than the Gaussian with its moments."""
    rng = np.random.RandomState(0)

    def bent(n):
        x = rng.normal(size=n)
        return np.c_[x, x**2 + 0.2 * rng.normal(size=n)]

    codes, fresh = bent(1000), bent(2000)
    sampler = cls(hidden=(64, 64), lr=5e-3, max_epochs=150, random_state=0).fit(codes)
    gaussian = rng.multivariate_normal(codes.mean(0), np.cov(codes.T), size=2000)
    found = energy_distance(fresh, sampler.sample(2000, random_state=0))
    assert found < 0.2 * energy_distance(fresh, gaussian)


# ------------------------------------------------------------------------------ the second stage
def test_the_bound_is_that_of_a_vae():
    sampler = SecondStageSampler(hidden=(8,), random_state=0)
    network = sampler._build(2, 0).double().eval()
    u = torch.tensor(RNG.normal(size=(30, 2)))
    terms = sampler._objective(network, u, torch.Generator().manual_seed(3))
    noise = torch.randn((30, 2), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    with torch.no_grad():
        mu, log_s = (t.numpy() for t in network.encoder.trunk(u).chunk(2, 1))
        s = np.exp(log_s)
        mean = network.decoder.trunk(torch.tensor(mu + s * noise.numpy())).numpy()
    recon = -norm.logpdf(u.numpy(), mean, 1).sum(1).mean() - np.log(2 * np.pi)  # γ starts at 1
    kl = 0.5 * (mu**2 + s**2 - 1 - 2 * log_s).sum(1).mean()
    assert terms["recon"].item() == pytest.approx(recon, rel=1e-9)
    assert terms["kl"].item() == pytest.approx(kl, rel=1e-9)


def test_draws_are_the_decoder_and_its_noise():
    sampler = SecondStageSampler(**{**TINY, "max_epochs": 150}).fit(Z)
    assert isinstance(sampler.network_.manifold, Euclidean)
    noise = torch.tensor(RNG.normal(size=(5, 4)))
    with torch.no_grad():
        found, p = sampler._generate(noise), sampler.network_.decoder(noise[:, :2])
        gamma = sampler.network_.decoder.variance.sqrt()
    np.testing.assert_allclose(found, p.mean + gamma * noise[:, 2:])
    assert 0 < gamma < 0.99  # learnt


def test_it_has_no_density():
    sampler = SecondStageSampler(**TINY).fit(Z)
    assert not hasattr(sampler, "score_samples") and not hasattr(sampler, "_log_density")


def test_names():
    assert isinstance(make_sampler("autoregressive"), AutoregressiveSampler)
    assert isinstance(make_sampler("second_stage"), SecondStageSampler)
    with pytest.raises(ValueError, match="n_bins"):
        AutoregressiveSampler(n_bins=1).fit(Z)


@pytest.mark.parametrize("name", ["mvg", "cells", "prior", "flow"])
def test_continuous_samplers_have_no_density_on_a_codebook(name):
    model = small(VQVAE, sampler=quick(type(make_sampler(name)))).fit(load_iris().data)
    with pytest.raises(AttributeError) as caught:
        model.sampler_.score_samples(model.transform(load_iris().data))
    assert "sampler='autoregressive'" in str(caught.value.__cause__)
