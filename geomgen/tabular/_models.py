"""What a table's model is when nobody says: which, how large, and under which sampler."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from geomgen._callbacks import cosine_decay
from geomgen.models import AE, PCAGenerator
from geomgen.samplers import CellSampler

__all__ = ["choose_model", "is_linear", "make_model", "make_sampler", "prepared"]

_MOST_AXES = 16
_NUMBERS: dict[str, Any] = {"hidden": (64, 64), "lr": 2e-3, "batch_size": 128}
_MIXED: dict[str, Any] = {"hidden": (128, 128), "lr": 4e-3, "batch_size": 256}


def make_sampler(blocks: list[tuple[str, int]], conditional: bool) -> CellSampler:
    """Make the default sampler: cells refined by a few steps of EM, a density each label.

    Steps take half the time of a fit to mixed types. There, on Adult, five did as well as ten.
    """
    steps = 5 if _is_mixed(blocks) else 10
    return CellSampler(em_steps=steps, max_cells=256, whiten=False, conditional=conditional)


def _is_mixed(blocks: list[tuple[str, int]]) -> bool:
    return any(kind != "gaussian" for kind, _ in blocks)


def choose_model(blocks: list[tuple[str, int]]) -> str:
    """Name the model that ``"auto"`` stands for: rows, their axes, or an autoencoder.

    On the benchmarks' four tables of numbers, under one sampler and one map of the output, the
    autoencoder was no better; categories need the probabilities of a decoder.
    """
    if _is_mixed(blocks):
        return "ae"
    return "rows" if sum(width for _, width in blocks) <= _MOST_AXES else "pca"


def make_model(name: str, blocks: list[tuple[str, int]], n: int) -> Any:
    """Make the unfitted model of a name, for n rows."""
    p = sum(width for _, width in blocks)
    if name == "rows":  # all axes in their own units: an isometry, so the codes are the rows
        return PCAGenerator(n_components=p, whiten=False)
    if name == "pca":
        d = min(_MOST_AXES, max(p - 1, 1))
        return PCAGenerator(n_components=d, whiten=False, residual="component")
    return _autoencoder(blocks, p, n)


def _autoencoder(blocks: list[tuple[str, int]], p: int, n: int) -> AE:
    mixed = _is_mixed(blocks)
    size = _MIXED if mixed else _NUMBERS
    batch = size["batch_size"]
    most = 2000 if mixed else 2500  # steps, of 100 epochs at most where rows are few
    epochs = max(1, round(np.clip(100 * n / batch, 500, most) / np.ceil(n / batch)))
    d = min(16 if mixed else 8, max(p - 1, 1))
    decay = [cosine_decay(epochs)]
    return AE(n_components=d, max_epochs=epochs, callbacks=decay, residual="component", **size)


def is_linear(model: Any) -> bool:
    """Whether categories come out as scores that hold their noise, not as probabilities."""
    return getattr(model, "feature_blocks", None) is None


def prepared(model: Any, blocks: list[tuple[str, int]], params: dict[str, Any]) -> Any:
    """Clone a model, and tell it of the features and of what else it takes."""
    made = clone(model)
    known = made.get_params(deep=False)
    if "feature_blocks" in known and _is_mixed(blocks):
        params = {**params, "feature_blocks": [tuple(block) for block in blocks]}
    return made.set_params(**{name: v for name, v in params.items() if name in known})
