"""Frames to features and back, exactly; what is drawn, what is refused."""

import datetime as dt
import decimal
import tracemalloc

import numpy as np
import pandas as pd
import polars
import pytest
from polars.testing import assert_frame_equal
from scipy.stats import norm
from sklearn.base import clone

from geomgen.tabular import TableEncoder
from geomgen.tabular._states import StateReader


def thinned(rng, values, rate=0.2):
    return np.where(rng.random_sample(len(values)) < rate, None, values)


def table(n=150, seed=0):
    """Every type that pandas users bring, with an index and a header of their own."""
    rng = np.random.RandomState(seed)
    days = pd.to_timedelta(rng.randint(0, 1000, n), unit="D")
    frame = pd.DataFrame(
        {
            "integers": rng.randint(0, 1000, n),
            "bytes": rng.randint(0, 255, n).astype("uint8"),
            "two values": rng.randint(0, 2, n).astype("int8"),
            "floats": rng.normal(size=n),
            "float32": rng.normal(size=n).astype("float32"),
            "cents": rng.normal(size=n).round(2),
            "zeros": np.where(rng.random_sample(n) < 0.9, 0, rng.exponential(100, n)),
            "heavy": np.r_[rng.normal(size=n - 1), 1e6],
            "gaps": thinned(rng, rng.normal(size=n)).astype(float),
            "Int64": pd.array(thinned(rng, rng.randint(0, 50, n)), dtype="Int64"),
            "Float32": pd.array(thinned(rng, rng.normal(size=n).round(3)), dtype="Float32"),
            "bool": rng.random_sample(n) < 0.3,
            "boolean": pd.array(thinned(rng, rng.random_sample(n) < 0.5), dtype="boolean"),
            "text": rng.choice(list("abc"), n),
            "string": pd.array(thinned(rng, rng.choice(["u", "v"], n)), dtype="string"),
            "objects": pd.Series(thinned(rng, rng.choice([1, 2, 5], n)), dtype=object),
            "of all kinds": pd.Series(
                rng.choice(np.array([1, "x", None], object), n), dtype=object
            ),
            "levels": pd.Categorical(
                rng.choice(list("xy"), n), categories=list("zyx"), ordered=True
            ),
            "many": rng.choice([f"k{i}" for i in range(60)], n),
            "day": pd.Timestamp("2020-01-01", tz="Europe/Rome") + days,
            "moment": pd.to_datetime("2020-01-01")
            + pd.to_timedelta(rng.randint(10**9, size=n), "us"),
            "duration": pd.to_timedelta(rng.randint(0, 100, n), unit="h"),
            "one value": 7,
            "no value": np.nan,
            "none": None,
        },
        index=pd.Index(rng.permutation(n), name="id"),
    )
    return frame.rename_axis(columns="header")


def polars_table(n=150, seed=0):
    rng = np.random.RandomState(seed)
    letters = rng.choice(list("abc"), n).tolist()
    seconds = thinned(rng, rng.randint(0, 9999, n), 0.1)
    epoch = dt.datetime(2020, 1, 1)
    frame = polars.DataFrame(
        {
            "i": rng.randint(0, 1000, n),
            "f": rng.normal(size=n),
            "s": letters,
            "b": (rng.random_sample(n) < 0.5).tolist(),
            "d": [epoch.date() + dt.timedelta(days=int(k)) for k in rng.randint(0, 99, n)],
            "t": [None if k is None else epoch + dt.timedelta(seconds=int(k)) for k in seconds],
            "gaps": thinned(rng, rng.random_sample(n)).tolist(),
            "nan": np.where(rng.random_sample(n) < 0.2, np.nan, rng.random_sample(n)),
            "null": [None] * n,
        }
    )
    column = polars.col("s")
    return frame.with_columns(
        categories=column.cast(polars.Categorical),
        levels=column.cast(polars.Enum(list("cba"))),
        small=polars.col("i").cast(polars.Int16),
    )


@pytest.mark.parametrize(
    "params",
    [{}, {"numeric": "quantile"}, {"numeric": "modes"}, {"categorical": "embedding"}],
    ids=str,
)
def test_round_trip_is_exact(params):
    X = table()
    before = X.copy()
    encoder = TableEncoder(random_state=0, **params).set_output(transform="pandas").fit(X)
    features = encoder.transform(X)
    pd.testing.assert_frame_equal(encoder.inverse_transform(features), X, rtol=1e-9)
    pd.testing.assert_frame_equal(X, before)
    assert features.columns.is_unique and features.shape[1] == sum(w for _, w in encoder.blocks_)


def test_round_trip_of_polars():
    X = polars_table()
    encoder = TableEncoder(random_state=0).fit(X)
    assert_frame_equal(encoder.inverse_transform(encoder.transform(X)), X)


def test_columns_may_come_in_any_order():
    X = table()
    encoder = TableEncoder(random_state=0).fit(X)
    np.testing.assert_array_equal(encoder.transform(X[X.columns[::-1]]), encoder.transform(X))
    with pytest.raises(ValueError, match=r"lacks the columns \['text'\]"):
        encoder.transform(X.drop(columns="text"))


def test_blocks_describe_the_features():
    X = table()[["floats", "gaps", "zeros", "text", "bool", "one value", "many"]]
    encoder = TableEncoder(random_state=0).fit(X)
    assert encoder.blocks_ == [
        ("gaussian", 1),
        *(("categorical", 2), ("gaussian", 1)),  # missing, or not
        *(("categorical", 2), ("gaussian", 1)),  # zero, or not
        *(("categorical", 3), ("categorical", 2), ("embedding", 16)),
    ]
    features, start = encoder.transform(X), 0
    for kind, width in encoder.blocks_:
        block = features[:, start : start + width]
        start += width
        if kind == "categorical":
            assert set(np.unique(block)) <= {0, 1} and (block.sum(1) == 1).all()
    names = encoder.get_feature_names_out().tolist()
    assert names[:6] == ["floats", "gaps_other", "gaps_missing", "gaps", "zeros_other", "zeros_0"]
    assert encoder.kinds_["one value"] == "constant" and encoder.kinds_["many"] == "category"


def test_standard_scale_and_normal_scores():
    X = pd.DataFrame({"a": np.random.RandomState(0).exponential(size=500)})
    E = TableEncoder(numeric="standard").fit_transform(X)
    np.testing.assert_allclose([E.mean(), E.std()], [0, 1], atol=1e-12)
    E = TableEncoder(numeric="quantile").fit_transform(X)
    ranks = X["a"].rank().to_numpy() - 0.5
    np.testing.assert_allclose(E[:, 0], norm.ppf(ranks / 500), atol=1e-9)


def test_normal_scores_keep_a_spike_at_the_end_near():
    """scikit-learn's transformer sends it to 5.2 standard deviations."""
    X = pd.DataFrame({"a": np.r_[np.zeros(40), np.linspace(1, 2, 60)]})
    E = TableEncoder(numeric="quantile").fit_transform(X)
    assert E.min() == pytest.approx(-0.8416, abs=1e-3)  # the normal quantile of 40 % / 2


def test_outliers_do_not_rule():
    X = pd.DataFrame({"a": np.r_[np.random.RandomState(0).normal(size=2000), 1e6]})
    assert np.abs(TableEncoder().fit_transform(X)).max() < 5
    assert np.abs(TableEncoder(numeric="standard").fit_transform(X)).max() > 40


def test_modes_are_those_of_the_mixture():
    rng = np.random.RandomState(0)
    k = rng.randint(2, size=1000)
    X = pd.DataFrame({"a": np.where(k, 100 + rng.normal(size=1000), rng.normal(size=1000))})
    encoder = TableEncoder(numeric="modes", random_state=0).fit(X)
    E = encoder.transform(X)
    assert encoder.blocks_ == [("categorical", 2), ("gaussian", 1)]
    assert abs(np.corrcoef(E[:, 0], k)[0, 1]) == pytest.approx(1)
    assert E[:, 2].std() == pytest.approx(1, abs=0.05)


def test_rare_categories_survive_the_way_back():
    """Probabilities are drawn from: the largest would be "common" in every row."""
    X = pd.DataFrame({"c": ["rare"] * 10 + ["common"] * 990})
    encoder = TableEncoder(random_state=0).fit(X)
    P = np.tile([0.99, 0.01], (20_000, 1))
    drawn = encoder.inverse_transform(P, random_state=0)["c"]
    assert (drawn == "rare").mean() == pytest.approx(0.01, abs=4 * np.sqrt(0.01 / 20_000))
    assert not encoder.inverse_transform(P, random_state=1)["c"].equals(drawn)
    assert encoder.inverse_transform(P)["c"].equals(encoder.inverse_transform(P)["c"])


def test_numbers_come_back_rounded_and_in_bounds():
    X = table()[["integers", "cents", "bytes"]]
    encoder = TableEncoder().fit(X)
    drawn = encoder.inverse_transform(np.random.RandomState(0).normal(size=(1000, 3)) * 3)
    assert drawn.dtypes.tolist() == X.dtypes.tolist()
    assert (drawn["cents"].round(2) == drawn["cents"]).all()
    assert (drawn.min() == X.min()).all() and (drawn.max() == X.max()).all()


@pytest.mark.parametrize("dtype", ["float32", "Float32", "float[pyarrow]", "float16"])
def test_numbers_of_few_digits_come_back_rounded(dtype):
    """1.1 of float32 is 1.10000002384 of float64, and has one decimal all the same."""
    X = pd.DataFrame({"price": pd.Series([1.1, 2.3, 4.7, 0.2] * 30, dtype=dtype)})
    encoder = TableEncoder().fit(X)
    drawn = encoder.inverse_transform(np.linspace(-1, 1, 50)[:, None])["price"]
    rounded = drawn.astype(float).round(1).astype(dtype)
    pd.testing.assert_series_equal(drawn, rounded, rtol=0, atol=0)


def test_times_of_four_centuries():
    """More nanoseconds than int64 holds lie between them."""
    days = pd.to_datetime(["1880-03-01", "1999-05-07", "2024-01-31", "2262-04-11"])
    X = pd.DataFrame({"day": days.as_unit("ns")})
    encoder = TableEncoder().fit(X)
    features = encoder.transform(X)
    assert (np.diff(features[:, 0]) > 0).all()
    pd.testing.assert_frame_equal(encoder.inverse_transform(features), X)
    early = X.head(2).assign(day=pd.to_datetime(["1700-01-01", "1990-01-01"]).as_unit("ns"))
    assert encoder.transform(early)[0, 0] < features[0, 0]


def test_every_value_may_be_a_spike():
    X = pd.DataFrame({"x": [0.0, 1.0, 2.0] * 20})
    for scale in ("standard", "quantile", "modes"):
        encoder = TableEncoder(spike_share=0.3, numeric=scale).fit(X)
        assert encoder.inverse_transform(encoder.transform(X)).equals(X)


def test_objects_of_numpy_are_numbers():
    X = pd.DataFrame({"x": pd.Series([np.int64(k) for k in range(40)], dtype=object)})
    assert TableEncoder().fit(X).kinds_ == {"x": "number"}


@pytest.mark.parametrize("sharp", [False, True])
def test_calibrated_states_have_the_shares_wanted(sharp):
    rng = np.random.RandomState(0)
    P = rng.dirichlet([5, 3, 1, 0.2], size=20_000)
    wanted = np.array([0.2, 0.5, 0.29, 0.01])
    reader = StateReader(sharp).fit(P[:10_000], wanted)
    found = np.bincount(reader.draw(P[10_000:], rng), minlength=4) / 10_000
    np.testing.assert_allclose(found, wanted, atol=0.015)


def test_embedded_categories_are_the_nearest():
    X = table()[["many"]]
    encoder = TableEncoder(random_state=0).fit(X)
    noisy = encoder.transform(X) + 0.02 * np.random.RandomState(0).normal(size=(150, 16))
    assert (encoder.inverse_transform(noisy)["many"].to_numpy() == X["many"].to_numpy()).all()


def test_keys_are_made_anew():
    X = pd.DataFrame({"name": [f"person {i}" for i in range(50)], "a": np.arange(50.0)})
    with pytest.warns(UserWarning, match=r"Columns \['name'\] .* keys"):
        encoder = TableEncoder(random_state=0).fit(X)
    drawn = encoder.inverse_transform(encoder.transform(X))
    assert drawn["name"].is_unique and not set(drawn["name"]) & set(X["name"])
    TableEncoder(kinds={"name": "key"}).fit(X)  # said so: no warning
    assert TableEncoder(kinds={"name": "categorical"}).fit(X).kinds_["name"] == "category"


def test_kinds_overrule_the_dtype():
    X = table()[["integers"]]
    encoder = TableEncoder(kinds={"integers": "categorical"}, random_state=0).fit(X)
    assert encoder.kinds_ == {"integers": "category"}
    pd.testing.assert_series_equal(
        encoder.inverse_transform(encoder.transform(X))["integers"].reset_index(drop=True),
        X["integers"].reset_index(drop=True),
    )


UNSUPPORTED = {
    "complex": np.ones(30, complex),
    "period": pd.period_range("2020", periods=30),
    "lists": pd.Series([[1]] * 29 + [[2]], dtype=object),
    "decimals": pd.Series([decimal.Decimal(k) / 100 for k in range(30)], dtype=object),
    "days": pd.Series([dt.date(2024, 1, 1 + k) for k in range(30)], dtype=object),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_types_are_named(name):
    with pytest.raises(TypeError, match=f"Column '{name}' .*not supported"):
        TableEncoder().fit(pd.DataFrame({name: UNSUPPORTED[name]}))


@pytest.mark.parametrize(
    "X,error,message",
    [
        (np.ones((3, 2)), TypeError, "ndarray: a table is a pandas or polars DataFrame"),
        (polars.LazyFrame({"a": [1]}), TypeError, "LazyFrame: a table is a pandas or polars"),
        (pd.DataFrame(), ValueError, "has rows and columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, r"names \['a'\]: rename"),
        (pd.DataFrame({"a": [1, 2, np.inf]}), ValueError, "'a' holds infinity"),
        (pd.DataFrame({"a": [1, 2, 2**60]}), ValueError, "'a' holds 1152921504606846976"),
    ],
)
def test_bad_frames(X, error, message):
    with pytest.raises(error, match=message):
        TableEncoder().fit(X)


@pytest.mark.parametrize(
    "column,values,message",
    [
        ("text", ["z"] * 3, "unknown category 'z'"),
        ("text", ["a", None, "b"], "'text' has a missing value"),
        ("floats", [1.0, np.nan, 2.0], "'floats' has missing values, and had none"),
        ("floats", list("abc"), "'floats' is of dtype"),
        ("one value", [7, 8, 7], "'one value' had only 7.0 .* holds 8.0"),
    ],
)
def test_rows_unlike_those_of_fit(column, values, message):
    X = table()[["text", "floats", "one value"]]
    encoder = TableEncoder().fit(X)
    with pytest.raises(ValueError, match=message):
        encoder.transform(X.head(3).assign(**{column: values}))


@pytest.mark.parametrize(
    "params,message",
    [
        ({"numeric": "ranks"}, "'numeric' parameter"),
        ({"spike_share": 2}, "'spike_share' parameter"),
        ({"kinds": {"nothing": "numeric"}}, r"\['nothing'\] are none"),
        ({"kinds": {"text": "words"}}, "words"),
        ({"kinds": {"text": "numeric"}}, "calls column 'text' numeric"),
        ({"kinds": {"floats": "key"}}, "calls column 'floats' a key"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder(**params).fit(table()[["text", "floats"]])


def test_features_of_the_wrong_width_or_not_finite():
    encoder = TableEncoder().fit(table()[["floats"]])
    with pytest.raises(ValueError, match="1 features are needed"):
        encoder.inverse_transform(np.ones((2, 3)))
    with pytest.raises(ValueError, match="NaN or infinity"):
        encoder.inverse_transform(np.full((2, 1), np.nan))


def test_seed_and_clone():
    X = table()
    one, two = (clone(TableEncoder(random_state=3)).fit(X).transform(X) for _ in range(2))
    assert one.tobytes() == two.tobytes()
    state = np.random.get_state()[1].copy()
    TableEncoder(random_state=0).fit(X)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_a_wide_table_stays_small():
    """One-hot, 100 columns of 200 categories would be 20 000 features."""
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.randint(0, 200, (600, 100)).astype(str)).rename(columns="c{}".format)
    features = TableEncoder(dtype="float32", random_state=0).fit_transform(X)
    assert features.shape == (600, 1600) and features.dtype == np.float32


def test_points_of_many_categories_take_little_memory():
    X = pd.DataFrame({"zip": [f"z{k}" for k in range(1500)] * 2})
    tracemalloc.start()
    encoder = TableEncoder(random_state=0).fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6  # all pairs' differences would be 288 MB
    points = encoder.codecs_["zip"].points_
    nearest = min(np.sort(((points - p) ** 2).sum(1))[1] for p in points)
    assert encoder.codecs_["zip"].narrowness_ == pytest.approx(20 / nearest)
