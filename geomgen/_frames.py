"""Frames in, frames out: pandas, and polars where it is installed; arrays by the same names."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

__all__ = ["frame_kind", "join", "take", "to_frame"]

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


def take(rows: Any, order: np.ndarray) -> Any:
    """Rows by position, numbered anew."""
    return rows.iloc[order].reset_index(drop=True) if hasattr(rows, "iloc") else rows[order]


def join(parts: list[Any]) -> Any:
    """Rows of all parts, one after the other."""
    if isinstance(parts[0], pd.DataFrame):
        return pd.concat(parts, ignore_index=True)
    if hasattr(parts[0], "vstack"):  # polars
        joined = parts[0]
        for part in parts[1:]:
            joined = joined.vstack(part)
        return joined
    return np.concatenate(parts)
