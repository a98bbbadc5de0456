"""What estimators are told of rows that are images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geomgen._extra_terms import check_importable
from geomgen.nn import ImageLayout

__all__ = ["architecture", "augmented", "check_images", "check_training", "widest_layer"]


def architecture(given: Any) -> str:
    """Kind of the networks that an estimator's parameters say."""
    if given.architecture != "auto":
        return str(given.architecture)
    return "mlp" if given.image_shape is None else "conv"


def check_images(given: Any, n_features: int) -> None:
    """Raise if what an estimator is told of images does not suit its rows."""
    if given.image_shape is not None:
        layout = ImageLayout.of(given.image_shape)
        if layout.n_features != n_features:
            raise ValueError(
                f"image_shape={tuple(given.image_shape)!r} has {layout.n_features} numbers, but X "
                f"has {n_features} features: a row must be one whole image, laid flat."
            )
    elif architecture(given) != "mlp":
        raise ValueError(
            f"architecture={given.architecture!r} needs image_shape, such as (28, 28) or "
            "(3, 32, 32), to know how the pixels of an image lie in a row."
        )


def check_training(given: Any) -> None:
    """Raise if what is done to batches does not suit an estimator."""
    if given.augment is not None:
        check_importable("augment", given.augment)
    if given.precision == "bf16" and given.dtype_ == np.float64:
        raise ValueError(
            "precision='bf16' has no effect on weights of dtype='float64': use dtype='float32', or "
            "precision='full'."
        )


def augmented(
    function: Callable[[Tensor, torch.Generator], Tensor],
    n_features: int,
    x: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Augment a batch; targets may travel with the rows, in further columns.

    Raises
    ------
    ValueError
        If the user's function does not give back as many rows of the same kind.
    """
    rows = x[:, :n_features]
    found = function(rows, generator)
    if not isinstance(found, Tensor) or found.shape != rows.shape or found.dtype != rows.dtype:
        kind = (
            f"{found.dtype} of shape {tuple(found.shape)}"
            if isinstance(found, Tensor)
            else type(found).__name__
        )
        raise ValueError(
            f"augment={function!r} must return rows of the shape {tuple(rows.shape)} and the dtype "
            f"{rows.dtype} that it was given, but gave {kind}."
        )
    return torch.cat([found, x[:, n_features:]], dim=1) if x.shape[1] > n_features else found


def widest_layer(given: Any, n_features: int) -> int:
    """Count the numbers that a row becomes in the widest layer of the networks."""
    widths = [n_features, *given.hidden]
    if architecture(given) != "mlp":
        layout = ImageLayout.of(given.image_shape)
        pixels = layout.height * layout.width
        widths = [n_features, *(c * pixels // 4 ** (i + 1) for i, c in enumerate(given.channels))]
    return max(widths)
