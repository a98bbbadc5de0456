"""Paper G, Eqs. 15-16: tangents pushed through networks, against forward-mode Jacobians."""

import math

import pytest
import torch
from torch import nn

from geomgen.losses import random_frames, tangents
from geomgen.losses.tangents import _RULES, _rule
from geomgen.nn import ACTIVATIONS, ImageLayout, conv_decoder, mlp

from .helpers import name

D, WIDTH, N_OUT, ROWS = 3, 6, 5, 7

LAYERS = [
    nn.Linear(WIDTH, WIDTH),
    nn.Linear(WIDTH, WIDTH, bias=False),
    nn.BatchNorm1d(WIDTH),
    nn.BatchNorm1d(WIDTH, affine=False),
    nn.LayerNorm(WIDTH),
    nn.LayerNorm(WIDTH, bias=False),
    nn.LayerNorm(WIDTH, elementwise_affine=False, eps=0.1),
    nn.Identity(),
    nn.Dropout(0.5),
    nn.ReLU(),
    nn.ReLU(inplace=True),
    nn.LeakyReLU(0.01),
    nn.ELU(),
    nn.ELU(inplace=True),
    nn.ELU(alpha=2.0),
    nn.GELU(),
    nn.GELU("tanh"),
    nn.SiLU(),
    nn.SiLU(inplace=True),
    nn.Sigmoid(),
    nn.Softplus(),
    nn.Softplus(beta=3.0),
    nn.Softplus(threshold=0.5),
    nn.Tanh(),
]
IMAGE_LAYERS = [  # on 2 x 4 x 4 images
    nn.Conv2d(2, 3, 3, padding=1),
    nn.Conv2d(2, 3, 2, stride=2, bias=False),
    nn.ConvTranspose2d(2, 3, 3, stride=2, output_padding=1),
    nn.BatchNorm2d(2),
    nn.GroupNorm(1, 2),
    nn.GroupNorm(2, 2, eps=0.1),
    nn.GroupNorm(1, 2, affine=False),
    nn.AvgPool2d(2),
    nn.Upsample(scale_factor=2),
    nn.Upsample(scale_factor=2, mode="bilinear"),
    nn.SiLU(),
    nn.LayerNorm((2, 4, 4)),  # no rule: over several dimensions
]
LINES = [nn.Conv1d(2, 3, 3), nn.ConvTranspose1d(2, 3, 2), nn.BatchNorm1d(2)]  # on 2 x 4 sequences


class Unknown(nn.Module):
    """No rule: rows are mixed by a product."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.Dropout(0.5))

    def forward(self, x):
        return self.inner(x) * x.flip(-1)


class OwnSequential(nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


class Pushed(nn.Module):
    """Tangents as a module, for functional_call."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, z, frames):
        return tangents(self.net, z, frames)


def hooked(layer):
    layer.register_forward_hook(lambda module, args, output: output.exp())
    return layer


def network(*layers):
    """A random network around layers, its running statistics and weights away from defaults."""
    torch_state = torch.get_rng_state()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(D, WIDTH), *layers, nn.Linear(WIDTH, N_OUT)).double()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
        if isinstance(part, nn.BatchNorm1d | nn.LayerNorm):
            for parameter in part.parameters():
                nn.init.normal_(parameter)
    torch.set_rng_state(torch_state)
    return net


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


Z, W = normal(ROWS, D), normal(ROWS, D, 2, seed=1)


def expected_tangents(module, z, frames):
    module.eval()
    J = torch.stack([torch.func.jacfwd(lambda v: module(v[None])[0])(row) for row in z.clone()])
    return (J @ frames).detach()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "layer",
    [
        *LAYERS,
        nn.Sequential(nn.Tanh(), nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.SiLU())),
        nn.Sequential(),
        Unknown(),
        nn.Softmax(-1),
        OwnSequential(nn.Linear(WIDTH, WIDTH), nn.Tanh()),
        hooked(nn.Linear(WIDTH, WIDTH)),
        nn.utils.parametrizations.spectral_norm(nn.Linear(WIDTH, WIDTH)),
        hooked(nn.Sequential(nn.Tanh())),
    ],
    ids=repr,
)
def test_tangents_are_eqs_15_and_16(layer, training):
    net = network(layer)
    expected = expected_tangents(net, Z, W)
    net.train(training)
    net[0].eval()  # a mode of its own
    state = {key: value.clone() for key, value in net.state_dict().items()}
    modes = [part.training for part in net.modules()]
    z = Z.clone()
    torch.testing.assert_close(tangents(net, z, W).detach(), expected, rtol=1e-10, atol=1e-11)
    assert [part.training for part in net.modules()] == modes
    torch.testing.assert_close(z, Z, rtol=0, atol=0)
    for key, value in net.state_dict().items():
        torch.testing.assert_close(value, state[key], rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("layer", [*IMAGE_LAYERS, *LINES], ids=repr)
def test_tangents_of_images_and_sequences(layer):
    shape = (2, 4) if layer in LINES else (2, 4, 4)
    net = nn.Sequential(nn.Linear(D, math.prod(shape)), nn.Unflatten(1, shape), layer, nn.Flatten())
    net.double()
    if isinstance(layer, nn.GroupNorm) and layer.affine:
        layer.weight.data, layer.bias.data = normal(2, seed=2), normal(2, seed=3)
    net(torch.randn(9, D, dtype=torch.float64))  # running statistics
    torch.testing.assert_close(tangents(net, Z, W).detach(), expected_tangents(net, Z, W))


def test_every_rule_is_tested():
    reshaping = (nn.Flatten(), nn.Unflatten(1, (1, 1)))
    tested = {type(layer) for layer in (*LAYERS, *IMAGE_LAYERS, *LINES, *reshaping)}
    assert set(_RULES) == tested


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_our_networks_have_rules(activation, norm):
    """A network of the package never takes the slow way."""
    style = {"activation": activation, "norm": norm}
    layout = ImageLayout.of((6, 6, 3))
    nets = mlp(D, (WIDTH,), N_OUT, **style), conv_decoder(layout, (4, 5), D, **style)
    assert all(_rule(part) is not None for net in nets for part in net)


@pytest.mark.parametrize("function", [torch.sin, network(nn.Tanh()), network(Unknown())], ids=name)
def test_one_frame_for_all_codes(function):
    shared = tangents(function, Z, W[0])
    each = tangents(function, Z, W[0].expand(ROWS, D, 2))
    torch.testing.assert_close(shared, each, rtol=1e-12, atol=1e-14)


def test_a_callable_is_pushed_forward():
    expected = Z.cos()[..., None] * W  # of sine, row by row
    torch.testing.assert_close(tangents(torch.sin, Z, W), expected)


def test_the_mode_is_restored_after_an_error():
    net = network(nn.BatchNorm1d(WIDTH)).train()
    with pytest.raises(RuntimeError):
        tangents(net, Z[:, :2], W)
    assert all(part.training for part in net.modules())


@pytest.mark.parametrize(
    "layer",
    [nn.Tanh(), nn.BatchNorm1d(WIDTH), nn.LayerNorm(WIDTH), nn.GELU(), nn.SiLU(), Unknown()],
    ids=lambda layer: type(layer).__name__,
)
def test_gradients(layer):
    """Through the parameters of the network and the codes, rules and fallback alike."""
    net = network(nn.Softplus(), layer, nn.Tanh())
    names, values = zip(*Pushed(net).named_parameters(), strict=True)

    def function(z, *parameters):
        named = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(Pushed(net), named, (z, W[:2]))

    inputs = [v.detach().clone().requires_grad_() for v in (Z[:2], *values)]
    assert torch.autograd.gradcheck(function, inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_random_frames(dtype):
    """Orthonormal, of their own generator, and uniform: E[W W'] = (k / d) I."""
    n, d, k = 4000, 4, 2
    before = torch.get_rng_state()
    like = torch.empty(0, dtype=dtype)
    W, again = (
        random_frames(n, d, k, generator=torch.Generator().manual_seed(0), like=like)
        for _ in range(2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert W.dtype == dtype and torch.equal(W, again)
    torch.testing.assert_close(W.mT @ W, torch.eye(k, dtype=dtype).expand(n, k, k))
    projections = W @ W.mT
    error = (projections.mean(0) - k / d * torch.eye(d, dtype=dtype)).abs()
    assert (error < 4 * projections.std(0) / n**0.5).all()
