"""Scorers: what they measure, what they draw, and how they are put together."""

import math
import pickle

import numpy as np
import pandas as pd
import polars
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from geomgen.metrics import (
    EffectiveRankScorer,
    GenerativeScorer,
    MemorisationScorer,
    MetricScorer,
    RareModeLiftScorer,
    TrainOnSyntheticScorer,
    effective_rank,
    effective_rank_scorer,
    energy_distance,
    energy_distance_scorer,
    get_scorer,
    get_scorer_names,
    kernel_mmd,
    memorisation,
    rare_mode_lift_scorer,
)
from geomgen.metrics._registry import METRICS
from geomgen.models import AE

from .helpers import small

y = np.repeat(["common", "rare"], [270, 30])
X = np.random.RandomState(0).normal(size=(300, 3)) + 20 * (y == "rare")[:, None]
SCORERS = [
    MetricScorer(n_samples=50),
    RareModeLiftScorer(rare_label="rare", random_state=3),
    EffectiveRankScorer(kind="entropy", center=True),
    GenerativeScorer(["energy_distance"], n_samples=7),
    GenerativeScorer({"a": RareModeLiftScorer(judge=DecisionTreeClassifier(random_state=0))}),
    energy_distance_scorer,
    rare_mode_lift_scorer,
    effective_rank_scorer,
]


@pytest.fixture(scope="module")
def model():
    return small(AE, max_epochs=30, sampler="mvg").fit(X)


class Fixed(BaseEstimator):
    """A generator that has one draw, and records what it is asked for."""

    def __init__(self, rows=None):
        self.rows = rows

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def sample(self, n_samples, random_state=None):
        self.asked_ = n_samples, random_state.randint(2**31)
        return np.resize(self.rows, (n_samples, np.shape(self.rows)[1]))


# --------------------------------------------------------------------------------- objects
@pytest.mark.parametrize("scorer", SCORERS, ids=repr)
def test_scorers_are_plain_objects(scorer, model):
    value = scorer(model, X, y)
    for copied in (pickle.loads(pickle.dumps(scorer)), clone(scorer)):
        assert repr(copied) == repr(scorer) and copied(model, X, y) == value
    assert scorer(model, X, y) == value


def test_repr():
    assert repr(SCORERS[0]) == "MetricScorer(n_samples=50)"
    assert repr(SCORERS[3]) == "GenerativeScorer(n_samples=7, scorers=['energy_distance'])"


@pytest.mark.parametrize("name", get_scorer_names())
def test_get_scorer(name, model):
    scorer = get_scorer(name)
    assert scorer.name == name and repr(get_scorer(f"{name}_scorer")) == repr(scorer)
    assert get_scorer(name, n_samples=11).n_samples == 11


@pytest.mark.parametrize("name", sorted(METRICS))
def test_metrics_by_name_and_their_signs(name):
    """The data themselves beat noise far from them, whichever way the metric counts."""
    near, far = (
        Fixed(rows).fit(X) for rows in (X, 5 * X[::-1] + np.random.RandomState(0).rand(300, 3))
    )
    scorer = get_scorer(name, n_samples=300)
    good, bad = scorer(near, X), scorer(far, X)
    assert scorer.name == name
    metric = METRICS[name]
    value = metric.read(metric.function(X, X.copy()))
    assert good == pytest.approx(value if metric.greater_is_better else -value, abs=1e-9)
    if name not in ("correlation_error", "density"):
        assert good > bad


def test_parameters_of_a_metric():
    scorer = get_scorer("kernel_mmd", kernel="imq", n_samples=50)
    assert scorer.params == {"kernel": "imq"} and scorer.n_samples == 50
    fitted = Fixed(X[:50] + 1).fit(X)
    assert scorer(fitted, X) == -kernel_mmd(X, X[:50] + 1, kernel="imq")
    both = get_scorer("kernel_mmd", params={"kernel": "imq"}, unbiased=False)
    assert both.params == {"kernel": "imq", "unbiased": False}
    with pytest.raises(TypeError, match="no parameters of 'kernel_mmd'"):
        get_scorer("kernel_mmd", n_neighbors=3)


def test_a_metric_of_ones_own():
    def worst(X, drawn):
        return np.abs(X.mean(0) - drawn.mean(0)).max()

    fitted = Fixed(X[:50] + 1).fit(X)
    expected = worst(X, X[:50] + 1)
    low = MetricScorer(metric=worst, greater_is_better=False, n_samples=50)
    assert low(fitted, X) == -expected and low.name == "worst"
    assert MetricScorer(metric=worst, greater_is_better=True, n_samples=50)(fitted, X) == expected
    with pytest.raises(ValueError, match="greater_is_better=None"):
        MetricScorer(metric=worst)(fitted, X)
    with pytest.raises(ValueError, match="wrong for 'recall'"):
        MetricScorer(metric="recall", greater_is_better=False)(fitted, X)
    with pytest.raises(ValueError, match="Unknown metric 'fid'"):
        MetricScorer(metric="fid")(fitted, X)


def test_columns_on_one_scale():
    """Standardised, a column's unit does not count."""
    wide = X * [1, 1000, 1]
    scorer = MetricScorer(preprocess="standard", n_samples=200)
    one, two = (scorer(Fixed(rows[:200]).fit(rows), rows) for rows in (X, wide))
    assert one == pytest.approx(two)
    by_own = MetricScorer(preprocess=StandardScaler(), n_samples=200)(Fixed(X[:200]).fit(X), X)
    assert by_own == pytest.approx(one)


def test_categories_on_one_scale():
    frame = pd.DataFrame({"x": X[:, 0], "c": np.where(X[:, 1] > 0, "u", "v")})

    class Rows(Fixed):
        def sample(self, n_samples, random_state=None):
            return self.rows.iloc[:n_samples]

    fitted = Rows(frame).fit(frame)
    scorer = MetricScorer(preprocess="standard", n_samples=300)
    assert scorer(fitted, frame) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="'c'.* not numbers"):
        MetricScorer(n_samples=300)(fitted, frame)


def test_memorisation_scorer():
    train, held = X[:200], X[200:]
    copies = Fixed(train + 1e-4).fit(X)
    fresh = Fixed(np.random.RandomState(7).normal(size=(400, 3))).fit(X)
    scorer = MemorisationScorer(X_train=X, n_samples=400)
    found = memorisation(np.resize(train + 1e-4, (400, 3)), train, held)
    expected = -abs(found.preference - 200 / 300)
    assert scorer(copies, held) == pytest.approx(expected) and expected < -0.2
    assert scorer(fresh, held) > -0.15
    frame = polars.DataFrame(X, schema=["a", "b", "c"])
    by_frame = MemorisationScorer(X_train=frame, preprocess="standard", n_samples=400)
    assert by_frame(copies, pd.DataFrame(held, columns=["a", "b", "c"])) < -0.2
    with pytest.raises(ValueError, match="X_train=X"):
        MemorisationScorer()(copies, held)
    with pytest.raises(ValueError, match="no row besides"):
        MemorisationScorer(X_train=held)(copies, held)


def test_train_on_synthetic_scorer():
    rows = np.c_[X, y == "rare"]
    scorer = TrainOnSyntheticScorer(target=3, classifier=DecisionTreeClassifier(random_state=0))
    assert scorer(Fixed(rows + 0.01).fit(rows), rows) == 1.0  # labels between 0 and 1 are rounded
    swapped = np.c_[X, y != "rare"].astype(float)
    assert scorer(Fixed(swapped).fit(rows), rows) == 0.0
    # a fold that lacks a class: its labels are rounded among all of them, if they are known
    part = rows[rows[:, 3] == 0][:40]
    fitted = Fixed(rows).fit(rows)
    known = TrainOnSyntheticScorer(
        target=3,
        classes=[0, 1],
        classifier=DecisionTreeClassifier(random_state=0),
        scoring="accuracy",
    )
    assert known(fitted, part) == 1.0
    with pytest.raises(ValueError, match="one class only"):
        TrainOnSyntheticScorer(target=3)(fitted, part)
    with pytest.raises(ValueError, match="target=9 is no column"):
        TrainOnSyntheticScorer(target=9)(Fixed(rows).fit(rows), rows)


def test_unknown_names():
    with pytest.raises(ValueError, match="Unknown scorer 'fid'.*energy_distance"):
        get_scorer("fid")
    with pytest.raises(ValueError, match="Unknown scorer 'fid'"):
        GenerativeScorer(["energy_distance", "fid"])(Fixed(X).fit(X), X)
    with pytest.raises(TypeError, match="not a scorer of geomgen"):
        GenerativeScorer({"mine": len})(Fixed(X).fit(X), X)
    with pytest.raises(TypeError):
        get_scorer("energy_distance", kind="entropy")


@pytest.mark.parametrize(
    "scorer", [MetricScorer(n_samples=0), EffectiveRankScorer(kind="stable")], ids=repr
)
def test_bad_parameters(scorer, model):
    with pytest.raises(ValueError, match="n_samples|kind"):
        scorer(model, X)


# --------------------------------------------------------------------------------- numbers
def test_energy_distance_scorer(model):
    scorer = MetricScorer(n_samples=400, random_state=5)
    expected = -energy_distance(X, model.sample(400, random_state=5))
    assert scorer(model, X) == expected < 0
    assert scorer(model, X, y) == expected
    assert MetricScorer(n_samples=400, random_state=6)(model, X) != expected


@pytest.mark.parametrize(("rows", "n"), [(5, 1000), (1000, 1000), (1200, 1200)])
def test_size_and_seed_of_the_draw(rows, n):
    generator = Fixed([[0.0]]).fit(None)
    seeds = set()
    for _ in range(2):
        energy_distance_scorer(generator, np.zeros((rows, 1)))
        assert generator.asked_[0] == n
        seeds.add(generator.asked_[1])
    assert len(seeds) == 1


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.4])
def test_rare_mode_lift_scorer(share):
    """A draw of known composition: -|share / 0.1 - 1|; a lost mode is -1, not an error."""
    rows = np.r_[np.zeros((round(100 * (1 - share)), 3)), np.full((round(100 * share), 3), 20.0)]
    score = RareModeLiftScorer()(Fixed(rows).fit(X), X, y)
    assert score == pytest.approx(-abs(share / 0.1 - 1))
    other = RareModeLiftScorer(rare_label="common")(Fixed(rows).fit(X), X, y)
    assert other == pytest.approx(-abs((1 - share) / 0.9 - 1))


def test_rare_mode_lift_scorer_uses_the_judge():
    fitted = Fixed(np.zeros((10, 3))).fit(X)
    judge = DummyClassifier(strategy="constant", constant=1)
    raw = RareModeLiftScorer(judge=judge, corrected=False)
    with pytest.warns(UserWarning, match="cannot be corrected"):
        assert raw(fitted, X, y) == pytest.approx(-9)  # all rows judged rare: a lift of 10
    with pytest.warns(UserWarning, match="cannot be corrected"):
        assert math.isnan(RareModeLiftScorer(judge=judge)(fitted, X, y))
    assert RareModeLiftScorer()(fitted, X, y) == -1
    assert not hasattr(judge, "classes_")


class Blurred(ClassifierMixin, BaseEstimator):
    """A judge that misses half of the rare rows, by their second column's sign."""

    def fit(self, X, y):
        self.classes_ = np.array([False, True])
        return self

    def predict(self, X):
        return (X[:, 0] > 10) & (X[:, 1] > 20)


def test_rare_mode_lift_is_corrected_for_the_judge():
    fitted = Fixed(X).fit(X)  # the data themselves: the lift is 1 whoever judges
    rare = X[y == "rare"]
    hits = (rare[:, 1] > 20).mean()
    assert 0.2 < hits < 0.8
    found = [
        RareModeLiftScorer(judge=Blurred(), corrected=c, n_samples=300)(fitted, X, y)
        for c in (True, False)
    ]
    assert found == pytest.approx([0, hits - 1])


def test_rare_mode_lift_scorer_errors(model):
    with pytest.raises(ValueError, match="pass y"):
        rare_mode_lift_scorer(model, X)
    with pytest.raises(ValueError, match="StratifiedKFold"):
        RareModeLiftScorer(rare_label="rare")(model, X[:20], y[:20])


@pytest.mark.parametrize("kind", ["participation", "entropy"])
@pytest.mark.parametrize("center", [True, False])
def test_effective_rank_scorer(kind, center, model):
    expected = effective_rank(model.transform(X), kind=kind, center=center)
    assert EffectiveRankScorer(kind=kind, center=center)(model, X) == expected
    pipe = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    codes = pipe.transform(X)
    found = EffectiveRankScorer(kind=kind, center=center)(pipe, X)
    assert found == effective_rank(codes, kind=kind, center=center)


# ------------------------------------------------------------------------------ composition
def test_generative_scorer_is_its_parts(model):
    names = [*METRICS, "effective_rank", "rare_mode_lift"]
    parts = {name: get_scorer(name, n_samples=500, random_state=2) for name in names}
    expected = {name: scorer(model, X, y) for name, scorer in parts.items()}
    found = GenerativeScorer(names, n_samples=500, random_state=2)(model, X, y)
    assert found.pop("rare_mode_lift_judge") == pytest.approx(1)
    assert found == expected
    assert all(isinstance(value, float) and math.isfinite(value) for value in found.values())


def test_generative_scorer_has_one_draw():
    """Parts that have their own seeds and sizes do not use them."""
    generator = Fixed(X).fit(X)
    scorers = [MetricScorer(n_samples=5, random_state=9), "rare_mode_lift"]
    GenerativeScorer(scorers, n_samples=77)(generator, X, y)
    assert generator.asked_ == (77, np.random.RandomState(0).randint(2**31))


def test_generative_scorer_keys(model):
    named = {"ed": "energy_distance_scorer", "rank": EffectiveRankScorer(center=True)}
    assert list(GenerativeScorer(named)(model, X)) == ["ed", "rank"]
    two = {"pr": EffectiveRankScorer(), "er": EffectiveRankScorer(kind="entropy")}
    scores = GenerativeScorer(two)(model, X)
    codes = model.transform(X)
    assert scores["pr"] == effective_rank(codes)
    assert scores["er"] == effective_rank(codes, kind="entropy") != scores["pr"]


def test_two_rare_modes_have_two_judge_lifts(model):
    labels = {name: RareModeLiftScorer(rare_label=name) for name in ("common", "rare")}
    scores = GenerativeScorer(labels)(model, X, y)
    assert len(scores) == 4


def test_frames_and_arrays_agree():
    frame = pd.DataFrame(X, columns=list("abc"))
    labels = pd.Series(y, index=np.arange(300)[::-1])
    by_frame = small(AE).fit(frame)
    by_array = small(AE).fit(X)
    scorer = GenerativeScorer(n_samples=200)
    assert scorer(by_frame, frame, labels) == scorer(by_array, X, y)


def test_sign():
    """Of two candidates the one nearer to the data has the greater score."""
    near, far = Fixed(X).fit(X), Fixed(X + 1).fit(X)
    assert energy_distance_scorer(far, X) < energy_distance_scorer(near, X) <= 0
    exact = MetricScorer(n_samples=300)
    assert exact(near, X) == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (GaussianMixture(random_state=0), {"n_components": [1, 2]}),
        (make_pipeline(StandardScaler(), KernelDensity()), {"kerneldensity__bandwidth": [5, 0.1]}),
    ],
)
def test_in_a_search(estimator, grid):
    search = GridSearchCV(
        estimator,
        grid,
        scoring=GenerativeScorer(["energy_distance", "rare_mode_lift"], n_samples=300),
        refit="energy_distance",
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        error_score="raise",
    ).fit(X, y)
    assert search.best_index_ == 1
    results = search.cv_results_
    assert results["mean_test_rare_mode_lift"][1] > results["mean_test_rare_mode_lift"][0]
    assert (results["mean_test_rare_mode_lift_judge"] == 1).all()
