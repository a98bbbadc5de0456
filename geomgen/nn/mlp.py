"""Fully connected networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

__all__ = ["ACTIVATIONS", "NORMS", "mlp"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}
NORMS: dict[str | None, type[nn.Module] | None] = {
    None: None,
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}


def mlp(
    n_in: int,
    hidden: Sequence[int],
    n_out: int,
    *,
    activation: str = "silu",
    norm: str | None = None,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Stack linear, normalisation and activation layers; the last layer is linear.

    Parameters
    ----------
    n_in, n_out : int
        Widths of the input and of the output.
    hidden : sequence of int
        Widths in between; empty for a linear map.
    activation : str, default="silu"
        A name in ``ACTIVATIONS``.
    norm : {None, "batch", "layer"}, default=None
        Normalisation before each activation.
    generator : torch.Generator, optional
        Source of the initial weights; torch's global one by default.

    Returns
    -------
    torch.nn.Sequential

    Examples
    --------
    >>> mlp(4, (3,), 2, activation="relu")
    Sequential(
      (0): Linear(in_features=4, out_features=3, bias=True)
      (1): ReLU()
      (2): Linear(in_features=3, out_features=2, bias=True)
    )
    """
    normalize = NORMS[norm]
    layers: list[nn.Module] = []
    for a, b in pairwise((n_in, *map(int, hidden))):
        layers.append(linear(a, b, generator))
        if normalize is not None:
            layers.append(normalize(b))
        layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(
        *layers, linear(int(hidden[-1]) if len(hidden) else n_in, n_out, generator)
    )


def linear(n_in: int, n_out: int, generator: torch.Generator | None = None) -> nn.Linear:
    """Make a linear layer, its weights as torch draws them but from a generator of one's own.

    Weights and biases are uniform on ±1/√n_in, as ``nn.Linear.reset_parameters`` has them.
    """
    layer = nn.utils.skip_init(nn.Linear, n_in, n_out)
    bound = 1 / math.sqrt(n_in)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return layer
