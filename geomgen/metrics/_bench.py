"""Real rows made ready to judge any number of generators on the same terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from geomgen.metrics._draws import draw_rows
from geomgen.metrics._encode import as_rows, fit_encoder, nearest_label, split_target, take
from geomgen.metrics._registry import METRICS, Metric
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
        self.X_train = as_rows(self.X_train)
        self.columns = getattr(self.X_train, "columns", None)
        self.X_test = as_rows(self.X_test, self.columns)
        for name, rows in (("X_train", self.X_train), ("X_test", self.X_test)):
            if rows.ndim != 2 or len(rows) < 2:
                raise ValueError(f"{name} of shape {rows.shape}: at least two rows are needed.")
        if self.X_train.shape[1] != self.X_test.shape[1]:
            raise ValueError(
                f"X_train has {self.X_train.shape[1]} columns and X_test {self.X_test.shape[1]}."
            )
        if not isinstance(self.n_repeats, int) or self.n_repeats < 2:
            raise ValueError(f"n_repeats={self.n_repeats!r} must be an int in [2, inf).")
        self.labels: Any = self._check_labels()
        self.named, self.extras = resolve(self.metrics, self.labels is not None, self.target)
        if self.X_train.shape[1] < 2:  # one column has no pairs
            self.named.pop("correlation_error", None)
        self.encoder = fit_encoder(self.preprocess, self.X_train)
        self.rng = np.random.RandomState(self.seed)
        n = _MAX_ROWS if self.n_samples is None else self.n_samples
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
                rows[name] = Row(value, real=0.5, verdict=_of_test(result.pvalue))
            else:
                real, sd = floors[name]
                verdict = _of_floor(value, real, sd, metric.greater_is_better)
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
            pool = _stack(self.X_train, self.X_test)
            named = {name: m for name, m in self.named.items() if not m.tested}
            repeats = []
            for _ in range(self.n_repeats):
                order = self.rng.permutation(len(pool))
                real, dealt = order[: self.n_test], order[self.n_test : self.n_test + n]
                results = self._results(take(pool, real), take(pool, dealt), named)
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
                verdict=_of_share(found.preference_interval, found.training_share),
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
        rows = [_stack(self.X_train, self.X_test), drawn]
        if self.target is not None:
            rows = [split_target(x, self.target)[0] for x in rows]
        encoder = fit_encoder(self.preprocess, rows[0])
        y_train, y_test = self.labels
        rate = float(is_rare(y_train, self.rare_label).mean())
        found = rare_mode_report(
            encoder.transform(rows[1]),
            encoder.transform(rows[0]),
            y=np.concatenate([y_train, y_test]),
            rare_label=self.rare_label,
            judge=self.judge,
            rate=rate,
        )
        corrected = found.corrected_interval
        return {
            "rare_mode_lift": Row(found.lift, *found.lift_interval, real=found.judge_lift),
            "corrected_rare_mode_lift": Row(
                found.corrected_lift, *corrected, real=1.0, verdict=_of_lift(*corrected)
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
        found = train_on_synthetic(drawn, labels, train, y_train, test, y_test)
        return {
            "train_on_synthetic": Row(
                found.tstr, real=found.trtr, verdict=f"{found.ratio:.2f} of training on real rows"
            ),
        }

    # ---------------------------------------------------------------------------------- checks
    def _check_labels(self) -> tuple[np.ndarray, np.ndarray] | None:
        if self.target is not None:
            if self.y is not None:
                raise ValueError("Pass y or target, not both.")
            return (
                split_target(self.X_train, self.target)[1],
                split_target(self.X_test, self.target)[1],
            )
        if self.y is None:
            return None
        if not isinstance(self.y, tuple) or len(self.y) != 2:
            raise TypeError("y must be a pair: the labels of X_train and of X_test.")
        labels = np.asarray(self.y[0]), np.asarray(self.y[1])
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
        return {name: Metric(function) for name, function in metrics.items()}, ()
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
    unknown = [name for name in names if name not in METRICS and name not in _EXTRAS]
    if unknown:
        raise ValueError(f"Unknown metrics {unknown}. Use some of {[*METRICS, *_EXTRAS]}.")
    if "rare_modes" in names and not labelled:
        raise ValueError("metrics has 'rare_modes', which needs labels: y=(y_train, y_test).")
    if "train_on_synthetic" in names and not labelled:
        raise ValueError("metrics has 'train_on_synthetic', which needs labels: target= or y=.")
    extras = tuple(name for name in names if name in _EXTRAS)
    return {name: METRICS[name] for name in names if name in METRICS}, extras


# ------------------------------------------------------------------------------------- verdicts
def _of_floor(value: float, real: float, sd: float, greater_is_better: bool) -> str:
    if not np.isfinite(value) or not np.isfinite(real):
        return "not defined here"
    if abs(value - real) <= 2 * sd:
        return "as real rows" if greater_is_better else "at the floor"
    if greater_is_better:
        return "below real rows" if value < real else "above real rows"
    if value < real:
        return "below the floor"
    if real <= sd:  # a floor about 0: no ratio to it means anything
        return f"{(value - real) / sd:.0f} sd above the floor" if sd else "above the floor"
    return f"{value / real:.1f}× the floor"


def _of_test(pvalue: float) -> str:
    p = "p < .001" if pvalue < 0.001 else f"p = {pvalue:.3f}".replace("0.", ".", 1)
    return f"{'told apart' if pvalue < 0.05 else 'not told apart'} ({p})"


def _of_share(interval: tuple[float, float], share: float) -> str:
    if interval[0] > share:
        return "nearer to training rows: copies"
    return "no sign of copies" if interval[1] >= share else "nearer to held-out rows"


def _of_lift(low: float, high: float) -> str:
    if not np.isfinite(low):
        return "the judge cannot tell"
    if low <= 1 <= high:
        return "at its rate"
    return "too few" if high < 1 else "too many"


def _stack(X: Any, Y: Any) -> Any:
    return pd.concat([X, Y], ignore_index=True) if hasattr(X, "iloc") else np.concatenate([X, Y])
