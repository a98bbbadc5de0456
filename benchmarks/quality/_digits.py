"""MNIST: all digits (paper L), and with 2 % nines (paper G); figures of models and of draws."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from benchmarks.quality._mnist import RARE, IsNine, classifier, images, reach
from benchmarks.quality._rows import DATA
from geomgen.metrics import frechet_distance, rare_mode_report, sample_diversity, spectrum

__all__ = ["Digits", "Nines", "Pixels"]

RATE = 0.02


@cache
def rows() -> dict[str, np.ndarray]:
    """Read MNIST once."""
    return images(DATA)


@cache
def net() -> Any:
    """Train the digit classifier once; its 64 features are those of every Fréchet distance."""
    return classifier(rows()["train"], rows()["y_train"])


class Pixels:
    """The identity, as a row of the table of probes: accuracy from the pixels themselves."""

    def fit(self, X: np.ndarray) -> Pixels:
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        return X

    inverse_transform = transform


class Digits:
    """The first rows of MNIST, the test set and the rows of the training set that are left."""

    def __init__(self, data: str, budget: dict[str, Any], seed: int) -> None:
        self.seed, self.n_drawn = seed, budget["n_drawn"]
        self.train = rows()["train"][: budget["n_train"]]
        self.y_train = rows()["y_train"][: budget["n_train"]]
        self.test = rows()["test"]

    def real(self) -> np.ndarray:
        """Take rows that no model has seen."""
        return rows()["other"][: self.n_drawn]

    def of_model(self, model: Any) -> dict[str, Any]:
        """Distance of reconstructions, spectrum of directions, and accuracies from codes."""
        codes, held = model.transform(self.train), model.transform(self.test)
        decoded = model.inverse_transform(held)
        directions = spectrum(normalize(held))
        return {
            "mse": float(np.mean((decoded - self.test) ** 2)),
            "frechet": frechet_distance(decoded, self.test, features=net()[:-1]),
            "top_share": directions.top_share,
            "condition": directions.condition_number,
            "participation": directions.participation,
            "entropy_rank": directions.entropy,
            **self.probes(codes, held),
        }

    def probes(self, codes: np.ndarray, held: np.ndarray) -> dict[str, float]:
        """Accuracy on the test set: paper L's table 4 does not name its classifier."""
        heads = {
            "logistic": LogisticRegression(max_iter=1000),
            "mlp": MLPClassifier((128,), early_stopping=True, random_state=self.seed),
            "knn": KNeighborsClassifier(5),
        }
        y_test, found = rows()["y_test"], {}
        for name, head in heads.items():
            fitted = make_pipeline(StandardScaler(), head).fit(codes, self.y_train)
            found[name] = 100 * fitted.score(held, y_test)
        return found

    def of_draws(self, drawn: np.ndarray, model: Any) -> dict[str, Any]:
        """Fréchet distance to the test set, and reach, among the classifier's features."""
        distance = frechet_distance(drawn, self.test, features=net()[:-1])
        return {"frechet": distance, **reach(net()[:-1], self.test, drawn)}


class Nines:
    """Rows with 2 % nines; half of the rows left over measures judges, half is the control."""

    def __init__(self, data: str, budget: dict[str, Any], seed: int) -> None:
        self.seed, self.n_drawn = seed, budget["n_drawn"]
        all_rows, n = rows(), budget["n_train"]
        self.train = all_rows["train"][thinned(all_rows["y_train"], n, seed)]
        half = len(all_rows["other"]) // 2
        self.judged, self.left = all_rows["other"][:half], all_rows["other"][half:]
        self.y_judged, self.y_left = all_rows["y_other"][:half], all_rows["y_other"][half:]

    def real(self) -> np.ndarray:
        """Take held-out digits, 2 % of them nines."""
        most = int((self.y_left != RARE).sum() / (1 - RATE))
        return self.left[thinned(self.y_left, min(self.n_drawn, most), self.seed)]

    def of_model(self, model: Any) -> dict[str, Any]:
        """Mean squared error of digits that no model has seen."""
        decoded = model.inverse_transform(model.transform(self.judged))
        return {"mse": float(np.mean((decoded - self.judged) ** 2))}

    def of_draws(self, drawn: np.ndarray, model: Any) -> dict[str, Any]:
        """Lifts by two judges, whose errors are those on reconstructions by the same model."""
        seen = self.judged
        if model is not None:
            seen = np.asarray(model.inverse_transform(model.transform(seen)))
        figures: dict[str, Any] = {}
        for name, judge in (("nn", nearest_is_nine()), ("cnn", IsNine(net()))):
            report = rare_mode_report(
                *(drawn, seen),
                y=self.y_judged == RARE,
                judge=FrozenEstimator(judge),
                rate=RATE,
            )
            figures[f"{name}_lift"] = report.lift
            figures[f"{name}_corrected"] = report.corrected_lift
            figures[f"{name}_real"] = report.judge_lift
        test, y_test = rows()["test"], rows()["y_test"]
        thin = test[thinned(y_test, int((y_test != RARE).sum() / (1 - RATE)), 0)]
        return {
            "count": 2000 * RATE * figures["nn_lift"],
            "recall": 2000 * RATE * figures["nn_lift"] / (y_test == RARE).sum(),
            "variance": sample_diversity(thin, drawn).generated,
            "frechet": frechet_distance(drawn, thin, features=net()[:-1]),
            **figures,
        }


@cache
def nearest_is_nine() -> KNeighborsClassifier:
    """Paper G's judge: the nearest test image in pixel space."""
    return KNeighborsClassifier(1).fit(rows()["test"], rows()["y_test"] == RARE)


def thinned(y: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Choose n rows, 2 % of them nines, in random order."""
    rng = np.random.RandomState(seed)
    n_rare = round(RATE * n)
    nine, other = (rng.permutation(np.flatnonzero((y == RARE) == rare)) for rare in (True, False))
    if n_rare > len(nine) or n - n_rare > len(other):
        raise ValueError(f"n_train={n} rows with 2 % nines cannot be had of {len(y)} digits.")
    return rng.permutation(np.r_[nine[:n_rare], other[: n - n_rare]])
