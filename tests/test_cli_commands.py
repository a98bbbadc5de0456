"""The commands on tables: fit, sample, evaluate, compare, report."""

import re
import shlex
import signal
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.mixture import GaussianMixture

import geomgen
from geomgen.cli import _fit as fit_command
from geomgen.cli import main
from geomgen.cli._models import PEERS, MixtureByBIC, catalogue, make_generator
from geomgen.samplers import CellSampler
from geomgen.tabular import TableGenerator
from geomgen.utils.discovery import all_estimators


def rows(n, seed):
    rng = np.random.RandomState(seed)
    z = rng.normal(size=(n, 2))
    frame = pd.DataFrame({"customer id": np.arange(1000, 1000 + n), "amount": z[:, 0].round(3)})
    frame["paid"] = (z.sum(1) * 3).round(2)
    frame["city"] = rng.choice(["Rome", "Oslo"], n, p=[0.8, 0.2])
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.randint(0, 90, n), unit="D")
    frame["visits"] = pd.Series(rng.poisson(3, n)).where(rng.rand(n) > 0.1).astype("Int64")
    frame["nothing"] = None
    frame["fraud"] = (z[:, 1] > 1.2).astype(int)
    return frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A training file, a test file, a model, and rows of it."""
    at = tmp_path_factory.mktemp("tables")
    rows(240, 0).to_csv(at / "train.csv", index=False)
    rows(120, 1).to_csv(at / "test.csv", index=False)
    target = ["--target", "fraud", "--rare", "1"]
    made = ["fit", at / "train.csv", *target, "--model", "pca", "-o", at / "m.geomgen", "--quiet"]
    assert main([*map(str, made)]) == 0
    made = ["sample", at / "m.geomgen", "-n", "240", "-o", at / "drawn.csv", "--quiet"]
    assert main([*map(str, made)]) == 0
    return at


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Run a command in the folder: its code, output and errors."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


# --------------------------------------------------------------------------------- fit, sample
def test_a_table_comes_back_as_it_was(folder):
    real, drawn = (pd.read_csv(folder / name) for name in ("train.csv", "drawn.csv"))
    assert drawn.columns.tolist() == real.columns.tolist() and len(drawn) == 240
    assert drawn["fraud"].mean() == pytest.approx(real["fraud"].mean(), abs=1 / 240)
    assert drawn["amount"].between(real["amount"].min(), real["amount"].max()).all()
    assert set(drawn["city"]) == {"Rome", "Oslo"} and drawn["nothing"].isna().all()
    assert pd.to_datetime(drawn["day"], format="%Y-%m-%d").between("2024-01-01", "2024-03-30").all()
    visits = drawn["visits"].dropna()
    assert (visits == visits.round()).all() and 0 < drawn["visits"].isna().mean() < 0.25
    assert drawn["customer id"].is_unique
    assert not set(drawn["customer id"]) & set(real["customer id"].astype(str))


def test_fit_says_what_it_found(run, tmp_path):
    out = tmp_path / "m.geomgen"
    code, printed, said = run("fit", "train.csv", "--model", "pca", "-o", out, "--drop", "day")
    assert (code, printed) == (0, "")
    assert "'customer id' numbers the rows" in said and "240 rows of 7 columns" in said
    assert f"written: {out}" in said and "kinds=" not in said  # advice in the command's own words
    model = geomgen.load(out)
    assert isinstance(model, TableGenerator) and "day" not in model.encoder_.kinds_


def test_categorical_and_constraints(run, tmp_path):
    out = tmp_path / "m.geomgen"
    options = ["--categorical", "visits,customer id", "--constraint", "paid <= 9"]
    code, _, said = run("fit", "train.csv", "--model", "pca", "-o", out, *options)
    assert code == 0, said
    model = geomgen.load(out)
    assert model.encoder_.kinds_["visits"] == model.encoder_.kinds_["customer id"] == "category"
    assert (model.sample(500, random_state=0)["paid"] <= 9).all()


def test_sampling_is_seeded_and_goes_to_the_standard_output(run):
    code, first, said = run("sample", "m.geomgen", "-n", "7")
    assert code == 0 and len(first.splitlines()) == 8 and "7/7" in said
    assert run("sample", "m.geomgen", "-n", "7", "--quiet") == (0, first, "")
    assert run("sample", "m.geomgen", "-n", "7", "--seed", "1", "--quiet")[1] != first


@pytest.mark.parametrize("command", ["fit", "compare", "report"])
def test_ctrl_c_in_a_fit_ends_the_command(run, tmp_path, monkeypatch, command):
    """Estimators keep what they have learnt then; a file of half a model is worse than none."""
    fit = CellSampler.fit

    def interrupted(self, *args, **kwargs):
        signal.raise_signal(signal.SIGINT)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(CellSampler, "fit", interrupted)
    out = tmp_path / {"fit": "m.geomgen", "compare": "m.csv", "report": "m.html"}[command]
    models = "--models" if command == "compare" else "--model"
    code, _, errors = run(command, "train.csv", models, "rows", "-o", out, "--quiet")
    assert code == 130 and "interrupted, nothing was written" in errors
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_duration_can_be_asked_for(run, tmp_path):
    rng = np.random.RandomState(0)
    stays = pd.to_timedelta(rng.randint(1, 5, 200), unit="D")
    pd.DataFrame({"stay": stays, "x": rng.normal(size=200)}).to_parquet(tmp_path / "s.parquet")
    model = tmp_path / "s.geomgen"
    assert run("fit", tmp_path / "s.parquet", "--model", "rows", "-o", model)[0] == 0
    code, out, _ = run("sample", model, "-n", "3", "--condition", "stay=2 days")
    assert code == 0 and out.count("\n2 days,") == 3
    assert "no duration" in run("sample", model, "--condition", "stay=long")[2]


def test_conditions_and_balance(run, tmp_path):
    def drawn(*options):
        out = tmp_path / "drawn.csv"
        code, _, said = run("sample", "m.geomgen", "-n", "50", "-o", out, "--force", *options)
        assert code == 0, said
        return pd.read_csv(out)

    asked = drawn("--condition", "fraud=1", "--condition", "city=Oslo", "--condition", "visits=")
    assert (asked["fraud"] == 1).all() and (asked["city"] == "Oslo").all()
    assert asked["visits"].isna().all()
    several = drawn("--condition", "visits=2", "--condition", "visits=3")
    assert set(several["visits"]) == {2, 3}
    assert (drawn("--condition", "day=2024-02-03")["day"] == "2024-02-03").all()
    assert drawn("--balance", "equal")["fraud"].sum() == 25
    assert drawn("--balance", "0=0.9,1=0.1")["fraud"].sum() == 5


def test_rows_are_drawn_and_written_in_chunks(run, tmp_path, monkeypatch):
    """No frame is larger than a chunk, and all are written."""
    from geomgen.cli import _sample

    sizes = []
    build = TableGenerator.sample
    monkeypatch.setattr(_sample, "_ROWS_AT_ONCE", 400)
    monkeypatch.setattr(
        TableGenerator, "sample", lambda s, n, *a, **k: sizes.append(n) or build(s, n, *a, **k)
    )
    code, _, _ = run("sample", "m.geomgen", "-n", "1_000", "-o", tmp_path / "out.parquet")
    assert code == 0 and sizes == [400, 400, 200]
    assert len(pd.read_parquet(tmp_path / "out.parquet")) == 1000


def test_other_models_are_sampled_too(run, tmp_path):
    mixture = GaussianMixture(2, random_state=0).fit(rows(50, 0)[["amount", "paid"]].to_numpy())
    geomgen.save(mixture, tmp_path / "mixture.geomgen")
    code, printed, _ = run("sample", tmp_path / "mixture.geomgen", "-n", "4", "--quiet")
    assert code == 0 and printed.splitlines()[0] == "x0,x1" and len(printed.splitlines()) == 5
    asked = run("sample", tmp_path / "mixture.geomgen", "--condition", "x0=1")
    assert asked[0] == 2 and "for models of tables" in asked[2]


def test_training_that_is_cut_short_writes_nothing(run, tmp_path, monkeypatch):
    """The estimator keeps what it has learnt at Ctrl-C; the command does not call that a model."""
    monkeypatch.setattr(
        fit_command, "make_generator", lambda *a, **k: Short(model="pca", target=k["target"])
    )
    code, _, said = run("fit", "train.csv", "-o", tmp_path / "m.geomgen")
    assert code == 130 and "interrupted" in said and not list(tmp_path.iterdir())


class Short(TableGenerator):
    def fit(self, X, y=None):
        super().fit(X, y)
        self._engine.model_ = types.SimpleNamespace(n_iter_=3, max_epochs=10)
        return self


# ------------------------------------------------------------------- evaluate, compare, report
def test_evaluate(run, tmp_path):
    figures = tmp_path / "figures.csv"
    options = ["--target", "fraud", "--rare", "1", "-o", figures]
    code, printed, said = run("evaluate", "train.csv", "drawn.csv", "--test", "test.csv", *options)
    assert code == 0 and "customer id" in said  # left out
    table = pd.read_csv(figures, index_col=0)
    assert {"energy_distance", "rare_mode_lift", "train_on_synthetic", "preference"} < {
        *table.index
    }
    assert all(name in printed for name in table.index)
    assert table.loc["energy_distance", "value"] < 3 * table.loc["energy_distance", "real"]


def test_evaluate_tells_bad_rows_from_good_ones(run, tmp_path):
    bad = rows(240, 2)
    bad["paid"] += 6
    bad.to_parquet(tmp_path / "bad.parquet")
    code, printed, _ = run("evaluate", "train.csv", tmp_path / "bad.parquet", "--quiet")
    verdicts = {line.split()[0]: line for line in printed.splitlines()[1:]}
    assert code == 0 and "× the floor" in verdicts["energy_distance"]
    assert "not told apart" not in verdicts["classifier_auc"]


def test_evaluate_without_held_out_rows_does_not_judge_copies(run):
    code, printed, said = run("evaluate", "train.csv", "drawn.csv")
    assert code == 0 and "preference" not in printed and "--test" in said


def test_compare(run, tmp_path):
    out = tmp_path / "values.csv"
    options = ["--models", "pca,gmm,kde", "--folds", "2", "--target", "fraud", "-o", out]
    code, printed, _ = run("compare", "train.csv", *options)
    assert code == 0 and "±" in printed and "seconds to fit" in printed
    header = printed.splitlines()[0].split()
    assert header == ["real", "rows", "pca", "gmm", "kde"]
    values = pd.read_csv(out)
    assert values.groupby("generator")["fold"].nunique().to_dict() == {"pca": 2, "gmm": 2, "kde": 2}
    code, _, said = run("compare", "train.csv", *options)
    assert code == 2 and "--force" in said


def test_report(run, tmp_path):
    page = tmp_path / "page.html"
    options = ["--target", "fraud", "--rare", "1", "-o", page, "--quiet"]
    code, printed, _ = run("report", "train.csv", "--model", "pca", *options)
    assert code == 0 and "Are training rows copied?" in printed
    assert page.read_text().startswith("<!") and "fraud" in page.read_text()


@pytest.mark.parametrize("generated", ["m.geomgen", "drawn.csv"])
def test_report_on_what_is_there(run, tmp_path, generated):
    options = ["--generated", generated, "-o", tmp_path / "page.html", "--title", "Claims & co"]
    code, printed, said = run("report", "train.csv", "test.csv", *options)
    assert code == 0, said
    assert "Claims &amp; co" in (tmp_path / "page.html").read_text()
    assert ("rare class" in printed) == (generated == "m.geomgen")  # the model knows its target


def test_report_takes_a_table_whose_ending_is_in_capitals(run, tmp_path):
    drawn = tmp_path / "DRAWN.CSV"
    drawn.write_bytes(Path("drawn.csv").read_bytes())
    page = tmp_path / "page.html"
    code, _, _ = run("report", "train.csv", "test.csv", "--generated", drawn, "-o", page)
    assert code == 0 and page.exists()


# -------------------------------------------------------------------------------------- names
def test_every_model_of_the_catalogue_has_a_name():
    named = catalogue()
    assert {named[k].__name__ for k in ("lisa", "grassmann", "vae", "wae", "spherical")} == {
        *("LISAGenerator", "GrassmannAE", "VAEGenerator", "WAE", "SphericalAE")
    }
    classes = {type(make_generator(name, "--model").model) for name in named}
    assert classes | {geomgen.AE, geomgen.PCAGenerator} == {cls for _, cls in all_estimators()}
    assert not {*named} & {*PEERS}


def test_the_mixture_takes_as_many_components_as_bic_prefers():
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(c, 0.1, size=(100, 2)) for c in range(4)])
    found = MixtureByBIC(random_state=0).fit(X)
    assert found.mixture_.n_components == 4 and found.sample(5, random_state=0).shape == (5, 2)


def test_synthesizers_of_sdv(run, monkeypatch):
    """What sdv documents: metadata from the frame, fit, sample(num_rows=)."""

    class Metadata:
        @classmethod
        def detect_from_dataframe(cls, data):
            return [*data.columns]

    class TVAESynthesizer:
        def __init__(self, metadata):
            self.metadata = metadata

        def fit(self, data):
            assert [*data.columns] == self.metadata
            self.data = data

        def sample(self, num_rows):
            return self.data.sample(num_rows, replace=True)

    parts = {"sdv": {}, "sdv.metadata": {"Metadata": Metadata}}
    parts["sdv.single_table"] = {"TVAESynthesizer": TVAESynthesizer}
    for name, members in parts.items():
        module = types.ModuleType(name)
        module.__spec__ = types.SimpleNamespace(name=name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    code, printed, said = run("compare", "train.csv", "--models", "tvae", "--folds", "2", "--quiet")
    assert code == 0 and "tvae" in printed, said


# ------------------------------------------------------------------------------------- errors
FIT, SAMPLE = ["fit", "train.csv", "-o", "new.geomgen"], ["sample", "m.geomgen"]


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["fit", "absent.csv", "-o", "new.geomgen"], "absent.csv: there is no such file"),
        (["fit", "train.csv", "-o", "m.geomgen"], "-o m.geomgen: the file exists; --force"),
        (["fit", "train.csv", "-o", "no/m.geomgen"], "there is no folder 'no'"),
        ([*FIT, "--target", "frod"], "--target frod: the columns are"),
        ([*FIT, "--rare", "1"], "--rare 1: name the column of the classes by --target"),
        ([*FIT, "--target", "fraud", "--rare", "7"], "--rare 7: there is no such value; there are"),
        ([*FIT, "--target", "nothing"], "--target nothing: it is missing in every row"),
        ([*FIT, "--model", "gpt"], "--model gpt: use one of auto, rows, pca, ae"),
        ([*FIT, "--device", "abacus"], "device='abacus'"),
        ([*FIT, "--drop", "nope"], "--drop nope: the columns are"),
        ([*FIT, "--categorical", "nope"], "--categorical nope: the columns are"),
        ([*FIT, "--constraint", "amount < missing"], "['missing'] are no columns"),
        ([*FIT, "--sep", ";;"], "--sep ';;': one character is needed"),
        (["sample", "train.csv"], "train.csv"),
        (["sample", "absent.geomgen"], "absent.geomgen"),
        ([*SAMPLE, "-o", "train.csv"], "-o train.csv: the file exists"),
        ([*SAMPLE, "-o", "out.xls"], "-o out.xls: the name must end in .csv"),
        ([*SAMPLE, "--condition", "fraud"], "--condition fraud: it must be COLUMN=VALUE"),
        ([*SAMPLE, "--condition", "x=1"], "--condition x=1: it must be COLUMN=VALUE"),
        ([*SAMPLE, "--condition", "city=Bern"], "there are Oslo, Rome"),
        ([*SAMPLE, "--condition", "amount=low"], "'amount' holds numbers"),
        ([*SAMPLE, "--condition", "day=someday"], "'someday' is no date"),
        ([*SAMPLE, "--condition", "amount=99"], "too rare"),
        ([*SAMPLE, "--balance", "fraud"], "--balance fraud: it must be equal, or such as"),
        ([*SAMPLE, "--balance", "2=0.5"], "--balance 2: there is no such value"),
        (["evaluate", "train.csv", "drawn.csv", "-o", "x.json"], "must end in .csv"),
        (["evaluate", "train.csv", "other.csv"], "of the other table are not there"),
        (["compare", "train.csv", "--models", "tvae"], "pip install sdv"),
        (["compare", "train.csv", "--models", "gpt"], "--models gpt: use one of"),
        (["compare", "train.csv", "--folds", "1"], "--folds 1"),
        (["report", "train.csv", "-o", "x.pdf"], "must end in .html"),
        (["report", "train.csv", "-o", "x.html", "--generated", "m.geomgen"], "give TEST"),
    ],
)
def test_bad_arguments(run, folder, arguments, message):
    (folder / "other.csv").write_text("a,b\n1,2\n3,4\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    code, printed, said = run(*arguments)
    assert code == 2 and message in said and printed == ""
    assert said.splitlines()[-1].startswith(f"geomgen {arguments[0]}: ")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before  # nothing is written


@pytest.mark.parametrize("option", [["-n", "0"], ["-n", "many"], ["--seed", "-1"]])
def test_bad_numbers(folder, option, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["sample", str(folder / "m.geomgen"), *option])
    assert "must be an integer" in capsys.readouterr().err


def test_fit_says_what_rare_does(capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "refused if fewer than 10 rows" in shown and "least frequent" not in shown
    assert "--decimal MARK" in shown


@pytest.mark.parametrize("command", ["fit", "sample", "evaluate", "compare", "report", "demo"])
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    printed = capsys.readouterr().out
    assert "examples:\n" in printed and f"geomgen {command} " in printed.split("examples:")[1]


# ----------------------------------------------------------------------- documents, processes
def test_the_commands_of_the_page_run(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parent.parent / "docs" / "command_line.md").read_text()
    monkeypatch.chdir(tmp_path)
    exec(re.search(r"^```python\n(.*?)^```", page, flags=re.M | re.S)[1], {})
    blocks = re.findall(r"^```bash\n(.*?)^```", page, flags=re.M | re.S)
    for line in "".join(blocks).splitlines():
        command = shlex.split(line)
        assert command[0] == "geomgen" and main([*command[1:], "--quiet"]) == 0, line
    frauds = pd.read_csv("frauds.csv")
    assert (frauds["fraud"] == 1).all() and (frauds["city"] == "Rome").all()
    assert pd.read_csv("training.csv.gz")["fraud"].mean() == pytest.approx(0.3)
    assert "at the floor" in capsys.readouterr().out


def test_a_pipe_that_closes_early_is_no_error(folder):
    """As of ``geomgen sample m.geomgen -n 100000 | head -1``."""
    command = [sys.executable, "-m", "geomgen", "sample", folder / "m.geomgen", "-n", "100000"]
    with subprocess.Popen([*command], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"customer id,")
        process.stdout.close()
        errors = process.stderr.read().decode()
    assert process.returncode == 0 and "Error" not in errors and "rror:" not in errors
