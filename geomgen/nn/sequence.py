"""Networks between codes and sequences: one-hot rows of L steps and W symbols, laid flat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from geomgen.nn.mlp import ACTIVATIONS, NORMS, linear, mlp

__all__ = ["GatedRecurrence", "sequence_decoder", "sequence_encoder"]


class _Transposed(nn.Module):
    """(n, a, b) -> (n, b, a), which tangents go through as rows do."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mT

    def push_tangents(self, h: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        return h.mT, rows.mT


class GatedRecurrence(nn.Module):
    r"""A layer of gated recurrent units; (n, L, a) to (n, L, b).

    .. math:: h_t = u \odot h_{t-1} + (1 - u) \odot \tanh(W x_t + b + r \odot (V h_{t-1} + c))

    with gates r and u, logistic in :math:`x_t` and :math:`h_{t-1}`, and :math:`h_0 = 0`. It
    computes what ``torch.nn.GRU`` does, of linear layers: forward derivatives, double backward and
    spectral normalisation go through it.

    Parameters
    ----------
    n_in, n_out : int
        Widths a and b.
    generator : torch.Generator, optional
        Source of the initial weights; torch's global one by default.

    References
    ----------
    Cho et al., 2014, *Learning phrase representations using RNN encoder-decoder*, Eqs. 5-8, with
    the reset gate after the product, as in cuDNN.

    Examples
    --------
    >>> GatedRecurrence(3, 4)(torch.zeros(2, 5, 3)).shape
    torch.Size([2, 5, 4])
    """

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.n_out = n_out
        self.input = linear(n_in, 3 * n_out, generator)
        self.state = linear(n_out, 3 * n_out, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Go through the steps."""
        inputs, states = self.input(x), []
        h = x.new_zeros(len(x), self.n_out)
        for given in inputs.unbind(1):
            (a, b, c), (d, e, f) = given.chunk(3, -1), self.state(h).chunk(3, -1)
            reset, keep = (a + d).sigmoid(), (b + e).sigmoid()
            new = (c + reset * f).tanh()
            h = new + keep * (h - new)
            states.append(h)
        return torch.stack(states, 1)


class _Repeated(nn.Module):
    """Features (n, a) -> the same at every step, (n, L, a)."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, x: Tensor) -> Tensor:
        return x[:, None].expand(-1, self.length, -1)


def sequence_encoder(
    shape: tuple[int, int],
    channels: Sequence[int],
    hidden: Sequence[int],
    n_out: int,
    *,
    activation: str = "silu",
    norm: str | None = None,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Stack convolutions along the steps and linear layers; one-hot rows to (n, n_out).

    Parameters
    ----------
    shape : (int, int)
        Steps L and symbols W of a row.
    channels : sequence of int
        Channels after each convolution, of length 3 and stride 1.
    hidden : sequence of int
        Widths of linear layers after them.
    n_out : int
        Width of the output.
    activation : str, default="silu"
        A name in ``ACTIVATIONS``.
    norm : {None, "batch", "layer"}, default=None
        Normalisation before each activation; ``"layer"`` is over channels and steps.
    generator : torch.Generator, optional
        Source of the initial weights; torch's global one by default.

    Returns
    -------
    torch.nn.Sequential

    Examples
    --------
    >>> sequence_encoder((5, 3), (8,), (16,), 2)(torch.zeros(7, 15)).shape
    torch.Size([7, 2])
    """
    length, width = shape
    layers: list[nn.Module] = [nn.Unflatten(1, (length, width)), _Transposed()]
    widths = [width, *map(int, channels)]
    for a, b in pairwise(widths):
        layers += [_convolution(a, b, generator), *_activated(b, activation, norm)]
    style: dict[str, Any] = {"activation": activation, "norm": norm, "generator": generator}
    return nn.Sequential(*layers, nn.Flatten(), *mlp(widths[-1] * length, hidden, n_out, **style))


def sequence_decoder(
    shape: tuple[int, int],
    channels: Sequence[int],
    hidden: Sequence[int],
    n_in: int,
    *,
    architecture: Literal["conv", "gru"] = "conv",
    activation: str = "silu",
    norm: str | None = None,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Stack linear layers, and convolutions or recurrences along the steps; (n, n_in) to logits.

    Parameters
    ----------
    shape : (int, int)
        Steps L and symbols W of a row.
    channels, hidden : sequence of int
        As the encoder has them, from the row to the code.
    n_in : int
        Width of the input.
    architecture : {"conv", "gru"}, default="conv"
        The encoder's mirror; or a linear layer whose output, repeated, goes through layers of
        gated recurrent units of the widths ``hidden`` (or one, of n_in), with no use for
        ``channels``.
    activation, norm, generator
        As of :func:`sequence_encoder`. Recurrences are not normalised.

    Returns
    -------
    torch.nn.Sequential

    Examples
    --------
    >>> sequence_decoder((5, 3), (8,), (16,), 2)(torch.zeros(7, 2)).shape
    torch.Size([7, 15])
    """
    length, width = shape
    back = [*map(int, hidden)][::-1]
    if architecture == "gru":
        back = back or [n_in]
        layers: list[nn.Module] = [linear(n_in, back[0], generator), ACTIVATIONS[activation]()]
        layers += [_Repeated(length)]
        layers += [GatedRecurrence(a, b, generator) for a, b in pairwise([back[0], *back])]
        return nn.Sequential(*layers, linear(back[-1], width, generator), nn.Flatten())
    widths = [*map(int, channels)][::-1] or [width]
    style: dict[str, Any] = {"activation": activation, "norm": norm, "generator": generator}
    layers = [*mlp(n_in, back, widths[0] * length, **style), nn.Unflatten(1, (widths[0], length))]
    for a, b in pairwise([*widths, width] if channels else widths):
        layers += [*_activated(a, activation, norm), _convolution(a, b, generator)]
    return nn.Sequential(*layers, _Transposed(), nn.Flatten())


def _convolution(n_in: int, n_out: int, generator: torch.Generator | None) -> nn.Conv1d:
    """Make a convolution with weights uniform on ±√(6/n), for n inputs to an output."""
    layer = nn.utils.skip_init(nn.Conv1d, n_in, n_out, 3, padding=1)
    bound = math.sqrt(6 / (3 * n_in))
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def _activated(channels: int, activation: str, norm: str | None) -> list[nn.Module]:
    """Normalise over channels, or channels and steps, and apply the activation."""
    if norm == "layer":
        return [nn.GroupNorm(1, channels), ACTIVATIONS[activation]()]
    normalise = NORMS[norm]
    return [*([normalise(channels)] if normalise else []), ACTIVATIONS[activation]()]
