"""Rows of several kinds of columns under every model: the formula, and that it trains."""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax
from sklearn.base import clone

from geomgen import AE, VQVAE, PCAGenerator, VAEGenerator
from geomgen.distributions import DiagonalNormal, IndependentCategorical, MixedColumns
from geomgen.losses import negative_log_likelihood, reconstruction_error, squared_error
from geomgen.nn import GaussianLikelihood, LearntGaussianLikelihood, MixedLikelihood

from .helpers import having, small

BLOCKS = [("gaussian", 2), ("categorical", 3), ("bernoulli", 1), ("categorical", 2)]


def rows(n=120, seed=0):
    rng = np.random.RandomState(seed)
    k = rng.randint(3, size=n)
    flag = (rng.random_sample(n) < np.where(k == 0, 0.9, 0.1)).astype(int)
    numbers = rng.normal(size=(n, 2)) * 0.3 + k[:, None]
    return np.c_[numbers, np.eye(3)[k], flag, np.eye(2)[flag]]


def test_log_likelihood_is_the_formula():
    rng = np.random.RandomState(1)
    outputs, x = rng.normal(size=(7, 8)), rows(7)
    head = MixedLikelihood(
        torch.nn.Identity(), BLOCKS, GaussianLikelihood(torch.nn.Identity(), 0.5)
    )
    p = head(torch.tensor(outputs))
    wanted = (
        (-((x[:, :2] - outputs[:, :2]) ** 2) / (2 * 0.25) - np.log(0.5 * np.sqrt(2 * np.pi))).sum(1)
        + (x[:, 2:5] * log_softmax(outputs[:, 2:5], axis=1)).sum(1)
        + np.log(np.where(x[:, 5] == 1, expit(outputs[:, 5]), expit(-outputs[:, 5])))
        + (x[:, 6:] * log_softmax(outputs[:, 6:], axis=1)).sum(1)
    )
    np.testing.assert_allclose(p.log_prob(torch.tensor(x)), wanted, rtol=1e-6)
    mean = np.c_[
        outputs[:, :2],
        np.exp(log_softmax(outputs[:, 2:5], axis=1)),
        expit(outputs[:, 5]),
        np.exp(log_softmax(outputs[:, 6:], axis=1)),
    ]
    np.testing.assert_allclose(p.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(head.map(torch.tensor(outputs)), mean, rtol=1e-6)


def test_losses_of_parts_add_up():
    x = torch.tensor(rows(9))
    normal = DiagonalNormal(torch.zeros(9, 2).double(), torch.full((9, 2), 0.5).double())
    choice = IndependentCategorical(torch.randn(9, 3).double(), (3,))
    at = torch.tensor([0, 1]), torch.tensor([2, 3, 4])
    p = MixedColumns([(at[0], normal), (at[1], choice)])
    x = x[:, :5]
    nll = negative_log_likelihood(normal, x[:, :2]) - choice.log_prob(x[:, 2:]).mean()
    torch.testing.assert_close(negative_log_likelihood(p, x), nll)
    error = squared_error(normal.mean, x[:, :2]) - choice.log_prob(x[:, 2:]).mean()
    torch.testing.assert_close(reconstruction_error(p, x), error)
    torch.testing.assert_close(reconstruction_error(p, x, "mean"), error / 5)


def test_categories_of_unequal_numbers():
    logits = torch.randn(4, 9)
    p = IndependentCategorical(logits, (2, 4, 3))
    parts = [part.softmax(-1) for part in logits.split((2, 4, 3), -1)]
    torch.testing.assert_close(p.mean, torch.cat(parts, -1))


def test_learnt_variance_is_that_of_the_gaussian_columns():
    head = MixedLikelihood(
        torch.nn.Identity(), BLOCKS, LearntGaussianLikelihood(torch.nn.Identity())
    ).train()
    outputs, x = torch.randn(50, 8), torch.tensor(rows(50)).float()
    head.calibrated(head(outputs), x)
    wanted = (outputs[:, :2] - x[:, :2]).square().mean()
    torch.testing.assert_close(head.gaussian.variance, wanted)


@having("feature_blocks")
def test_every_model_trains_on_a_table(cls):
    X = rows()
    model = small(cls, feature_blocks=BLOCKS, random_state=0).fit(X)
    again = clone(model).fit(X)
    drawn = model.sample(40, random_state=0)
    assert drawn.tobytes() == again.sample(40, random_state=0).tobytes()
    assert np.isfinite(drawn).all() and "recon" in model.history_
    for at in (slice(2, 5), slice(6, 8)):  # probabilities
        np.testing.assert_allclose(drawn[:, at].sum(1), 1, atol=1e-5)
    assert drawn[:, 2:].min() >= 0 and drawn[:, 2:].max() <= 1 + 1e-6


@pytest.mark.parametrize("cls", [AE, VAEGenerator, VQVAE])
def test_categories_are_learnt(cls):
    X = rows(400)
    model = cls(
        n_components=3, hidden=(32,), max_epochs=60, lr=5e-3, feature_blocks=BLOCKS, random_state=0
    ).fit(X)
    decoded = model.inverse_transform(model.transform(X))
    assert (decoded[:, 2:5].argmax(1) == X[:, 2:5].argmax(1)).mean() > 0.95


def test_residual_noise_is_for_gaussian_columns():
    X = rows(300)
    model = small(AE, feature_blocks=BLOCKS, residual="full").fit(X)
    Z = model.sample_latent(50, random_state=3)
    decoded, drawn = model.inverse_transform(Z), model.sample(50, random_state=3)
    np.testing.assert_array_equal(decoded[:, 2:], drawn[:, 2:])
    assert (decoded[:, :2] != drawn[:, :2]).all()


@pytest.mark.parametrize(
    "blocks,message",
    [
        ([("gaussian", 7)], "make up 7 features, but X has 8"),
        ([("poisson", 8)], "one of gaussian, bernoulli, categorical"),
        (["gaussian"], "pair of a kind"),
        ([("gaussian", 0), ("categorical", 8)], "int of at least 1"),
    ],
)
def test_bad_blocks_are_named(blocks, message):
    with pytest.raises(ValueError, match=message):
        small(AE, feature_blocks=blocks).fit(rows())


def test_linear_model_has_no_likelihood_to_choose():
    assert "feature_blocks" not in PCAGenerator().get_params()


def test_blocks_are_part_of_the_structure():
    model = small(AE, feature_blocks=BLOCKS, warm_start=True).fit(rows())
    with pytest.raises(ValueError, match=r"\['feature_blocks'\] changed"):
        model.set_params(feature_blocks=[("gaussian", 8)]).fit(rows())
