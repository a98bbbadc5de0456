"""The record of a training: mean terms of an epoch, and the table users see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

__all__ = ["epoch_means", "history_frame"]


def epoch_means(sizes: list[int], steps: list[dict[str, Tensor]]) -> tuple[dict[str, float], str]:
    """Mean of each term over the rows of an epoch, and which terms first stopped being finite.

    The terms come off the device once. A term left out of a step counts as 0 there. One step
    that is not finite poisons the weights, hence all terms after it: so the first is looked for.
    """
    names = list(dict.fromkeys(name for step in steps for name in step))
    zero = torch.zeros((), dtype=torch.float64, device=next(iter(steps[0].values())).device)
    stacked = [torch.stack([step.get(name, zero).double() for name in names]) for step in steps]
    values = torch.stack(stacked).cpu().numpy()
    bad_steps = np.flatnonzero(~np.isfinite(values).all(1))
    first = values[bad_steps[0]] if len(bad_steps) else np.zeros(len(names))
    bad = [repr(n) for n, v in zip(names, first, strict=True) if not np.isfinite(v)]
    means = np.average(values, axis=0, weights=sizes)
    return dict(zip(names, means.tolist(), strict=True)), ", ".join(bad)


def history_frame(history: list[dict[str, Any]]) -> pd.DataFrame:
    """Make a table of skorch's history: the loss, its terms, those of validation, seconds."""
    frame = pd.DataFrame(
        [{_column(k): v for k, v in row.items() if _column(k) is not None} for row in history]
    )
    last = [c for c in frame if c.startswith("valid_")] + [c for c in frame if c == "seconds"]
    first = [c for c in ("loss",) if c in frame]
    terms = [c for c in frame if c not in (*first, *last)]
    frame = frame[[*first, *terms, *last]]
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="epoch")
    return frame


def _column(key: str) -> str | None:
    """Name in the table of a key of skorch's history; None for bookkeeping."""
    if key in ("epoch", "batches") or key.endswith(("_best", "_batch_count")):
        return None
    return "seconds" if key == "dur" else key.removeprefix("train_")
