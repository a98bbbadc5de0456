"""The runner of the papers' tables: it resumes, declares every row, reports what it measured."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr, ttest_rel

import geomgen
from benchmarks.quality import __main__ as quality
from benchmarks.quality import _ring, _work, plots, sheets
from benchmarks.quality._declare import REAL, Block, Column, Row, System, Table
from benchmarks.quality._figures import Figures
from benchmarks.quality._profiles import PROFILES
from benchmarks.quality._rare_digit import parsed, thinned
from benchmarks.quality._report import publish, render
from benchmarks.quality._ring import Ring
from benchmarks.quality._runs import Lines
from benchmarks.quality._squeezenet import squeezenet, squeezenet_features

TABLES = quality.TABLES.values()


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """Folder of results of G1 under the smoke profile."""
    folder = tmp_path_factory.mktemp("results")
    arguments = ["--table", "G1", "--profile", "smoke", "--out", str(folder)]
    assert quality.main(["run", *arguments]) == 0
    return folder, arguments


def results(folder):
    return folder / "tables-smoke.jsonl"


def test_every_line_says_what_it_is(smoke):
    records = [json.loads(line) for line in results(smoke[0]).read_text().splitlines()]
    declared = {
        Lines.key(cell.what(seed))
        for cell in quality.TABLES["G1"].cells(PROFILES["smoke"])
        for seed in range(cell.seeds)
        if not cell.reason
    }
    assert {Lines.key(record["what"]) for record in records} == declared
    assert len(records) == len(declared)
    for record in records:
        assert record["device"] and record["versions"]["geomgen"] == geomgen.__version__
        assert set(record["seconds"]) == {"training", "figures"}
        assert {"count", "recall", "energy"} <= set(record["figures"])


def test_a_killed_run_goes_on_and_measures_nothing_twice(smoke, tmp_path, monkeypatch, capsys):
    whole = results(smoke[0]).read_bytes()
    ends = np.flatnonzero(np.frombuffer(whole, np.uint8) == ord("\n"))
    kept = len(ends) - 3
    results(tmp_path).write_bytes(whole[: ends[kept - 1] + 40])  # killed inside a line
    fits = []
    fitted = _work.fitted
    monkeypatch.setattr(_work, "fitted", lambda *args: fits.append(args) or fitted(*args))
    again = ["run", *smoke[1][:-1], str(tmp_path)]
    quality.main(again)
    assert "3 measured" in capsys.readouterr().out
    assert len(fits) <= 3
    found = results(tmp_path).read_bytes()
    assert found[: ends[kept - 1] + 1] == whole[: ends[kept - 1] + 1]

    def figures(text):
        records = map(json.loads, text.decode().splitlines())
        return {Lines.key(record["what"]): record["figures"] for record in records}

    assert figures(found) == figures(whole)

    fits.clear()
    quality.main(again)
    assert results(tmp_path).read_bytes() == found and not fits


def test_report_prints_means_and_spread_of_the_lines(smoke, capsys):
    quality.main(["report", *smoke[1]])
    text = capsys.readouterr().out
    records = [json.loads(line) for line in results(smoke[0]).read_text().splitlines()]
    energies = [
        record["figures"]["energy"]
        for record in records
        if record["what"]["model"] == "AE"
        and record["what"]["sampler"] == "prior"
        and not record["what"]["params"]
    ]
    said = f"{np.mean(energies):.4f} ± {np.std(energies, ddof=1):.4f} ({len(energies)})"
    assert f"| Standard AE | 8.47 | — | {said} |" in text
    assert "| *real rows (floor)* |" in text and "not run" not in text


def test_every_cell_can_be_made():
    """All rows of all tables name models, parameters and samplers that exist."""
    for table in TABLES:
        labels = [row.label for row in table.rows]
        assert len(set(labels)) == len(labels)
        assert {label for pair in table.pairs for label in pair} <= set(labels)
        columns = {column.paper for block in table.blocks for column in block.columns}
        for cell in table.cells(PROFILES["full"]):
            if cell.system.model != REAL:
                model = _work.make(cell.system, cell.budget, seed=0)
                if cell.system.has_codes and cell.sampler:
                    model.set_params(sampler=_work.SAMPLERS.get(cell.sampler, cell.sampler))
        for row in table.rows:
            assert set(row.paper) <= columns, (table.name, row.label)
        assert any(row.system.model == "PCAGenerator" and row.control for row in table.rows)


def test_papers_figures_are_those_of_the_papers():
    """Counts of rows and figures, and a few of each table read off again."""
    tables = quality.TABLES
    figures = {name: sum(len(row.paper) for row in table.rows) for name, table in tables.items()}
    papers = {
        "G1": 12,
        "G2": 12,
        "G3": 11,
        "G4": 11,
        "G5": 6,
        "L1": 18,
        "L3": 101,
        "L4": 19,
        "GF1": 4,
    }
    assert figures == dict.fromkeys(figures, 0) | papers
    assert sum(bool(row.paper) for row in tables["L3"].rows) == 21
    paper = {(t.name, row.label): row.paper for t in TABLES for row in t.rows}
    assert paper["G1", "Contractive AE"] == {"count": 10, "recall": 0.23, "energy": 0.82}
    assert paper["G5", "GA-AE"] == {"count": 55, "lift": 1.375, "var": 0.240}
    assert paper["L1", "LISA"]["CIFAR-10 ρ"] == 78.24 and paper["L1", "AE"]["CelebA ρ"] == 21.07
    assert paper["L3", "LISA"]["N"] == 17.97 and paper["L3", "LISA"]["CelebA GMM"] == 39.36
    assert paper["L3", "Geo-VAE"] == {"GMM": 8.53, "CIFAR-10 GMM": 93.53, "CelebA GMM": 48.71}
    assert paper["L4", "LoRAE"] == {"MNIST": 98.60} and paper["L4", "LISA"]["CIFAR-10"] == 55.83


@pytest.fixture
def toy(tmp_path):
    """A table of two models and a control, with made-up measurements of three seeds."""
    column = Column("N(0, I)", "energy", "ring, radius 4", "prior", "energy")
    rows = (
        Row("A", System("AE"), {"energy": 3.0}),
        Row("B", System("SphericalAE"), {"energy": 2.0}),
        Row("C", System("LISAGenerator"), {"energy": 1.0}),
        Row("floor", System(REAL), control=True),
    )
    blocks = (Block("Energy", (column,)),)
    table = Table("T", "toy", "a paper", blocks, rows, pairs=(("A", "B"), ("B", "C")))
    lines = Lines(tmp_path / "lines.jsonl")
    for row, figures in zip(rows, ([1, 2, 3], [2, 3, 4.5], [5, 5, 5], [0, 0, 0]), strict=True):
        cell = table.cell(row, column, PROFILES["cpu"])
        for seed, energy in enumerate(figures):
            lines.add(cell.what(seed), {"energy": float(energy)}, device="cpu")
    return table, lines


def test_sentences_follow_from_the_numbers(toy):
    table, lines = toy
    text = render(table, PROFILES["cpu"], lines, "cpu")
    assert "| A | 3 | **2.0000 ± 1.0000 (3)** |" in text
    assert (
        "| B | 2 | 3.1667 ± 1.2583 (3) |" in text and "| *floor* |  | 0.0000 ± 0.0000 (3) |" in text
    )
    assert "with the paper's figures: N(0, I) -1.00 over 3 rows." in text
    assert "(lowest). Controls at least as good as it, of 1 columns: floor in 1." in text
    assert ttest_rel([1, 2, 3], [2, 3, 4.5]).pvalue < 0.05
    assert "| A − B | **-1.1667 ± 0.2887**, lower on 3 of 3 |" in text
    assert ttest_rel([2, 3, 4.5], [5, 5, 5]).pvalue > 0.05
    assert "| B − C | -1.8333 ± 1.2583, lower on 3 of 3 |" in text
    assert "declares 10 seeds, the entries have 3 to 3" in text


def test_seeds_are_counted_by_data(toy):
    """Entries of data with fewer seeds than others are whole all the same."""
    table, lines = toy
    column = Column("few", "energy", "few", "prior")
    table = replace(table, blocks=(Block("Both", (*table.blocks[0].columns, column)),))
    profile = {kind: PROFILES["cpu"][kind] for kind in ("data", "ring", "few")}
    profile = profile | {
        "few": profile["few"] | {"seeds": 1},
        "ring": profile["ring"] | {"seeds": 3},
    }
    for row in table.rows:
        for seed in range(3):
            lines.add(table.cell(row, column, profile).what(seed), {"energy": 1.0}, device="cpu")
    assert "The profile declares" not in render(table, profile, lines, "cpu")
    profile["ring"]["seeds"] = 5
    text = render(table, profile, lines, "cpu")
    assert "The profile declares 5 seeds, 4 of 8 entries have 3 to 3;" in text


@pytest.mark.parametrize("option", ["--rows", "--data"])
def test_a_name_that_no_cell_has_is_an_error(option, tmp_path, capsys):
    arguments = ["--table", "G1", "--profile", "smoke", "--out", str(tmp_path)]
    with pytest.raises(SystemExit):
        quality.main(["run", *arguments, option, "Standrd AE"])
    assert "Standrd AE: not among " in capsys.readouterr().err


def test_a_point_without_its_coverage_is_not_drawn(tmp_path):
    lines = Lines(tmp_path / "lines.jsonl")
    row, column = plots.GF2.rows[0], plots.GF2.blocks[1].columns[0]
    cell = plots.GF2.cell(row, column, PROFILES["cpu"])
    lines.add(cell.what(0), {column.metric: 1.0}, device="cpu")
    figure = plots.coverage(Figures(plots.GF2, PROFILES["cpu"], lines))
    assert not any(axis.collections for axis in figure.axes)
    plots.plt.close(figure)


def test_what_is_not_measured_is_said(toy):
    table, _ = toy
    text = render(table, PROFILES["cpu"], Lines(toy[1].path.with_name("none")), "cpu")
    assert "**Energy**: not run under this profile." in text
    assert "4 of 4 entries have not been run; `python -m benchmarks.quality run --table T" in text
    smaller = render(table, PROFILES["smoke"] | {"data": {"names": ()}}, toy[1], "smoke")
    assert "— is printed where not in this profile: A, B, C, floor." in smaller


def test_figures_that_do_not_exist_are_said(toy):
    table, lines = toy
    cell = table.cell(table.rows[0], table.blocks[0].columns[0], PROFILES["cpu"])
    lines.add(cell.what(3), {"energy": float("nan")}, device="cpu")
    text = render(table, PROFILES["cpu"], Lines(lines.path), "cpu")
    assert "| A | 3 | undefined in 1 of 4 |" in text
    assert "| B | 2 | **3.1667 ± 1.2583 (3)** |" in text and "| A − B | —" not in text


@pytest.fixture
def distances(tmp_path):
    """A table of six models under two samplers, a default, and columns to rank by."""
    data = "ring, radius 4"
    columns = (
        Column("N", "frechet", data, "prior"),
        Column("cells", "frechet", data, "cells"),
        Column("reconstructions", "frechet", data),
        Column("gap", "gap", data, "volumes"),
    )
    rows = tuple(Row(f"{d}", System("AE", {"n_components": d})) for d in range(1, 7))
    block = (Block("Ring: distances", columns),)
    table = Table("T", "toy", "x", block, rows, together=(columns[::3],), default=("1", "cells"))
    lines = Lines(tmp_path / "lines.jsonl")
    for i, row in enumerate(rows):
        for column, values in zip(
            columns, ((9, 8, 7, 6, 5, 4),) * 3 + ((1, 2, 3, 4, 6, 5),), strict=True
        ):
            value = 3.0 if column.label == "cells" else values[i]
            cell = table.cell(row, column, PROFILES["cpu"])
            lines.add(cell.what(0), {column.metric: float(value)}, device="cpu")
    return table, lines


def test_the_default_is_compared_with_every_other(distances):
    table, lines = distances
    text = render(table, PROFILES["cpu"], lines, "cpu")
    assert "Ring: the default, 1 with cells, has 3.0, 0.33 times its reconstructions;" in text
    assert "lowest of 6 figures under other samplers is 4.0 (6, N): the default is ahead." in text


def test_rank_correlations_have_intervals(distances):
    table, lines = distances
    text = render(table, PROFILES["cpu"], lines, "cpu")
    found = re.search(r"\| N \| gap \| ring, radius 4 \| \*\*(.*)\*\* \[(.*), (.*)\] \| 6 \|", text)
    value, low, high = map(float, found.groups())
    assert value == round(spearmanr((9, 8, 7, 6, 5, 4), (1, 2, 3, 4, 6, 5)).statistic, 2) == -0.94
    assert -1 <= low <= value <= high < 0


def test_epochs_of_the_ring_are_those_of_a_training(monkeypatch):
    monkeypatch.setattr(_ring, "EPOCHS", (1, 2, 10))
    ring = Ring("ring, radius 4", {"n_train": 300}, seed=0)
    model = geomgen.AE(n_components=2, hidden=(8,), max_epochs=2, random_state=0).fit(ring.train)
    figures = ring.epochs(model)
    assert figures["mse_2"] == pytest.approx(ring.of_model(model)["mse"], rel=1e-3)  # other batches
    assert figures["mse_10"] < figures["mse_1"] and {"cells_10", "prior_10"} <= set(figures)
    volumes = ring.volumes(model)
    assert 0 <= volumes["overlap"] <= 1 and 0 <= volumes["entropy"] <= np.log(2) + 1e-6


def test_squeezenet_averages_its_last_maps(tmp_path):
    """Weights by their published names, and a grey image that is one of three equal colours."""
    net = squeezenet().eval()
    weights = tmp_path / "weights.npz"
    state = {f"features.{name}": value.numpy() for name, value in net.state_dict().items()}
    np.savez(weights, **state, **{"classifier.1.bias": np.zeros(3)})
    grey = np.random.RandomState(0).uniform(size=(2, 64)).astype(np.float32)
    one = squeezenet_features(weights, (1, 8, 8))(grey)
    three = squeezenet_features(weights, (3, 8, 8))(np.tile(grey, 3))
    assert one.shape == (2, 512) and np.array_equal(one, three) and (one >= 0).all() and one.any()
    assert sum(value.numel() for value in net.state_dict().values()) == 722_496


def test_two_percent_of_nines():
    y = np.repeat(np.arange(10), 300)
    kept = thinned(y, 1000, seed=0)
    assert len(set(kept)) == len(kept) == 1000 and (y[kept] == 9).sum() == 20
    assert not np.array_equal(kept, thinned(y, 1000, seed=1))
    with pytest.raises(ValueError, match="n_train=2900 rows with 2 % of digit 9 cannot be had"):
        thinned(y, 2900, seed=0)
    assert parsed("digit, 3 at 0.5 %") == (3, 0.005)
    assert (y[thinned(y, 1000, 0, 3, 0.005)] == 3).sum() == 5


def test_the_page_is_made_of_the_committed_results(tmp_path):
    root = Path(geomgen.__file__).parent.parent
    lines = Lines(root / "benchmarks" / "results" / "tables-cpu.jsonl")
    text = "\n".join(render(table, PROFILES["cpu"], lines, "cpu") for table in TABLES)
    page = root / "docs" / "reproduction.md"
    command = "python -m benchmarks.quality report --profile cpu --page docs/reproduction.md"
    publish(text, made := Path(shutil.copy(page, tmp_path)))
    assert made.read_text() == page.read_text(), f"run `{command}`"


def test_plots_are_made_of_what_there_is(smoke, tmp_path):
    quality.main(["run", "--table", "GF2", *smoke[1][2:], "--rows", "Standard AE", "--seeds", "1"])
    plots.main(["--profile", "smoke", "--out", str(smoke[0]), "--images", str(tmp_path)])
    names = {"training.png", "coverage.png", "rescaled-codes.png", "sensitivity.png"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_sheet_has_the_images_in_rows():
    images = np.random.RandomState(0).uniform(-0.5, 1.5, size=(4, 6))
    grey, colour = (
        sheets.sheet({"one": images[:, :n], "two": images[:, :n]}, s)
        for n, s in ((6, (2, 3)), (6, (3, 1, 2)))
    )
    shown = grey.axes[0].images[0].get_array()
    assert shown.shape == (4, 13, 3)  # two images, a gap of half a width, two images
    assert np.allclose(shown[:2, :3, 0], images[0].reshape(2, 3).clip(0, 1))
    assert (shown[:, 6] == 1).all() and np.array_equal(shown[:2], shown[2:])
    shown = colour.axes[0].images[0].get_array()
    assert np.allclose(shown[0, :2], images[0].reshape(3, 2).T.clip(0, 1))
    assert [label.get_text() for label in grey.axes[0].get_yticklabels()] == ["one", "two"]
