"""Convolutional networks between flat rows and codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from geomgen.nn.images import ImageLayout, ToImage, ToRow
from geomgen.nn.mlp import ACTIVATIONS, linear

__all__ = ["Residual", "conv_decoder", "conv_encoder"]

_LEAST = 4  # pixels along an axis that is still halved


class Residual(nn.Module):
    """x -> shortcut(x) + body(x).

    Parameters
    ----------
    shortcut, body : Module
        Two maps of the same shapes.
    """

    def __init__(self, shortcut: nn.Module, body: nn.Module) -> None:
        super().__init__()
        self.shortcut, self.body = shortcut, body

    def forward(self, x: Tensor) -> Tensor:
        """Add the two maps."""
        return self.shortcut(x) + self.body(x)


def conv_encoder(
    layout: ImageLayout,
    channels: Sequence[int],
    n_out: int,
    *,
    activation: str = "silu",
    norm: str | None = None,
    residual: bool = False,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Stack convolutions that halve the image, and a linear layer; rows (n, p) to (n, n_out).

    A level is a 4 x 4 convolution of stride 2, normalisation and activation; along an axis of
    less than 4 pixels, of length 3 and stride 1. With ``residual``, every level but the first
    has a 3 x 3 convolution more, and a shortcut past it: a strided convolution of its own.

    Parameters
    ----------
    layout : ImageLayout
        Of the rows.
    channels : sequence of int
        Channels that each level ends with.
    n_out : int
        Width of the output.
    activation : str, default="silu"
        A name in ``ACTIVATIONS``.
    norm : {None, "batch", "layer"}, default=None
        Normalisation before each activation; ``"layer"`` is over channels and pixels.
    residual : bool, default=False
        Whether levels are residual blocks.
    generator : torch.Generator, optional
        Source of the initial weights; torch's global one by default.

    Returns
    -------
    torch.nn.Sequential

    References
    ----------
    Ghosh et al., 2020, *From variational to deterministic autoencoders*, appendix (networks);
    He et al., 2016, *Deep residual learning for image recognition*, Fig. 2.

    Examples
    --------
    >>> net = conv_encoder(ImageLayout.of((1, 8, 8)), (4, 8), 2)
    >>> net(torch.zeros(5, 64)).shape
    torch.Size([5, 2])
    """
    sizes, widths = _sizes(layout, channels), (layout.channels, *map(int, channels))
    layers: list[nn.Module] = [ToImage(layout)]
    for i, ((a, b), size) in enumerate(zip(pairwise(widths), sizes, strict=False)):
        level = _residual if residual and i else _strided
        layers += [level(a, b, size, False, activation, norm, generator)]
        layers += _activated(b, activation, norm)
    n_in = widths[-1] * math.prod(sizes[-1])
    return nn.Sequential(*layers, nn.Flatten(), linear(n_in, n_out, generator))


def conv_decoder(
    layout: ImageLayout,
    channels: Sequence[int],
    n_in: int,
    *,
    activation: str = "silu",
    norm: str | None = None,
    residual: bool = False,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Stack a linear layer and transposed convolutions, the encoder's mirror; (n, n_in) to rows.

    Parameters
    ----------
    layout : ImageLayout
        Of the rows.
    channels : sequence of int
        As the encoder has them, from the image to the code.
    n_in : int
        Width of the input.
    activation, norm, residual, generator
        As of :func:`conv_encoder`. The level that ends in the image is never residual.

    Returns
    -------
    torch.nn.Sequential

    Examples
    --------
    >>> net = conv_decoder(ImageLayout.of((8, 8, 3)), (4, 8), 2)
    >>> net(torch.zeros(5, 2)).shape
    torch.Size([5, 192])
    """
    sizes, widths = _sizes(layout, channels), (layout.channels, *map(int, channels))
    first = linear(n_in, widths[-1] * math.prod(sizes[-1]), generator)
    layers: list[nn.Module] = [first, nn.Unflatten(1, (widths[-1], *sizes[-1]))]
    for i in reversed(range(len(channels))):
        level = _residual if residual and i else _strided
        layers += _activated(widths[i + 1], activation, norm)
        layers += [level(widths[i + 1], widths[i], sizes[i], True, activation, norm, generator)]
    return nn.Sequential(*layers, ToRow(layout))


def _sizes(layout: ImageLayout, channels: Sequence[int]) -> list[tuple[int, int]]:
    """Height and width of the image at the start of each level, and at the end."""
    sizes = [(layout.height, layout.width)]
    for _ in channels:
        h, w = sizes[-1]
        sizes.append((h // 2 if h >= _LEAST else h, w // 2 if w >= _LEAST else w))
    return sizes


def _activated(channels: int, activation: str, norm: str | None) -> list[nn.Module]:
    norms = {"batch": lambda: nn.BatchNorm2d(channels), "layer": lambda: nn.GroupNorm(1, channels)}
    return [*([norms[norm]()] if norm else []), ACTIVATIONS[activation]()]


def _strided(
    n_in: int,
    n_out: int,
    size: tuple[int, int],
    transposed: bool,
    activation: str,
    norm: str | None,
    generator: torch.Generator | None,
) -> nn.Module:
    """Make the convolution from images of this size to half of it, or back."""
    stride = [2 if pixels >= _LEAST else 1 for pixels in size]
    kernel = [4 if s == 2 else 3 for s in stride]
    if not transposed:
        return _drawn(nn.Conv2d, n_in, n_out, kernel, generator, stride=stride, padding=1)
    odd = [pixels % 2 if s == 2 else 0 for pixels, s in zip(size, stride, strict=True)]
    return _drawn(
        nn.ConvTranspose2d,
        n_in,
        n_out,
        kernel,
        generator,
        stride=stride,
        padding=1,
        output_padding=odd,
    )


def _residual(
    n_in: int,
    n_out: int,
    size: tuple[int, int],
    transposed: bool,
    activation: str,
    norm: str | None,
    generator: torch.Generator | None,
) -> Residual:
    shortcut, strided = (
        _strided(n_in, n_out, size, transposed, activation, norm, generator) for _ in range(2)
    )
    inner = _activated(n_out, activation, norm)
    same = _drawn(nn.Conv2d, n_out, n_out, [3, 3], generator, padding=1)
    return Residual(shortcut, nn.Sequential(strided, *inner, same))


def _drawn(
    kind: type[nn.Conv2d | nn.ConvTranspose2d],
    n_in: int,
    n_out: int,
    kernel: list[int],
    generator: torch.Generator | None,
    **params: object,
) -> nn.Module:
    """Make a convolution with weights uniform on ±√(6/n), for n inputs to an output.

    These are He et al.'s (2015, *Delving deep into rectifiers*, Eq. 10), which keep the size of
    activations from layer to layer. A transposed convolution's strides share its kernel out
    between the pixels.
    """
    layer = nn.utils.skip_init(kind, n_in, n_out, kernel, **params)
    n = n_in * math.prod(kernel)
    if kind is nn.ConvTranspose2d:
        n //= math.prod(layer.stride)
    bound = math.sqrt(6 / n)
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
