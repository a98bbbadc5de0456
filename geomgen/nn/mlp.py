"""Fully connected networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

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
        layers.append(nn.Linear(a, b))
        if normalize is not None:
            layers.append(normalize(b))
        layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers, nn.Linear(int(hidden[-1]) if len(hidden) else n_in, n_out))
