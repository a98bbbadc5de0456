"""The command line, on the smallest runs."""

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from sklearn.mixture import GaussianMixture

import geomgen
from geomgen import demo
from geomgen.cli import main


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Fewer epochs: these tests ask whether it runs, not how good it is."""
    make = demo.generators

    def few_epochs(*args):
        pipes = make(*args)
        for pipe in pipes.values():
            if hasattr(pipe[-1], "max_epochs"):
                pipe[-1].set_params(max_epochs=2)
        return pipes

    monkeypatch.setattr(demo, "generators", few_epochs)


@pytest.fixture
def csv(tmp_path):
    rng = np.random.RandomState(0)
    table = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    table["kind"] = "x"
    table["fraud"] = (np.arange(200) < 12).astype(int)
    table.loc[20, "a"] = np.nan
    table.loc[30, "fraud"] = np.nan  # pandas reads the others as 0.0 and 1.0 then
    table["flag"] = table["b"] > 0
    path = tmp_path / "rows.csv"
    table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("data", ["digits", "ring"])
def test_demo(data, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    assert main(["demo", "--data", data, "--out", str(out), "--quiet"]) == 0
    table = pd.read_csv(out / "demo.csv", index_col=0)
    assert table.index[0] == "real rows" and len(table) == 6
    assert {"GrassmannAE", "LISAGenerator", "VAEGenerator"} < set(table.index)
    assert (table["low"] <= table["lift"]).all() and (table["lift"] <= table["high"]).all()
    assert matplotlib.image.imread(out / "demo.png").std() > 0
    printed, errors = capsys.readouterr()
    assert "LISAGenerator" in printed and "demo.png" in printed and errors == ""


def test_demo_is_reproducible_and_shows_bars(tmp_path, capsys):
    tables = []
    for folder in "ab":
        main(["demo", "--data", "ring", "--out", str(tmp_path / folder), "--seed", "3"])
        tables.append(pd.read_csv(tmp_path / folder / "demo.csv").drop(columns="seconds"))
    pd.testing.assert_frame_equal(*tables)
    assert "LISAGenerator" in capsys.readouterr().err


def test_demo_on_a_file(csv, tmp_path, capsys):
    options = ["--target", "fraud", "--rare", "1", "--out", str(tmp_path / "out"), "--quiet"]
    assert main(["demo", "--data", str(csv), *options]) == 0
    printed = capsys.readouterr().out
    assert "198 rows, 4 columns" in printed
    assert "['kind']" in printed and printed.count("1 rows left out") == 2  # nothing silently


@pytest.mark.parametrize(
    "options,message",
    [
        (["--data", "absent.csv"], "no such file"),
        ([], "--target is needed"),
        (["--data", "ring", "--rare", "1"], "go with a CSV file"),
        (["--target", "frod"], "use one of the columns"),
        (["--target", "c"], "at least 6 must have it"),
        (["--target", "fraud", "--rare", "7"], "has only"),
        (["--target", "fraud", "--device", "abacus"], "device='abacus'"),
    ],
)
def test_demo_with_bad_arguments(csv, tmp_path, capsys, options, message):
    options = options if "--data" in options else ["--data", str(csv), *options]
    assert main(["demo", *options, "--out", str(tmp_path / "out"), "--quiet"]) == 2
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*"))  # no partial files


def test_ctrl_c_ends_the_demo(monkeypatch, tmp_path, capsys):
    class Interrupted(GaussianMixture):
        def fit(self, X, y=None):
            raise KeyboardInterrupt

    monkeypatch.setattr(demo, "GaussianMixture", Interrupted)
    assert main(["demo", "--data", "ring", "--out", str(tmp_path), "--quiet"]) == 130
    assert "interrupted" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_demo_that_was_cut_short_is_not_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(demo.VAEGenerator, "n_iter_", 1)
    assert main(["demo", "--data", "ring", "--out", str(tmp_path), "--quiet"]) == 130


def test_version_and_help(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert geomgen.__version__ in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main([])
