"""The report: a page of its own, with every section, that says what was measured."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import polars
import pytest
from matplotlib.image import imread
from sklearn.datasets import load_breast_cancer
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import geomgen
from geomgen import PCAGenerator, Report, report
from geomgen.metrics import evaluate
from geomgen.samplers import CellSampler
from geomgen.tabular import TableGenerator

from .helpers import small

X, Y = load_breast_cancer(return_X_y=True, as_frame=True)
X = X.iloc[:, :5]
TRAIN, TEST, Y_TRAIN, Y_TEST = train_test_split(X, Y, test_size=0.4, random_state=0, stratify=Y)
MIXTURE = GaussianMixture(5, random_state=0).fit(TRAIN.to_numpy())
FAST = {"n_repeats": 2, "n_samples": 120}
VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Reads a page strictly: what is opened is closed, and nothing comes from elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.ids, self.words = [], [], [], [], []
        self.images = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")  # no script
            if name in ("src", "href", "srcset", "action", "data", "poster", "background"):
                self.links.append(value)
            elif name == "id":
                self.ids.append(value)
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            assert "url(" not in data and "@import" not in data
        else:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)


@pytest.fixture(scope="module")
def made():
    pipe = make_pipeline(StandardScaler(), small(geomgen.VAEGenerator)).fit(TRAIN)
    return report(pipe, TRAIN, TEST, y=(Y_TRAIN, Y_TEST), rare_label=0, random_state=3, **FAST)


def test_nothing_comes_from_outside(made):
    page = Page(made.html)
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    assert not {"script", "link", "iframe", "object", "embed", "svg"} & {*page.tags}
    assert "http" not in made.html.lower().replace("data:image", "")[:20_000]
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert inside and {*inside} == {*page.ids} and len(page.ids) == len({*page.ids})


def test_every_section_is_there(made):
    page = Page(made.html)
    assert page.ids == ["summary", "figures", "columns", "rare", "privacy", "usefulness", "codes",
                        "run"]  # fmt: skip
    assert page.tags.count("h1") == 1 and page.tags.count("title") == 1
    for words in ("VAEGenerator", "random_state", "scikit-learn", "units active", "50 % is chance",
                  "was trained on generated rows", "The rare class is 0"):  # fmt: skip
        assert words in page.text


def test_pictures_can_be_read_and_are_described(made):
    page = Page(made.html)
    assert len(page.images) == 6
    for image in page.images:
        assert len(image["alt"]) > 20
        pixels = imread(io.BytesIO(base64.b64decode(image["src"].partition(",")[2])))
        assert pixels.shape[0] > 100 and pixels[..., :3].std() > 0.01


def test_figures_are_those_of_evaluate(made):
    assert {*made.metrics.index} >= {"energy_distance", "preference", "corrected_rare_mode_lift"}
    for value in made.metrics["value"].dropna():
        assert f"<td>{value:.4g}</td>" in made.html or float(value).is_integer()
    drawn = geomgen.sample(MIXTURE, 120, random_state=0)
    rows = report(drawn, TRAIN, TEST, **FAST)
    again = evaluate(drawn, TRAIN, TEST, **FAST)
    pd.testing.assert_frame_equal(rows.metrics, again)
    pipe = make_pipeline(StandardScaler(), small(geomgen.PCAGenerator)).fit(TRAIN)
    given = {"y": (Y_TRAIN, Y_TEST), "random_state": 7, **FAST}
    pd.testing.assert_frame_equal(
        report(pipe, TRAIN, TEST, **given).metrics, evaluate(pipe, TRAIN, TEST, **given)
    )


def test_the_same_seed_gives_the_same_page(made):
    pipe = make_pipeline(StandardScaler(), small(geomgen.VAEGenerator)).fit(TRAIN)
    state = np.random.get_state()[1].copy()
    again = report(pipe, TRAIN, TEST, y=(Y_TRAIN, Y_TEST), rare_label=0, random_state=3, **FAST)
    assert again.html == made.html
    assert (np.random.get_state()[1] == state).all()


def test_verdicts_tell_good_generators_from_copies_and_noise():
    rows = np.random.RandomState(1).normal(size=(900, 3))
    train, test, fresh = rows[:300], rows[300:600], rows[600:]
    good, copies, noise = (
        report(drawn, train, test, n_repeats=5).verdicts["status"]
        for drawn in (fresh, train, 4 * fresh + 3)
    )
    assert (good == "bad").sum() <= 1 and (noise == "bad").sum() > 3  # 1 in 20 strays by chance
    assert copies["Are training rows copied?"] == "bad"
    assert copies["Can training rows be told by an attack?"] == "bad"
    assert noise["Are generated rows distributed as real ones?"] == "bad"
    assert noise["Can a classifier tell them apart?"] == "bad"


def test_a_few_copies_are_told_in_the_summary():
    """Where the others are good, the share that lies nearest to a training row is as expected."""
    rows = np.random.RandomState(0).normal(size=(900, 4))
    train, test, drawn = rows[:300], rows[300:600], rows[600:].copy()
    drawn[:15] = train[:15]
    made = report(drawn, train, test, n_repeats=2)
    assert made.metrics.loc["preference", "verdict"] == "no sign of copies"
    status, words = made.verdicts.loc["Are training rows copied?"]
    assert status == "bad" and words.startswith("copies: 5.00% equal a training row, and 0.00% of")


@pytest.mark.filterwarnings("ignore:The judge's true-positive rate")
@pytest.mark.parametrize(
    "learnable,status,words",
    [(True, "bad", "which is at chance (0.5)"), (False, "poor", "training on real rows is at")],
)
def test_a_classifier_at_chance_is_of_no_use(learnable, status, words):
    y = np.arange(400) % 2
    rows = np.random.RandomState(0).normal(size=(400, 2)) + 2 * y[:, None]
    rows = rows if learnable else np.ones((400, 2))
    drawn = rows[:200], 1 - y[:200] if learnable else y[:200]  # labels that mislead
    found = report(drawn, rows[:200], rows[200:], y=(y[:200], y[200:]), n_repeats=2).verdicts
    said = found.loc["Can they stand in for real rows?"]
    assert said["status"] == status and words in said["verdict"]


@pytest.mark.parametrize(
    ("share", "status", "words"),
    [
        (0.3, "good", "furthest off in 0: 0.0% missing, real rows 0.0%"),
        (0.42, "poor", "furthest off in 1: 42.0% missing, real rows 30.0%"),
        (1.0, "bad", "furthest off in 1: 100.0% missing, real rows 30.0%"),
    ],
)
def test_missing_values_are_compared(share, status, words):
    rng = np.random.RandomState(0)
    drawn, train, test = (rng.normal(size=(100, 3)) for _ in range(3))
    for rows, part in ((drawn, share), (train, 0.3), (test, 0.3)):
        rows[: round(100 * part), 1] = np.nan
    verdicts = report(drawn, train, test, n_repeats=2).verdicts
    assert tuple(verdicts.loc["Are values missing where they should be?"]) == (status, words)
    whole = report(*(np.nan_to_num(rows) for rows in (drawn, train, test)), n_repeats=2)
    assert not whole.verdicts.index.str.contains("missing").any()


def test_names_of_any_kind(tmp_path):
    rows = np.random.RandomState(0).normal(size=(3, 60, 3))
    names = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])
    train, test = (pd.DataFrame(real, columns=names) for real in rows[:2])
    made = report(rows[2], train, test, n_repeats=2, title="half \ud800")
    path = made.save(tmp_path / "page.html")
    assert "('a', 2)" in Page(path.read_text(encoding="utf-8")).text


def test_a_lift_is_judged():
    rare, common = (np.flatnonzero(Y_TRAIN == k) for k in (0, 1))
    chosen = np.r_[common[:115], rare[:5]]
    drawn = TRAIN.iloc[chosen]
    found = report(drawn, TRAIN, TEST, y=(Y_TRAIN, Y_TEST), **FAST).verdicts
    status, words = found.loc["Does the rare class come at its rate?"]
    assert status == "bad" and words.startswith("too few")


def test_samplers_that_know_labels_are_tested_for_use():
    model = make_pipeline(
        StandardScaler(), small(geomgen.AE, sampler=CellSampler(conditional=True))
    ).fit(TRAIN, Y_TRAIN)
    found = report(model, TRAIN, TEST, y=(Y_TRAIN, Y_TEST), **FAST)
    assert 0 < found.metrics.loc["train_on_synthetic", "value"] <= 1
    assert "Can they stand in for real rows?" in found.verdicts.index
    assert "Rows were drawn for labels, which come at their rates" in found.html


def test_columns_of_several_kinds():
    train, test = (
        rows.assign(
            label=np.where(y, "benign", "<b>malignant</b> & $x$"), flag=rows.iloc[:, 0] > 14
        )
        for rows, y in ((TRAIN, Y_TRAIN), (TEST, Y_TEST))
    )
    train["few"] = np.where(train.iloc[:, 1] > 20, None, 1.5)
    test["few"] = 1.5
    found = report(train.sample(120, random_state=0), train, test, target="label", **FAST)
    page = Page(found.html)
    assert "<b>malignant</b> & $x$" in page.text and "b" not in page.tags  # escaped
    assert "no codes" in page.text and "train_on_synthetic" in found.metrics.index


def test_a_generator_of_tables():
    """It draws the columns of every kind, labels included, and its page says so."""
    train, test = (
        rows.assign(
            kind=np.where(y, "benign", "malignant"),
            day=pd.Timestamp("2024-01-01") + pd.to_timedelta(rows.iloc[:, 1].round(), unit="D"),
            flag=rows.iloc[:, 0] > 14,
            gap=rows.iloc[:, 2].mask(rows.iloc[:, 2] > 120),
        )
        for rows, y in ((TRAIN, Y_TRAIN), (TEST, Y_TEST))
    )
    model = PCAGenerator(n_components=4, whiten=False)
    generator = TableGenerator(model=model, target="kind", random_state=0).fit(train)
    found = report(generator, train, test, target="kind", rare_label="malignant", **FAST)
    page = Page(found.html)
    assert found.title == "Report on TableGenerator" and "rare" in page.ids
    assert "PCAGenerator(n_components=4" in page.text  # among what was run
    assert found.metrics.loc["train_on_synthetic", "value"] > 0.5


def test_one_column_many_columns_and_constants():
    rng = np.random.RandomState(0)
    for p in (1, 60):
        rows = rng.normal(size=(120, p))
        rows[:, -1] = rows[:, -1] if p == 1 else 1.0
        page = Page(report(rows[:40], rows[:80], rows[80:], n_repeats=2).html)
        assert "columns" in page.ids
    assert "The 50 columns of 60 that differ most" in page.text


@pytest.mark.parametrize(
    "make",
    [
        lambda: (MIXTURE, TRAIN.to_numpy(), TEST.to_numpy()),
        lambda: (small(geomgen.PCAGenerator).fit(TRAIN), TRAIN, TEST),
        lambda: (
            GridSearchCV(small(geomgen.LISAGenerator), {"lam": [1e-3]}, cv=2).fit(TRAIN),
            TRAIN,
            TEST,
        ),
        lambda: (
            small(geomgen.AE).fit(polars.DataFrame(TRAIN.to_dict("list"))),
            polars.DataFrame(TRAIN.to_dict("list")),
            polars.DataFrame(TEST.to_dict("list")),
        ),
    ],
    ids=["mixture", "closed form", "search", "polars"],
)
@pytest.mark.filterwarnings("ignore:The columns of X have standard deviations")
def test_any_generator(make):
    found = report(*make(), **FAST)
    assert isinstance(found, Report) and "rare" not in Page(found.html).ids


def test_saving(made, tmp_path):
    path = made.save(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == made.html
    with pytest.raises(FileExistsError, match="overwrite=True"):
        made.save(path)
    made.save(path, overwrite=True)
    assert [*tmp_path.iterdir()] == [path]


def test_in_a_notebook(made):
    shown = made._repr_html_()
    assert shown in made.html and "<html" not in shown
    Page(shown)
    assert repr(made).startswith("<Report: Report on VAEGenerator, ")
    assert report(TRAIN, TRAIN, TEST, **FAST).title == "Report on generated rows"
    assert report(MIXTURE, TRAIN, TEST, title="A <title>", **FAST).title == "A <title>"


def test_bad_input():
    with pytest.raises(ValueError, match="X_test"):
        report(MIXTURE, TRAIN, TEST.iloc[:, :2], **FAST)
    with pytest.raises(TypeError, match="generator='gmm'"):
        report("gmm", TRAIN, TEST, **FAST)
    with pytest.raises(ValueError, match="n_repeats=1"):
        report(MIXTURE, TRAIN, TEST, n_repeats=1)
