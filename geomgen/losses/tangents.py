"""Tangents of a network: latent directions pushed forward through its layers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["random_frames", "tangents"]


def random_frames(
    n: int,
    d: int,
    k: int,
    *,
    generator: torch.Generator | None = None,
    like: Tensor | None = None,
    normal: Tensor | None = None,
) -> Tensor:
    r"""Draw n orthonormal k-frames of R^d: :math:`W = \mathrm{qf}(G)`, G standard normal.

    Parameters
    ----------
    n, d, k : int
        Number of frames, dimension, directions in each; k ≤ d.
    generator : torch.Generator, optional
        Source of randomness, on the device of ``like``.
    like : Tensor, optional
        Gives the dtype and the device.
    normal : Tensor of shape (n, d), optional
        Unit codes: the frames are then of the sphere's tangent spaces at them, k ≤ d - 1. One
        Gaussian, n = 1, can serve any number of codes.

    Returns
    -------
    Tensor of shape (n, d, k)

    References
    ----------
    Paper G (GA-AE), section 4.2.

    Examples
    --------
    >>> W = random_frames(5, 4, 2)
    >>> bool(torch.allclose(W.mT @ W, torch.eye(2).expand(5, 2, 2), atol=1e-6))
    True
    """
    like = torch.empty(0) if like is None else like
    gaussian = torch.randn(n, d, k, generator=generator, dtype=like.dtype, device=like.device)
    if normal is not None:
        gaussian = gaussian - normal[..., None] * (normal[:, None] @ gaussian)
    return torch.linalg.qr(gaussian).Q


def tangents(module: nn.Module | Callable[[Tensor], Tensor], z: Tensor, frames: Tensor) -> Tensor:
    r"""Push latent directions through a map: :math:`A_i = J(z_i) W_i`.

    Parameters
    ----------
    module : Module or callable, (N, d) -> (N, n)
        A map that treats rows independently. A module runs in evaluation mode (normalisation by
        running statistics, dropout off) and is put back as it was.
    z : Tensor of shape (N, d)
        Codes.
    frames : Tensor of shape (d, k) or (N, d, k)
        Directions, shared by all codes or one frame a code.

    Returns
    -------
    Tensor of shape (N, n, k)

    Notes
    -----
    Linear, activation and normalisation layers have rules of their own, which cost one product a
    linear layer; a layer may bring its own, as a method ``push_tangents(h, rows)`` of its inputs
    and their directions (n, k, ...). Anything else goes through ``torch.func.jvp`` as a whole.

    References
    ----------
    Paper G (GA-AE), Eqs. 15-16.

    Examples
    --------
    >>> layer = torch.nn.Linear(2, 3)
    >>> A = tangents(layer, torch.zeros(4, 2), torch.eye(2))
    >>> bool((A == layer.weight).all())
    True
    """
    rows = frames.mT  # a direction is a row; a shared frame stays one until layers tell codes apart
    rows = rows if rows.ndim == 3 else rows[None]
    with evaluating(module):
        layers = _chain(module)
        if layers is None:
            return _jvp(module, z, frames.expand(len(z), -1, -1))
        for layer in layers:
            z, rows = _rule(layer)(z, rows)
    return rows.mT.expand(len(z), -1, -1)


def _chain(module: nn.Module | Callable[[Tensor], Tensor]) -> list[nn.Module] | None:
    """Layers applied one after the other, if there is a rule for each of them."""
    if getattr(module, "_forward_hooks", None) or getattr(module, "_forward_pre_hooks", None):
        return None
    if type(module) is nn.Sequential:
        parts = [_chain(part) for part in module]
        return None if None in parts else [layer for part in parts for layer in part or []]
    if isinstance(module, nn.LayerNorm) and len(module.normalized_shape) > 1:
        return None
    return [module] if isinstance(module, nn.Module) and _rule(module) is not None else None


def _rule(layer: nn.Module) -> Any:
    """Return the layer's own rule, or the one for its type, if there is one."""
    of_type = _RULES.get(type(layer))
    return getattr(layer, "push_tangents", of_type and partial(of_type, layer))


def _affine(layer: nn.Module, h: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Push directions through a convolution, or a reshaping, without its bias."""
    n, k = rows.shape[:2]
    moved = layer(rows.flatten(0, 1)).unflatten(0, (n, k))
    bias = getattr(layer, "bias", None)
    if bias is not None:
        moved = moved - bias.view(-1, *_ones(moved))
    return layer(h), moved


def _ones(moved: Tensor) -> list[int]:
    return [1] * (moved.ndim - 3)  # the spatial dimensions after (n, k, channels)


def _linear(layer: nn.Linear, h: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    return layer(h), rows @ layer.weight.mT


def _batch_norm(layer: nn.BatchNorm1d, h: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    if layer.running_var is None:
        raise ValueError(
            "Tangents need a map that treats rows independently: a BatchNorm layer with "
            "track_running_stats=False does not."
        )
    scale = (layer.running_var + layer.eps).rsqrt()
    scale = scale if layer.weight is None else scale * layer.weight
    return layer(h), rows * scale.view(-1, *_ones(rows))


def _standardised(h: Tensor, rows: Tensor, eps: float) -> Tensor:
    """Push directions through the standardisation of the last axis."""
    centred = h - h.mean(-1, keepdim=True)
    inverse = (centred.square().mean(-1, keepdim=True) + eps).rsqrt()
    unit = (centred * inverse)[:, None]
    inner = (unit * rows).mean(-1, keepdim=True)
    return inverse[:, None] * (rows - rows.mean(-1, keepdim=True) - unit * inner)


def _layer_norm(layer: nn.LayerNorm, h: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    moved = _standardised(h, rows, layer.eps)
    return layer(h), moved if layer.weight is None else moved * layer.weight


def _group_norm(layer: nn.GroupNorm, h: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    groups = (layer.num_groups, -1)
    split = h.flatten(1).unflatten(1, groups), rows.flatten(2).unflatten(2, groups)
    moved = _standardised(*split, layer.eps).flatten(2).unflatten(2, h.shape[1:])
    if layer.weight is not None:
        moved = moved * layer.weight.view(-1, *_ones(moved))
    return layer(h), moved


def _same(layer: nn.Module, h: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    return layer(h), rows


def _elementwise(
    derivative: Callable[..., Tensor],
) -> Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, Tensor]]:
    def rule(layer: nn.Module, h: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        slope = derivative(layer, h)
        own = h.clone() if getattr(layer, "inplace", False) else h
        return layer(own), rows * slope[:, None]

    return rule


def _one_where(linear: Tensor, slope: Tensor) -> Tensor:
    return torch.where(linear, torch.ones_like(slope), slope)


def _gelu(layer: nn.GELU, h: Tensor) -> Tensor:
    if layer.approximate == "tanh":
        a, b = math.sqrt(2 / math.pi), 0.044715
        u = torch.tanh(a * (h + b * h**3))
        return (1 + u) / 2 + h / 2 * (1 - u.square()) * a * (1 + 3 * b * h.square())
    density = torch.exp(-h.square() / 2) / math.sqrt(2 * math.pi)
    return torch.special.ndtr(h) + h * density


def _silu(layer: nn.SiLU, h: Tensor) -> Tensor:
    s = torch.sigmoid(h)
    return s * (1 + h * (1 - s))


_RULES: dict[type, Callable[..., tuple[Tensor, Tensor]]] = {
    nn.Linear: _linear,
    nn.Conv1d: _affine,
    nn.Conv2d: _affine,
    nn.ConvTranspose1d: _affine,
    nn.ConvTranspose2d: _affine,
    nn.AvgPool2d: _affine,
    nn.Upsample: _affine,
    nn.Flatten: _affine,
    nn.Unflatten: _affine,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.LayerNorm: _layer_norm,
    nn.GroupNorm: _group_norm,
    nn.Identity: _same,
    nn.Dropout: _same,
    nn.ReLU: _elementwise(lambda layer, h: (h > 0).to(h)),
    nn.LeakyReLU: _elementwise(
        lambda layer, h: _one_where(h > 0, torch.full_like(h, layer.negative_slope))
    ),
    nn.ELU: _elementwise(lambda layer, h: _one_where(h > 0, layer.alpha * h.clamp(max=0).exp())),
    nn.GELU: _elementwise(_gelu),
    nn.SiLU: _elementwise(_silu),
    nn.Sigmoid: _elementwise(lambda layer, h: torch.sigmoid(h) * torch.sigmoid(-h)),
    nn.Softplus: _elementwise(
        lambda layer, h: _one_where(layer.beta * h > layer.threshold, torch.sigmoid(layer.beta * h))
    ),
    nn.Tanh: _elementwise(lambda layer, h: 1 - torch.tanh(h).square()),
}


def _jvp(module: Callable[[Tensor], Tensor], z: Tensor, frames: Tensor) -> Tensor:
    def push(w: Tensor) -> Tensor:  # paper G, Eq. 15
        return torch.func.jvp(module, (z,), (w,))[1]

    with warnings.catch_warnings():  # torch's own, on its first use of forward mode
        warnings.filterwarnings("ignore", ".*torch.jit.script.*", DeprecationWarning)
        return torch.vmap(push, in_dims=-1, out_dims=-1)(frames)


@contextmanager
def evaluating(module: object) -> Iterator[None]:
    parts = list(module.modules()) if isinstance(module, nn.Module) else []
    modes = [part.training for part in parts]
    for part in parts:
        part.training = False
    try:
        yield
    finally:
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode
