"""What a report is made of: one draw, and everything that is measured of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from geomgen.metrics import (
    MembershipInference,
    Memorisation,
    membership_inference,
    memorisation,
)
from geomgen.metrics._bench import Bench
from geomgen.metrics._draws import draw_rows
from geomgen.metrics._registry import METRICS
from geomgen.pipeline import sample, unwrap

__all__ = ["Measured", "last_step"]

# What the summary asks, by the metric that answers.
_QUESTIONS = {
    "energy_distance": "Are generated rows distributed as real ones?",
    "precision": "Do they look real?",
    "recall": "Do they reach all real rows?",
    "column_distance": "Are the columns right?",
    "correlation_error": "Do columns go together as they should?",
    "classifier_auc": "Can a classifier tell them apart?",
    "corrected_rare_mode_lift": "Does the rare class come at its rate?",
    "rare_in_support": "Do rare rows lie where the rare class is?",
    "preference": "Are training rows copied?",
    "train_on_synthetic": "Can they stand in for real rows?",
}
_GOOD = (
    *("at the floor", "below the floor", "as real rows", "at its rate"),
    *("no sign of copies", "not told apart"),
)
# Above real rows: draws that keep to the middle of the data look more real than real ones.
_POOR = (
    "above real rows",
    "leans to training rows",
    "too uncertain",
    "nearer to held-out",
    "the judge cannot tell",
)
_NEAR = 2.0  # times the floor up to which a distance is poor rather than bad
_IN_SUPPORT = 0.9  # what balls around real rows hold of fresh ones, or nearly


@dataclass
class Measured:
    """A draw of a generator, its metrics, and their verdicts."""

    fitted: Any
    bench: Bench
    settings: dict[str, Any]
    seed: int
    drawn: Any = field(init=False)
    for_labels: bool = field(init=False)
    metrics: pd.DataFrame = field(init=False)
    verdicts: pd.DataFrame = field(init=False)
    memorisation: Memorisation = field(init=False)
    attack: MembershipInference = field(init=False)
    encoded: tuple[np.ndarray, ...] = field(init=False)

    def __post_init__(self) -> None:
        bench = self.bench
        self.drawn, labels = _draw(self.fitted, bench, self.seed)
        self.for_labels = labels is not None and not isinstance(self.fitted, tuple)
        if labels is not None and bench.target is None:
            bench.extras = (*bench.extras, "train_on_synthetic")
        drawn = self.drawn if labels is None else (self.drawn, labels)
        self.metrics = bench.table(drawn, self.seed)  # as ``evaluate`` would
        samples = (bench.X_train, bench.X_test, self.drawn)
        self.encoded = tuple(np.asarray(bench.encoder.transform(X), float) for X in samples)
        train, test, drawn = self.encoded
        self.memorisation = memorisation(drawn, train, test)
        self.attack = membership_inference(drawn, train, test, random_state=self.seed)
        self.verdicts = self._verdicts()

    def _verdicts(self) -> pd.DataFrame:
        rows = {}
        for name, question in _QUESTIONS.items():
            if name in self.metrics.index:
                row = self.metrics.loc[name]
                rows[question] = _judged(name, row)
        rows |= self._missing() | self._copies() | self._use()
        low, _ = self.attack.interval
        status = "good" if low <= 0.5 else "poor" if self.attack.accuracy < 0.6 else "bad"
        rows["Can training rows be told by an attack?"] = (
            status,
            f"{self.attack.accuracy:.1%} told rightly, 50 % by chance",
        )
        return pd.DataFrame.from_dict(rows, orient="index", columns=["status", "verdict"])

    def _missing(self) -> dict[str, tuple[str, str]]:
        """Say of missing values what distances between imputed rows may not show."""
        bench = self.bench
        real, drawn = (pd.DataFrame(X).isna().mean().to_numpy() for X in (bench.X_test, self.drawn))
        if not (real.any() or drawn.any()):
            return {}
        column = int(np.abs(drawn - real).argmax())
        off = abs(drawn[column] - real[column])
        name = column if bench.columns is None else bench.columns[column]
        status = "good" if off <= 0.05 else "poor" if off <= 0.2 else "bad"
        words = f"furthest off in {name}: {drawn[column]:.1%} missing, real rows {real[column]:.1%}"
        return {"Are values missing where they should be?": (status, words)}

    def _copies(self) -> dict[str, tuple[str, str]]:
        """Say of rows that equal a training row what their preference may not show."""
        if self.metrics.loc["exact_copies", "verdict"] != "copies":
            return {}
        found = self.memorisation
        words = (
            f"copies: {found.exact_copies:.2%} equal a training row, and "
            f"{found.exact_copies_holdout:.2%} of held-out rows (preference "
            f"{found.preference:.3g}, real rows {found.training_share:.3g})"
        )
        return {_QUESTIONS["preference"]: ("bad", words)}

    def _use(self) -> dict[str, tuple[str, str]]:
        """Say of a classifier that it is at chance, where a ratio may look well."""
        if "train_on_synthetic" not in self.metrics.index:
            return {}
        row, labels = self.metrics.loc["train_on_synthetic"], self.bench.labels
        chance = 1 / len(np.unique(labels[1]))
        question = _QUESTIONS["train_on_synthetic"]
        if row["real"] <= chance:
            return {question: ("poor", "not to be told: training on real rows is at chance")}
        if row["value"] <= chance:
            return {question: ("bad", f"{row['verdict']}, which is at chance ({chance:.2g})")}
        return {}


def _judged(name: str, row: pd.Series) -> tuple[str, str]:
    """Status and words of a metric."""
    if name == "rare_in_support":
        share = row["value"]
        words = "none was counted rare" if np.isnan(share) else f"{share:.0%} of them"
        return "good" if share >= _IN_SUPPORT else "bad", words
    if name == "train_on_synthetic":
        ratio = row["value"] / row["real"] if row["real"] > 0 else np.nan
        status = "good" if ratio >= 0.95 else "poor" if ratio >= 0.8 else "bad"
        return status, row["verdict"]
    said = row["verdict"]
    figures = f"{said} ({name.replace('_', ' ')} {row['value']:.3g}, real rows {row['real']:.3g})"
    if said.startswith(_GOOD):
        return "good", figures
    near = name in METRICS and "× the floor" in said and row["value"] <= _NEAR * row["real"]
    return "poor" if near or said.startswith(_POOR) else "bad", figures


def _draw(fitted: Any, bench: Bench, seed: int) -> tuple[Any, Any]:
    """Rows, and labels: given, or drawn for them by a sampler that knows them."""
    if bench.labels is None or bench.target is not None or not _knows_labels(fitted):
        return draw_rows(fitted, bench.n_draws, seed, bench.columns)
    labels = np.random.RandomState(seed).choice(bench.labels[0], bench.n_draws)
    rows = sample(fitted, bench.n_draws, random_state=seed, y=labels)
    return draw_rows((rows, labels), bench.n_draws, seed, bench.columns)


def _knows_labels(fitted: Any) -> bool:
    return bool(getattr(getattr(last_step(fitted), "sampler_", None), "labelled_", False))


def last_step(fitted: Any) -> Any:
    """Return what draws: the last step of a pipeline, what a search found, nested as you like."""
    if not isinstance(fitted, BaseEstimator):
        return fitted
    model = unwrap(fitted)
    while isinstance(model, Pipeline):
        model = unwrap(model.steps[-1][1])
    return model
