"""Paper G's ring: rows, and the figures of models and of draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgen.datasets import make_ring_mixture
from geomgen.metrics import energy_distance, rare_mode_report, rare_recall

__all__ = ["Ring"]

N_TEST, N_DRAWN = 2000, 2000  # paper G, table 1


class Ring:
    """Rows of one radius and seed: paper G states neither radius nor spread (0.2 here)."""

    def __init__(self, data: str, budget: dict[str, Any], seed: int) -> None:
        n_train = budget["n_train"]
        X, _, self.truth = make_ring_mixture(
            n_train + N_TEST,
            radius=float(data.rpartition(" ")[2]),
            random_state=seed,
            return_mixture=True,
        )
        self.train, self.test, self.n_drawn = X[:n_train], X[n_train:], N_DRAWN
        self.seed = seed

    def real(self) -> np.ndarray:
        """As many fresh rows of the truth as are drawn from a model."""
        return self.truth.sample(N_DRAWN, random_state=1000 + self.seed)[0]

    def of_model(self, model: Any) -> dict[str, Any]:
        """Mean squared error of test rows, and a VAE's divergence without its weight."""
        decoded = model.inverse_transform(model.transform(self.test))
        figures = {"mse": float(np.mean((decoded - self.test) ** 2))}
        history = getattr(model, "history_", {})
        if "kl" in history:
            figures["kl"] = float(history["kl"].iloc[-1]) / model.beta
        return figures

    def of_draws(self, drawn: np.ndarray, model: Any) -> dict[str, Any]:
        """Paper G's counts and distance, and how much of them is where the modes are."""
        report = rare_mode_report(drawn, mixture=self.truth)
        within = self.truth.distances(drawn) <= 3  # of any mode, in standard deviations
        is_rare = self.truth.predict(drawn) == 0
        return {
            "count": report.n_rare,
            "recall": rare_recall(is_rare, self.truth.predict(self.test) == 0),
            "lift": report.lift,
            "count_inside": int((is_rare & within[:, 0]).sum()),
            "inside": float(within.any(1).mean()),
            "energy": energy_distance(self.test, drawn),
        }
