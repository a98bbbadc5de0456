"""Paper G's ring: rows, and the figures of models and of draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import clone

import geomgen
from geomgen.datasets import make_ring_mixture
from geomgen.diagnostics import generative_gap, k_volumes
from geomgen.losses import blade_entropy, grassmann_spread, tangents
from geomgen.metrics import energy_distance, rare_mode_report, rare_recall

__all__ = ["Ring"]

N_TEST, N_DRAWN = 2000, 2000  # paper G, table 1
EPOCHS = (1, 2, 5, 10, 20, 50)


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
        self.studies = {"volumes": self.volumes, "epochs": self.epochs}

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

    def volumes(self, model: Any) -> dict[str, Any]:
        """Log 2-volumes, their gap, and what paper G's terms penalise, at codes of test rows."""
        figures: dict[str, Any] = {}
        for name, standardize in (("", False), ("_own_units", True)):
            found = k_volumes(
                model, self.test, grades=(2,), standardize=standardize, random_state=self.seed
            )
            for law, values in (("on", found.on_manifold), ("off", found.off_manifold)):
                figures[f"{law}_mean_volume{name}"] = values.mean()
                figures[f"{law}_std{name}"] = values.std()
        figures["gap"] = generative_gap(model, self.test, k=2, random_state=self.seed).gap
        codes = torch.from_numpy(np.float32(model.transform(self.test)))
        frames = torch.eye(codes.shape[1])
        A = tangents(model.net_.module_.decoder.map, codes, frames).detach().double()
        figures["overlap"] = float(grassmann_spread(A[..., :1], form="determinant"))
        figures["entropy"] = float(blade_entropy(A, (1, 2)))
        return figures

    def epochs(self, model: Any) -> dict[str, Any]:
        """Errors and distances on the way of such a training, epoch by epoch."""
        figures, growing = {}, clone(model)
        for epoch in range(1, EPOCHS[-1] + 1):
            growing.partial_fit(self.train)
            if epoch not in EPOCHS:
                continue
            figures[f"mse_{epoch}"] = self.of_model(growing)["mse"]
            for sampler in ("prior", "cells"):
                growing.set_params(sampler=sampler).fit_sampler(self.train)
                drawn = geomgen.sample(growing, N_DRAWN, random_state=0)
                figures[f"{sampler}_{epoch}"] = energy_distance(self.test, drawn)
        return figures
