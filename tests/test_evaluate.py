"""evaluate and compare: floors, verdicts, any generator, and what they refuse."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from geomgen.metrics import MetricScorer, compare, energy_distance, evaluate
from geomgen.metrics._bench import Bench, resolve
from geomgen.metrics._verdicts import of_floor, of_lift, of_share, of_test
from geomgen.models import AE

from .helpers import small

RNG = np.random.RandomState(0)
Y = RNG.random_sample(1500) < 0.06
X = RNG.normal(size=(1500, 3)) * [1, 5, 0.1] + 9 * Y[:, None]
TRAIN, TEST, Y2 = X[:1000], X[1000:], (Y[:1000], Y[1000:])
CHEAP = ["energy_distance", "recall"]


def fresh(n, seed):
    rng = np.random.RandomState(seed)
    y = rng.random_sample(n) < 0.06
    return rng.normal(size=(n, 3)) * [1, 5, 0.1] + 9 * y[:, None], y


# ---------------------------------------------------------------------------------- verdicts
def test_draws_from_the_truth_are_at_every_floor():
    """Of many fresh draws few are beyond two spreads of the floor."""
    bench = Bench(TRAIN, TEST, metrics=[*CHEAP, "column_distance"], n_repeats=30)
    tables = [bench.table(fresh(1000, seed)[0], 0) for seed in range(1, 21)]
    good = [table["verdict"].isin(["at the floor", "as real rows"]) for table in tables]
    # 60 verdicts on the same 500 test rows: an unlucky test set moves all of a metric together
    assert np.mean(good) > 0.7
    values = np.mean([t["value"] for t in tables], axis=0)
    np.testing.assert_allclose(values, tables[0]["real"], rtol=0.6)


def test_bad_draws_are_far_from_every_floor():
    table = evaluate(
        np.random.RandomState(1).normal(size=(1000, 3)) * 20, TRAIN, TEST, y=Y2, n_repeats=5
    )
    assert "× the floor" in table.loc["energy_distance", "verdict"]
    assert table.loc["energy_distance", "value"] > 10 * table.loc["energy_distance", "real"]
    assert table.loc["precision", "verdict"] == "below real rows"
    assert table.loc["classifier_auc", "verdict"] == "told apart (p < .001)"


def test_default_table_with_labels():
    drawn = X[np.random.RandomState(0).permutation(1500)[:1000]]
    table = evaluate(drawn + 0.01, TEST.copy(), TRAIN.copy(), y=Y2[::-1], n_repeats=4)
    assert table.columns.tolist() == ["value", "low", "high", "real", "real_sd", "verdict"]
    lift = table.loc["corrected_rare_mode_lift"]
    assert lift["low"] < lift["value"] < lift["high"] and lift["real"] == 1
    assert lift["verdict"] == "at its rate"
    assert table.loc["preference", "real"] == pytest.approx(1 / 3)
    assert {"copy_auc", "exact_copies", "rare_recall", "coverage"} <= set(table.index)
    assert "train_on_synthetic" not in table.index


def test_copies_are_called_copies():
    rng = np.random.RandomState(0)
    copies = TRAIN[rng.randint(1000, size=1000)] + 1e-4 * rng.normal(size=(1000, 3))
    table = evaluate(copies, TRAIN, TEST, metrics=["memorisation"])
    assert table.loc["preference", "verdict"].startswith("nearer to training rows, as ")
    assert table.loc["copy_auc", "value"] > 0.9


def test_a_lost_mode():
    drawn = np.random.RandomState(0).normal(size=(1000, 3)) * [1, 5, 0.1]
    table = evaluate(drawn, TRAIN, TEST, y=Y2, metrics=["rare_modes"])
    assert table.loc["corrected_rare_mode_lift", "verdict"] == "too few"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((1.0, 1.0, 0.1, False), "at the floor"),
        ((3.1, 1.0, 0.1, False), "3.1× the floor"),
        ((0.1, 1.0, 0.1, False), "below the floor"),
        ((0.5, 0.0, 0.1, False), "above the floor"),
        ((0.5, 0.4, 0.05, None), "unlike real rows"),
        ((0.42, 0.4, 0.05, None), "as real rows"),
        ((0.5, 0.9, 0.1, True), "below real rows"),
        ((1.5, 0.9, 0.1, True), "above real rows"),
        ((0.85, 0.9, 0.1, True), "as real rows"),
        ((np.nan, 0.9, 0.1, True), "not defined here"),
    ],
)
def test_verdict_words(arguments, words):
    assert of_floor(*arguments) == words


def test_other_verdict_words():
    assert of_test(0.314) == "not told apart (p = .314)"
    assert of_share(0.5, (0.4, 0.6), 0.7) == "nearer to held-out rows"
    assert of_share(0.5, (0.4, 0.6), 0.5) == "no sign of copies"
    assert of_share(0.54, (0.51, 0.57), 0.5) == "leans to training rows"
    assert of_share(0.8, (0.7, 0.9), 0.5) == "nearer to training rows, as 60% copies would be"
    assert of_lift(0.9, 1.2) == "at its rate" and of_lift(0.0, 38.0) == "too uncertain to say"
    assert of_lift(0.1, 0.6) == "too few" and of_lift(1.1, 2.0) == "too many"
    assert of_lift(np.nan, np.nan) == "the judge cannot tell"


# -------------------------------------------------------------------------------- generators
class Plain:
    """What other packages' generators look like: no scikit-learn, global random states."""

    def __init__(self, kind="array"):
        self.kind = kind

    def fit(self, X):
        self.rows = np.asarray(X)
        self.columns = getattr(X, "columns", None)

    def sample(self, num_rows):
        rows = self.rows[np.random.randint(len(self.rows), size=num_rows)]
        rows = rows + 0.1 * torch.randn(rows.shape).numpy()
        if self.kind == "frame":
            return pd.DataFrame(rows, columns=self.columns)[self.columns[::-1]]
        return torch.tensor(rows).reshape(num_rows, 1, -1) if self.kind == "tensor" else rows


@pytest.mark.parametrize("kind", ["array", "tensor", "frame"])
def test_generators_of_other_packages(kind):
    train, test = (pd.DataFrame(part, columns=list("abc")) for part in (TRAIN, TEST))
    generator = Plain(kind)
    generator.fit(train)
    np.random.seed(5)
    torch.manual_seed(5)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    one, two = (evaluate(generator, train, test, metrics=CHEAP, n_repeats=3) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert (np.random.get_state()[1] == before[0]).all()
    assert torch.equal(torch.get_rng_state(), before[1])
    assert one.loc["energy_distance", "value"] < 0.1


def test_estimators_pipelines_searches_and_rows_agree():
    pipe = make_pipeline(StandardScaler(), small(AE, max_epochs=10)).fit(TRAIN)
    model = small(AE, max_epochs=10).fit(TRAIN)
    for fitted in (pipe, model, GaussianMixture(2).fit(TRAIN), KernelDensity().fit(TRAIN)):
        table = evaluate(fitted, TRAIN, TEST, metrics=CHEAP, n_repeats=3)
        assert np.isfinite(table["value"]).all()
    rows = fresh(800, 0)[0]
    table = evaluate(rows, TRAIN, TEST, metrics=["energy_distance"], preprocess=None, n_repeats=3)
    assert table.loc["energy_distance", "value"] == energy_distance(TEST, rows)


def test_more_rows_than_wanted_are_subsampled():
    rows = fresh(5000, 0)[0]
    bench = Bench(TRAIN, TEST, metrics={"n": lambda X, G: len(G) + len(X) / 1e4}, n_samples=300)
    assert bench.table(rows, 0).loc["n", "value"] == 300.03
    assert Bench(TRAIN, TEST, metrics=CHEAP).n_draws == 1000


def test_metrics_of_ones_own_and_names():
    table = evaluate(TEST, TRAIN, TEST, metrics={"gap": lambda X, G: abs(X.mean() - G.mean())})
    assert table.loc["gap", "value"] == pytest.approx(0) and table.loc["gap", "real"] > 0
    named, extras = resolve("all", True, None)
    assert "sliced_wasserstein" in named and extras == ("memorisation", "rare_modes")
    for bad, message in (
        ("every", "'default', 'all'"),
        (["fid"], "Unknown metrics"),
        (["rare_modes"], "needs labels"),
        (["train_on_synthetic"], "needs labels"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate(TEST, TRAIN, TEST, metrics=bad)
    with pytest.raises(TypeError, match="no function"):
        evaluate(TEST, TRAIN, TEST, metrics={"a": 3})


# ------------------------------------------------------------------------------ mixed tables
def table_of(n, seed):
    rows, y = fresh(n, seed)
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    frame["kind"] = np.where(rows[:, 1] > 0, "up", "down")
    frame.loc[::17, "a"] = np.nan
    frame["label"] = np.where(y, "rare", "common")
    return frame


def test_mixed_tables_with_their_label():
    train, test, drawn = (table_of(600, seed) for seed in range(3))
    table = evaluate(drawn, train, test, target="label", n_repeats=3)
    useful = table.loc["train_on_synthetic"]
    assert useful["value"] > 0.8 and useful["verdict"].endswith("of training on real rows")
    assert table.loc["column_distance", "value"] < 0.1
    assert table.loc["corrected_rare_mode_lift", "verdict"] == "at its rate"
    assert (train["label"] == table_of(600, 0)["label"]).all()


def test_a_pair_of_rows_and_labels():
    rows, labels = fresh(700, 0)
    table = evaluate((rows, labels), TRAIN, TEST, y=Y2, metrics=["train_on_synthetic"])
    assert table.loc["train_on_synthetic", "value"] > 0.8
    lost = evaluate((rows, np.zeros(700, bool)), TRAIN, TEST, y=Y2, metrics=["train_on_synthetic"])
    assert lost.loc["train_on_synthetic", "verdict"] == "one class only: nothing to train"
    stray = np.where(np.arange(700) < 7, 5, labels.astype(int))
    found = evaluate(
        (rows, stray), TRAIN, TEST, y=tuple(np.asarray(y, int) for y in Y2),
        metrics=["train_on_synthetic"],
    )  # fmt: skip
    assert "1.0% stray labels" in found.loc["train_on_synthetic", "verdict"]
    with pytest.raises(ValueError, match="no labels"):
        evaluate(rows, TRAIN, TEST, y=Y2, metrics=["train_on_synthetic"])


FRAME = pd.DataFrame(TRAIN, columns=list("abc"))
TWICE = FRAME.set_axis(["a", "b", "a"], axis=1)
WORDS = FRAME.assign(a="word")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"X_test": TEST[:, :2]}, ValueError, "3 columns and X_test 2"),
        ({"X_train": TRAIN[:1]}, ValueError, "at least two rows"),
        ({"X_train": TRAIN[:, 0]}, ValueError, "X_train of shape .* rows and columns"),
        ({"X_train": csr_matrix(TRAIN)}, TypeError, "X_train: csr_matrix is no table"),
        ({"generator": None}, TypeError, "generator=None"),
        ({"generator": "ae"}, TypeError, "generator='ae'"),
        ({"metrics": []}, ValueError, "metrics is empty"),
        ({"n_samples": 2.5}, ValueError, "n_samples=2.5"),
        ({"y": Y2, "rare_label": 7, "metrics": ["rare_modes"]}, ValueError, "rare label 7"),
        ({"target": 1}, ValueError, "measurements, not labels"),
        ({"target": [1]}, TypeError, "one column"),
        ({"generator": TWICE, "X_train": TWICE, "X_test": TWICE}, ValueError, "same name"),
        ({"generator": WORDS, "X_train": FRAME, "X_test": FRAME}, ValueError, "'a' holds numbers"),
        ({"generator": TEST[:, :2]}, ValueError, "generated rows"),
        ({"generator": KernelDensity}, TypeError, "fitted generator"),
        ({"y": Y}, TypeError, "y must be a pair"),
        ({"y": (Y, Y)}, ValueError, "1000 rows, its labels shape"),
        ({"y": (np.full(1000, np.nan), Y2[1])}, ValueError, "missing labels"),
        ({"y": Y2, "target": 0}, ValueError, "not both"),
        ({"target": "label"}, ValueError, "no column"),
        ({"preprocess": "minmax"}, ValueError, "'standard'"),
        ({"preprocess": 3}, TypeError, "transformer"),
        ({"n_repeats": 1}, ValueError, "n_repeats"),
        ({"generator": pd.DataFrame(TEST[:, :2]), "X_train": pd.DataFrame(TRAIN)},
         ValueError, "are not there"),
    ],
)  # fmt: skip
def test_bad_input(change, error, message):
    given = {"generator": TEST, "X_train": TRAIN, "X_test": TEST, "metrics": CHEAP} | change
    with pytest.raises(error, match=message):
        evaluate(given.pop("generator"), given.pop("X_train"), given.pop("X_test"), **given)


def test_dates_count_as_numbers_and_names_are_left_out():
    """Copies a second later are copies, whatever their names."""
    start = pd.Timestamp("2024-01-01")
    rows = pd.DataFrame({
        "x": RNG.normal(size=900),
        "when": start + pd.to_timedelta(RNG.randint(10**7, size=900), unit="s"),
        "who": [f"name {k}" for k in range(900)],
    })  # fmt: skip
    train, test = rows[:600], rows[600:]
    copies = train.assign(when=train["when"] + pd.Timedelta("1s"), who="nobody")
    with pytest.warns(UserWarning, match=r"\['who'\] hold another value"):
        table = evaluate(copies, train, test, metrics=["memorisation", "recall"])
    assert table.loc["preference", "verdict"].startswith("nearer to training rows, as ")
    with pytest.warns(UserWarning, match="who"):
        fresh = evaluate(rows[300:], rows[:300], test, metrics=["recall"])
    assert fresh.loc["recall", "value"] > 0.9


def test_any_column_names():
    frames = [pd.DataFrame(part, columns=[3, 0, "b"]) for part in (TRAIN, TEST)]
    plain = evaluate(TRAIN, TRAIN, TEST, metrics=CHEAP, n_repeats=3)
    named = evaluate(frames[0], *frames, metrics=CHEAP, n_repeats=3)
    pd.testing.assert_frame_equal(named, plain)


def test_one_rare_label_throughout():
    """The least frequent of the training labels, though the test's is another."""
    y_train = np.repeat([0, 1, 2], [500, 300, 200])
    y_test = np.repeat([0, 1, 2], [100, 20, 380])
    bench = Bench(TRAIN, TEST, y=(y_train, y_test), metrics=["rare_modes"])
    assert bench.rare_label == 2 and bench.rate == 0.2


# ----------------------------------------------------------------------------------- compare
class Shifted(BaseEstimator):
    """The training rows, moved."""

    def __init__(self, by=0.0, random_state=None):
        self.by = by
        self.random_state = random_state

    def fit(self, X, y=None):
        self.rows_ = np.asarray(X)
        self.seed_ = self.random_state
        return self

    def sample(self, n_samples, random_state=None):
        if self.by == "fail":
            raise RuntimeError("no draws today")
        return self.rows_[random_state.permutation(len(self.rows_))[:n_samples]] + self.by


FOUND = compare(
    {"near": Shifted(0.1), "far": Shifted(2.0)}, X, Y, cv=3, n_seeds=2, metrics=CHEAP, n_repeats=3
)


def test_compare_summary():
    summary = FOUND.summary()
    assert (summary["n"] == 6).all()
    near, far = (summary.loc[("energy_distance", g), "mean"] for g in ("near", "far"))
    assert near < far and (summary["sd"] >= 0).all()
    values = FOUND.values
    assert len(values) == 2 * 3 * 2 * 2 and (values["fit_seconds"] >= 0).all()
    by_hand = values[(values["metric"] == "recall") & (values["generator"] == "far")]["value"]
    assert summary.loc[("recall", "far"), "mean"] == pytest.approx(by_hand.mean())
    assert summary.loc[("recall", "far"), "sd"] == pytest.approx(by_hand.std())
    # one floor a fold, whatever the generator
    assert values.groupby(["metric", "fold"])["real"].nunique().eq(1).all()
    assert repr(FOUND) == repr(summary)
    assert list(summary.index.get_level_values("metric")) == [m for m in CHEAP for _ in range(2)]


def test_paired_differences():
    gaps = FOUND.differences("near")
    wide = FOUND.values[FOUND.values["metric"] == "energy_distance"].pivot_table(
        index=["fold", "seed"], columns="generator", values="value"
    )
    by_hand = wide["far"] - wide["near"]
    row = gaps.loc[("energy_distance", "far")]
    assert row["mean"] == pytest.approx(by_hand.mean()) and row["sd"] == pytest.approx(
        by_hand.std()
    )
    assert row["greater"] == row["n"] == 6
    with pytest.raises(ValueError, match="baseline='other'"):
        FOUND.differences("other")


def test_compare_is_reproducible_and_seeds_what_is_unseeded():
    again = compare(
        {"near": Shifted(0.1), "far": Shifted(2.0)},
        X, Y, cv=3, n_seeds=2, metrics=CHEAP, n_repeats=3, n_jobs=2,
    )  # fmt: skip
    drop = "fit_seconds"
    pd.testing.assert_frame_equal(again.values.drop(columns=drop), FOUND.values.drop(columns=drop))


class Seed(Shifted):
    """Rows that tell the seed they were drawn with."""

    def fit(self, X, y=None):
        self.rows_ = np.full((len(X), 3), float(self.random_state))
        return self


def test_seeds_differ_where_there_are_several():
    mean = {"mean": lambda X, G: float(np.mean(G))}
    for n_seeds, n_found in ((1, 1), (3, 3)):
        found = compare(
            {"a": Seed(random_state=7)}, X, cv=2, n_seeds=n_seeds, metrics=mean, preprocess=None,
            n_repeats=2,
        )  # fmt: skip
        one_fold = found.values[found.values["fold"] == 0]["value"]
        assert one_fold.nunique() == n_found
        assert (n_seeds > 1) or (one_fold == 7).all()


def test_a_generator_that_fails_leaves_the_others():
    pair = {"bad": Shifted("fail"), "good": Shifted(0.1)}
    for n_jobs in (None, 2):
        with pytest.warns(UserWarning, match="'bad' failed on fold ., seed 0.*no draws today"):
            found = compare(pair, X, cv=2, metrics=CHEAP, n_repeats=2, n_jobs=n_jobs)
        assert set(found.values["generator"]) == {"good"}
    with pytest.warns(UserWarning, match="no draws today"):
        with pytest.raises(RuntimeError, match="Every generator failed on fold 0.*no draws today"):
            compare({"bad": Shifted("fail")}, X, cv=2, metrics=CHEAP)


def test_compare_plot():
    matplotlib.use("Agg")
    axes = FOUND.plot()
    assert [ax.get_title() for ax in axes[:2]] == CHEAP
    assert [t.get_text() for t in axes[0].get_yticklabels()] == ["near", "far"]
    points, means, real = axes[0].lines
    assert len(points.get_xdata()) == 12 and len(set(points.get_ydata())) == 12
    expected = FOUND.summary().loc["energy_distance", "mean"]
    np.testing.assert_allclose(means.get_xdata(), expected)
    assert real.get_xdata()[0] == pytest.approx(
        FOUND.summary().loc["energy_distance", "real"].mean()
    )
    assert [ax.get_xlabel() for ax in axes[:2]] == ["lower is better", "higher is better"]
    with pytest.raises(ValueError, match="'fid'.*not among"):
        FOUND.plot(metrics=["fid"])
    with pytest.raises(ValueError, match="1 panels for 2 metrics"):
        FOUND.plot(axes=axes[0])
    assert len(FOUND.plot(metrics=["recall"])) == 1
    matplotlib.pyplot.close("all")


def test_compare_takes_frames_other_packages_and_bad_input():
    frame = pd.DataFrame(X, columns=list("abc"))
    found = compare({"plain": Plain("frame"), "mixture": GaussianMixture(2)}, frame, cv=2,
                    metrics=CHEAP, n_repeats=3)  # fmt: skip
    assert len(found.summary()) == 4
    for bad, error in (({}, TypeError), ([1], TypeError), ({"a": GaussianMixture}, TypeError),
                       ({"a": StandardScaler()}, TypeError)):  # fmt: skip
        with pytest.raises(error, match="generators"):
            compare(bad, X)
    with pytest.raises(ValueError, match="n_seeds=0"):
        compare({"a": Shifted()}, X, n_seeds=0)


def test_scorer_and_table_agree():
    model = GaussianMixture(2, random_state=0).fit(TRAIN)
    scorer = MetricScorer(metric="recall", n_samples=1000, random_state=4)
    bench = Bench(TRAIN, TEST, metrics=["recall"], preprocess=None)
    assert bench.table(model, 4).loc["recall", "value"] == scorer(model, TEST)
