"""Generators of other environments: what they see, what is kept of them, what is measured."""

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.quality import elsewhere, tables
from benchmarks.quality._rows import TABLES
from benchmarks.quality._runs import Results
from benchmarks.quality._table_figures import Table

SCRIPT = Path(elsewhere.__file__)
RNG = np.random.RandomState(0)


def rows(n=40):
    return pd.DataFrame({"x0": RNG.random_sample(n), "x1": RNG.random_sample(n)})


def mixed_rows(n=40):
    text = pd.Series(RNG.choice(["a", "b", "c"], n))
    return rows(n).assign(age=RNG.randint(0, 90, n), kind=text, income=np.arange(n) % 2)


@pytest.fixture
def folder(tmp_path):
    rows().assign(rare=np.arange(40) % 2).to_csv(tmp_path / "thyroid-0.csv", index=False)
    rows().assign(rare=np.arange(40) % 2).to_csv(tmp_path / "thyroid-1.csv", index=False)
    mixed_rows().to_csv(tmp_path / "adult-0.csv", index=False)
    return tmp_path


class Bootstrap:
    """A generator that keeps what it was given, and draws rows of it."""

    def __init__(self, monkeypatch, change=lambda drawn: drawn):
        self.seen, self.change = [], change
        generator = elsewhere.Generator("pandas", self.fit)
        monkeypatch.setitem(elsewhere.GENERATORS, "toy", generator)

    def fit(self, X, categories, seed):
        self.seen.append((X, categories, seed))
        return lambda n: self.change(X.sample(n, replace=True).reset_index(drop=True))


def run(folder, data=None, seeds=1, most=None, limit=0):
    elsewhere.run("toy", folder, data, seeds, most, limit)
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("toy*/*.json")}


def test_labels_are_hidden_and_as_many_rows_drawn(folder, monkeypatch):
    toy = Bootstrap(monkeypatch)
    said = run(folder)
    assert set(said) == {"adult-0", "thyroid-0"}
    adult, thyroid = toy.seen
    assert list(adult[0]) == ["x0", "x1", "age", "kind", "income"]
    assert adult[1] == ["kind", "income"]
    assert list(thyroid[0]) == ["x0", "x1"] and thyroid[1] == []
    drawn = pd.read_csv(folder / "toy" / "thyroid-0.csv")
    assert drawn.shape == (40, 2) and set(drawn["x0"]) <= set(thyroid[0]["x0"])
    kept = said["thyroid-0"]
    assert kept["version"] == f"pandas {pd.__version__}" and kept["trained_on"] == 40
    assert kept["fit"] >= 0 and kept["sample"] >= 0 and "reason" not in kept


def test_data_that_were_not_written_are_an_error(folder, monkeypatch):
    toy = Bootstrap(monkeypatch)
    with pytest.raises(SystemExit, match="no rows of adlut in"):
        run(folder, ["thyroid", "adlut"])
    assert not toy.seen


def test_what_is_drawn_is_not_drawn_again(folder, monkeypatch):
    toy = Bootstrap(monkeypatch)
    run(folder, ["thyroid"])
    before = (folder / "toy" / "thyroid-0.csv").read_bytes()
    assert set(run(folder, ["thyroid"], seeds=2)) == {"thyroid-0", "thyroid-1"}
    assert [seed for *_, seed in toy.seen] == [0, 1]
    assert (folder / "toy" / "thyroid-0.csv").read_bytes() == before
    (folder / "toy" / "thyroid-0.json").unlink()
    run(folder, ["thyroid"])
    assert len(toy.seen) == 3
    assert (folder / "toy" / "thyroid-0.csv").read_bytes() == before  # of the same seed


def test_fewer_training_rows_have_a_name_of_their_own(folder, monkeypatch):
    toy = Bootstrap(monkeypatch)
    assert run(folder, ["thyroid"], most=15)["thyroid-0"]["trained_on"] == 15
    assert len(toy.seen[0][0]) == 15
    assert len(pd.read_csv(folder / "toy-15" / "thyroid-0.csv")) == 40


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda drawn: drawn[:-1], "ValueError: 39 rows were drawn, not 40"),
        (lambda drawn: drawn.drop(columns="x1"), r"ValueError: columns ['x1'] were not drawn"),
        (lambda drawn: drawn.assign(x1=np.nan), "ValueError: 100.00% of what was drawn for 'x1'"),
        (lambda drawn: drawn / 0, "for 'x0' is no finite number"),
        (lambda drawn: drawn.no_such_thing, "AttributeError: 'DataFrame' object has no attribute"),
    ],
)
def test_failures_are_kept_with_their_reasons(folder, monkeypatch, change, reason):
    toy = Bootstrap(monkeypatch, change)
    for _ in range(2):
        assert reason in run(folder, ["thyroid"])["thyroid-0"]["reason"]
    assert len(toy.seen) == 1
    assert not (folder / "toy" / "thyroid-0.csv").exists()


def test_a_package_that_is_not_there_is_a_reason(folder, monkeypatch):
    toy = Bootstrap(monkeypatch)
    monkeypatch.setitem(elsewhere.GENERATORS, "toy", elsewhere.Generator("no-such", toy.fit))
    assert "PackageNotFoundError" in run(folder, ["thyroid"])["thyroid-0"]["reason"]


def test_a_generator_that_takes_too_long_is_stopped_even_if_it_catches_all(folder, monkeypatch):
    def busy(drawn):
        while True:
            try:
                sum(range(1000))
            except Exception:
                time.sleep(0)

    Bootstrap(monkeypatch, busy)
    kept = run(folder, ["thyroid"], limit=0.2)["thyroid-0"]
    assert kept["reason"] == "TooSlow: more than 0.2 CPU seconds"
    assert "fit" in kept and "sample" not in kept


def test_draws_take_the_dtypes_of_the_training_rows():
    X = mixed_rows()
    drawn = X.astype({"age": float, "income": "category"})[::-1]
    drawn["age"] += 0.4
    made = elsewhere.like(drawn, X)
    pd.testing.assert_frame_equal(made, X[::-1].reset_index(drop=True), check_dtype=False)
    assert made.select_dtypes("number").dtypes.equals(X.select_dtypes("number").dtypes)


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "new" / "file.csv"
    elsewhere.replace(path, "old")

    def fails(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        with pytest.raises(OSError, match="disk full"):
            elsewhere.replace(path, "new")
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
    elsewhere.replace(path, "new")
    assert path.read_text() == "new"


def test_the_script_imports_nothing_of_the_project():
    imports = [
        [node.module] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
        for node in ast.walk(ast.parse(SCRIPT.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    names = {name.partition(".")[0] for own in imports for name in own}
    assert {"numpy", "pandas"} <= names and not names & {"geomgen", "benchmarks", ""}


STAND_IN = """
import os

class arf:
    def __init__(self, x, verbose):
        self.x, self.fitted = x, False

    def forde(self):
        self.fitted = os.environ["OMP_NUM_THREADS"] == "1"

    def forge(self, n):
        assert self.fitted and str(self.x["income"].dtype) == "category"
        return self.x.sample(n)
"""


def test_the_script_runs_by_its_path_in_one_thread(folder, tmp_path):
    """In an environment whose ``arfpy`` is a stand-in, and where the project cannot be found."""
    (tmp_path / "site" / "arfpy").mkdir(parents=True)
    (tmp_path / "site" / "arfpy" / "arf.py").write_text(STAND_IN)
    (tmp_path / "site" / "arfpy-9.dist-info").mkdir()
    (tmp_path / "site" / "arfpy-9.dist-info" / "METADATA").write_text("Name: arfpy\nVersion: 9\n")
    made = subprocess.run(
        [sys.executable, SCRIPT, "--generator", "arf", "--rows", folder, "--data", "adult"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "7"},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    kept = json.loads((folder / "arf" / "adult-0.json").read_text())
    assert kept["version"] == "arfpy 9" and "reason" not in kept
    X, drawn = (pd.read_csv(path) for path in (folder / "adult-0.csv", folder / "arf/adult-0.csv"))
    pd.testing.assert_frame_equal(
        *(part.sort_values("x0", ignore_index=True) for part in (X, drawn))
    )


def test_tables_measure_draws_and_keep_reasons(tmp_path, monkeypatch):
    X = pd.DataFrame(RNG.standard_normal((300, 2)), columns=["x0", "x1"])
    X["rare"] = (X["x0"] > 1).astype(int)
    table = Table(X[:200].copy(), X[200:].reset_index(drop=True), "rare")
    monkeypatch.setattr(tables, "load", lambda name, seed: table)
    own = tmp_path / "toy"
    own.mkdir()
    drawn = table.train.drop(columns="rare")
    drawn.to_csv(own / f"{TABLES[0]}-0.csv", index=False)
    seconds = {"fit": 2.0, "sample": 0.5, "trained_on": 100, "version": "toy 1"}
    (own / f"{TABLES[0]}-0.json").write_text(json.dumps(seconds))
    (own / "adult-0.json").write_text(json.dumps({"reason": "too slow", "version": "toy 1"}))
    (own / f"{TABLES[1]}-7.json").write_text(json.dumps({"reason": "another seed"}))
    drawn.to_csv(own / f"{TABLES[2]}-0.csv", index=False)  # not finished: not measured
    results = Results(None)
    tables.drawn_elsewhere(results, tmp_path, range(1))
    assert set(results.cells) == {f"numeric|{TABLES[0]}|toy|0", "adult|adult|toy|0"}
    assert results.cells["adult|adult|toy|0"]["reason"] == "too slow"
    found = results.cells[f"numeric|{TABLES[0]}|toy|0"]
    assert found["preference"] == 1 and found["version"] == "toy 1"  # copies, as they are
    assert found["fit_per_5000"] == 100 and found["rows_per_second"] == 400
