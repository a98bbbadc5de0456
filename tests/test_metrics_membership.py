"""Membership inference: the attack's threshold, its accuracy, and what it must not find."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from geomgen.metrics import membership_inference
from geomgen.metrics.membership import _threshold


def split(seed, n=400, p=3):
    return np.random.RandomState(seed).normal(size=(3, n, p))


def test_copies_are_found_and_fresh_rows_are_not():
    train, holdout, fresh = split(0)
    copied = membership_inference(train + 1e-6, train, holdout)
    assert copied.accuracy > 0.99 and copied.auc > 0.99 and copied.n_rows == 800
    free = membership_inference(fresh, train, holdout)
    assert free.interval[0] < 0.5 < free.interval[1] and abs(free.auc - 0.5) < 0.06


def test_the_interval_holds_chance_as_often_as_it_says():
    inside = [
        np.subtract(*np.sign(np.array(membership_inference(f, t, h).interval) - 0.5)) != 0
        for t, h, f in (split(seed, n=100) for seed in range(200))
    ]
    assert np.mean(inside) > 0.9  # 95 %, with an error of 1.5 %


def test_half_of_the_copies_is_told_half_as_well():
    train, holdout, fresh = split(1, n=2000)
    drawn = np.r_[train[:1000], fresh[:1000]]
    assert membership_inference(drawn, train, holdout).accuracy == pytest.approx(0.75, abs=0.03)


def test_auc_is_that_of_distances():
    train, holdout, fresh = split(2, n=60)
    near = [-np.linalg.norm(X[:, None] - fresh, axis=2).min(1) for X in (train, holdout)]
    wanted = roc_auc_score(np.repeat([1, 0], 60), np.concatenate(near))
    assert membership_inference(fresh, train, holdout).auc == pytest.approx(wanted)


@pytest.mark.parametrize("seed", range(20))
def test_the_threshold_is_the_best(seed):
    members, others = np.random.RandomState(seed).randint(6, size=(2, 15)).astype(float)

    def right(t):
        return (members >= t).sum() + (others < t).sum()

    found = _threshold(members, others)
    assert right(found) == max(right(t) for t in [*members, *others])


def test_more_rows_of_one_kind_change_nothing_but_noise():
    train, holdout, fresh = split(3)
    found = membership_inference(fresh, np.r_[train, train + 5], holdout)
    assert found.n_rows == 800


def test_frames_and_seeds():
    train, holdout, fresh = (pd.DataFrame(X, columns=list("abc")) for X in split(4, n=50))
    one, two = (membership_inference(fresh, train, holdout, random_state=s) for s in (0, 0))
    assert one == two


@pytest.mark.parametrize(
    "change,message",
    [
        ({"confidence": 1.0}, "confidence=1.0"),
        ({"X_train": np.zeros((3, 3))}, "at least 4"),
        ({"X_holdout": np.zeros((9, 2))}, "columns"),
        ({"X_generated": np.full((9, 3), np.nan)}, "X_generated"),
    ],
)
def test_bad_input(change, message):
    given = {name: np.zeros((9, 3)) for name in ("X_generated", "X_train", "X_holdout")}
    with pytest.raises(ValueError, match=message):
        membership_inference(**{**given, **change})
