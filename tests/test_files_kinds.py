"""Files of what learns tables and strings, by discovery; polars' dtypes."""

import numpy as np
import pandas as pd
import polars
import pytest
from polars.testing import assert_frame_equal
from sklearn.base import TransformerMixin
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline

import geomgen
from geomgen import ModelFileError, load, save, sequence
from geomgen.sequence import CharacterVectorizer, Grammar, GrammarVectorizer
from geomgen.tabular import TableEncoder, TableGenerator
from geomgen.utils.discovery import all_estimators

from .helpers import name

STRINGS = ["x+1", "sin(x)", "x*2", "x", "1+x", "x*x", "exp(x)", "x/2"] * 4
DIGITS = Grammar("S -> D S | D\nD -> '0' | '1'", max_length=8)
TABLES = [cls for _, cls in all_estimators("table")]
SEQUENCES = [cls for _, cls in all_estimators("sequence")]
VECTORIZERS = [
    cls
    for cls in map(sequence.__dict__.get, sequence.__all__)
    if isinstance(cls, type) and issubclass(cls, TransformerMixin) and cls not in SEQUENCES
]


def table(n=90):
    """Make a table of every kind of column: spikes, gaps, times, strings, flags, keys."""
    rng = np.random.RandomState(0)
    days = pd.to_timedelta(rng.randint(0, 300, n), unit="D")
    low = rng.randint(0, 50, n)
    amount = np.where(rng.random_sample(n) < 0.85, 0, rng.exponential(100, n))
    amount[:3] = np.nan
    return pd.DataFrame(
        {
            "amount": amount,
            "country": rng.choice(["AA", "BB", None], n),
            "kind": pd.Categorical(rng.choice(["u", "v"], n), categories=["w", "v", "u"]),
            "text": pd.array(rng.choice(["k", "l", None], n), dtype="string"),
            "day": pd.Timestamp("2024-01-01") + days,
            "hour": pd.Timestamp("2024-01-01", tz="Europe/Paris") + days,
            "span": days,
            "count": pd.array([None, *range(n - 1)], dtype="Int64"),
            "flag": rng.random_sample(n) < 0.3,
            "one": "same",
            "low": low,
            "high-end": low + rng.randint(1, 50, n),
            "class": rng.choice([0, 1], n),
        },
        index=pd.RangeIndex(n, name="row"),
    )


def columns_of_polars(n=60):
    rng = np.random.RandomState(0)
    frame = polars.from_pandas(table(n).drop(columns=["kind", "count"]))
    return frame.with_columns(
        polars.Series("enum", rng.choice(["x", "y"], n), dtype=polars.Enum(["y", "x", "z"])),
        polars.Series("categorical", rng.choice(["x", "y"], n), dtype=polars.Categorical),
        polars.Series("small", rng.randint(0, 99, n), dtype=polars.UInt8),
        polars.col("day").dt.date().alias("date"),
        polars.col("day").dt.time().alias("time"),
    )


FRAME = table()


def tiny(**params):
    return geomgen.AE(n_components=2, hidden=(8,), max_epochs=3, random_state=0, **params)


@pytest.fixture
def again(tmp_path):
    """Save, and load what was saved."""
    return lambda fitted: load(save(fitted, tmp_path / "model.geomgen", overwrite=True))


def test_vectorizers_are_discovered():
    assert {CharacterVectorizer, GrammarVectorizer} <= set(VECTORIZERS)


# ---------------------------------------------------------------------------------------- tables
@pytest.mark.parametrize(
    "how",
    [
        {"numeric": "standard"},
        {"numeric": "quantile"},
        {"numeric": "modes"},
        {"categorical": "embedding", "kinds": {"country": "categorical"}},
    ],
    ids=lambda how: next(iter(how.values())),
)
def test_encoders(how, again):
    encoder = TableEncoder(random_state=0, **how).fit(FRAME)
    other = again(encoder)
    features = encoder.transform(FRAME)
    assert np.asarray(other.transform(FRAME)).tobytes() == np.asarray(features).tobytes()
    pd.testing.assert_frame_equal(
        other.inverse_transform(features), encoder.inverse_transform(features)
    )
    assert other.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()
    assert repr(other) == repr(encoder) and other.blocks_ == encoder.blocks_


@pytest.mark.parametrize("cls", TABLES, ids=name)
@pytest.mark.parametrize("model", ["rows", "pca", tiny(), GaussianMixture(2)], ids=repr)
@pytest.mark.parametrize("target", [None, "class"])
def test_every_generator_of_tables(cls, model, target, again):
    generator = cls(
        model=model, target=target, random_state=0, constraints=["low <= `high-end`"]
    ).fit(FRAME)
    other = again(generator)
    drawn = generator.sample(40, random_state=1)
    pd.testing.assert_frame_equal(other.sample(40, random_state=1), drawn)
    assert (drawn["low"] <= drawn["high-end"]).all()
    assert other.score(FRAME) == generator.score(FRAME)
    assert other.model_name_ == generator.model_name_
    if target is not None:
        draws = [g.sample(9, 2, conditions={"class": 1}) for g in (generator, other)]
        pd.testing.assert_frame_equal(*draws)
        assert other.classes_.tolist() == generator.classes_.tolist()


def test_the_generators_own_autoencoder(again):
    """Its schedule is no part of the file, and is dropped once it has served."""
    generator = TableGenerator(random_state=0).fit(FRAME[["amount", "country"]])
    assert generator.model_name_ == "ae" and generator.model_.callbacks is None
    pd.testing.assert_frame_equal(
        again(generator).sample(20, random_state=1), generator.sample(20, random_state=1)
    )


def test_tables_of_polars(again):
    frame = columns_of_polars()
    generator = TableGenerator(model=tiny(), random_state=0).fit(frame)
    other, drawn = again(generator), generator.sample(30, random_state=1)
    assert drawn.schema == frame.schema
    assert_frame_equal(other.sample(30, random_state=1), drawn)


def test_dtypes_of_polars(again):
    encoder = TableEncoder().fit(FRAME)
    encoder.dtypes_ = dtypes = [
        *columns_of_polars().dtypes,
        polars.Datetime("ms", "Asia/Tokyo"),
        polars.Duration("us"),
        polars.Null(),
    ]
    assert again(encoder).dtypes_ == dtypes
    encoder.dtypes_ = [polars.List(polars.Int8)]
    with pytest.raises(ModelFileError, match=r"dtypes_\[0\]: a column of polars' dtype List"):
        again(encoder)


def test_a_constraint_that_is_a_function_is_refused(again):
    generator = TableGenerator(
        model="rows", constraints=[lambda X: X["low"] < 99], random_state=0
    ).fit(FRAME)
    with pytest.raises(ModelFileError, match=r"constraints\[0\].*a function cannot be put"):
        again(generator)


# --------------------------------------------------------------------------------------- strings
@pytest.mark.parametrize("cls", SEQUENCES, ids=name)
def test_every_estimator_over_strings(cls, again):
    how = {"n_components": 2, "hidden": (8,), "channels": (4,), "batch_size": 16}
    model = cls(max_epochs=2, random_state=0, **how).fit(STRINGS)
    other = again(model)
    assert repr(other.get_params()) == repr(model.get_params())
    for _ in range(2):
        codes = model.transform(STRINGS)
        assert other.transform(STRINGS).tobytes() == codes.tobytes()
        assert other.inverse_transform(codes).tolist() == model.inverse_transform(codes).tolist()
        draws = [m.sample(20, random_state=1).tolist() for m in (model, other)]
        assert draws[0] == draws[1]
        for fitted in (model, other):
            fitted.partial_fit(STRINGS[:16])


@pytest.mark.parametrize("cls", VECTORIZERS, ids=name)
def test_every_vectorizer(cls, again):
    vectorizer = cls().fit(STRINGS)
    other, rows = again(vectorizer), vectorizer.transform(STRINGS)
    assert other.transform(STRINGS).tobytes() == rows.tobytes()
    assert other.inverse_transform(rows).tolist() == STRINGS
    assert other.get_feature_names_out().tolist() == vectorizer.get_feature_names_out().tolist()


def test_a_grammar_of_ones_own(again):
    strings = ["0", "1", "01", "110"] * 5
    pipe = make_pipeline(GrammarVectorizer(grammar=DIGITS), tiny()).fit(strings)
    assert again(pipe).transform(strings).tobytes() == pipe.transform(strings).tobytes()
    model = sequence.GrammarVAE(
        grammar=DIGITS, n_components=2, hidden=(8,), channels=(4,), max_epochs=1, random_state=0
    ).fit(strings)
    other = again(model)
    assert other.sample(20, random_state=1).tolist() == model.sample(20, random_state=1).tolist()
    assert set("".join(other.sample(20, random_state=1))) <= {"0", "1"}
