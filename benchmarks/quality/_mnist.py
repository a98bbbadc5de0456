"""MNIST for the benchmark of samplers: nets, digit classifier, and the two studies."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from torch import nn

from benchmarks.quality._runs import Results, cached, timed, trained
from geomgen import AE, GrassmannAE, LISAGenerator, SphericalAE, VAEGenerator
from geomgen.metrics import (
    memorisation,
    precision_recall_density_coverage,
    rare_mode_report,
)
from geomgen.metrics._features import extract
from geomgen.metrics._pairs import nearest
from geomgen.metrics.frechet import frechet_distance
from geomgen.samplers import CellSampler, LocalSampler

__all__ = ["FEWER", "RUNS", "SAMPLERS", "SLOW", "STRONG", "rare_nines", "whole"]

N_TRAIN, N_JUDGED, RARE = 50_000, 5_000, 9


class Run(NamedTuple):
    """One training."""

    kind: str
    d: int
    norm: Literal["batch"] | None
    seed: int
    n_rows: int = N_TRAIN

    @property
    def label(self) -> str:
        """What is the same for all seeds."""
        return f"{self.kind}, d={self.d}, norm={self.norm}, {self.n_rows} rows"

    def estimator(self) -> Any:
        """Make the net of the issue, unfitted; the samplers come later."""
        return MODELS[self.kind](
            n_components=self.d,
            hidden=(512, 256),
            norm=self.norm,
            activation="relu",
            max_epochs=12,
            sampler="mvg",
            random_state=self.seed,
        )

    def trained(self, cache: Path | None, X: np.ndarray) -> tuple[Any, float]:
        """Train, or load from the cache; also the seconds of the training."""
        name = f"mnist-{self.d}-{self.norm}-{self.seed}"
        if self.n_rows < N_TRAIN:
            name += f"-{self.kind}-{self.n_rows}"
        return trained(cache, name, self.estimator(), X[: self.n_rows])


MODELS: dict[str, Any] = {
    "AE": AE,
    "SphericalAE": SphericalAE,
    "LISAGenerator": LISAGenerator,
    "VAEGenerator": partial(VAEGenerator, likelihood="gaussian", warmup=0),  # as measured
    "GrassmannAE": GrassmannAE,
}
RUNS = [Run("AE", d, "batch", seed) for seed in range(3) for d in (16, 32)]
RUNS += [Run("AE", 16, None, 0)]
FEWER = [Run(kind, 16, "batch", seed, 10_000) for seed in range(3) for kind in MODELS]
STRONG = {"cells": "cells", "local": "local"}
SAMPLERS = STRONG | {
    "local, k=20": LocalSampler(n_neighbors=20),
    "interpolation": "interpolation",
    "mvg": "mvg",
}
SLOW = {name: name for name in ("gmm", "kde", "auto", "copula")}  # at d = 16, seed 0


def images(data: Path) -> dict[str, np.ndarray]:
    """Rows in [0, 1], and their digits: the first 50 000 to train on, the test set held out."""
    with np.load(data / "mnist.npz") as file:
        rows = {key: file[key].reshape(len(file[key]), -1) for key in ("X_train", "X_test")}
        train, other = np.split((rows["X_train"] / np.float32(255)).astype(np.float32), [N_TRAIN])
        return {
            "train": train,
            "y_train": file["y_train"][:N_TRAIN],
            "other": other,
            "y_other": file["y_train"][N_TRAIN:],
            "test": (rows["X_test"] / np.float32(255)).astype(np.float32),
            "y_test": file["y_test"],
        }


def classifier(X: np.ndarray, y: np.ndarray) -> nn.Sequential:
    """Train a small convolutional net on digits: 4 epochs, 64 features before its last layer."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            *(nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 16, 3, stride=2, padding=1)),
            *(nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1)),
            *(nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, 10)),
        )
        rows, digits = torch.from_numpy(X), torch.from_numpy(y.astype(np.int64))
        optimizer = torch.optim.Adam(net.parameters(), 2e-3)
        for _ in range(4):
            for batch in torch.randperm(len(rows)).split(250):
                loss = nn.functional.cross_entropy(net(rows[batch]), digits[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return net.eval()


class IsDigit(ClassifierMixin, BaseEstimator):
    """The classifier as a judge of one digit."""

    def __init__(self, net: Any = None, digit: int = RARE) -> None:
        self.net = net
        self.digit = digit
        self.classes_ = np.array([False, True])

    def fit(self, X: Any, y: Any = None) -> IsDigit:
        return self

    @torch.no_grad()
    def predict(self, X: np.ndarray) -> np.ndarray:
        parts = torch.from_numpy(np.asarray(X, np.float32)).split(2000)
        return np.concatenate([self.net(part).argmax(1).numpy() == self.digit for part in parts])


def whole(
    data: Path, cache: Path | None, results: Results, runs: list[Run], samplers: dict[str, Any]
) -> None:
    """Fréchet distances of draws, beside those of held-out reconstructions."""
    rows = images(data)
    net = cached(cache, "classifier", partial(classifier, rows["train"], rows["y_train"]))
    features, test, real = net[:-1], rows["test"], rows["other"]
    look = partial(extract, features=features)
    seen = look(test)
    for run in runs:
        names = ("mnist", run.label)
        wanted = {k: v for k, v in samplers.items() if results.missing(*names, k, run.seed)}
        if not wanted:
            continue
        model, seconds = run.trained(cache, rows["train"])
        X = rows["train"][: run.n_rows]
        codes, encoding = timed(model.transform, X)
        held = model.transform(test)
        decoded = model.inverse_transform(held)
        ceiling = frechet_distance(decoded, test, features=features)
        results.add(
            *(*names, "ceiling", run.seed),
            frechet=ceiling,
            floor=frechet_distance(real, test, features=features),
            training_seconds=seconds,
            encoding_seconds=encoding,
            **reach(seen, look(decoded)),
            **{f"real_{name}": value for name, value in reach(seen, look(real)).items()},
        )
        for name, sampler in wanted.items():
            model.set_params(sampler=sampler)
            fitting = timed(model.fit_sampler, X)[1] - encoding
            Z, drawing = timed(model.sample_latent, 10_000, random_state=0)
            drawn = model.inverse_transform(Z)
            found = frechet_distance(drawn, test, features=features)
            copies = memorisation(Z[:N_JUDGED], codes, held[:N_JUDGED])
            results.add(
                *(*names, name, run.seed),
                frechet=found,
                of_ceiling=found / ceiling,
                copy_auc=copies.copy_auc,
                preference=copies.preference,
                preference_low=copies.preference_interval[0],
                expected=copies.training_share,
                fit_seconds=fitting,
                fit_share=fitting / seconds,
                codes_per_second=len(Z) / drawing,
                **reach(seen, look(drawn)),
                **({"chosen": type(model.sampler_.sampler_).__name__} if name == "auto" else {}),
            )


def reach(real: np.ndarray, drawn: np.ndarray) -> dict[str, float]:
    """Precision, recall and coverage, of features."""
    n = min(len(real), len(drawn), N_JUDGED)
    found = precision_recall_density_coverage(real[:n], drawn[:n])
    return {"precision": found.precision, "recall": found.recall, "coverage": found.coverage}


def rare_nines(data: Path, cache: Path | None, results: Results, n_draws: int = 10) -> None:
    """Lift of nines thinned to 2 % of 10 000 rows, after as many steps as 50 000 rows get in 12."""
    rows = images(data)
    net = cached(cache, "classifier", partial(classifier, rows["train"], rows["y_train"]))
    for seed in range(2):
        samplers = {
            "cells": (CellSampler(), False),
            "local": (LocalSampler(), False),
            "cells, by digit": (CellSampler(conditional=True), True),
            "local, by digit": (LocalSampler(conditional=True), True),
        }
        samplers = {k: v for k, v in samplers.items() if results.missing("nines", k, seed)}
        if not samplers:
            continue
        rng = np.random.RandomState(seed)
        order = rng.permutation(len(rows["train"]))
        nine = rows["y_train"][order] == RARE
        kept = rng.permutation(np.r_[order[nine][:200], order[~nine][:9800]])
        X = rows["train"][kept]
        unfitted = Run("AE", 16, "batch", seed).estimator().set_params(max_epochs=60)
        model, _ = trained(cache, f"nines-60-{seed}", unfitted, X)
        codes, held = model.transform(X), model.transform(rows["test"])
        decoded = model.inverse_transform(held)
        near = np.quantile(nearest(held, codes)[0], 0.01)
        for name, (sampler, labelled) in samplers.items():
            y = rows["y_train"][kept] if labelled else None
            model.set_params(sampler=sampler).fit_sampler(X, y)
            lifts, inside, copies = [], [], []
            for draw in range(n_draws):
                Z = model.sample_latent(10_000, random_state=draw)
                report = rare_mode_report(
                    model.inverse_transform(Z),
                    decoded,
                    y=rows["y_test"] == RARE,
                    judge=FrozenEstimator(IsDigit(net)),
                    rate=0.02,
                )
                low, high = report.corrected_interval
                lifts.append(report.corrected_lift)
                inside.append(low <= 1 <= high)
                copies.append(np.mean(nearest(Z[:2000], codes)[0] < near))
            results.add(
                *("nines", name, seed),
                lift=np.mean(lifts),
                lifts=lifts,
                furthest=np.abs(np.array(lifts) - 1).max(),
                inside=sum(inside),
                near_copies=np.mean(copies),
                judge_tpr=report.judge_tpr,
                judge_fpr=report.judge_fpr,
            )
