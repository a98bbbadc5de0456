"""Where each figure of the tables should be, and with how many digits it is printed."""

from __future__ import annotations

from benchmarks.quality._declare import Metric
from benchmarks.quality._pictures import ALPHAS
from benchmarks.quality._ring import EPOCHS

__all__ = ["METRICS"]

_LABELS = ("mean_is", "mean_without_is", "mean_draw_is")
METRICS = {
    "count": Metric(40, 1),
    "count_inside": Metric(40, 1),
    "recall": Metric("none"),  # the count, over another
    "lift": Metric(1.0),
    "inside": Metric("high", 3),
    "energy": Metric("low", 4),
    "mse": Metric("low", 4),
    "kl": Metric("none"),
    "variance": Metric("none", 4),
    "nn_lift": Metric(1.0),
    "nn_corrected": Metric(1.0),
    "cnn_lift": Metric(1.0),
    "cnn_corrected": Metric(1.0),
    "frechet": Metric("low", 1),
    "top_share": Metric("low", 3),
    "condition": Metric("low"),
    "participation": Metric("high"),
    "entropy_rank": Metric("high"),
    "logistic": Metric("high", 1),
    "mlp": Metric("high", 1),
    "knn": Metric("high", 1),
    # studies: ten draws of rare digits, nearest images
    "lift_ten": Metric(1.0, 3),
    "furthest": Metric("low", 3),
    "inside_ten": Metric("high", 1),
    "frechet_ten": Metric("low", 1),
    **{name: Metric("none", label=True) for name in _LABELS},
    "off_mean": Metric("none", 3),
    "images_hit": Metric("high", 0),
    "commonest": Metric("low", 3),
    # the papers' figures: diagnostics, epochs, rescaled codes
    **dict.fromkeys(("off_mean_volume", "gap"), Metric("none")),
    **dict.fromkeys(("on_std", "off_std"), Metric("none", 3)),
    "overlap": Metric("low", 3),
    "entropy": Metric("high", 3),
    **{f"{name}_{e}": Metric("low", 4) for name in ("mse", "prior", "cells") for e in EPOCHS},
    **{f"mse_{alpha:g}": Metric("low", 4) for alpha in ALPHAS},
}
