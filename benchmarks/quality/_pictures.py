"""Digits, colour pictures and faces: rows, features, and the figures of models and of draws."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from torch import nn

from benchmarks.quality._declare import kind_of
from benchmarks.quality._mnist import classifier, images, reach
from benchmarks.quality._rows import DATA
from benchmarks.quality._squeezenet import squeezenet_features
from geomgen.diagnostics import radial_sensitivity
from geomgen.metrics import frechet_distance, spectrum
from geomgen.metrics._features import extract

__all__ = ["SHAPES", "Pictures", "mnist", "net"]

SHAPES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("mnist", "few", "nines", "digit"), (28, 28)),
    "cifar10": (3, 32, 32),
    "faces": (64, 64),
}
ALPHAS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)  # paper L, figure 1
_WEIGHTS = "squeezenet1_1_imagenet_fp16.npz"


class Source(NamedTuple):
    """Flat rows in [0, 1]: to train on, to compare with, left over; and what they are seen by."""

    train: np.ndarray
    y_train: np.ndarray | None
    test: np.ndarray
    y_test: np.ndarray | None
    other: np.ndarray
    features: Callable[[np.ndarray], np.ndarray]


@cache
def mnist() -> dict[str, np.ndarray]:
    """Read MNIST once."""
    return images(DATA)


@cache
def net() -> nn.Sequential:
    """Train the digit classifier once; its 64 features are those of every Fréchet distance."""
    return classifier(mnist()["train"], mnist()["y_train"])


def digit_features(rows: np.ndarray) -> np.ndarray:
    return extract(rows, net()[:-1])


def digits() -> Source:
    rows = mnist()
    known = (rows[key] for key in ("train", "y_train", "test", "y_test", "other"))
    return Source(*known, features=digit_features)


def cifar10() -> Source:
    """Take four fifths of the training images, and half of the last fifth to compare with."""
    parts = []
    for i in range(5):
        with np.load(DATA / "cifar10" / f"train-{i}.npz") as file:
            rows = file["X"].transpose(0, 3, 1, 2).reshape(len(file["X"]), -1)
            parts.append(((rows / np.float32(255)).astype(np.float32), file["y"].ravel()))
    X, y = (np.concatenate(found) for found in zip(*parts[:-1], strict=True))
    (test, other), y_test = np.array_split(parts[-1][0], 2), parts[-1][1]
    features = squeezenet_features(DATA / _WEIGHTS, (3, 32, 32))
    return Source(X, y, test, y_test[: len(test)], other, features)


def faces() -> Source:
    """Deal people, not pictures: nobody is in two parts."""
    with np.load(DATA / "lfw64_gray.npz") as file:
        rows = (file["X"].reshape(len(file["X"]), -1) / np.float32(255)).astype(np.float32)
        person = file["identity"]
    rng = np.random.RandomState(0)
    order = rng.permutation(len(rows))
    lot = rng.uniform(size=person.max() + 1)[person]
    parts = ((0, 0.7), (0.7, 0.85), (0.85, 1))
    train, test, other = (
        rows[order[(low <= lot[order]) & (lot[order] < high)]] for low, high in parts
    )
    features = squeezenet_features(DATA / _WEIGHTS, (1, 64, 64))
    return Source(train, None, test, None, other, features)


SOURCES = {"mnist": digits, "few": digits, "cifar10": cifar10, "faces": faces}


@cache
def source(kind: str) -> tuple[Source, np.ndarray]:
    """Rows, and the features of those to compare with."""
    found = SOURCES[kind]()
    return found, found.features(found.test)


class Pictures:
    """The first rows of a source, the rows to compare with, and those that are left."""

    def __init__(self, data: str, budget: dict[str, Any], seed: int) -> None:
        self.seed, self.n_drawn = seed, budget["n_drawn"]
        self.source, self.seen = source(kind_of(data))
        n_train, y = budget["n_train"], self.source.y_train
        self.train = self.source.train[:n_train]
        self.y_train = None if y is None else y[:n_train]
        self.studies = {"rescaled codes": self.rescaled}

    def real(self) -> np.ndarray:
        """Take rows that no model has seen."""
        return self.source.other[: self.n_drawn]

    def of_model(self, model: Any) -> dict[str, Any]:
        """Distance of reconstructions, spectrum of directions, and accuracies from codes."""
        codes, held = model.transform(self.train), model.transform(self.source.test)
        decoded = model.inverse_transform(held)
        directions = spectrum(normalize(held))
        return {
            "mse": float(np.mean((decoded - self.source.test) ** 2)),
            "frechet": frechet_distance(self.source.features(decoded[: self.n_drawn]), self.seen),
            "top_share": directions.top_share,
            "condition": directions.condition_number,
            "participation": directions.participation,
            "entropy_rank": directions.entropy,
            **({} if self.y_train is None else self.probes(codes, held)),
        }

    def probes(self, codes: np.ndarray, held: np.ndarray) -> dict[str, float]:
        """Accuracy on rows to compare with: paper L's table 4 does not name its classifier."""
        heads = {
            "logistic": LogisticRegression(max_iter=1000),
            "mlp": MLPClassifier((128,), early_stopping=True, random_state=self.seed),
            "knn": KNeighborsClassifier(5),
        }
        found = {}
        for name, head in heads.items():
            fitted = make_pipeline(StandardScaler(), head).fit(codes, self.y_train)
            found[name] = 100 * fitted.score(held, self.source.y_test)
        return found

    def of_draws(self, drawn: np.ndarray, model: Any) -> dict[str, Any]:
        """Fréchet distance to the rows to compare with, and reach, among features."""
        features = self.source.features(drawn)
        return {"frechet": frechet_distance(features, self.seen), **reach(self.seen, features)}

    def rescaled(self, model: Any) -> dict[str, Any]:
        """Errors of reconstructions from codes that are moved along their ray (paper L, Fig. 1)."""
        found = radial_sensitivity(model, self.source.test[:2000], alphas=ALPHAS)
        return {f"mse_{a:g}": mse for a, mse in zip(ALPHAS, found.mse, strict=True)}
