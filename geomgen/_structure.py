"""From an estimator's parameters to networks and devices."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from geomgen._images import architecture
from geomgen.nn import (
    FEATURE_KINDS,
    Head,
    ImageLayout,
    MixedLikelihood,
    conv_decoder,
    conv_encoder,
    mlp,
)

__all__ = [
    "check_blocks",
    "check_range",
    "check_unchanged",
    "check_widths",
    "has_fused",
    "make_network",
    "mixed",
    "row_network",
    "warn_of_scales",
]

_NUMBERS = 2**23  # to tell the scales of columns by, at most
_APART = 1e3  # ratio of deviations from which a column hardly counts: a millionth of the loss


def make_network(
    name: str, given: Any, n_in: int, n_out: int, generator: torch.Generator
) -> nn.Module:
    """Make the encoder or the decoder that an estimator's parameters say.

    Raises
    ------
    TypeError
        If a network of the user's own is neither a module nor a callable that returns one.
    """
    own = getattr(given, name)
    if own is None:
        return given._network(name, n_in, n_out, generator)
    if isinstance(own, nn.Module):
        return copy.deepcopy(own)
    made = own(n_in, n_out) if callable(own) else own
    if not isinstance(made, nn.Module):
        raise TypeError(
            f"{name}={own!r} must be a torch module, or a callable (n_inputs, n_outputs) -> module."
        )
    return made


def row_network(
    name: str, given: Any, n_in: int, n_out: int, generator: torch.Generator
) -> nn.Module:
    """Make the package's own encoder or decoder of rows of numbers, or of images."""
    style = {"activation": given.activation, "norm": given.norm, "generator": generator}
    encodes = name == "encoder"
    kind = architecture(given)
    if kind == "mlp":
        hidden = tuple(given.hidden)
        return mlp(n_in, hidden if encodes else hidden[::-1], n_out, **style)
    layout, residual = ImageLayout.of(given.image_shape), kind == "resnet"
    make, width = (conv_encoder, n_out) if encodes else (conv_decoder, n_in)
    return make(layout, given.channels, width, residual=residual, **style)


@torch.no_grad()
def check_widths(
    name: str, network: Callable[[Tensor], Tensor], rows: Tensor, width: int, why: str = ""
) -> None:
    """Raise if a network of the user's own does not map (n, p) rows to (n, width)."""
    try:
        found: Any = tuple(network(rows).shape)
    except (RuntimeError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
    if found != (len(rows), width):
        shapes = f"{tuple(rows.shape)} to {(len(rows), width)}"
        raise ValueError(f"The {name} must map {shapes}{why}, but gave {found}.")


def check_unchanged(given: Any, built_with: dict[str, Any]) -> None:
    """Raise if parameters are not those that an estimator's net was built with."""
    changed = [
        name
        for name, built in built_with.items()
        if getattr(given, name) is not built and not np.all(getattr(given, name) == built)
    ]
    if changed:
        raise ValueError(
            f"{changed} changed since the net was built, and training cannot go on from it: "
            "put them back, or fit anew with warm_start=False."
        )


def check_blocks(blocks: Any, n_features: int) -> None:
    """Raise if feature blocks, where there are any, are not pairs that make up the rows."""
    if blocks is None:
        return
    for block in blocks:
        if not isinstance(block, list | tuple) or len(block) != 2 or block[0] not in FEATURE_KINDS:
            raise ValueError(
                f"feature_blocks has {block!r}: each must be a pair of a kind, one of "
                f"{', '.join(FEATURE_KINDS)}, and a number of features."
            )
        if not isinstance(block[1], Integral) or isinstance(block[1], bool) or block[1] < 1:
            raise ValueError(f"feature_blocks has {block!r}: a width is an int of at least 1.")
    total = sum(width for _, width in blocks)
    if total != n_features:
        raise ValueError(
            f"feature_blocks={list(blocks)!r} make up {total} features, but X has {n_features}."
        )


def mixed(blocks: Any, likelihood: Callable[[nn.Module], Head], decoder: nn.Module) -> Head:
    """Read the decoder's output as a model does; where features differ, its Gaussian ones."""
    if blocks is None:
        return likelihood(decoder)
    return MixedLikelihood(decoder, blocks, likelihood(nn.Identity()))


def has_fused(optimizer: type) -> bool:
    """Whether an optimizer has a fused kernel: one pass over the weights in place of ten."""
    return "fused" in inspect.signature(optimizer).parameters


def check_range(X: np.ndarray, dtype: np.dtype) -> None:
    """Raise if rows hold numbers that the dtype of the computation cannot."""
    if X.dtype.kind != "f" or X.dtype.itemsize <= dtype.itemsize:
        return
    largest = max(abs(X.min()), abs(X.max()))
    if largest > np.finfo(dtype).max:
        raise ValueError(
            f"X contains a value too large for dtype='{dtype}' ({largest:.3g}): scale the columns "
            "of X, or use dtype='float64'."
        )


def warn_of_scales(X: np.ndarray) -> None:
    """Warn if columns differ so much in scale that a squared error does not see the small ones."""
    head = X[: max(100, min(10_000, _NUMBERS // X.shape[1]))]
    deviations = head.std(axis=0, dtype=np.float64)  # a float64 copy is made on the way
    ranges = head.max(axis=0).astype(np.float64) - head.min(axis=0).astype(np.float64)
    varies = deviations > 1e-12 * abs(head[0])  # constant columns, but for rounding, do not
    if not varies.any():
        return
    low, high = deviations[varies].min(), deviations[varies].max()
    # Both: a pixel that is rarely lit has a small deviation, in the units of the others.
    if min(high / low, ranges[varies].max() / ranges[varies].min()) > _APART:
        warnings.warn(
            f"The columns of X have standard deviations from {low:.1g} to {high:.1g}: the loss "
            "hardly sees the small ones. Scale them first, for example by a StandardScaler in a "
            "Pipeline.",
            UserWarning,
            stacklevel=4,
        )
