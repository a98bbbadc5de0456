"""Real rows made ready to judge any number of generators on the same terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t
from sklearn.utils.multiclass import type_of_target

from geomgen._frames import join, take
from geomgen.metrics._checks import check_count
from geomgen.metrics._draws import draw_rows
from geomgen.metrics._encode import (
    as_rows,
    fit_encoder,
    nearest_label,
    split_target,
)
from geomgen.metrics._registry import METRICS, Metric
from geomgen.metrics._verdicts import of_floor, of_lift, of_share, of_test
from geomgen.metrics.memorisation import memorisation
from geomgen.metrics.rare import is_rare
from geomgen.metrics.rare_report import rare_mode_report
from geomgen.metrics.utility import train_on_synthetic

__all__ = ["Bench", "Row"]

_MAX_ROWS = 5000
_EXTRAS = ("memorisation", "rare_modes", "train_on_synthetic")  # of more than two samples


class Row(NamedTuple):
    """A line of the table: a number, its interval, what real rows get, and words for it."""

    value: float
    low: float = np.nan
    high: float = np.nan
    real: float = np.nan
    real_sd: float = np.nan
    verdict: str = ""


@dataclass
class Bench:
    """Real rows, and the floors of the metrics between them; see :func:`evaluate`."""

    X_train: Any
    X_test: Any
    y: Any = None
    rare_label: Any = None
    target: Any = None
    metrics: Any = "default"
    preprocess: Any = "standard"
    judge: Any = None
    n_samples: int | None = None
    n_repeats: int = 10
    seed: int = 0
    _floors: dict[int, dict[str, tuple[float, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.X_train = as_rows(self.X_train, name="X_train")
        self.columns = getattr(self.X_train, "columns", None)
        self.X_test = as_rows(self.X_test, self.columns, name="X_test")
        for name, rows in (("X_train", self.X_train), ("X_test", self.X_test)):
            if rows.ndim != 2 or len(rows) < 2:
                raise ValueError(f"{name} of shape {rows.shape}: at least two rows are needed.")
        if self.X_train.shape[1] != self.X_test.shape[1]:
            raise ValueError(
                f"X_train has {self.X_train.shape[1]} columns and X_test {self.X_test.shape[1]}."
            )
        check_count(self.n_repeats, "n_repeats", 2)
        n = _MAX_ROWS if self.n_samples is None else self.n_samples
        check_count(n, "n_samples", 2)
        self.labels: Any = self._check_labels()
        if self.labels is not None and self.rare_label is None:  # one label, in all that follows
            labels, counts = np.unique(self.labels[0], return_counts=True)
            self.rare_label = labels[counts.argmin()]
        self.named, self.extras = resolve(self.metrics, self.labels is not None, self.target)
        if self.X_train.shape[1] < 2:  # one column has no pairs
            self.named.pop("correlation_error", None)
        if "rare_modes" in self.extras:
            self.rate = float(is_rare(self.labels[0], self.rare_label).mean())
        self.pool = join([self.X_train, self.X_test])
        self.encoder = fit_encoder(self.preprocess, self.pool)
        self.rng = np.random.RandomState(self.seed)
        # where one more value falls, 95 % of the time, by the mean and spread of n_repeats
        self.margin = t.ppf(0.975, self.n_repeats - 1) * (1 + 1 / self.n_repeats) ** 0.5
        self.n_draws = min(len(self.X_train), n)
        self.n_test = min(len(self.X_test), n)
        self.test = self._subset(self.X_test, self.n_test)

    # ------------------------------------------------------------------------------- the table
    def table(self, generator: Any, seed: int) -> pd.DataFrame:
        """Judge one generator: one row a metric."""
        drawn, labels = draw_rows(generator, self.n_draws, seed, self.columns)
        if drawn.ndim != 2 or drawn.shape[1] != self.X_train.shape[1]:
            raise ValueError(
                f"The generated rows have shape {drawn.shape}, the real ones "
                f"{self.X_train.shape[1]} columns."
            )
        rows = self._two_sample(drawn)
        if "memorisation" in self.extras:
            rows |= self._memorisation(drawn)
        if "rare_modes" in self.extras:
            rows |= self._rare_modes(drawn)
        if "train_on_synthetic" in self.extras:
            rows |= self._utility(drawn, labels)
        return pd.DataFrame.from_dict(rows, orient="index", columns=Row._fields).rename_axis(
            "metric"
        )

    def _two_sample(self, drawn: Any) -> dict[str, Row]:
        results = self._results(self.test, drawn, self.named)
        floors = self._floor(len(drawn))
        rows = {}
        for name, metric in self.named.items():
            result = results[metric.function]
            value = metric.read(result)
            if metric.tested:
                rows[name] = Row(value, real=0.5, verdict=of_test(result.pvalue))
            else:
                real, sd = floors[name]
                verdict = of_floor(value, real, self.margin * sd, metric.greater_is_better)
                rows[name] = Row(value, real=real, real_sd=sd, verdict=verdict)
        return rows

    def _results(self, real: Any, drawn: Any, named: dict[str, Metric]) -> dict[Callable, Any]:
        """Results of two samples, each function called once."""
        scaled = self.encoder.transform(real), self.encoder.transform(drawn)
        return {
            function: function(*(scaled if on_scale else (real, drawn)))
            for function, on_scale in {m.function: m.encoded for m in named.values()}.items()
        }

    def _floor(self, n: int) -> dict[str, tuple[float, float]]:
        """Mean and spread of the metrics when real rows take the place of the generated ones."""
        if n not in self._floors:
            named = {name: m for name, m in self.named.items() if not m.tested}
            repeats = []
            for _ in range(self.n_repeats):
                order = self.rng.permutation(len(self.pool))
                real, dealt = order[: self.n_test], order[self.n_test : self.n_test + n]
                results = self._results(take(self.pool, real), take(self.pool, dealt), named)
                repeats.append([m.read(results[m.function]) for m in named.values()])
            values = np.array(repeats)
            levels = zip(values.mean(0).tolist(), values.std(0, ddof=1).tolist(), strict=True)
            self._floors[n] = dict(zip(named, levels, strict=True))
        return self._floors[n]

    # --------------------------------------------------------- what needs more than two samples
    def _memorisation(self, drawn: Any) -> dict[str, Row]:
        train, test, rows = (
            np.asarray(self.encoder.transform(x)) for x in (self.X_train, self.X_test, drawn)
        )
        found = memorisation(rows, train, test)
        return {
            "preference": Row(
                found.preference,
                *found.preference_interval,
                real=found.training_share,
                verdict=of_share(found.preference, found.preference_interval, found.training_share),
            ),
            "copy_auc": Row(found.copy_auc, real=0.5),
            "exact_copies": Row(
                found.exact_copies,
                real=found.exact_copies_holdout,
                verdict="copies" if found.copies_pvalue < 0.05 else "as held-out rows",
            ),
        }

    def _rare_modes(self, drawn: Any) -> dict[str, Row]:
        """Draws counted by a judge that knows all real rows, against the rate trained on."""
        rows, encoder = [self.pool, drawn], self.encoder
        if self.target is not None:
            rows = [split_target(x, self.target)[0] for x in rows]
            encoder = fit_encoder(self.preprocess, rows[0])
        found = rare_mode_report(
            encoder.transform(rows[1]),
            encoder.transform(rows[0]),
            y=np.concatenate(self.labels),
            rare_label=self.rare_label,
            judge=self.judge,
            rate=self.rate,
        )
        corrected = found.corrected_interval
        return {
            "rare_mode_lift": Row(found.lift, *found.lift_interval, real=found.judge_lift),
            "corrected_rare_mode_lift": Row(
                found.corrected_lift, *corrected, real=1.0, verdict=of_lift(*corrected)
            ),
            "rare_recall": Row(found.recall, real=found.expected_recall),
            "rare_in_support": Row(found.in_support, real=1.0),
        }

    def _utility(self, drawn: Any, labels: Any) -> dict[str, Row]:
        y_train, y_test = self.labels
        train, test = self.X_train, self.X_test
        if self.target is not None:
            drawn, labels = split_target(drawn, self.target)
            labels = nearest_label(labels, np.unique(y_train))
            train, test = (split_target(x, self.target)[0] for x in (train, test))
        elif labels is None:
            raise ValueError(
                "metrics has 'train_on_synthetic', but the generated rows have no labels: pass "
                "target=, the column of the label, or a pair of rows and labels."
            )
        known = np.isin(labels, y_train)  # a stray label helps no classifier of the real ones
        if len(np.unique(labels[known])) < 2:
            return {"train_on_synthetic": Row(np.nan, verdict="one class only: nothing to train")}
        drawn, labels = take(drawn, np.nonzero(known)[0]), labels[known]
        found = train_on_synthetic(drawn, labels, train, y_train, test, y_test)
        verdict = f"{found.ratio:.3f} of training on real rows"
        if not known.all():
            verdict += f" ({(~known).mean():.1%} stray labels left out)"
        return {"train_on_synthetic": Row(found.tstr, real=found.trtr, verdict=verdict)}

    # ---------------------------------------------------------------------------------- checks
    def _check_labels(self) -> tuple[np.ndarray, ...] | None:
        if self.target is not None:
            if self.y is not None:
                raise ValueError("Pass y or target, not both.")
            labels = tuple(split_target(x, self.target)[1] for x in (self.X_train, self.X_test))
            for found in labels:
                if pd.isna(found).any():
                    raise ValueError(f"target={self.target!r} has missing labels: drop those rows.")
                if type_of_target(found).startswith("continuous"):
                    raise ValueError(f"target={self.target!r} holds measurements, not labels.")
            return labels
        if self.y is None:
            return None
        if not isinstance(self.y, tuple) or len(self.y) != 2:
            raise TypeError("y must be a pair: the labels of X_train and of X_test.")
        labels = np.asarray(self.y[0]), np.asarray(self.y[1])
        if any(pd.isna(found).any() for found in labels):
            raise ValueError("y has missing labels: drop those rows, or give them a label.")
        for name, found, rows in zip(
            ("X_train", "X_test"), labels, (self.X_train, self.X_test), strict=True
        ):
            if found.shape != (len(rows),):
                raise ValueError(f"{name} has {len(rows)} rows, its labels shape {found.shape}.")
        return labels

    def _subset(self, X: Any, n: int) -> Any:
        return X if n >= len(X) else take(X, np.sort(self.rng.permutation(len(X))[:n]))


def resolve(metrics: Any, labelled: bool, target: Any) -> tuple[dict[str, Metric], tuple[str, ...]]:
    """Two-sample metrics by name, and which of the others."""
    if isinstance(metrics, Mapping):
        bad = [name for name, function in metrics.items() if not callable(function)]
        if bad:
            raise TypeError(f"metrics has no function for {bad}.")
        # of a function it is not known which way is better
        return {name: Metric(f, greater_is_better=None) for name, f in metrics.items()}, ()
    possible = ["memorisation"]
    possible += ["rare_modes"] if labelled else []
    possible += ["train_on_synthetic"] if target is not None else []
    if isinstance(metrics, str):
        if metrics not in ("default", "all"):
            raise ValueError(
                f"metrics={metrics!r} must be 'default', 'all', a list of names or a dictionary."
            )
        chosen = {k: m for k, m in METRICS.items() if m.default or metrics == "all"}
        return chosen, tuple(possible)
    names = list(metrics)
    if not names:
        raise ValueError("metrics is empty: name some, or leave it out.")
    unknown = [name for name in names if name not in METRICS and name not in _EXTRAS]
    if unknown:
        raise ValueError(f"Unknown metrics {unknown}. Use some of {[*METRICS, *_EXTRAS]}.")
    if "rare_modes" in names and not labelled:
        raise ValueError("metrics has 'rare_modes', which needs labels: y=(y_train, y_test).")
    if "train_on_synthetic" in names and not labelled:
        raise ValueError("metrics has 'train_on_synthetic', which needs labels: target= or y=.")
    extras = tuple(name for name in names if name in _EXTRAS)
    return {name: METRICS[name] for name in names if name in METRICS}, extras
