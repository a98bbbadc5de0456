"""The codebook, VQ-VAE, and the two-stage VAE."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from sklearn.datasets import load_iris

from geomgen import AE, VQVAE, TwoStageVAE
from geomgen.nn.codebook import Codebook

from .helpers import small

X = load_iris().data


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def book(vectors, decay=0.9):
    """A codebook in which every vector was used as often as any."""
    made = Codebook(*np.shape(vectors), decay).double()
    made.vectors.copy_(torch.as_tensor(vectors))
    made.counts.fill_(1.0)
    made.sums.copy_(made.vectors)
    return made


def nearest(z, vectors):
    """Indices and snapped codes, in NumPy, position by position."""
    positions = z.reshape(len(z), -1, vectors.shape[1])
    squared = ((positions[:, :, None] - vectors) ** 2).sum(-1)
    indices = squared.argmin(-1)
    return indices, vectors[indices].reshape(z.shape)


# --------------------------------------------------------------------------------- the codebook
@pytest.mark.parametrize("code_dim", [1, 2, 3])
def test_snapping_is_equation_1_and_2(code_dim):
    rng = np.random.RandomState(0)
    vectors, z = rng.normal(size=(7, code_dim)), rng.normal(size=(50, 6))
    indices, snapped = nearest(z, vectors)
    codebook = book(vectors)
    np.testing.assert_array_equal(codebook.assign(torch.tensor(z)), indices)
    found = codebook.project(torch.tensor(z))
    np.testing.assert_array_equal(found, snapped)
    np.testing.assert_array_equal(codebook.project(found), snapped)
    np.testing.assert_array_equal(codebook.lookup(torch.tensor(indices)), snapped)


def test_snapping_far_from_the_origin():
    codebook = Codebook(3, 1)
    codebook.vectors.copy_(torch.tensor([[1e4], [1e4 + 1], [1e4 + 2]]))
    z = torch.tensor([[1e4 + 0.9, 1e4 + 1.6]])
    assert codebook.assign(z).tolist() == [[1, 2]]


def test_gradient_passes_straight_through():
    codebook = book([[0.0], [10.0]])
    z = torch.tensor([[1.0, 7.0]], dtype=torch.float64, requires_grad=True)
    snapped = codebook.project(z)
    assert snapped.tolist() == [[0, 10]]
    (snapped * torch.tensor([2.0, 3.0])).sum().backward()
    assert z.grad.tolist() == [[2, 3]]


def test_running_means_are_those_of_the_appendix():
    rng = np.random.RandomState(0)
    vectors, decay = rng.normal(size=(4, 2)), 0.8
    codebook = book(vectors, decay)
    N, m = np.ones(4), vectors.copy()
    for _ in range(5):
        z = rng.normal(size=(40, 6)) + 0.3
        indices, _ = nearest(z, vectors)
        assert len(np.unique(indices)) == 4  # or some would be revived
        codebook.learn(torch.tensor(z), seeded())
        for k in range(4):
            mine = z.reshape(-1, 2)[indices.ravel() == k]
            N[k] = decay * N[k] + (1 - decay) * len(mine)
            m[k] = decay * m[k] + (1 - decay) * mine.sum(0)
        vectors = m / N[:, None]
        np.testing.assert_allclose(codebook.vectors, vectors, rtol=1e-12)


def test_the_first_batch_fills_the_codebook():
    codebook = Codebook(8, 2).double()
    z = torch.tensor(np.random.RandomState(0).normal(5, 1, size=(40, 4)))
    codebook.learn(z, seeded())
    assert len(codebook.assign(z).unique()) == 8 and (codebook.counts > 0).all()
    again = Codebook(8, 2).double()
    again.learn(z, seeded())
    assert torch.equal(again.vectors, codebook.vectors)
    again = Codebook(8, 2).double()
    again.learn(z, seeded(1))
    assert not torch.equal(again.vectors, codebook.vectors)


def test_more_vectors_than_positions():
    codebook = Codebook(8, 1).double()
    codebook.learn(torch.tensor([[1.0, 2.0]]).double(), seeded())
    np.testing.assert_array_equal(codebook.vectors.unique(), [0, 1, 2])  # the others wait
    codebook.learn(torch.tensor([[3.0, 4.0]]).double(), seeded())
    assert len(codebook.vectors.unique()) == 5


def test_a_dead_vector_is_put_where_the_codes_are():
    codebook = book([[-1.0], [1.0], [100.0]])
    z = torch.tensor(np.random.RandomState(0).choice([-1.0, -0.9, 1.0, 1.1], size=(40, 1)))
    steps = 0
    while codebook.vectors.max() > 50:
        assert codebook.counts[2] == pytest.approx(0.9**steps)
        codebook.learn(z, seeded(steps))
        steps += 1
    # its count was a hundredth of the mean, 1 + (13 - 1)(1 - 0.9^t) of the 40 positions' 40 / 3
    t = steps - 1
    assert 0.9**t <= 0.01 * (1 + (40 / 3 - 1) * (1 - 0.9**t)) + 1e-9
    assert 0.9 ** (t - 1) > 0.01 * (1 + (40 / 3 - 1) * (1 - 0.9 ** (t - 1))) - 0.02
    assert codebook.vectors.abs().max() < 1.2


def test_a_codebook_that_was_left_behind_starts_again():
    codebook = book(np.arange(30.0)[:, None])
    z = torch.tensor(np.random.RandomState(0).normal(1000, 1, size=(200, 1)))
    codebook.learn(z, seeded())
    assert (codebook.vectors > 990).sum() >= 29


# ---------------------------------------------------------------------------------------- VQVAE
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_objective_is_equation_3(reduction):
    params = {"n_components": 4, "code_dim": 2, "n_codes": 5, "beta": 0.7, "dtype": "float64"}
    model = small(VQVAE, reduction=reduction, **params).fit(X)
    module, x = model.net_.module_.eval(), torch.tensor(X)
    terms = model._objective(module, x, seeded())
    z = module.encode_ambient(x).detach().numpy()
    _, q = nearest(z, module.manifold.vectors.numpy())
    with torch.no_grad():
        decoded = module.decoder(torch.tensor(q)).mean.numpy()
    error = ((decoded - X) ** 2).sum(1).mean() / (4 if reduction == "mean" else 1)
    assert terms["recon"].item() == pytest.approx(error, rel=1e-12)
    commitment = 0.7 * ((z - q) ** 2).sum(1).mean()
    assert terms["commitment"].item() == pytest.approx(commitment, rel=1e-12)


def test_gradients_are_those_of_the_stopped_objective():
    """Decoder: of the loss itself. Encoder: of D(q + z - sg z) and of the commitment to sg q."""
    model = small(VQVAE, dtype="float64", beta=0.4).fit(X)
    module, x = model.net_.module_.eval(), torch.tensor(X[:20])
    z0 = module.encode_ambient(x).detach()
    q0 = module.manifold.project(z0)

    def stopped():
        with torch.no_grad():
            z = module.encode_ambient(x)
            error = (module.decoder(q0 + z - z0).mean - x).square().sum(1).mean()
            return (error + 0.4 * (z - q0).square().sum(1).mean()).item()

    module.zero_grad()
    sum(model._objective(module, x, seeded()).values()).backward()
    checked = 0
    for parameter in module.parameters():
        at, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        i = gradient.abs().argmax()
        before, h = at[i].item(), 1e-6
        at[i] = before + h
        high = stopped()
        at[i] = before - h
        low = stopped()
        at[i] = before
        assert (high - low) / (2 * h) == pytest.approx(gradient[i].item(), rel=1e-5, abs=1e-8)
        checked += abs(gradient[i].item()) > 1e-3
    assert checked >= 6


def test_the_codebook_learns_in_training_only():
    model = small(VQVAE).fit(X)
    module, x = model.net_.module_, torch.tensor(X, dtype=torch.float32)
    before = copy.deepcopy(module.manifold.state_dict())
    model._objective(module.eval(), x, seeded())
    assert all(torch.equal(v, before[k]) for k, v in module.manifold.state_dict().items())
    model._objective(module.train(), x, seeded())
    assert not torch.equal(module.manifold.vectors, before["vectors"])
    assert not any("manifold" in name for name, _ in module.named_parameters())


def test_a_fine_codebook_without_commitment_is_an_autoencoder():
    """With a vector on every code, nothing is left of the quantisation."""
    model = small(VQVAE, beta=0, n_codes=300, dtype="float64").fit(X)
    module, x = model.net_.module_.eval(), torch.tensor(X)
    module.manifold.vectors.copy_(module.encode_ambient(x).detach().view(-1, 1))
    terms = model._objective(module, x, seeded())
    assert terms["commitment"] == 0
    plain = small(AE, dtype="float64").fit(X)
    plain.net_.module_.load_state_dict(module.state_dict(), strict=False)
    expected = plain._objective(plain.net_.module_, x, seeded())["recon"].item()
    assert terms["recon"].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("d,code_dim", [(1, 1), (2, 2), (3, 3), (8, 4), (9, 3), (9, 1)])
@pytest.mark.parametrize("sampler", ["autoregressive", "cells"])
def test_codes_and_draws_are_on_the_codebook(d, code_dim, sampler):
    model = small(VQVAE, n_components=d, code_dim=code_dim, n_codes=16, sampler=sampler).fit(X)
    vectors = {v.tobytes() for v in model.net_.module_.manifold.vectors.numpy()}
    for Z in (model.transform(X), model.sample_latent(40, random_state=0)):
        assert {v.tobytes() for v in np.ascontiguousarray(Z.reshape(-1, code_dim))} <= vectors


def test_code_usage_and_perplexity():
    model = small(VQVAE, n_codes=16, max_epochs=10).fit(X)
    indices, _ = nearest(model.transform(X), model.net_.module_.manifold.vectors.numpy())
    shares = np.bincount(indices.ravel(), minlength=16) / 300
    np.testing.assert_allclose(model.code_usage_, shares)
    assert model.perplexity_ == pytest.approx(np.exp(entropy(shares))) and model.perplexity_ > 4
    constant = small(VQVAE, n_components=1).fit(np.ones((30, 3)))
    assert constant.perplexity_ == pytest.approx(1)
    with pytest.raises(AttributeError):
        _ = VQVAE().perplexity_


def test_unscaled_rows_and_few_steps_do_not_collapse():
    """Ten steps carry the codes of iris away from any codebook that lags behind."""
    model = VQVAE(n_components=2, max_epochs=5, sampler="cells", random_state=0).fit(X)
    assert model.perplexity_ > 5


def test_code_dim_must_divide():
    with pytest.raises(
        ValueError, match=r"code_dim=3 does not divide n_components=8: .*1, 2, 4, 8"
    ):
        VQVAE(code_dim=3).fit(X)
    for name, bad in {"n_codes": 0, "beta": -1, "decay": 1.0, "code_dim": 0}.items():
        with pytest.raises(ValueError, match=name):
            small(VQVAE, **{name: bad}).fit(X)
    model = small(VQVAE, warm_start=True).fit(X)
    with pytest.raises(ValueError, match=r"\['n_codes'\] changed"):
        model.set_params(n_codes=9).fit(X)


# ---------------------------------------------------------------------------------- TwoStageVAE
def test_the_second_stage_sees_draws_of_the_posterior():
    """One draw a row: mean and variance of q(z|x), over rows and seeds."""
    model = small(TwoStageVAE, sampler="mvg").fit(X)
    with torch.no_grad():
        q = model.net_.module_.encoder(torch.tensor(X, dtype=torch.float32))
        mean, deviation = q.mean.numpy(), q.stddev.numpy()
    seen = model._ambient_codes(X)
    np.testing.assert_allclose(model.sampler_.mean_, seen.mean(0), atol=1e-6)
    np.testing.assert_array_equal(model._ambient_codes(X), seen)
    noise = ((seen - mean) / deviation).ravel()  # 300 of them, N(0, 1)
    assert abs(noise.mean()) < 4 / 300**0.5 and abs(noise.var() - 1) < 4 * (2 / 300) ** 0.5
    other = small(TwoStageVAE, sampler="mvg", random_state=1).fit(X)
    assert not np.allclose(other._ambient_codes(X), seen)
    plain = small(AE, sampler="mvg").fit(X)
    np.testing.assert_allclose(plain._ambient_codes(X), plain.transform(X))


def test_learnt_noise_and_the_second_stage_are_the_defaults():
    model = small(TwoStageVAE, max_epochs=2).fit(X)
    assert type(model.sampler_).__name__ == "SecondStageSampler"
    assert model.likelihood == "learnt"
