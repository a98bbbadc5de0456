"""Scorers: what they measure, what they draw, and how they are put together."""

import math
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
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
    EnergyDistanceScorer,
    GenerativeScorer,
    RareModeLiftScorer,
    effective_rank,
    effective_rank_scorer,
    energy_distance,
    energy_distance_scorer,
    get_scorer,
    get_scorer_names,
    judge_lift,
    rare_mode_lift_scorer,
)
from geomgen.models import AE

from .helpers import small

y = np.repeat(["common", "rare"], [270, 30])
X = np.random.RandomState(0).normal(size=(300, 3)) + 20 * (y == "rare")[:, None]
SCORERS = [
    EnergyDistanceScorer(n_samples=50),
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
    assert repr(SCORERS[0]) == "EnergyDistanceScorer(n_samples=50)"
    assert repr(SCORERS[3]) == "GenerativeScorer(n_samples=7, scorers=['energy_distance'])"


@pytest.mark.parametrize("name", get_scorer_names())
def test_get_scorer(name, model):
    scorer = get_scorer(name)
    assert scorer.name == name and repr(get_scorer(f"{name}_scorer")) == repr(scorer)
    assert get_scorer(name, n_samples=11).n_samples == 11


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
    "scorer", [EnergyDistanceScorer(n_samples=0), EffectiveRankScorer(kind="stable")], ids=repr
)
def test_bad_parameters(scorer, model):
    with pytest.raises(ValueError, match="n_samples|kind"):
        scorer(model, X)


# --------------------------------------------------------------------------------- numbers
def test_energy_distance_scorer(model):
    scorer = EnergyDistanceScorer(n_samples=400, random_state=5)
    expected = -energy_distance(X, model.sample(400, random_state=5))
    assert scorer(model, X) == expected < 0
    assert scorer(model, X, y) == expected
    assert EnergyDistanceScorer(n_samples=400, random_state=6)(model, X) != expected


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
    scorer = RareModeLiftScorer(judge=judge)
    assert scorer(fitted, X, y) == pytest.approx(-9)  # all rows are judged rare: a lift of 10
    assert scorer.judge_lift(X, y) == pytest.approx(10)
    assert RareModeLiftScorer()(fitted, X, y) == -1
    assert not hasattr(judge, "classes_")


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
    parts = {name: get_scorer(name, n_samples=500, random_state=2) for name in get_scorer_names()}
    expected = {name: scorer(model, X, y) for name, scorer in parts.items()}
    expected["rare_mode_lift_judge"] = judge_lift(X, y == "rare")
    found = GenerativeScorer(n_samples=500, random_state=2)(model, X, y)
    assert found == expected
    assert all(isinstance(value, float) and math.isfinite(value) for value in found.values())


def test_generative_scorer_has_one_draw():
    """Parts that have their own seeds and sizes do not use them."""
    generator = Fixed(X).fit(X)
    scorers = [EnergyDistanceScorer(n_samples=5, random_state=9), "rare_mode_lift"]
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
    exact = EnergyDistanceScorer(n_samples=300)
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
