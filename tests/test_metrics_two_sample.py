"""The classifier two-sample test."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from geomgen.metrics.two_sample import classifier_two_sample_test


def normal(n, p, seed=0):
    return np.random.RandomState(seed).normal(size=(n, p))


@pytest.mark.parametrize("classifier", [GaussianNB(), KNeighborsClassifier(5), RidgeClassifier()])
@pytest.mark.parametrize("test_size", [0.3, 0.5])
def test_it_is_the_mann_whitney_test_of_held_out_scores(classifier, test_size):
    X, Y = normal(90, 2), 0.4 + normal(60, 2, 1)
    rows, truth = np.r_[X, Y], np.repeat([0, 1], [90, 60])
    rows, test, fitted_on, truth = train_test_split(
        rows, truth, test_size=test_size, stratify=truth, random_state=3
    )
    classifier.fit(rows, fitted_on)
    if hasattr(classifier, "predict_proba"):
        scores = classifier.predict_proba(test)[:, 1]
    else:
        scores = classifier.decision_function(test)
    found = classifier_two_sample_test(
        X, Y, classifier=classifier, test_size=test_size, random_state=3
    )
    assert found.auc == pytest.approx(roc_auc_score(truth, scores))
    expected = balanced_accuracy_score(truth, classifier.predict(test))
    assert found.accuracy == pytest.approx(expected)
    # the share of relabellings of the held-out rows with as large an AUC
    rng, ranks = np.random.RandomState(0), scipy.stats.rankdata(scores)
    sums = [ranks[rng.permutation(truth) == 1].sum() for _ in range(4000)]
    share = np.mean(np.array(sums) >= ranks[truth == 1].sum())
    assert found.pvalue == pytest.approx(share, abs=4 * np.sqrt(share / 4000) + 0.002)


@pytest.mark.parametrize(
    "classifier", [GaussianNB(), LinearDiscriminantAnalysis(), KNeighborsClassifier(3)]
)
def test_pvalues_are_uniform_for_one_distribution(classifier):
    """At unequal sizes; neighbours have many ties."""
    found = [
        classifier_two_sample_test(
            normal(80, 2, s), normal(50, 2, 5000 + s), classifier=classifier, random_state=s
        )
        for s in range(300)
    ]
    pvalues = np.array([test.pvalue for test in found])
    assert scipy.stats.kstest(pvalues, "uniform").pvalue > 1e-3
    assert abs(np.mean(pvalues < 0.05) - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 300)
    aucs = np.array([test.auc for test in found])
    assert abs(aucs.mean() - 0.5) < 4 * aucs.std() / np.sqrt(300)


def test_the_default_keeps_its_level():
    pvalues = [
        classifier_two_sample_test(normal(40, 2, s), normal(60, 2, 900 + s), random_state=s).pvalue
        for s in range(40)
    ]
    # 0.2 · 40 = 8 expected; four standard errors are 10
    assert np.sum(np.array(pvalues) < 0.2) < 8 + 4 * np.sqrt(40 * 0.2 * 0.8)
    assert np.sum(np.array(pvalues) > 0.2) > 15


@pytest.mark.parametrize(
    "Y",
    [
        normal(400, 3, 1) + [0.8, 0, 0],
        normal(400, 3, 1) * [2, 1, 1],
        normal(400, 3, 1) @ np.linalg.cholesky([[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1]]).T,
    ],
    ids=["shift", "scale", "correlation"],
)
def test_the_default_finds(Y):
    found = classifier_two_sample_test(normal(300, 3), Y)
    assert found.pvalue < 1e-3
    assert found.auc > 0.55 and found.accuracy > 0.53


def test_separated_samples():
    found = classifier_two_sample_test(normal(40, 2), 50 + normal(20, 2, 1))
    assert found.auc == found.accuracy == 1
    assert found.pvalue < 1e-5


def test_few_rows_have_the_exact_pvalue():
    X, Y = np.arange(8.0)[:, None], 100 + np.arange(8.0)[:, None]
    found = classifier_two_sample_test(X, Y, classifier=RidgeClassifier())
    assert found.auc == 1
    assert found.pvalue == pytest.approx(1 / 70)  # one of C(8, 4) orders


@pytest.mark.parametrize("strategy", ["prior", "most_frequent"])
def test_a_classifier_that_says_nothing(strategy):
    classifier = DummyClassifier(strategy=strategy)
    found = classifier_two_sample_test(normal(30, 2), 9 + normal(99, 2, 1), classifier=classifier)
    assert found == (0.5, 0.5, 1.0)


def test_nothing_outside_changes():
    X, Y = normal(30, 2), 0.5 + normal(40, 2, 1)
    before, state = X.copy(), np.random.get_state()[1].copy()
    classifier = GaussianNB()
    frames = pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(Y, columns=["a", "b"])[["b", "a"]]
    found = classifier_two_sample_test(X, Y, classifier=classifier)
    assert found == classifier_two_sample_test(*frames, classifier=classifier)
    assert not hasattr(classifier, "classes_")
    assert classifier_two_sample_test(X, Y) == classifier_two_sample_test(X, Y)
    assert classifier_two_sample_test(X, Y) != classifier_two_sample_test(X, Y, random_state=1)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


ROWS = normal(10, 2)


@pytest.mark.parametrize(
    ("X", "Y", "kwargs", "error", "message"),
    [
        (ROWS[:3], ROWS, {}, ValueError, "X has 3 rows: test_size=0.5 leaves fewer than two"),
        (ROWS, ROWS[:1], {}, ValueError, "Y has 1 rows: test_size=0.5 leaves fewer than two"),
        (ROWS, ROWS, {"test_size": 0.9}, ValueError, "X has 10 rows: test_size=0.9"),
        (ROWS, ROWS, {"test_size": 0}, ValueError, r"test_size=0 must be in \(0, 1\)"),
        (ROWS, ROWS, {"test_size": 5}, ValueError, r"test_size=5 must be in \(0, 1\)"),
        (ROWS, ROWS[:, :1], {}, ValueError, "X has 2 columns and Y 1"),
        (ROWS * np.nan, ROWS, {}, ValueError, "X contains NaN"),
        (ROWS, ROWS, {"classifier": KMeans(2, n_init=1)}, TypeError, "has neither predict_proba"),
    ],
)
def test_rejects(X, Y, kwargs, error, message):
    with pytest.raises(error, match=message):
        classifier_two_sample_test(X, Y, **kwargs)
