"""The user's three sentences: pipelines, searches, cross-validated scores."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_validate,
)
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler
from skorch.callbacks import LRScheduler

import geomgen
from geomgen import AE, GrassmannAE, LISAGenerator, VAEGenerator
from geomgen.datasets import make_rare_digits, make_ring_mixture
from geomgen.metrics import (
    GenerativeScorer,
    RareModeLiftScorer,
    effective_rank_scorer,
    energy_distance,
    energy_distance_scorer,
    rare_mode_lift_scorer,
)

from .helpers import ESTIMATORS, name, small

X, Y = make_rare_digits(9, 0.05, random_state=0)
X, Y = X[:400], Y[:400]
FRAME = pd.DataFrame(X[:, 18:30], columns=[f"pixel{i}" for i in range(12)])
SCORING = {
    "energy_distance": energy_distance_scorer,
    "lift": rare_mode_lift_scorer,
    "erank": effective_rank_scorer,
}
CV = StratifiedKFold(2, shuffle=True, random_state=0)
every = pytest.mark.parametrize("cls", ESTIMATORS, ids=name)


# ------------------------------------------------------------------------------------- sample
@every
def test_sample_through_a_pipeline_is_in_the_units_of_the_rows(cls):
    ring, _ = make_ring_mixture(500, random_state=0)
    rows = ring * [1, 1000] + [0, 5000]
    pipe = make_pipeline(StandardScaler(), small(cls, sampler="mvg", max_epochs=30)).fit(rows)
    drawn = geomgen.sample(pipe, 300, random_state=0)
    by_hand = pipe[0].inverse_transform(pipe[-1].sample(300, random_state=0))
    np.testing.assert_array_equal(drawn, by_hand)
    plain = pipe.inverse_transform(pipe[-1].sample_latent(300, random_state=0))
    np.testing.assert_allclose(drawn, plain, rtol=1e-5)  # plain scikit-learn
    assert abs(drawn[:, 1].mean() - 5000) < 2000


def test_sample_from_anything():
    pipe = Pipeline([("nothing", "passthrough"), ("scale", StandardScaler()), ("ae", small(AE))])
    nested = make_pipeline(StandardScaler(), pipe).fit(X)
    search = GridSearchCV(pipe, {"ae__lr": [1e-3]}, cv=2).fit(X)
    for fitted in (nested, search, make_pipeline(None, search).fit(X)):
        drawn = geomgen.sample(fitted, 5, random_state=0)
        assert drawn.shape == (5, 64)
        np.testing.assert_array_equal(drawn, geomgen.sample(fitted, 5, random_state=0))
    for density in (GaussianMixture(2), KernelDensity()):
        assert geomgen.sample(density.fit(X), 5, random_state=0).shape == (5, 64)


def test_sample_forwards_keywords():
    class Density(KernelDensity):
        def sample(self, n_samples=1, random_state=None, shift=0.0):
            return super().sample(n_samples, random_state) + shift

    pipe = make_pipeline(StandardScaler(), Density()).fit(X)
    moved = geomgen.sample(pipe, 3, random_state=0, shift=1.0)
    np.testing.assert_allclose(
        moved - geomgen.sample(pipe, 3, random_state=0), [pipe[0].scale_] * 3
    )
    model = small(AE, sampler=Density()).fit(X)
    codes = model.sample_latent(3, random_state=0)
    np.testing.assert_allclose(model.sample_latent(3, random_state=0, shift=1.0), codes + 1, 1e-5)


def test_sample_of_a_frame_is_a_frame():
    for fitted in (
        small(AE).fit(FRAME),
        make_pipeline(StandardScaler(), small(AE)).fit(FRAME),
        make_pipeline(StandardScaler().set_output(transform="pandas"), small(AE)).fit(FRAME),
        make_pipeline(StandardScaler(), GaussianMixture(2)).fit(FRAME),
    ):
        drawn = geomgen.sample(fitted, 4, random_state=0)
        assert isinstance(drawn, pd.DataFrame) and drawn.columns.equals(FRAME.columns)


def test_sample_names_what_is_in_the_way():
    with pytest.raises(TypeError, match=r"'normalizer' \(Normalizer\) has no inverse_transform"):
        geomgen.sample(make_pipeline(Normalizer(), small(AE)).fit(X))
    one_way = make_pipeline(FunctionTransformer(np.log1p), small(AE)).fit(X)
    with pytest.raises(TypeError, match="'functiontransformer' .* has no inverse_func"):
        geomgen.sample(one_way)
    with pytest.raises(TypeError, match="'simpleimputer' .* cannot be undone"):
        geomgen.sample(make_pipeline(SimpleImputer(), small(AE)).fit(X))
    with pytest.raises(TypeError, match="StandardScaler has no sample"):
        geomgen.sample(StandardScaler().fit(X))
    with pytest.raises(TypeError, match="refit=True"):
        geomgen.sample(GridSearchCV(small(AE), {"lr": [1e-3]}, cv=2, refit=False).fit(X))
    with pytest.raises(NotFittedError):
        geomgen.sample(small(AE))
    with pytest.raises(ValueError, match="n_samples"):
        geomgen.sample(small(AE).fit(X), 0)


# ----------------------------------------------------------------------------------- searches
@pytest.mark.parametrize("rows", [X, FRAME], ids=["array", "frame"])
def test_grid_over_lam_and_t(rows):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), small(LISAGenerator)),
        {"lisagenerator__lam": [0.0, 0.1], "lisagenerator__t": [1.0, 4.0]},
        scoring=SCORING,
        refit="energy_distance",
        cv=CV,
        error_score="raise",
    ).fit(rows, Y)
    results = pd.DataFrame(search.cv_results_)
    for key in SCORING:
        assert np.isfinite(results[f"mean_test_{key}"]).all()
    assert (results["mean_test_energy_distance"] <= 0).all()
    assert results["mean_test_erank"].between(1, 2).all()
    assert results["mean_test_energy_distance"].nunique() > 1  # the grid does something
    assert search.best_score_ == results["mean_test_energy_distance"].max()
    assert geomgen.sample(search, 3, random_state=0).shape == (3, rows.shape[1])


def test_grid_over_the_grassmann_weights_in_two_processes():
    def run(n_jobs):
        torch.set_num_threads(1)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), small(GrassmannAE, n_components=3)),
            {"grassmannae__lam_grass": [0.0, 1.0], "grassmannae__lam_entropy": [0.0, 0.1]},
            scoring=SCORING,
            refit="energy_distance",
            cv=CV,
            n_jobs=n_jobs,
            error_score="raise",
        ).fit(X, Y)
        return {k: v for k, v in search.cv_results_.items() if k.startswith("split")}

    one, two = run(1), run(2)
    assert all(one[key].tobytes() == two[key].tobytes() for key in one)


def test_randomized_search_over_skorch_parameters():
    schedule = LRScheduler(policy=torch.optim.lr_scheduler.ExponentialLR, gamma=0.9)
    search = RandomizedSearchCV(
        small(VAEGenerator),
        {
            "beta": [0.1, 1.0],
            "net_params": [None, {"optimizer__weight_decay": 1e-2}],
            "callbacks": [None, [schedule]],
            "optimizer": [torch.optim.Adam, torch.optim.AdamW],
            "sampler": ["prior", "mvg"],
        },
        n_iter=5,
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.score(X) == search.best_estimator_.score(X)


@pytest.mark.parametrize("routing", [False, True])
def test_cross_validate_with_metadata_routing_on_and_off(routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        pipe = make_pipeline(StandardScaler(), small(AE))
        scores = cross_validate(pipe, X, Y, scoring=SCORING, cv=CV, error_score="raise")
        several = cross_validate(pipe, X, Y, scoring=GenerativeScorer(), cv=CV, error_score="raise")
        search = GridSearchCV(pipe, {"ae__lr": [1e-3]}, scoring=energy_distance_scorer, cv=CV)
        search.fit(X, Y)
    np.testing.assert_array_equal(scores["test_energy_distance"], several["test_energy_distance"])
    np.testing.assert_array_equal(scores["test_lift"], several["test_rare_mode_lift"])
    assert (several["test_rare_mode_lift_judge"] > 0).all()


def test_refit_with_the_combined_scorer():
    search = GridSearchCV(
        small(AE),
        {"lr": [1e-4, 1e-2]},
        scoring=GenerativeScorer(["energy_distance", RareModeLiftScorer(rare_label=9)]),
        refit="energy_distance",
        cv=CV,
    ).fit(X, Y)
    assert search.best_params_ == {"lr": 1e-2}


def test_scorers_judge_scikit_learns_densities_and_fitted_searches():
    mixture = make_pipeline(StandardScaler(), GaussianMixture(5, reg_covar=0.1)).fit(X)
    assert energy_distance_scorer(mixture, X) == energy_distance_scorer(mixture, X)
    drawn = geomgen.sample(mixture, 1000, random_state=0)
    assert energy_distance_scorer(mixture, X) == -energy_distance(X, drawn)
    search = GridSearchCV(small(AE), {"lr": [1e-3]}, cv=2).fit(X)
    assert effective_rank_scorer(search, X) == effective_rank_scorer(search.best_estimator_, X)


def test_a_fold_without_a_rare_row():
    order = np.argsort(Y)  # plain folds of sorted labels
    scorer = RareModeLiftScorer(rare_label=9)
    with pytest.raises(ValueError, match="StratifiedKFold"):
        cross_validate(small(AE), X[order], Y[order], scoring=scorer, cv=2, error_score="raise")
    with pytest.raises(TypeError, match="leave 'effective_rank' out"):
        GenerativeScorer()(GaussianMixture(1, reg_covar=1.0).fit(X), X, Y)
    with pytest.raises(ValueError, match="pass y"):
        rare_mode_lift_scorer(small(AE).fit(X), X)


def test_scorers_and_fitted_pipelines_pickle():
    pipe = make_pipeline(StandardScaler(), FunctionTransformer(inverse_func=None), small(AE))
    pipe = pickle.loads(pickle.dumps(pipe.fit(X)))
    for scorer in (*SCORING.values(), GenerativeScorer(["energy_distance"])):
        assert repr(pickle.loads(pickle.dumps(scorer))(pipe, X, Y)) == repr(scorer(pipe, X, Y))


def test_a_default_fit_is_nearer_than_one_gaussian():
    """A Gaussian is three times the floor away, a default fit half of that: a bug costs more."""
    rows = load_breast_cancer().data
    train, test = rows[::2], rows[1::2]
    one = make_pipeline(StandardScaler(), GaussianMixture(1, reg_covar=1e-2)).fit(train)
    ours = make_pipeline(StandardScaler(), AE(random_state=0)).fit(train)
    assert energy_distance_scorer(ours, test) > energy_distance_scorer(one, test)
