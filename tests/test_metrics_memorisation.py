"""Copies of training rows, and what is not one."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from geomgen.metrics.memorisation import memorisation

RNG = np.random.RandomState


def split(n=400, p=3, seed=0):
    return RNG(seed).normal(size=(2, n, p))


def fresh(n=500, p=3, seed=1):
    return RNG(seed).normal(size=(n, p))


def bootstrap(X, n, jitter, seed=2):
    rng = RNG(seed)
    return X[rng.randint(len(X), size=n)] + jitter * rng.normal(size=(n, X.shape[1]))


# -------------------------------------------------------------------------------- formulas
def test_figures_are_their_definitions():
    (train, _), holdout = split(60), fresh(30, seed=5)
    drawn = np.r_[fresh(40), bootstrap(train, 20, 0.1), train[:3]]
    found = memorisation(drawn, train, holdout)
    to_train, to_holdout = cdist(drawn, train), cdist(drawn, holdout)
    others = cdist(holdout, train)
    a, b = to_train.min(1), others.min(1)
    assert found.preference == pytest.approx((a < to_holdout.min(1)).mean())
    assert found.training_share == pytest.approx(2 / 3)
    auc = (a[:, None] < b).mean() + (a[:, None] == b).mean() / 2
    assert found.copy_auc == pytest.approx(auc)
    assert (found.exact_copies, found.exact_copies_holdout) == (3 / len(drawn), 0)
    ratio = np.divide(*np.sort(to_train, axis=1)[:, :2].T)
    expected = np.median(ratio), np.quantile(ratio, 0.05)
    assert found.distance_ratio == pytest.approx(expected, abs=1e-7)
    ratio = np.divide(*np.sort(others, axis=1)[:, :2].T)
    assert found.distance_ratio_holdout[0] == pytest.approx(np.median(ratio))


def test_interval_is_the_permutation_test():
    """Its variance is that over random splits of the real rows; its ends invert a z-test."""
    (train, holdout), drawn = split(40), fresh(150)
    real = np.r_[train, holdout[:20]]
    rng, values = RNG(0), []
    winners = cdist(drawn, real).argmin(1)
    for _ in range(20_000):
        trained = rng.permutation(60) < 40
        values.append(trained[winners].mean())
    counts = np.bincount(winners, minlength=60)
    inverse = 60 / 59 * ((counts**2).sum() / 150**2 - 1 / 60)
    variance = 2 / 9 * inverse
    assert np.var(values) == pytest.approx(variance, rel=0.05)  # five standard errors
    assert np.mean(values) == pytest.approx(2 / 3, abs=5 * np.sqrt(variance / 20_000))
    found = memorisation(drawn, train, holdout[:20])
    for end in found.preference_interval:
        z = (found.preference - end) / np.sqrt(end * (1 - end) * inverse)
        assert abs(z) == pytest.approx(1.959964, rel=1e-5)


@pytest.mark.parametrize(
    ("m", "n_train", "n_holdout", "p"), [(200, 200, 200, 2), (1000, 150, 50, 2), (300, 200, 50, 20)]
)
def test_interval_covers_for_fresh_draws(m, n_train, n_holdout, p):
    """Draws share neighbours: a binomial interval would hold .65 to .93 of the cases."""
    rng, held = RNG(0), []
    for _ in range(300):
        samples = (rng.normal(size=(n, p)) for n in (m, n_train, n_holdout))
        found = memorisation(*samples)
        low, high = found.preference_interval
        held.append(low <= found.training_share <= high)
    assert abs(np.mean(held) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 300)


# ------------------------------------------------------------------------------ what it sees
def test_fresh_draws_pass():
    found = memorisation(fresh(), *split())
    assert found.verdict.startswith("No sign of copying")
    assert abs(found.copy_auc - 0.5) < 0.1
    assert abs(found.distance_ratio[0] - found.distance_ratio_holdout[0]) < 0.05


def test_jittered_copies_are_caught_where_a_first_percentile_passes_them():
    train, holdout = split(1000, 8)
    drawn = bootstrap(train, 1000, 0.5)
    to_train, others = (cdist(X, train).min(1) for X in (drawn, holdout))
    assert (to_train < np.quantile(others, 0.01)).mean() < 0.02  # as few as of real rows
    found = memorisation(drawn, train, holdout)
    assert found.verdict.startswith("Copies")
    assert found.preference > 0.7 and found.copy_auc > 0.6
    assert found.exact_copies == 0


def test_copies_without_jitter():
    train, holdout = split(300)
    found = memorisation(bootstrap(train, 500, 0), train, holdout)
    assert found.preference == found.copy_auc == found.exact_copies == 1
    assert found.distance_ratio == (0, 0)
    assert found.verdict.startswith("Copies: 100.000% of the draws equal")


def test_a_blurred_generator_is_not_a_copier():
    """Draws that crowd the middle are near all real rows, held-out ones too."""
    train, holdout = split(1000, 6)
    found = memorisation(0.3 * fresh(1000, 6), train, holdout)
    assert found.copy_auc > 0.9
    assert found.verdict.startswith("No sign of copying")


def test_a_few_exact_copies_among_good_draws():
    train, holdout = split()
    found = memorisation(np.r_[fresh(400), train[:12]], train, holdout)
    low, high = found.preference_interval
    assert low <= 0.5 <= high  # unseen by the preference
    assert found.exact_copies == pytest.approx(12 / 412)
    assert found.verdict.startswith("Copies: 2.913% of the draws equal")


def test_rows_half_way_between_training_rows():
    """Interpolation shows in the ratio of distances, which is then 1."""
    train = np.arange(10.0)[:, None]
    found = memorisation(train[:-1] + 0.5, train, train[:-1] + 0.25)
    assert found.distance_ratio == pytest.approx((1, 1))
    assert found.distance_ratio_holdout == pytest.approx((1 / 3, 1 / 3))


def test_held_out_rows_that_were_trained_on():
    train, holdout = split()
    found = memorisation(bootstrap(holdout, 500, 0.1), train, holdout)
    assert found.verdict.startswith("No copies, but not exchangeable")


# ----------------------------------------------------------------------- repeated real rows
def test_repeated_rows_do_not_tilt_it():
    """Few distinct rows, unequal samples: ties are split among the rows that are tied."""
    rng, found = RNG(0), []
    for _ in range(100):
        drawn, train, holdout = (rng.randint(0, 8, (n, 2)) * 1.0 for n in (300, 400, 100))
        found.append(memorisation(drawn, train, holdout))
    preference = np.array([f.preference for f in found])
    assert abs(preference.mean() - 0.8) < 4 * preference.std() / 10
    held = [f.preference_interval[0] <= 0.8 <= f.preference_interval[1] for f in found]
    assert abs(np.mean(held) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 100)
    assert all(f.exact_copies > 0.9 and f.exact_copies_holdout > 0.9 for f in found)
    alarms = np.mean([f.verdict.startswith("Copies") for f in found])
    assert alarms < 0.2  # though nearly all draws equal a training row


def test_ties_count_in_parts():
    train, holdout = [[0.0], [0.0], [9.0]], [[0.0], [5.0]]
    found = memorisation([[0.1], [8.0], [5.2], [-1.0]], train, holdout)
    assert found.preference == pytest.approx((2 / 3 + 1 + 0 + 2 / 3) / 4)
    inverse = 5 / 4 * ((2**2 / 3 + 1 + 1) / 4**2 - 1 / 5)  # a win is shared by equal rows
    for end in found.preference_interval:
        z = (found.preference - end) / np.sqrt(end * (1 - end) * inverse)
        assert abs(z) == pytest.approx(1.959964, rel=1e-5)


def test_samples_of_one_repeated_row():
    same = np.ones((5, 2))
    found = memorisation(same, same, same)
    assert found.preference == 0.5 and found.copy_auc == 0.5
    assert found.distance_ratio == (1, 1) and found.exact_copies == 1
    assert found.verdict.startswith("No sign of copying")


def test_negative_zero_is_zero():
    assert memorisation([[-0.0], [3.0]], [[0.0], [1.0]], [[5.0], [6.0]]).exact_copies == 0.5


# --------------------------------------------------------------------------------- interface
def test_result_reads_well():
    found = memorisation(fresh(), *split())
    assert repr(found) == f"<Memorisation: {found.verdict}>"
    assert "95% interval" in found.verdict and "0.500 expected" in found.verdict
    frame = found.to_frame()
    assert list(frame.columns) == ["draws", "expected"]
    assert frame.loc["copy_auc"].tolist() == [found.copy_auc, 0.5]
    assert frame.loc["distance_ratio_5%"].tolist() == [
        found.distance_ratio[1],
        found.distance_ratio_holdout[1],
    ]


def test_frames_are_matched_by_name():
    train, holdout = split(50, 2)
    drawn = fresh(40, 2)
    swapped = [pd.DataFrame(X[:, ::-1], columns=["b", "a"]) for X in (drawn, holdout)]
    found = memorisation(swapped[0], pd.DataFrame(train, columns=["a", "b"]), swapped[1])
    assert found == memorisation(drawn, train, holdout)


def test_rotations_and_units_change_nothing():
    (train, holdout), drawn, Q = split(), fresh(), np.linalg.qr(fresh(3))[0]
    found = memorisation(drawn, train, holdout)
    for moved in (
        [7 + X @ Q for X in (drawn, train, holdout)],
        (1e-3 * drawn, 1e-3 * train, 1e-3 * holdout),
    ):
        again = memorisation(*moved)
        assert again.preference_interval == pytest.approx(found.preference_interval)
        assert again.distance_ratio == pytest.approx(found.distance_ratio)


@pytest.mark.parametrize(
    ("shapes", "confidence", "message"),
    [
        ([(1, 2), (5, 2), (5, 2)], 0.95, "X_generated has 1 rows: at least 2"),
        ([(5, 2), (1, 2), (5, 2)], 0.95, "X_train has 1 rows: at least 2"),
        ([(5, 2), (5, 2), (1, 2)], 0.95, "X_holdout has 1 rows: at least 2"),
        ([(5, 3), (5, 2), (5, 2)], 0.95, "X_train has 2 columns and X_generated 3"),
        ([(5, 2), (5, 2), (5, 3)], 0.95, "X_train has 2 columns and X_holdout 3"),
        ([(5, 2), (5, 2), (5, 2)], 1.0, r"confidence=1.0 must be in \(0, 1\)"),
        ([(5, 2), (5, 2), (5, 2)], 95, r"confidence=95 must be in \(0, 1\)"),
    ],
)
def test_memorisation_rejects(shapes, confidence, message):
    with pytest.raises(ValueError, match=message):
        memorisation(*(np.ones(shape) for shape in shapes), confidence=confidence)
