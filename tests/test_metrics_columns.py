"""Tables compared column by column, and by their associations."""

import datetime

import numpy as np
import pandas as pd
import polars
import pytest
import scipy.stats
from sklearn.metrics import mutual_info_score

from geomgen.metrics.columns import association, column_distances, correlation_error


def table(n, seed=0, missing=0.0):
    rng = np.random.RandomState(seed)
    a = rng.normal(size=n)
    b = a + rng.normal(size=n)
    word = np.where(a + rng.normal(size=n) > 0, "high", "low")
    word[rng.uniform(size=n) < 0.2] = "odd"
    yes = rng.uniform(size=n) < 0.3
    frame = pd.DataFrame({"a": a, "b": b, "count": rng.poisson(3, n), "word": word, "yes": yes})
    frame["shade"] = pd.Categorical(np.where(word == "odd", "grey", rng.choice(["red", "blue"], n)))
    return frame.mask(rng.uniform(size=frame.shape) < missing) if missing else frame


# ------------------------------------------------------------------------ column distances
def test_kinds():
    expected = ["numeric"] * 3 + ["categorical"] * 3
    assert column_distances(table(50), table(60, 1))["kind"].tolist() == expected


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_distances_are_their_definitions(missing):
    X, Y = table(150, 0, missing), table(120, 1, missing)
    Y["a"] += 0.5
    found = column_distances(X, Y)
    for name in ("a", "b", "count"):
        x, y = X[name].dropna().astype(float), Y[name].dropna().astype(float)
        points = np.r_[x, y]
        gaps = [abs((x <= t).mean() - (y <= t).mean()) for t in points]
        assert found.loc[name, "distance"] == pytest.approx(max(gaps))
    exact = scipy.stats.ks_2samp(X["b"].dropna(), Y["b"].dropna(), method="exact").pvalue
    assert found.loc["b", "pvalue"] == pytest.approx(exact, abs=0.05)
    assert found.loc["a", "pvalue"] < 0.01
    for name in ("word", "yes", "shade"):
        p, q = (Z[name].dropna().astype(str).value_counts(normalize=True) for Z in (X, Y))
        expected = p.sub(q, fill_value=0).abs().sum() / 2
        assert found.loc[name, "distance"] == pytest.approx(expected)
        # n · mutual information is half of the likelihood-ratio statistic, near chi-squared
        x, y = X[name].dropna().astype(str), Y[name].dropna().astype(str)
        side, said = np.repeat([0, 1], [len(x), len(y)]), np.r_[x, y]
        ratio = 2 * len(said) * mutual_info_score(side, said)
        expected = scipy.stats.chi2.sf(ratio, len(set(said)) - 1)
        assert found.loc[name, "pvalue"] == pytest.approx(expected, abs=0.02)
    shares = Y.isna().mean() - X.isna().mean()
    np.testing.assert_allclose(found["missing_difference"], shares)


def test_pvalues_are_uniform_for_one_distribution():
    """The level holds: never more than nominal by four errors; discrete counts have less."""
    found = [column_distances(table(100, s), table(80, 1000 + s))["pvalue"] for s in range(150)]
    level = (pd.concat(found, axis=1) < 0.1).mean(axis=1)
    assert (level < 0.1 + 4 * np.sqrt(0.1 * 0.9 / 150)).all()
    assert (level[["a", "word", "yes"]] > 0.1 - 4 * np.sqrt(0.1 * 0.9 / 150)).all()


def test_equal_and_disjoint_columns():
    X = pd.DataFrame({"n": [1, 2, 3], "c": ["x", "y", "y"], "one": ["z"] * 3, "k": [5.0] * 3})
    same = column_distances(X, X)
    assert (same["distance"] == 0).all() and (same["pvalue"] == 1).all()
    Y = pd.DataFrame({"n": [7, 8], "c": ["u", "v"], "one": ["w"] * 2, "k": [6.0] * 2})
    assert (column_distances(X, Y)["distance"] == 1).all()


def test_numbers_do_not_depend_on_an_increasing_transform():
    X, Y = table(60)[["a", "b"]], 0.3 + table(70, 1)[["a", "b"]]
    pd.testing.assert_frame_equal(column_distances(X, Y), column_distances(np.exp(X), np.exp(Y)))


def test_a_column_without_values():
    X = pd.DataFrame({"n": [1.0, 2.0], "c": ["x", "y"]})
    Y = pd.DataFrame({"n": [np.nan, np.nan], "c": [None, None]})
    found = column_distances(X, Y)
    assert found["kind"].tolist() == ["numeric", "categorical"]
    assert found[["distance", "pvalue"]].isna().all(axis=None)
    assert found["missing_difference"].tolist() == [1, 1]
    Y = pd.DataFrame({"n": [None, None], "c": [None, None]}, dtype=object)
    assert column_distances(X, Y)["kind"].tolist() == found["kind"].tolist()


def test_values_compare_as_they_are():
    """Categories of integers are the integers of a plain column, or those that became floats."""
    X = pd.DataFrame({"c": pd.Categorical([1, 2, 2])})
    for other in ([1, 2, 2], [1.0, 2.0, 2.0, np.nan]):
        found = column_distances(X, pd.DataFrame({"c": other}))
        assert found.loc["c", ["kind", "distance"]].tolist() == ["categorical", 0]
    assert column_distances(X, pd.DataFrame({"c": ["1", "2"]})).loc["c", "distance"] == 1


def test_arrays_lists_and_mixed_frames():
    X, Y = table(30)[["a", "b"]], table(40, 1)[["a", "b"]]
    found = column_distances(X, Y)
    np.testing.assert_array_equal(column_distances(X, Y.to_numpy())["distance"], found["distance"])
    as_arrays = column_distances(X.to_numpy(), Y.to_numpy())
    assert as_arrays.index.tolist() == [0, 1]
    assert found.index.tolist() == ["a", "b"]
    objects = column_distances(
        table(30).to_numpy(dtype=object), table(40, 1).to_numpy(dtype=object)
    )
    assert objects["kind"].tolist() == ["numeric"] * 3 + ["categorical"] * 3
    assert objects["distance"].tolist() == (
        column_distances(table(30), table(40, 1))["distance"].tolist()
    )
    assert column_distances([[1, "x"], [2, "y"]], [[1, "x"]])["kind"].tolist() == [
        "numeric",
        "categorical",
    ]


def test_columns_are_matched_by_name():
    X, Y = table(30), table(40, 1)
    pd.testing.assert_frame_equal(column_distances(X, Y[Y.columns[::-1]]), column_distances(X, Y))


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_polars(missing):
    X, Y = table(50, 0, missing), table(60, 1, missing)
    frames = polars.from_pandas(X), polars.from_pandas(Y)
    pd.testing.assert_frame_equal(column_distances(*frames), column_distances(X, Y))
    pd.testing.assert_frame_equal(association(frames[0]), association(X))
    assert correlation_error(*frames) == pytest.approx(correlation_error(X, Y))


def test_dates_and_durations_are_numeric():
    days = pd.date_range("2020-01-01", periods=4, freq="D")
    X = pd.DataFrame({"at": days, "zone": days.tz_localize("UTC"), "took": days - days[0]})
    Y = X.shift(-2).astype({"at": "datetime64[s]"})  # two rows later, then missing
    found = column_distances(X, Y)
    assert (found["kind"] == "numeric").all()
    assert (found["distance"] == 0.5).all() and (found["missing_difference"] == 0.5).all()
    dates = polars.DataFrame({"at": [datetime.date(2020, 1, day) for day in (1, 2, 3, 4)]})
    assert column_distances(dates, X[["at"]]).loc["at", ["kind", "distance"]].tolist() == [
        "numeric",
        0,
    ]


def test_extension_types():
    X = pd.DataFrame(
        {"n": [1, 2, None, 4], "b": [True, None, False, True], "s": list("xyx") + [None]}
    )
    Y = X.astype({"n": "Int64", "b": "boolean", "s": "string"})
    found = column_distances(X, Y)
    assert found["kind"].tolist() == ["numeric", "categorical", "categorical"]
    assert (found["distance"] == 0).all() and (found["missing_difference"] == 0).all()


# ----------------------------------------------------------------------------- association
def test_association_of_numbers_is_spearmans():
    X = table(80)
    found = association(X)
    assert found.loc["a", "b"] == pytest.approx(scipy.stats.spearmanr(X["a"], X["b"]).statistic)
    assert association(-X[["a"]].assign(b=X["b"])).loc["a", "b"] == pytest.approx(
        found.loc["a", "b"]
    )


def test_association_of_numbers_with_categories_is_the_correlation_ratio_of_ranks():
    """Its square is the Kruskal-Wallis statistic over n - 1."""
    X = table(80)
    for number in ("a", "count"):
        for group in ("word", "yes", "shade"):
            groups = [values for _, values in X.groupby(group, observed=True)[number]]
            expected = np.sqrt(scipy.stats.kruskal(*groups).statistic / 79)
            found = association(X)
            assert found.loc[number, group] == pytest.approx(expected)
            assert found.loc[group, number] == found.loc[number, group]


def test_association_of_categories_is_cramers():
    X = table(80)
    for a, b in (("word", "yes"), ("word", "shade"), ("yes", "shade")):
        counts = pd.crosstab(X[a], X[b]).to_numpy()
        expected = np.outer(counts.sum(1), counts.sum(0)) / 80
        chi2 = ((counts - expected) ** 2 / expected).sum()
        found = association(X).loc[a, b]
        assert found == pytest.approx(np.sqrt(chi2 / 80 / (min(counts.shape) - 1)))
        assert association(X).loc[b, a] == found


def test_association_of_functions_of_each_other():
    X = pd.DataFrame({"n": [1.0, 5.0, 2.0, 6.0], "up": [1, 1000, 2, 10**6], "c": list("abab")})
    X["renamed"], X["down"] = X["c"].map({"a": "y", "b": "x"}), -X["n"]
    found = association(X)
    assert found.loc["n", "up"] == pytest.approx(1)
    assert found.loc["n", "down"] == pytest.approx(-1)
    assert found.loc["c", "renamed"] == pytest.approx(1)
    assert found.loc["c", "n"] == found.loc["c", "down"] == pytest.approx(np.sqrt(0.8))
    assert (np.diag(found) == 1).all()


def test_association_leaves_missing_pairs_out():
    X = table(200, 0, 0.25)
    found = association(X)
    for a, b in (("a", "b"), ("a", "word"), ("word", "shade"), ("count", "yes")):
        present = X[[a, b]].dropna().infer_objects()
        assert found.loc[a, b] == pytest.approx(association(present).loc[a, b])


@pytest.mark.parametrize("constant", [0.1, "x", None, np.nan, True])
def test_association_of_a_constant_column_is_0(constant):
    X = table(30)[["a", "b", "word", "yes"]].assign(same=constant)
    found = association(X)
    assert (found.loc["same"].drop("same") == 0).all()
    assert found.loc["same", "same"] == 1
    pd.testing.assert_frame_equal(
        found.drop(index="same", columns="same"), association(X.drop(columns="same"))
    )


def test_independent_columns():
    """Spearman's correlation has the error 1/√(n-1); n(V²) is chi-squared of 1."""
    rng, n = np.random.RandomState(0), 4000
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    X["c"], X["d"] = rng.choice(["x", "y"], n), rng.choice(["u", "v"], n)
    off = association(X).to_numpy()[np.triu_indices(4, 1)]
    assert (np.abs(off) < 4 / np.sqrt(n - 1)).all()


# ----------------------------------------------------------------------- correlation error
def test_correlation_error_is_the_mean_over_pairs():
    X, Y = table(80), table(90, 1)
    difference = (association(X) - association(Y)).abs().to_numpy()
    expected = np.mean([difference[i, j] for i in range(6) for j in range(i)])
    assert correlation_error(X, Y) == pytest.approx(expected)
    assert correlation_error(Y, X) == pytest.approx(expected)
    assert correlation_error(X, X.sample(frac=1, random_state=0)) == pytest.approx(0, abs=1e-12)


def test_correlation_error_of_shuffled_columns():
    """Equal margins, no association left: the error is the association that was there."""
    X = table(3000)[["a", "b"]]
    Y = X.assign(b=X["b"].sample(frac=1, random_state=0).to_numpy())
    assert (column_distances(X, Y)["distance"] == 0).all()
    assert correlation_error(X, Y) == pytest.approx(association(X).loc["a", "b"], abs=0.075)


def test_correlation_error_agrees_on_kinds():
    """Categories of integers here and plain integers there are compared as categories."""
    X = pd.DataFrame({"c": [1, 2, 3, 1, 2, 3], "n": [0.0, 9.0, 1.0, 0.1, 9.1, 1.1]})
    assert correlation_error(X.astype({"c": "category"}), X) == pytest.approx(0)


# --------------------------------------------------------------------------------- all three
def test_tables_are_left_alone():
    X, Y = table(30, 0, 0.1), table(30, 1, 0.1)
    before = X.copy(), Y.copy()
    column_distances(X, Y), association(X), correlation_error(X, Y)
    pd.testing.assert_frame_equal(X, before[0])
    pd.testing.assert_frame_equal(Y, before[1])


@pytest.mark.parametrize("function", [column_distances, correlation_error])
@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}), "different columns: .'a', 'b'."),
        ([[1.0, 2.0]], [[1.0]], "X has 2 columns and Y 1"),
        (pd.DataFrame({"a": [1, 2]}), [[1.0, 3.0]], "X has 1 columns and Y 2"),
        ([[1.0], [np.inf]], [[1.0]], "Column 0 of X holds infinity"),
        ([[1.0]], [[-np.inf]], "Column 0 of Y holds infinity"),
        ([1.0, 2.0], [[1.0]], "X has 1 dimensions"),
        ([[1.0]], np.empty((0, 1)), r"Y has shape \(0, 1\)"),
        (pd.DataFrame(), pd.DataFrame(), r"X has shape \(0, 0\)"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), [[1, 2]], r"same name: rename \['a'\]"),
    ],
)
def test_rejects(function, X, Y, message):
    with pytest.raises(ValueError, match=message):
        function(X, Y)


def test_correlation_error_needs_two_columns():
    with pytest.raises(ValueError, match="an association needs two"):
        correlation_error([[1.0], [2.0]], [[1.0], [2.0]])
