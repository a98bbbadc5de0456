"""MNIST with one rare digit (paper G): lifts by two judges, and why a collapse counts as nines."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier

import geomgen
from benchmarks.quality._mnist import IsDigit
from benchmarks.quality._pictures import digit_features, mnist, net
from geomgen.metrics import frechet_distance, rare_mode_report, sample_diversity

__all__ = ["RareDigit", "thinned"]

N_COUNTED = 2000  # paper G, table 5
N_REPEATS = 10


class RareDigit:
    """Rows with few of one digit; half of the rows left over measures judges, half is the control.

    ``"nines"`` is paper G's work; ``"digit, 3 at 0.5 %"`` names another digit and rate.
    """

    def __init__(self, data: str, budget: dict[str, Any], seed: int) -> None:
        self.seed, self.n_drawn = seed, budget["n_drawn"]
        self.is_paper = data == "nines"
        self.digit, self.rate = (9, 0.02) if self.is_paper else parsed(data)
        rows, n = mnist(), budget["n_train"]
        kept = thinned(rows["y_train"], n, seed, self.digit, self.rate)
        self.train, self.y_train = rows["train"][kept], rows["y_train"][kept]
        half = len(rows["other"]) // 2
        self.judged, self.left = rows["other"][:half], rows["other"][half:]
        self.y_judged, self.y_left = rows["y_other"][:half], rows["y_other"][half:]
        y_test = rows["y_test"]
        most = int((y_test != self.digit).sum() / (1 - self.rate))
        self.test = rows["test"][thinned(y_test, most, 0, self.digit, self.rate)]
        self.seen = digit_features(self.test)
        self.studies = {"ten draws": self.ten_draws, "nearest images": self.nearest_images}

    def real(self, seed: int | None = None) -> np.ndarray:
        """Take held-out digits, as few of them rare."""
        most = int((self.y_left != self.digit).sum() / (1 - self.rate))
        seed = self.seed if seed is None else seed
        n = min(self.n_drawn, most)
        return self.left[thinned(self.y_left, n, seed, self.digit, self.rate)]

    def of_model(self, model: Any) -> dict[str, Any]:
        """Mean squared error of digits that no model has seen."""
        decoded = model.inverse_transform(model.transform(self.judged))
        return {"mse": float(np.mean((decoded - self.judged) ** 2))}

    def of_draws(self, drawn: np.ndarray, model: Any) -> dict[str, Any]:
        """Lifts by two judges, whose errors are those on reconstructions by the same model."""
        figures: dict[str, Any] = {}
        seen, y_test = self.reconstructed(model), mnist()["y_test"]
        judges = {"nn": nearest_image(self.digit), "cnn": IsDigit(net(), self.digit)}
        for name, judge in judges.items():
            report = self.report(drawn, seen, judge)
            figures[f"{name}_lift"] = report.lift
            figures[f"{name}_corrected"] = report.corrected_lift
            figures[f"{name}_real"] = report.judge_lift
        counted = N_COUNTED * self.rate * figures["nn_lift"]
        return {
            "count": counted,
            "recall": counted / (y_test == self.digit).sum(),
            "variance": sample_diversity(self.test, drawn).generated,
            "frechet": self.distance(drawn),
            **figures,
        }

    def ten_draws(self, model: Any) -> dict[str, Any]:
        """Corrected lift by the classifier, and distance, of ten draws by the default sampler."""
        seen, judge = self.reconstructed(model), IsDigit(net(), self.digit)
        lifts, inside, distances = [], 0, []
        for draw in range(N_REPEATS):
            if model is None:
                drawn = self.real(1000 * self.seed + draw)
            else:
                drawn = np.float32(geomgen.sample(model, self.n_drawn, random_state=draw))
            report = self.report(drawn, seen, judge)
            low, high = report.corrected_interval
            lifts.append(report.corrected_lift)
            inside += bool(low <= 1 <= high)
            distances.append(self.distance(drawn))
        return {
            "lift_ten": np.mean(lifts),
            "furthest": np.abs(np.array(lifts) - 1).max(),
            "inside_ten": inside,
            "frechet_ten": np.mean(distances),
        }

    def nearest_images(self, model: Any) -> dict[str, Any]:
        """Which test images are next to draws of the prior, and next to mean images."""
        drawn = np.float32(geomgen.sample(model, N_COUNTED, random_state=0))
        found = image_index().kneighbors(drawn, return_distance=False)[:, 0]
        not_rare = self.train[self.y_train != self.digit].mean(0)
        images = np.stack([self.train.mean(0), not_rare, drawn.mean(0)])
        near = image_index().kneighbors(images, return_distance=False)[:, 0]
        digits = mnist()["y_test"]
        return {
            "mean_is": int(digits[near[0]]),
            "mean_without_is": int(digits[near[1]]),
            "mean_draw_is": int(digits[near[2]]),
            "off_mean": float(np.sqrt(((drawn - self.train.mean(0)) ** 2).mean())),
            "images_hit": len(set(found)),
            "commonest": float(np.bincount(found).max() / len(found)),
        }

    def reconstructed(self, model: Any) -> np.ndarray:
        """Digits to measure a judge on: as a model shows them."""
        if model is None or not hasattr(model, "transform"):
            return self.judged
        return np.asarray(model.inverse_transform(model.transform(self.judged)))

    def report(self, drawn: np.ndarray, seen: np.ndarray, judge: Any) -> Any:
        is_rare = self.y_judged == self.digit
        frozen = FrozenEstimator(judge)
        return rare_mode_report(drawn, seen, y=is_rare, judge=frozen, rate=self.rate)

    def distance(self, drawn: np.ndarray) -> float:
        return frechet_distance(digit_features(drawn), self.seen)


def parsed(data: str) -> tuple[int, float]:
    """Read "digit, 3 at 0.5 %": the digit, and its rate."""
    digit, rate = data.removeprefix("digit, ").removesuffix(" %").split(" at ")
    return int(digit), float(rate) / 100


@cache
def image_index() -> KNeighborsClassifier:
    """Index the test images by their pixels."""
    return KNeighborsClassifier(1).fit(mnist()["test"], mnist()["y_test"])


@cache
def nearest_image(digit: int) -> KNeighborsClassifier:
    """Paper G's judge: the nearest test image in pixel space."""
    return KNeighborsClassifier(1).fit(mnist()["test"], mnist()["y_test"] == digit)


def thinned(y: np.ndarray, n: int, seed: int, digit: int = 9, rate: float = 0.02) -> np.ndarray:
    """Choose n rows, a share of them of one digit, in random order."""
    rng = np.random.RandomState(seed)
    n_rare = round(rate * n)
    rare, other = (
        rng.permutation(np.flatnonzero((y == digit) == of_it)) for of_it in (True, False)
    )
    if n_rare > len(rare) or n - n_rare > len(other):
        raise ValueError(
            f"n_train={n} rows with {100 * rate:g} % of digit {digit} cannot be had of {len(y)} "
            "digits."
        )
    return rng.permutation(np.r_[rare[:n_rare], other[: n - n_rare]])
