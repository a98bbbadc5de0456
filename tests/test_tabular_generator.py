"""What every generator of tables owes its users, by discovery; and what this one does."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars
import pytest
import torch
from polars.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import geomgen
from geomgen.samplers import GaussianSampler
from geomgen.tabular import TableEncoder, TableGenerator
from geomgen.tabular._models import choose_model
from geomgen.utils.discovery import all_estimators

TABLES = [cls for _, cls in all_estimators("table")]
every = pytest.mark.parametrize("cls", TABLES, ids=lambda cls: cls.__name__)


def claims(n=400, seed=0):
    """Fraud is rare, and seen in amount and country; some amounts are missing, many are zero."""
    rng = np.random.RandomState(seed)
    fraud = rng.random_sample(n) < 0.1
    amount = np.where(fraud, 900, 100) + rng.exponential(50, n)
    amount[rng.random_sample(n) < 0.9] = 0
    amount[rng.random_sample(n) < 0.05] = np.nan
    start = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(rng.randint(0, 300, n), unit="D")
    country = np.where(fraud, "XX", rng.choice(["AA", "BB"], n))
    low = rng.randint(0, 50, n)
    return pd.DataFrame(
        {
            "amount": amount,
            "country": country,
            "fraud": fraud.astype(int),
            "start": start,
            "low": low,
            "high-end": low + rng.randint(0, 50, n),
        },
        index=pd.RangeIndex(n, name="claim"),
    )


def tiny(**params):
    return geomgen.AE(n_components=3, hidden=(16,), max_epochs=8, **params)


def quick(cls, **params):
    return cls(**{"model": tiny(), "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted():
    return {cls: quick(cls, target="fraud").fit(claims()) for cls in TABLES}


# ------------------------------------------------------------------------------- the contract
@every
def test_frames_in_frames_out(cls, fitted):
    X = claims()
    drawn = fitted[cls].sample(50, random_state=0)
    assert isinstance(drawn, pd.DataFrame) and len(drawn) == 50
    pd.testing.assert_series_equal(drawn.dtypes, X.dtypes)
    assert drawn.index.equals(pd.RangeIndex(50)) and drawn.index.name == "claim"
    assert fitted[cls].feature_names_in_.tolist() == X.columns.tolist()
    assert fitted[cls].n_features_in_ == 6


@every
def test_polars(cls):
    X = polars.from_pandas(claims())
    drawn = quick(cls, target="fraud").fit(X).sample(20, random_state=0, conditions={"fraud": 1})
    assert isinstance(drawn, polars.DataFrame) and drawn.schema == X.schema
    assert drawn["fraud"].to_list() == [1] * 20


@every
def test_same_seed_same_rows(cls, fitted):
    again = quick(cls, target="fraud").fit(claims())
    one, two = (model.sample(30, random_state=5) for model in (fitted[cls], again))
    pd.testing.assert_frame_equal(one, two)
    assert not fitted[cls].sample(30, random_state=6).equals(one)


@every
def test_clone_pickle_and_copy(cls, fitted):
    drawn = fitted[cls].sample(20, random_state=0)
    for other in (pickle.loads(pickle.dumps(fitted[cls])), copy.deepcopy(fitted[cls])):
        pd.testing.assert_frame_equal(other.sample(20, random_state=0), drawn)
    assert clone(fitted[cls]).get_params()["target"] == "fraud"
    assert not hasattr(clone(fitted[cls]), "encoder_")


@every
def test_nothing_outside_changes(cls):
    X, encoder, model = claims(), TableEncoder(), tiny()
    before, torch_state = X.copy(), torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()
    generator = quick(cls, encoder=encoder, model=model, target="fraud").fit(X)
    generator.sample(10, random_state=0), generator.score(X)
    pd.testing.assert_frame_equal(X, before)
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert not hasattr(encoder, "codecs_") and not hasattr(model, "net_")
    assert encoder.dtype == "float64"


@every
def test_a_failed_fit_leaves_the_old_one(cls, fitted):
    generator = copy.deepcopy(fitted[cls])
    drawn = generator.sample(10, random_state=0)
    for params in ({"model": "forest"}, {"constraints": ["nothing > 0"]}, {"target": "nothing"}):
        kept = {name: getattr(generator, name) for name in params}
        with pytest.raises(ValueError):
            generator.set_params(**params).fit(claims(seed=1))
        generator.set_params(**kept)
        pd.testing.assert_frame_equal(generator.sample(10, random_state=0), drawn)


@every
def test_pipelines(cls):
    step = FunctionTransformer(lambda X: X, lambda X: X, check_inverse=False)
    pipe = make_pipeline(step, quick(cls)).fit(claims())
    assert geomgen.sample(pipe, 5, random_state=0).columns.tolist() == claims().columns.tolist()


@every
def test_searches(cls):
    X = claims()
    search = GridSearchCV(quick(cls), {"model": ["rows", "pca"]}, cv=2)
    search.fit(X.drop(columns="fraud"), X["fraud"])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    drawn = geomgen.sample(search, 30, random_state=0, balance="equal")
    assert drawn["fraud"].value_counts().tolist() == [15, 15]


@every
def test_score_prefers_the_right_rows(cls, fitted):
    X = claims(seed=1)
    shifted = X.assign(country="XX", low=X["low"] + 100)
    assert fitted[cls].score(shifted) < fitted[cls].score(X) <= 0


BAD = {
    "model": (["forest", "ae "], [3, GaussianMixture]),
    "encoder": ([], ["onehot", FunctionTransformer()]),
    "marginals": (["exact"], []),
    "constraints": (["a"], ["low > 0"]),
    "verbose": ([-1], ["yes"]),
}


@every
@pytest.mark.parametrize("name", BAD)
def test_bad_parameters_are_named(cls, name):
    for value in [*BAD[name][0], *BAD[name][1]]:
        with pytest.raises((ValueError, TypeError), match=name):
            quick(cls, **{name: value}).fit(claims(60))


@every
@pytest.mark.parametrize("n", [0, -1, 2.0, None])
def test_bad_number_of_rows(cls, n, fitted):
    with pytest.raises(ValueError, match="n_samples"):
        fitted[cls].sample(n)


@every
def test_bad_rows(cls):
    with pytest.raises(TypeError, match="a table is a pandas or polars DataFrame"):
        quick(cls).fit(np.ones((9, 2)))
    with pytest.raises(ValueError, match="missing in 1 rows"):
        quick(cls, target="a").fit(pd.DataFrame({"a": [1, 2, None] * 1, "b": [1, 2, 3]}))
    with pytest.raises(ValueError, match="not one label for each of 60 rows"):
        quick(cls).fit(claims(60), [1, 2])
    with pytest.raises(ValueError, match="not both"):
        quick(cls, target="fraud").fit(claims(60), np.arange(60) % 2)


# ---------------------------------------------------------------------- conditions and balance
@pytest.fixture(scope="module")
def generator():
    return TableGenerator(model="ae", target="fraud", random_state=0).fit(claims(1500))


def test_classes_have_their_shares(generator):
    X = claims(1500)
    drawn = generator.sample(2000, random_state=0)
    assert abs(drawn["fraud"].sum() - 2000 * X["fraud"].mean()) <= 1  # stratified
    assert generator.classes_.tolist() == [0, 1]


def test_rows_of_a_class_look_like_it(generator):
    drawn = generator.sample(500, random_state=0, conditions={"fraud": 1})
    assert (drawn["fraud"] == 1).all() and (drawn["country"] == "XX").mean() > 0.95
    amounts = drawn["amount"][drawn["amount"] > 0]
    assert amounts.between(850, 1300).mean() > 0.9


def test_columns_have_the_laws_of_the_training_rows(generator):
    X, drawn = claims(1500), generator.sample(4000, random_state=0)
    for column, holds in {
        "missing": lambda X: X["amount"].isna(),
        "zero": lambda X: X["amount"] == 0,
        "XX": lambda X: X["country"] == "XX",
        "AA": lambda X: X["country"] == "AA",
        "early": lambda X: X["start"] < pd.Timestamp("2024-03-01", tz="UTC"),
        "low": lambda X: X["low"] < 10,
    }.items():
        rate = holds(X).mean()
        spread = np.sqrt(rate * (1 - rate) * (1 / 1500 + 1 / 4000))
        assert holds(drawn).mean() == pytest.approx(rate, abs=4 * spread), column
    assert (drawn["start"].dt.normalize() == drawn["start"]).all()
    assert drawn["low"].between(X["low"].min(), X["low"].max()).all()


def test_conditions_on_other_columns(generator):
    wanted = {"fraud": 0, "country": ["AA"], "low": lambda column: column > 25}
    drawn = generator.sample(40, random_state=0, conditions=wanted)
    assert (drawn["fraud"] == 0).all() and (drawn["country"] == "AA").all()
    assert (drawn["low"] > 25).all()
    missing = generator.sample(5, random_state=0, conditions={"amount": None})
    assert missing["amount"].isna().all()


def test_conditions_change_the_shares_of_classes(generator):
    drawn = generator.sample(200, random_state=0, conditions={"country": "XX"})
    assert drawn["fraud"].mean() > 0.9  # it is of hardly any other row
    drawn = generator.sample(200, random_state=0, conditions={"country": ["AA", "BB"]})
    assert drawn["fraud"].mean() < 0.02


def test_balance(generator):
    equal = generator.sample(101, random_state=0, balance="equal")["fraud"]
    assert equal.value_counts().max() == 51
    given = generator.sample(
        100, random_state=0, balance={0: 3, 1: 1}, conditions={"low": [1, 2, 3]}
    )
    assert given["fraud"].sum() == 25 and given["low"].isin([1, 2, 3]).all()


@pytest.mark.parametrize(
    "asked,error,message",
    [
        ({"conditions": {"colour": 1}}, ValueError, r"conditions has \['colour'\]"),
        ({"conditions": {"fraud": 7}}, ValueError, r"in \[7\]: there are \[0, 1\]"),
        ({"balance": {7: 1}}, ValueError, r"labels \[7\]"),
        ({"balance": 0.5}, TypeError, "balance"),
        ({"conditions": {"fraud": 1}, "balance": {0: 1, 1: 0}}, ValueError, "no share"),
        ({"conditions": {"country": "nowhere"}}, RuntimeError, "'country': 'nowhere'.*too rare"),
    ],
)
def test_what_cannot_be_asked(generator, asked, error, message):
    with pytest.raises(error, match=message):
        generator.sample(2, random_state=0, **asked)


def test_balance_needs_classes():
    generator = TableGenerator(model="rows", random_state=0).fit(claims(100))
    with pytest.raises(ValueError, match="balance= needs classes"):
        generator.sample(3, balance="equal")


def test_labels_are_the_last_column():
    X = claims(200)
    rows, y = X.drop(columns="fraud"), X["fraud"].map({0: "no", 1: "yes"})
    generator = TableGenerator(model="rows", random_state=0).fit(rows, y)
    drawn = generator.sample(10, random_state=0, conditions={"fraud": "yes"})
    assert drawn.columns.tolist() == [*rows.columns, "fraud"] and (drawn["fraud"] == "yes").all()
    unnamed = TableGenerator(model="rows", random_state=0).fit(rows, y.to_numpy())
    assert unnamed.feature_names_in_[-1] == "target"


def test_small_classes_are_told():
    rows = pd.DataFrame({"v": np.arange(40.0), "kind": ["a"] * 30 + ["b"] * 10})
    TableGenerator(target="kind", model="rows", random_state=0).fit(rows)
    rows.loc[30, "kind"] = "a"
    with pytest.warns(UserWarning, match=r"'kind' have fewer than 10 rows, \{'b': 9\}"):
        TableGenerator(target="kind", model="rows", random_state=0).fit(rows)


def test_a_target_that_is_a_measure_is_a_column_like_others():
    X = claims(200)[["low", "high-end"]].assign(size=np.random.RandomState(0).normal(size=200))
    generator = TableGenerator(model="rows", target="size", random_state=0).fit(X)
    assert generator.sample(5, random_state=0)["size"].nunique() == 5
    with pytest.raises(AttributeError, match="target of classes"):
        _ = generator.classes_


# ------------------------------------------------------------------------------------- models
def test_auto_chooses_by_the_features():
    assert choose_model([("gaussian", 1)] * 9) == "rows"
    assert choose_model([("gaussian", 1)] * 40) == "pca"
    assert choose_model([("gaussian", 1), ("categorical", 3)]) == "ae"
    numbers = claims(100)[["low", "high-end"]]
    assert TableGenerator(random_state=0).fit(numbers).model_name_ == "rows"


@pytest.mark.parametrize(
    "model",
    [
        "rows",
        "pca",
        GaussianMixture(3),
        geomgen.VAEGenerator(n_components=2, hidden=(8,), max_epochs=3),
        geomgen.LISAGenerator(n_components=3, hidden=(8,), max_epochs=3),
    ],
    ids=lambda m: getattr(type(m), "__name__", m) if not isinstance(m, str) else m,
)
@pytest.mark.parametrize("target", [None, "fraud"])
def test_models(model, target):
    X = claims(200)
    generator = TableGenerator(model=model, target=target, random_state=0).fit(X)
    drawn = generator.sample(400, random_state=0)
    assert set(drawn["country"]) <= set(X["country"])
    assert drawn["fraud"].mean() == pytest.approx(X["fraud"].mean(), abs=0.06)


def test_sampler_of_ones_own():
    generator = TableGenerator(model=tiny(), sampler="mvg", random_state=0).fit(claims(100))
    assert isinstance(generator.model_.sampler_, GaussianSampler)
    given = TableGenerator(model=tiny(sampler="mvg"), sampler=None, random_state=0)
    assert isinstance(given.fit(claims(100)).model_.sampler_, GaussianSampler)


def test_constant_columns_alone():
    X = pd.DataFrame({"a": [1, 1, 1], "b": [None] * 3})
    generator = TableGenerator(random_state=0).fit(X)
    assert generator.model_ is None
    pd.testing.assert_frame_equal(generator.sample(3, random_state=0), X)


# -------------------------------------------------------------------------------- constraints
def test_constraints_hold():
    X = claims(300)
    rules = ["low <= `high-end`", lambda rows: rows["low"] != 7]
    with pytest.warns(UserWarning, match="of 300 rows of X do not satisfy"):
        generator = TableGenerator(
            model="rows", constraints=rules, target="fraud", random_state=0
        ).fit(X)
    drawn = generator.sample(300, random_state=0)
    assert (drawn["low"] <= drawn["high-end"]).all() and (drawn["low"] != 7).all()
    assert drawn["fraud"].mean() == pytest.approx(X["fraud"].mean(), abs=1 / 300)


def test_constraints_that_no_row_meets():
    with pytest.raises(ValueError, match="No row of X satisfies the constraint 'low > 1000'"):
        TableGenerator(model="rows", constraints=["low > 1000"]).fit(claims(50))


# ---------------------------------------------------------------------------------- streaming
def test_chunks_are_rows_in_parts(generator):
    chunks = list(generator.sample_chunks(250, 100, random_state=0, conditions={"fraud": 1}))
    assert [len(chunk) for chunk in chunks] == [100, 100, 50]
    assert all((chunk["fraud"] == 1).all() for chunk in chunks)
    again = pd.concat(generator.sample_chunks(250, 100, random_state=0, conditions={"fraud": 1}))
    pd.testing.assert_frame_equal(again, pd.concat(chunks))
    for size in (0, 1.5, True):
        with pytest.raises(ValueError, match="chunk_size"):
            generator.sample_chunks(10, size)


def test_polars_and_pandas_agree():
    X = claims(200)[["low", "country", "fraud"]]
    one = TableGenerator(model="rows", random_state=0).fit(X).sample(20, random_state=0)
    two = TableGenerator(model="rows", random_state=0).fit(polars.from_pandas(X))
    assert_frame_equal(polars.from_pandas(one), two.sample(20, random_state=0))
