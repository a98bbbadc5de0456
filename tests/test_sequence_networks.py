"""Networks between codes and sequences, and the law of a sequence given its code."""

import itertools

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import nn

from geomgen.distributions import OneHotSequence
from geomgen.losses import jacobian_penalty, tangents
from geomgen.nn import (
    CategoricalLikelihood,
    GatedRecurrence,
    GroupedLogSoftmax,
    sequence_decoder,
    sequence_encoder,
    spectrally_normalised,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_log_softmax_within_groups():
    logits = torch.randn(3, 5, 6, generator=seeded(), dtype=torch.float64)
    groups = [(4, 0), (1,), (5, 2, 3)]
    found = GroupedLogSoftmax(groups)(logits).numpy()
    for group in groups:
        index = list(group)
        np.testing.assert_allclose(found[..., index], log_softmax(logits[..., index], -1))


@pytest.mark.parametrize("groups", [[(0, 1), (1,)], [(1, 2)], [(0,), (2,)]])
def test_groups_that_are_no_partition(groups):
    with pytest.raises(ValueError, match="every symbol"):
        GroupedLogSoftmax(groups)


def test_one_group_is_a_plain_softmax():
    logits = torch.randn(2, 3, 4, generator=seeded())
    head = CategoricalLikelihood(nn.Flatten(), (3, 4))
    np.testing.assert_allclose(head(logits).logits, log_softmax(logits, -1), rtol=1e-5)


def test_log_prob_is_the_sum_over_steps():
    rng = np.random.default_rng(0)
    logits = log_softmax(rng.normal(size=(7, 5, 4)), -1)
    chosen = rng.integers(4, size=(7, 5))
    rows = np.eye(4)[chosen].reshape(7, 20)
    wanted = np.take_along_axis(logits, chosen[..., None], -1).sum((1, 2))
    p = OneHotSequence(torch.tensor(logits))
    np.testing.assert_allclose(p.log_prob(torch.tensor(rows)), wanted)
    assert p.batch_shape == (7,) and p.event_shape == (20,)
    np.testing.assert_allclose(p.mean.reshape(7, 5, 4).sum(-1), 1)


def test_all_derivations_together_have_probability_one():
    """S -> A B | B, A -> a | b, B -> c | d e: a mask by the rule's own left side is enough."""
    groups = [(0, 1), (2, 3), (4, 5), (6,)]
    whole = [*itertools.product((0,), (2, 3), (4, 5)), *itertools.product((1,), (4, 5), (6,))]
    head = CategoricalLikelihood(nn.Identity(), (3, 7), groups)
    logits = 3 * torch.randn(4, 21, generator=seeded(), dtype=torch.float64)
    rows = torch.eye(7, dtype=torch.float64)[torch.tensor(whole)].flatten(1)
    total = sum(head(logits).log_prob(row).exp() for row in rows)
    np.testing.assert_allclose(total, np.ones(4))


def test_only_alternatives_of_the_right_rules_have_a_gradient():
    logits = torch.randn(1, 10, generator=seeded(), requires_grad=True)
    head = CategoricalLikelihood(nn.Identity(), (2, 5), [(0, 1), (2, 3), (4,)])
    row = torch.eye(5)[[1, 4]].flatten()[None]  # a rule of the first symbol, then padding
    head(logits).log_prob(row).sum().backward()
    assert (logits.grad != 0).squeeze().tolist() == [True, True, *[False] * 8]


def test_recurrence_is_torchs():
    ours, theirs = GatedRecurrence(3, 4, seeded()), nn.GRU(3, 4, batch_first=True)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(ours.input.weight), theirs.bias_ih_l0.copy_(ours.input.bias)
        theirs.weight_hh_l0.copy_(ours.state.weight), theirs.bias_hh_l0.copy_(ours.state.bias)
        x = torch.randn(6, 5, 3, generator=seeded(1))
        np.testing.assert_allclose(ours(x), theirs(x)[0], atol=1e-6)


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("channels", [(), (6,), (6, 5)])
@pytest.mark.parametrize("hidden", [(), (9,), (9, 8)])
@pytest.mark.parametrize("architecture", ["conv", "gru"])
def test_shapes(architecture, hidden, channels, norm):
    layout, style = ((5, 4), channels, hidden), {"norm": norm, "generator": seeded()}
    encoder = sequence_encoder(*layout, 3, **style)
    decoder = sequence_decoder(*layout, 3, architecture=architecture, **style)
    rows = torch.randn(7, 20, generator=seeded())
    codes = encoder(rows)
    assert codes.shape == (7, 3) and decoder(codes).shape == (7, 20)
    assert len({*decoder(codes)[0].tolist()}) == 20  # the steps differ


@pytest.mark.parametrize("architecture", ["conv", "gru"])
def test_weights_are_the_generators(architecture):
    def weights(seed):
        state = torch.get_rng_state()
        parts = [
            sequence_encoder((5, 4), (6,), (9,), 3, generator=seeded(seed)),
            sequence_decoder(
                (5, 4), (6,), (9,), 3, architecture=architecture, generator=seeded(seed)
            ),
        ]
        assert torch.equal(state, torch.get_rng_state())
        return torch.cat([p.flatten() for part in parts for p in part.parameters()])

    assert torch.equal(weights(0), weights(0)) and not torch.equal(weights(0), weights(1))


def test_symbols_lie_step_by_step():
    """A kernel that looks at its own step alone sees each of them apart."""
    encoder = sequence_encoder((4, 3), (2,), (), 1, generator=seeded()).double()
    convolution = encoder[2]
    with torch.no_grad():
        convolution.weight[..., [0, 2]] = 0
    rows = torch.eye(3, dtype=torch.float64)[[0, 1, 2, 1]].flatten()[None]
    found = convolution(encoder[1](encoder[0](rows)))[0]
    np.testing.assert_allclose(
        found.mT.detach(), convolution.weight[..., 1].mT[[0, 1, 2, 1]].detach()
    )


@pytest.mark.parametrize("architecture", ["conv", "gru"])
@pytest.mark.parametrize("of", ["trunk", "map"])
def test_tangents_and_jacobians(architecture, of):
    trunk = sequence_decoder((4, 3), (6,), (5,), 2, architecture=architecture, generator=seeded())
    head = CategoricalLikelihood(trunk, (4, 3), [(0, 2), (1,)])
    network, z = getattr(head, of).double(), torch.randn(5, 2, generator=seeded()).double()
    wanted = torch.stack([torch.autograd.functional.jacobian(network, row[None]) for row in z])
    wanted = wanted[:, 0, :, 0]
    np.testing.assert_allclose(tangents(network, z, torch.eye(2).double()).detach(), wanted)
    penalty = jacobian_penalty(network, z)
    np.testing.assert_allclose(penalty.detach(), wanted.square().sum() / 5)
    penalty.backward()
    assert all(p.grad is not None for name, p in network.named_parameters() if "weight" in name)


def test_spectral_norms_of_a_recurrent_decoder():
    decoder = sequence_decoder((4, 3), (6,), (5,), 2, architecture="gru", generator=seeded())
    spectrally_normalised(decoder, 2.0, seeded())
    layers = [part for part in decoder.modules() if hasattr(part, "follow")]
    assert len(layers) == 4  # in, two of the recurrence, out
    for layer in layers:
        layer.follow(200)
        norm = torch.linalg.matrix_norm(layer.weight.detach(), 2)
        assert float(norm) == pytest.approx(2, rel=1e-3)
    assert decoder(torch.zeros(2, 2)).shape == (2, 12)
