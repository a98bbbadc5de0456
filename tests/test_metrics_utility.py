"""Classifiers trained on generated rows, tested on real ones."""

import numpy as np
import pandas as pd
import polars
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, get_scorer, make_scorer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from geomgen.metrics.utility import train_on_synthetic


def problem(seed=0, n=300):
    """Three disjoint parts of one noisy law: generated, train, test."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(3 * n, 2))
    y = (X[:, 0] + rng.normal(size=3 * n) > 0).astype(int)
    return [part for k in range(3) for part in (X[k::3], y[k::3])]


@pytest.mark.parametrize("scoring", ["balanced_accuracy", "accuracy", "f1", "roc_auc"])
def test_the_three_scores(scoring):
    Xg, yg, Xr, yr, Xt, yt = problem()
    scorer = get_scorer(scoring)
    real, synthetic = GaussianNB().fit(Xr, yr), GaussianNB().fit(Xg, yg)
    found = train_on_synthetic(*problem(), classifier=GaussianNB(), scoring=scoring)
    assert found.tstr == scorer(synthetic, Xt, yt)
    assert found.trts == scorer(real, Xg, yg)
    assert found.trtr == scorer(real, Xt, yt)
    assert found.ratio == found.tstr / found.trtr


def test_rows_of_the_same_law_are_as_good_as_real_ones():
    """600 rows have a standard error of .02 each, on a score of .75."""
    found = train_on_synthetic(*problem(n=600), classifier=GaussianNB())
    assert found.trtr == pytest.approx(0.75, abs=0.08)
    assert found.ratio == pytest.approx(1, abs=0.08)


def test_labels_by_chance_are_useless():
    """On average: in two dimensions a classifier's direction may be right by chance."""
    rng, parts = np.random.RandomState(1), problem()
    adjusted = make_scorer(balanced_accuracy_score, adjusted=True)
    found, corrected = [], []
    for _ in range(60):
        parts[1] = rng.permutation(parts[1])
        found.append(train_on_synthetic(*parts, classifier=GaussianNB()))
        again = train_on_synthetic(*parts, classifier=GaussianNB(), scoring=adjusted)
        corrected.append(again.tstr)
    for field in ("tstr", "trts"):
        scores = np.array([getattr(one, field) for one in found])
        assert abs(scores.mean() - 0.5) < 4 * scores.std() / np.sqrt(60)
    np.testing.assert_allclose(corrected, [2 * one.tstr - 1 for one in found], atol=1e-12)


def test_class_means_are_too_easy():
    """High TRTS does not mean useful rows."""
    parts = problem()
    parts[0] = np.c_[np.where(parts[1] == 1, 1.0, -1.0), np.zeros(300)]
    found = train_on_synthetic(*parts, classifier=DecisionTreeClassifier(max_depth=1))
    assert found.trts == 1


def test_a_lost_class_is_never_told():
    X, y = load_iris(return_X_y=True)
    keep = y[::3] != 2
    parts = X[::3][keep], y[::3][keep], X[1::3], y[1::3], X[2::3], y[2::3]
    assert len(parts[0]) == 34  # few rows, too, are enough to learn from
    assert train_on_synthetic(*parts).tstr == pytest.approx(2 / 3, abs=0.05)


def test_negative_scores_have_no_ratio():
    found = train_on_synthetic(*problem(), classifier=GaussianNB(), scoring="neg_log_loss")
    assert found.tstr < 0 and found.trtr < 0 and np.isnan(found.ratio)


# ---------------------------------------------------------------------- the default classifier
def mixed(n, seed=0, kind="object"):
    """Only the category decides, and 'c' does as 'a'; a number of noise is beside it."""
    rng = np.random.RandomState(seed)
    word = rng.choice(["a", "b", "c"], n)
    y = np.where(word == "b", "no", "yes")
    X = pd.DataFrame({"noise": rng.normal(size=n), "word": word, "flag": rng.uniform(size=n) < 0.5})
    X.loc[::9, "noise"] = np.nan
    X["word"] = X["word"].astype("category" if kind == "category" else object)
    return X, y


@pytest.mark.parametrize("kind", ["object", "category"])
def test_the_default_takes_mixed_tables(kind):
    (Xg, yg), (Xr, yr), (Xt, yt) = (mixed(200, s, kind) for s in range(3))
    assert train_on_synthetic(Xg, yg, Xr, yr, Xt, yt)[:3] == (1, 1, 1)
    # kinds and orders may differ between the tables, as for a generator that writes strings
    Xg = Xg.astype({"word": object})[["word", "flag", "noise"]]
    assert train_on_synthetic(Xg, yg, Xr, yr, Xt, yt)[:3] == (1, 1, 1)


def test_the_default_takes_polars():
    (Xg, yg), (Xr, yr), (Xt, yt) = (mixed(200, s) for s in range(3))
    Xg, Xr, Xt = (polars.from_pandas(X) for X in (Xg, Xr, Xt))
    assert train_on_synthetic(Xg, yg, Xr, yr, Xt, yt)[:3] == (1, 1, 1)


def test_the_default_takes_missing_and_unknown_categories():
    (Xg, yg), (Xr, yr), (Xt, yt) = (mixed(200, s) for s in range(3))
    Xg.loc[:4, "word"], Xt.loc[:4, "word"] = "unheard of", None
    found = train_on_synthetic(Xg, yg, Xr, yr, Xt, yt)
    assert min(found[:3]) > 0.9


def test_the_default_takes_more_categories_than_it_has_bins():
    (Xg, yg), (Xr, yr), (Xt, yt) = (mixed(400, s) for s in range(3))
    for X in (Xg, Xr, Xt):
        X["id"] = [f"id {i}" for i in range(400)]
    assert train_on_synthetic(Xg, yg, Xr, yr, Xt, yt)[:3] == (1, 1, 1)


def test_the_default_on_real_data():
    X, y = load_breast_cancer(return_X_y=True)
    found = train_on_synthetic(X[::3], y[::3], X[1::3], y[1::3], X[2::3], y[2::3])
    assert min(found[:3]) > 0.85
    again = train_on_synthetic(X[::3], y[::3], X[1::3], y[1::3], X[2::3], y[2::3])
    assert found == again


# ------------------------------------------------------------------------------ your classifier
def test_a_pipeline_sees_the_rows_as_they_are():
    (Xg, yg), (Xr, yr), (Xt, yt) = (mixed(200, s) for s in range(3))
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["word"]), remainder="drop"
    )
    classifier = make_pipeline(columns, LogisticRegression())
    assert train_on_synthetic(Xg, yg, Xr, yr, Xt, yt, classifier=classifier)[:3] == (1, 1, 1)
    assert not hasattr(columns, "transformers_")


def test_nothing_outside_changes():
    parts = problem()
    before, state = [part.copy() for part in parts], np.random.get_state()[1].copy()
    train_on_synthetic(*parts)
    train_on_synthetic(*parts, classifier=make_pipeline(StandardScaler(), LogisticRegression()))
    for part, was in zip(parts, before, strict=True):
        np.testing.assert_array_equal(part, was)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_labels_may_be_series_with_any_index():
    parts = problem()
    series = [pd.Series(p, index=np.arange(300)[::-1]) if p.ndim == 1 else p for p in parts]
    classifier = GaussianNB()
    assert train_on_synthetic(*series, classifier=classifier) == train_on_synthetic(
        *parts, classifier=classifier
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({1: np.zeros(300, int)}, "y_generated has one class only, 0: .* lost the other"),
        ({3: np.ones(300, int)}, "y_generated has labels that y_train has not: .0."),
        ({1: np.ones(300, int), 3: np.ones(300, int)}, "y_train has one class only, 1"),
        ({1: np.full(300, "1")}, "y_generated has labels that y_train has not: .'1'."),
        ({1: np.zeros(7, int)}, r"y_generated has shape \(7,\) and X_generated 300 rows"),
        ({5: np.zeros((300, 1), int)}, r"y_test has shape \(300, 1\) and X_test 300 rows"),
        ({0: np.zeros((300, 3))}, "X_train has 2 columns and X_generated 3"),
        ({4: np.zeros((300, 1))}, "X_train has 2 columns and X_test 1"),
        ({2: np.full((300, 2), np.inf)}, "Column 0 of X_train holds infinity"),
    ],
)
def test_rejects(change, message):
    parts = problem()
    for position, part in change.items():
        parts[position] = part
    with pytest.raises(ValueError, match=message):
        train_on_synthetic(*parts)


def test_an_unknown_scorer():
    with pytest.raises(ValueError, match="scoring"):
        train_on_synthetic(*problem(), scoring="usefulness")
