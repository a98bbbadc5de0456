"""Frames in, frames out: pandas, and polars where it is installed."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

__all__ = ["frame_kind", "to_frame"]

FrameKind = Literal["pandas", "polars"]


def frame_kind(X: Any) -> FrameKind:
    """Return the library of a frame; pandas for anything that is none of polars'."""
    return "polars" if type(X).__module__.partition(".")[0] == "polars" else "pandas"


def to_frame(rows: np.ndarray, names: Any, kind: FrameKind) -> Any:
    """Make a frame of rows with named columns."""
    if kind == "polars":
        import polars  # only ever reached by a caller who brought polars along

        return polars.DataFrame(rows, schema=list(names))
    return pd.DataFrame(rows, columns=names)
