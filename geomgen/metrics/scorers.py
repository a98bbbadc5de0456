"""Scorers: ``scorer(estimator, X, y=None)``, greater is better.

``make_scorer`` compares labels with predictions; a generator is judged by its draws. Every draw
uses the same random numbers, so that candidates of a search differ by what they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from sklearn.base import BaseEstimator

from geomgen._fields import Count, check_fields, estimator
from geomgen.metrics._encode import as_rows, encoded, fit_encoder, nearest_label, split_target
from geomgen.metrics._registry import METRICS, Metric
from geomgen.metrics.memorisation import memorisation
from geomgen.metrics.rare import is_rare
from geomgen.metrics.rare_report import RareModeReport, rare_mode_report
from geomgen.metrics.spectrum import effective_rank
from geomgen.metrics.utility import train_and_score
from geomgen.pipeline import sample, unwrap

__all__ = [
    "EffectiveRankScorer",
    "MemorisationScorer",
    "MetricScorer",
    "RareModeLiftScorer",
    "Scorer",
    "TrainOnSyntheticScorer",
]


@estimator
class Scorer(BaseEstimator, ABC):
    """A callable that draws from a fitted generator and measures the draw.

    One of your own implements ``_score(estimator, X, y, drawn)``; :class:`MetricScorer` is enough
    for a number that needs only real and drawn rows.
    """

    draws: ClassVar[bool] = True

    n_samples: Annotated[
        Count | None, "Rows drawn; by default as many as X has, and at least 1000."
    ] = None
    random_state: Annotated[Any, "Seed of the draws, the same for every candidate."] = 0

    @property
    def name(self) -> str:
        """Key under which :class:`GenerativeScorer` reports it."""
        return self._name

    _name: ClassVar[str]

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        """Score a fitted generator on held-out rows."""
        check_fields(self)
        return self._score(estimator, X, y, self._draw(estimator, X))

    def _draw(self, estimator: Any, X: Any) -> Any:
        if not self.draws:
            return np.empty(0)
        n = max(len(X), 1000) if self.n_samples is None else self.n_samples
        return as_rows(sample(estimator, n, random_state=self.random_state))

    @abstractmethod
    def _score(self, estimator: Any, X: Any, y: Any, drawn: Any) -> float: ...


@estimator
class MetricScorer(Scorer):
    """A metric of real and drawn rows, signed so that greater is better.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> X = load_iris().data
    >>> one, three = (GaussianMixture(k, random_state=0).fit(X) for k in (1, 3))
    >>> scorer = MetricScorer(metric="energy_distance")
    >>> scorer(three, X) > scorer(one, X)
    True

    One of your own:

    >>> def median_error(X, drawn):
    ...     return abs(np.median(X, axis=0) - np.median(drawn, axis=0)).max()
    >>> MetricScorer(metric=median_error, greater_is_better=False)(three, X) < 0
    True
    """

    metric: Annotated[
        Any, "A name, or a function ``(X_real, X_generated, **params) -> float``."
    ] = "energy_distance"
    greater_is_better: Annotated[
        bool | None, "Needed for a function; known for the metrics that have a name."
    ] = None
    params: Annotated[dict | None, "Keywords of the metric."] = None
    preprocess: Annotated[
        Any,
        """``"standard"`` puts columns on one scale, and categories into numbers, as ``evaluate``
        does; a transformer, fitted to the real rows, likewise; None leaves them.""",
    ] = None

    @property
    def name(self) -> str:
        """The metric's name."""
        return str(getattr(self.metric, "__name__", self.metric))

    def _score(self, estimator: Any, X: Any, y: Any, drawn: Any) -> float:
        metric = self._metric()
        if metric.encoded:
            X, drawn = encoded(self.preprocess, X, drawn)
        value = metric.read(metric.function(X, drawn, **(self.params or {})))
        return value if metric.greater_is_better else -value

    def _metric(self) -> Metric:
        if callable(self.metric):
            if self.greater_is_better is None:
                raise ValueError(
                    f"greater_is_better=None: say whether greater values of {self.name} are "
                    "better, MetricScorer(metric=…, greater_is_better=False)."
                )
            return Metric(self.metric, greater_is_better=self.greater_is_better)
        if self.metric not in METRICS:
            raise ValueError(
                f"Unknown metric {self.metric!r}: use one of {sorted(METRICS)}, or a function."
            )
        known = METRICS[self.metric]
        if self.greater_is_better not in (None, known.greater_is_better):
            raise ValueError(
                f"greater_is_better={self.greater_is_better} is wrong for {self.metric!r}."
            )
        return known


@estimator
class RareModeLiftScorer(Scorer):
    """Minus the distance of the rare-mode lift from 1; about -1 when the mode is lost.

    A judge, fitted on (X, y), says which drawn rows are rare. Judges err, so the lift is the one
    corrected for the errors this one makes on real rows it has not seen; it is nan if it cannot
    tell rare rows from others.

    Give ``rare_label`` when y has more than two labels: the least frequent label of a fold need
    not be that of the data, and a fold without rare rows would be scored on another label.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KernelDensity
    >>> X = np.r_[np.zeros((90, 1)), np.full((10, 1), 9.0)]
    >>> -0.3 < RareModeLiftScorer()(KernelDensity().fit(X), X, X[:, 0] == 9) <= 0
    True
    """

    _name: ClassVar[str] = "rare_mode_lift"

    rare_label: Annotated[Any, "The label of rare rows; by default the least frequent in y."] = None
    judge: Annotated[
        Any, "A classifier; by default the nearest neighbour, columns standardised."
    ] = None
    corrected: Annotated[bool, "Whether the judge's errors are corrected for."] = True
    preprocess: Annotated[Any, "As in :class:`MetricScorer`."] = None

    def _score(self, estimator: Any, X: Any, y: Any, drawn: Any) -> float:
        return self.score_report(self.report(X, y, drawn))

    def score_report(self, report: RareModeReport) -> float:
        """Return the score that a report amounts to."""
        return -abs((report.corrected_lift if self.corrected else report.lift) - 1)

    def report(self, X: Any, y: Any, drawn: Any) -> RareModeReport:
        """Return all that the judge says of drawn rows; see :func:`rare_mode_report`."""
        rare = is_rare(y, self.rare_label)
        X, drawn = encoded(self.preprocess, X, drawn)
        return rare_mode_report(
            drawn, X, y=rare, rare_label=True, judge=self.judge, random_state=self.random_state
        )


@estimator
class EffectiveRankScorer(Scorer):
    """Effective rank of the codes of X: how many latent directions are in use.

    The estimator, or the pipeline's last step, must be a transformer. Greater is not always
    better: it is a diagnostic to watch beside the distance.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> X = np.eye(4)
    >>> round(EffectiveRankScorer()(PCA(n_components=3).fit(X), X), 6)
    3.0
    """

    _name: ClassVar[str] = "effective_rank"
    draws: ClassVar[bool] = False  # it measures codes

    kind: Annotated[
        Literal["participation", "entropy"], "Definition of the rank; see effective_rank."
    ] = "participation"
    center: Annotated[bool, "Whether to centre the codes first."] = False

    def _score(self, estimator: Any, X: Any, y: Any, drawn: Any) -> float:
        fitted = unwrap(estimator)
        if not hasattr(fitted, "transform"):
            raise TypeError(
                f"{type(fitted).__name__} has no codes, hence no effective rank: leave "
                "'effective_rank' out for densities on the data."
            )
        codes = fitted.transform(X)
        return effective_rank(codes, kind=self.kind, center=self.center)


@estimator
class MemorisationScorer(Scorer):
    r"""Minus what the draws prefer training rows by; 0 when clean.

    The score is :math:`-|\text{preference} - n_\text{train}/(n_\text{train} +
    n_\text{held-out})|` of :func:`memorisation`. In cross-validation the scorer sees only the
    held-out rows: give it all rows as ``X_train``, and those held out are taken away from them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.neighbors import KernelDensity
    >>> X = load_iris().data
    >>> copies = KernelDensity(bandwidth=0.001)
    >>> scores = cross_val_score(copies, X, scoring=MemorisationScorer(X_train=X), cv=3)
    >>> bool((scores < -0.2).all())
    True
    """

    _name: ClassVar[str] = "memorisation"

    X_train: Annotated[Any, "Rows trained on; they may include those held out."] = None
    preprocess: Annotated[Any, "As in :class:`MetricScorer`."] = None

    def _score(self, estimator: Any, X: Any, y: Any, drawn: Any) -> float:
        if self.X_train is None:
            raise ValueError("MemorisationScorer needs the rows trained on: pass X_train=X.")
        every = as_rows(self.X_train)
        columns = getattr(every, "columns", None)
        encoder = fit_encoder(self.preprocess, every)
        train, held, drawn = (
            np.ascontiguousarray(encoder.transform(as_rows(rows, columns)), np.float64)
            for rows in (every, X, drawn)
        )
        held_out = {row.tobytes() for row in held}
        train = train[[row.tobytes() not in held_out for row in train]]
        if len(train) == 0:
            raise ValueError("X_train has no row besides those scored: score held-out rows.")
        found = memorisation(drawn, train, held)
        return -abs(found.preference - found.training_share)


@estimator
class TrainOnSyntheticScorer(Scorer):
    """Score on the real rows of a classifier trained on drawn ones.

    For a generator of whole rows, of which one column is the label.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KernelDensity
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> rows = np.c_[X, y]
    >>> scorer = TrainOnSyntheticScorer(target=4, classifier=KNeighborsClassifier())
    >>> scorer(KernelDensity(bandwidth=0.1).fit(rows), rows) > 0.9
    True
    """

    _name: ClassVar[str] = "train_on_synthetic"

    target: Annotated[
        Any, "The label's column: its name in a frame, its position in an array."
    ] = -1
    classes: Annotated[
        Any,
        "All labels, where a fold may lack some; generated numbers become the nearest of them.",
    ] = None
    classifier: Annotated[Any, "Default: gradient boosting."] = None
    scoring: Annotated[Any, "A scorer's name, or a scorer."] = "balanced_accuracy"

    def _score(self, estimator: Any, X: Any, y: Any, drawn: Any) -> float:
        X = as_rows(X)
        drawn = as_rows(drawn, getattr(X, "columns", None))
        real, y_real = split_target(X, self.target)
        rows, labels = split_target(drawn, self.target)
        classes = np.unique(y_real if self.classes is None else self.classes)
        labels = nearest_label(labels, classes)
        return train_and_score(rows, labels, real, y_real, self.classifier, self.scoring)
