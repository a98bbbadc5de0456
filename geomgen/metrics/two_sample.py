"""Whether a classifier can tell two samples apart."""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import mannwhitneyu
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import train_test_split

from geomgen.metrics._checks import check_pair

__all__ = ["ClassifierTest", "classifier_two_sample_test"]


class ClassifierTest(NamedTuple):
    """What :func:`classifier_two_sample_test` found, on rows held out from the classifier.

    Attributes
    ----------
    auc : float
        Probability that a row of Y has a higher score than a row of X, ties counted half; 0.5 for
        equal distributions.
    accuracy : float
        Mean of the two samples' shares of rows told rightly; 0.5 by chance, whatever the sizes.
    pvalue : float
        Of the hypothesis that both samples have one distribution, against an AUC above 0.5.
    """

    auc: float
    accuracy: float
    pvalue: float


def classifier_two_sample_test(
    X: Any, Y: Any, *, classifier: Any = None, test_size: float = 0.5, random_state: Any = 0
) -> ClassifierTest:
    r"""Test whether two samples have one distribution, by a classifier that tells them apart.

    A classifier is fitted on a part of both samples. Its scores s of the held-out rows give

    .. math:: \mathrm{AUC} = \frac{1}{nm} \sum_{i,j} 1\{s(x_i) < s(y_j)\}
       + \tfrac12\, 1\{s(x_i) = s(y_j)\}

    which is the Mann-Whitney statistic: given the split, its p-value holds for any classifier.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n, p)
        Rows of one sample, at least four.
    Y : array-like or DataFrame of shape (m, p)
        Rows of the other, at least four; n and m may differ.
    classifier : scikit-learn classifier, optional
        With ``predict_proba`` or ``decision_function``; it is cloned. By default 100 extremely
        randomised trees, which need no scaling.
    test_size : float, default=0.5
        Share of either sample that is held out, in (0, 1).
    random_state : int, RandomState or None, default=0
        Of the split, and of the default classifier.

    Returns
    -------
    ClassifierTest
        ``auc``, ``accuracy`` and ``pvalue``.

    Raises
    ------
    ValueError
        If the numbers of columns differ, a value is not finite, ``test_size`` is not in (0, 1), or
        a sample has too few rows to fit on two and hold out two.
    TypeError
        If the classifier has no scores.

    Notes
    -----
    The p-value is exact for few rows without ties and asymptotic, corrected for ties, otherwise.
    The rows must be independent draws: repeated rows, such as a bootstrap of the other sample,
    lie on both sides of the split and void it. A large p-value says that *this* classifier found
    no difference.

    At unequal sizes a classifier that is not given ``class_weight="balanced"`` may call every row
    one of the larger sample: its accuracy is then 0.5, and its AUC tells all the same.

    References
    ----------
    Lopez-Paz and Oquab, 2017, *Revisiting classifier two-sample tests*; Mann and Whitney, 1947,
    *On a test of whether one of two random variables is stochastically larger than the other*.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.RandomState(0)
    >>> X, Y = rng.normal(size=(100, 2)), 3 + rng.normal(size=(80, 2))
    >>> found = classifier_two_sample_test(X, Y)
    >>> found.auc > 0.9, found.accuracy > 0.9, found.pvalue < 1e-6
    (True, True, True)
    """
    X, Y = check_pair(X, Y)
    if not isinstance(test_size, Real) or not 0 < test_size < 1:
        raise ValueError(f"test_size={test_size!r} must be in (0, 1).")
    for name, sample in (("X", X), ("Y", Y)):
        held_out = int(test_size * len(sample))
        if held_out < 2 or len(sample) - held_out < 2:
            raise ValueError(
                f"{name} has {len(sample)} rows: test_size={test_size!r} leaves fewer than two to "
                "fit on or to hold out."
            )
    if classifier is None:
        classifier = ExtraTreesClassifier(
            min_samples_leaf=5, class_weight="balanced", random_state=random_state
        )
    rows, is_y = np.r_[X, Y], np.repeat([0, 1], [len(X), len(Y)])
    rows, held_out, is_y, truth = train_test_split(
        rows, is_y, test_size=test_size, stratify=is_y, random_state=random_state
    )
    classifier = clone(classifier).fit(rows, is_y)
    scores, said = _scores(classifier, held_out), classifier.predict(held_out)
    x, y = scores[truth == 0], scores[truth == 1]
    accuracy = float(np.mean([(said[truth == side] == side).mean() for side in (0, 1)]))
    test = mannwhitneyu(y, x, alternative="greater")
    return ClassifierTest(float(test.statistic / (len(x) * len(y))), accuracy, float(test.pvalue))


def _scores(classifier: Any, rows: np.ndarray) -> np.ndarray:
    if hasattr(classifier, "predict_proba"):
        return classifier.predict_proba(rows)[:, 1]
    if hasattr(classifier, "decision_function"):
        return classifier.decision_function(rows)
    raise TypeError(
        f"classifier={classifier!r} has neither predict_proba nor decision_function: use one that "
        "has scores."
    )
