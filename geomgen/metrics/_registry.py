"""The two-sample metrics by name: what scorers, ``evaluate`` and ``compare`` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geomgen.metrics.columns import column_distances, correlation_error
from geomgen.metrics.diversity import sample_diversity
from geomgen.metrics.energy import energy_distance
from geomgen.metrics.frechet import frechet_distance
from geomgen.metrics.mmd import kernel_mmd
from geomgen.metrics.neighbours import precision_recall_density_coverage
from geomgen.metrics.two_sample import classifier_two_sample_test
from geomgen.metrics.wasserstein import sliced_wasserstein

__all__ = ["METRICS", "Metric"]


@dataclass(frozen=True)
class Metric:
    """A number from real and generated rows, and how to read it.

    ``function(X_real, X_generated, **params)`` is that number, or has it as the attribute
    ``field``. Metrics of one function are computed together.
    """

    function: Callable[..., Any]
    field: str | None = None
    greater_is_better: bool | None = False  # None: neither, the nearer to real rows the better
    encoded: bool = True  # whether it sees numbers on one scale, or the columns as they are
    default: bool = True  # whether ``evaluate`` shows it without being asked
    tested: bool = False  # whether the result has a p-value of its own, in place of a floor

    def read(self, result: Any) -> float:
        """Return the metric's number from what its function returned."""
        return float(result if self.field is None else getattr(result, self.field))


def column_distance(X: Any, G: Any) -> float:
    """Mean over columns of :func:`column_distances`."""
    return float(column_distances(X, G)["distance"].mean())


def diversity_gap(X: Any, G: Any) -> float:
    """How far the ratio of :func:`sample_diversity` is from 1."""
    return abs(sample_diversity(X, G).ratio - 1)


def _of_neighbours(field: str) -> Metric:
    return Metric(precision_recall_density_coverage, field, greater_is_better=True)


METRICS: dict[str, Metric] = {
    "energy_distance": Metric(energy_distance),
    "frechet_distance": Metric(frechet_distance, default=False),
    "kernel_mmd": Metric(kernel_mmd, default=False),
    "sliced_wasserstein": Metric(sliced_wasserstein, default=False),
    "precision": _of_neighbours("precision"),
    "recall": _of_neighbours("recall"),
    "density": _of_neighbours("density"),
    "coverage": _of_neighbours("coverage"),
    "classifier_auc": Metric(classifier_two_sample_test, "auc", tested=True),
    "column_distance": Metric(column_distance, encoded=False),
    "correlation_error": Metric(correlation_error, encoded=False),
    "diversity_gap": Metric(diversity_gap, default=False),
}
