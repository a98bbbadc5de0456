"""Labels, modes, conditions and distances: what every sampler can be asked for."""

import numpy as np
import pandas as pd
import polars
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from geomgen import sample
from geomgen.models import AE, LISAGenerator
from geomgen.samplers import CellSampler, GaussianSampler, PriorSampler, UniformSphereSampler
from geomgen.samplers._strata import borrow, find_modes, parse_shares, stratified_counts

from .helpers import SAMPLERS, name, quick, small

RNG = np.random.RandomState(0)
LABELS = np.repeat(["a", "b", "c"], [400, 80, 20])
CENTRES = {"a": (0.0, 0.0), "b": (12.0, 0.0), "c": (0.0, 12.0)}
Z = np.array([CENTRES[label] for label in LABELS]) + RNG.normal(size=(500, 2))
BLIND = (PriorSampler, UniformSphereSampler)
each = pytest.mark.parametrize("cls", SAMPLERS, ids=name)
LEARNT = [c for c in SAMPLERS if c not in BLIND and "euclidean" in c.manifolds]
each_learnt = pytest.mark.parametrize("cls", LEARNT, ids=name)


def nearest_centre(codes):
    distances = [np.linalg.norm(codes - centre, axis=1) for centre in CENTRES.values()]
    return np.array(list(CENTRES))[np.argmin(distances, axis=0)]


# ------------------------------------------------------------------------------------ labels
@each
def test_labels_change_nothing_unless_asked_for(cls):
    """Searches and scorers pass y for other reasons."""
    plain, given = (quick(cls).fit(Z, y) for y in (None, LABELS))
    np.testing.assert_array_equal(plain.sample(20, 0), given.sample(20, 0))
    assert not hasattr(given, "samplers_")


@each_learnt
def test_draws_of_a_label_are_like_its_codes(cls):
    sampler = quick(cls, conditional=True).fit(Z, LABELS)
    assert sampler.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(sampler.shares_, [0.8, 0.16, 0.04])
    for label in "abc":
        drawn = sampler.sample(300, 0, y=label)
        assert (nearest_centre(drawn) == label).mean() > 0.97
    wanted = np.array(["c", "a", "b"] * 50)
    assert (nearest_centre(sampler.sample(150, 0, y=wanted)) == wanted).mean() > 0.97


@each
def test_shares_of_labels_are_exact_up_to_rounding(cls):
    sampler = quick(cls, conditional=True).fit(Z, LABELS)
    for n in (100, 1003):
        groups = sampler._groups(n, None, None, np.random.RandomState(1))
        counts = np.bincount(groups, minlength=3)
        assert np.abs(counts - n * sampler.shares_).max() < 1 and counts.sum() == n
    balanced = sampler._groups(300, None, {"a": 1, "c": 2}, np.random.RandomState(1))
    assert np.bincount(balanced, minlength=3).tolist() == [100, 0, 200]
    assert (np.diff(balanced) != 0).mean() > 0.3  # in random order
    assert sampler.sample(30, 0, balance={"b": 1.0}).shape == (30, 2)


def test_balance_reaches_the_codes():
    sampler = CellSampler(conditional=True, random_state=0).fit(Z, LABELS)
    drawn = nearest_centre(sampler.sample(1000, 0, balance={"a": 0.5, "c": 0.5}))
    assert [(drawn == label).sum() for label in "abc"] == [500, 0, 500]
    kept = nearest_centre(sampler.sample(1000, 0))
    assert [(kept == label).sum() for label in "abc"] == [800, 160, 40]


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"y": "z"}, ValueError, "labels .*z.* not fitted"),
        ({"y": ["a", "b"]}, ValueError, "2 labels, but n_samples=5"),
        ({"y": "a", "balance": {"a": 1}}, ValueError, "not both"),
        ({"balance": {"z": 1}}, ValueError, "z.* not fitted"),
        ({"balance": {"a": -1}}, ValueError, "at least 0"),
        ({"balance": {"a": 0}}, ValueError, "not all of them 0"),
        ({"balance": 0.5}, TypeError, "dictionary"),
    ],
)
def test_bad_requests(kwargs, error, message):
    sampler = CellSampler(conditional=True, random_state=0).fit(Z, LABELS)
    with pytest.raises(error, match=message):
        sampler.sample(5, 0, **kwargs)
    assert sampler.sample(5, 0).shape == (5, 2)


def test_labels_are_checked():
    with pytest.raises(ValueError, match="needs labels: pass y"):
        CellSampler(conditional=True).fit(Z)
    for bad in (
        np.where(LABELS == "c", None, LABELS),
        np.where(LABELS == "c", 3, LABELS.astype(object)),
    ):
        with pytest.raises(ValueError, match="missing labels, or labels of several types"):
            CellSampler(conditional=True).fit(Z, bad)
    with pytest.raises(ValueError, match="a label of its own"):
        CellSampler(conditional=True).fit(Z, np.arange(500))
    with pytest.raises(ValueError, match="500 codes and 3 labels"):
        CellSampler(conditional=True).fit(Z, LABELS[:3])
    for kwargs in ({"y": "a"}, {"balance": {"a": 1}}):
        with pytest.raises(ValueError, match="conditional=True"):
            CellSampler(random_state=0).fit(Z).sample(5, 0, **kwargs)


def test_refitting_without_labels_forgets_them():
    sampler = CellSampler(conditional=True, random_state=0).fit(Z, LABELS)
    sampler.set_params(conditional=False).fit(Z)
    assert not hasattr(sampler, "samplers_") and not hasattr(sampler, "classes_")


def test_a_small_class_borrows_spread():
    """n codes in d dimensions: the covariance is (n S_group + d S_within) / (n + d)."""
    rng = np.random.RandomState(3)
    d, n = 4, 6
    codes = np.r_[rng.normal(size=(5000, d)) * [1, 2, 3, 4], 50 + 0.1 * rng.normal(size=(n, d))]
    labels = np.repeat([0, 1], [5000, n])
    within = np.stack([codes[labels == k] - codes[labels == k].mean(0) for k in (0,)])[0]
    own = np.cov(codes[labels == 1].T, bias=True)
    expected = (n * own + d * np.cov(within.T, bias=True)) / (n + d)
    made = [borrow(codes, labels, 1, seed) for seed in range(3000)]
    assert all(len(m) == n + d for m in made)
    for one in made[:5]:  # a borrowed code has its mirror image
        np.testing.assert_allclose(one.mean(0), codes[labels == 1].mean(0))
    centred = np.concatenate(made) - codes[labels == 1].mean(0)
    found = centred.T @ centred / len(centred)
    np.testing.assert_allclose(np.diag(found), np.diag(expected), rtol=0.1)
    np.testing.assert_array_equal(borrow(codes, labels, 0, 0), codes[labels == 0])


# ------------------------------------------------------------------------------------- modes
def test_modes_are_found_without_labels():
    found = find_modes(Z, 0)
    assert len(np.unique(found)) == 3
    for label in "abc":
        assert len(np.unique(found[LABELS == label])) == 1
    assert not find_modes(np.zeros((50, 2)), 0).any() and not find_modes(Z[:4], 0).any()


@each_learnt
def test_stratify_keeps_the_shares_of_modes(cls):
    sampler = quick(cls, stratify="auto").fit(Z)
    drawn = nearest_centre(sampler.sample(1000, 0))
    for label, share in zip("abc", (0.8, 0.16, 0.04), strict=True):
        assert abs((drawn == label).mean() - share) <= 0.006


# -------------------------------------------------------------------- conditions and distance
@each
def test_condition(cls):
    sampler = quick(cls).fit(Z)
    drawn = sampler.sample(200, 0, condition=lambda codes: codes[:, 0] > 0)
    assert drawn.shape == (200, 2) and (drawn[:, 0] > 0).all()


def test_condition_with_labels_keeps_the_counts():
    sampler = CellSampler(conditional=True, random_state=0).fit(Z, LABELS)
    wanted = np.repeat(["a", "c"], 40)
    drawn = sampler.sample(80, 0, y=wanted, condition=lambda codes: codes[:, 0] > 0.5)
    assert (drawn[:, 0] > 0.5).all() and (nearest_centre(drawn) == wanted).all()


def test_a_condition_never_met_is_said():
    sampler = GaussianSampler().fit(Z)
    with pytest.raises(RuntimeError, match="0 of .* draws met condition.*too rare"):
        sampler.sample(2, 0, condition=lambda codes: codes[:, 0] > 1e6)
    for given in (sampler, GaussianSampler(min_distance=0.1).fit(Z)):
        for bad in (lambda codes: codes[:, 0], lambda codes: True, lambda codes: codes > 0):
            with pytest.raises(ValueError, match="condition must return one bool a row"):
                given.sample(2, 0, condition=bad)


@each_learnt
def test_min_distance(cls):
    free, apart = (quick(cls, min_distance=m).fit(Z) for m in (None, 1.0))
    near, far = (
        np.linalg.norm(s.sample(400, 0)[:, None] - Z[None], axis=2).min(1) for s in (free, apart)
    )
    assert far.min() >= apart.least_distance_ > near.min()
    gaps = np.linalg.norm(Z[:, None] - Z[None], axis=2) + 1e9 * np.eye(500)
    assert apart.least_distance_ == pytest.approx(np.median(gaps.min(1)))


# ----------------------------------------------------------------------------------- density
def test_density_of_groups_is_their_mixture():
    sampler = GaussianSampler(conditional=True).fit(Z, LABELS)
    parts = [np.exp(group._log_density(Z)) for group in sampler.samplers_]
    expected = np.log(sum(w * p for w, p in zip(sampler.shares_, parts, strict=True)))
    np.testing.assert_allclose(sampler.score_samples(Z), expected)
    assert not hasattr(UniformSphereSampler(), "_log_density") or hasattr(
        UniformSphereSampler(), "score_samples"
    )


# ------------------------------------------------------------------------------- arithmetic
def test_stratified_counts_are_unbiased():
    weights = np.array([0.55, 0.3, 0.149, 0.001])
    rng = np.random.RandomState(0)
    counts = np.stack([stratified_counts(weights, 37, rng) for _ in range(20_000)])
    assert (counts.sum(1) == 37).all() and (np.abs(counts - 37 * weights) < 1).all()
    np.testing.assert_allclose(counts.mean(0), 37 * weights, atol=4 * 0.5 / 20_000**0.5)


def test_parse_shares():
    np.testing.assert_allclose(parse_shares({"b": 3, "a": 1}, np.array(["a", "b"])), [0.25, 0.75])


# -------------------------------------------------------------- through estimators, pipelines
X = np.c_[Z, Z @ [[1.0], [0.5]]]


@pytest.mark.parametrize("cls", [AE, LISAGenerator], ids=name)
def test_labels_through_the_estimator(cls):
    model = small(cls, sampler=CellSampler(conditional=True)).fit(X, LABELS)
    assert model.sample(5, 0, y="c").shape == (5, 3)
    assert model.sample(6, 0, balance={"a": 1, "b": 1}).shape == (6, 3)
    assert model.sampler_.classes_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="needs labels"):
        small(cls, sampler=CellSampler(conditional=True)).fit(X)
    with pytest.raises(ValueError, match="needs labels"):
        small(cls, sampler=CellSampler(conditional=True)).partial_fit(X, LABELS)


def test_labels_do_not_reach_the_model_otherwise():
    one, two = (small(AE).fit(X, y).sample(9, 0) for y in (None, LABELS))
    np.testing.assert_array_equal(one, two)


def test_condition_is_in_the_units_of_the_rows():
    frame = pd.DataFrame(100 + 10 * X, columns=["u", "v", "w"])
    pipe = make_pipeline(StandardScaler(), small(AE, max_epochs=30)).fit(frame)
    rows = sample(pipe, 50, random_state=0, condition=lambda rows: rows["u"] > 110)
    assert isinstance(rows, pd.DataFrame) and len(rows) == 50 and (rows["u"] > 110).all()
    assert rows.index.tolist() == list(range(50))
    model = small(AE, max_epochs=30).fit(frame)
    rows = model.sample(20, 0, condition=lambda rows: rows["v"] > rows["v"].median())
    assert rows.shape == (20, 3)
    with pytest.raises(ValueError, match="one label"):
        sample(model, 2, condition=lambda rows: rows["v"] > 0, y=["a", "b"])
    with pytest.raises(ValueError, match="balance: draw each label apart"):
        model.sample(2, 0, condition=lambda rows: rows["v"] > 0, balance={"a": 1})
    with pytest.raises(ValueError, match="one label"):
        model.sample(2, 0, condition=lambda rows: rows["v"] > 0, y=["a", "b"])


def test_condition_on_polars_frames():
    frame = polars.DataFrame(X, schema=["u", "v", "w"])
    model = small(AE, max_epochs=30).fit(frame)
    middle = float(np.median(model.sample(200, 0)["u"]))
    rows = model.sample(20, 0, condition=lambda rows: rows["u"] > middle)
    assert type(rows) is polars.DataFrame and rows.shape == (20, 3)
    assert (rows["u"] > middle).all()
