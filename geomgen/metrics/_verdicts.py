"""What the figures of a table mean, in words."""

from __future__ import annotations

import numpy as np

__all__ = ["of_floor", "of_lift", "of_share", "of_test"]


def of_floor(value: float, real: float, margin: float, greater_is_better: bool | None) -> str:
    """Words for a value, where real rows get ``real`` give or take ``margin``."""
    if not np.isfinite(value) or not np.isfinite(real):
        return "not defined here"
    near, below = abs(value - real) <= margin, value < real
    if greater_is_better is None:
        return "as real rows" if near else "unlike real rows"
    if greater_is_better:
        return "as real rows" if near else f"{'below' if below else 'above'} real rows"
    if near or below:
        return "at the floor" if near else "below the floor"
    if real <= margin / 2:  # a floor about 0: no ratio to it means anything
        return "above the floor"
    return f"{value / real:.1f}× the floor"


def of_test(pvalue: float) -> str:
    """Words for a test of whether two samples can be told apart."""
    p = "p < .001" if pvalue < 0.001 else f"p = {pvalue:.3f}".replace("0.", ".", 1)
    return f"{'told apart' if pvalue < 0.05 else 'not told apart'} ({p})"


def of_share(preference: float, interval: tuple[float, float], share: float) -> str:
    """Words for the share of draws that are nearest to a training row.

    If a part of the draws were copies, and the others new, the copies would all be nearest to a
    training row, and of the others the share of training rows.
    """
    if interval[0] > share:
        copies = (preference - share) / (1 - share)
        if copies <= 0.1:
            return "leans to training rows"
        return f"nearer to training rows, as {copies:.0%} copies would be"
    return "no sign of copies" if interval[1] >= share else "nearer to held-out rows"


def of_lift(low: float, high: float) -> str:
    """Words for the interval of a lift."""
    if not np.isfinite(low):
        return "the judge cannot tell"
    if low <= 1 <= high:
        return "at its rate" if high <= 10 * low else "too uncertain to say"
    return "too few" if high < 1 else "too many"
