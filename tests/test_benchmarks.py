"""The runner of the papers' tables: it resumes, declares every row, reports what it measured."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel

import geomgen
from benchmarks.quality import __main__ as quality
from benchmarks.quality import _work
from benchmarks.quality._declare import REAL, Block, Column, Row, System, Table
from benchmarks.quality._digits import thinned
from benchmarks.quality._profiles import PROFILES
from benchmarks.quality._report import render
from benchmarks.quality._runs import Lines

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
    assert figures == {"G1": 12, "G2": 12, "G3": 11, "G4": 11, "G5": 6, "L1": 6, "L3": 36, "L4": 11}
    assert sum(not row.control for row in tables["L3"].rows) == 21
    paper = {(t.name, row.label): row.paper for t in TABLES for row in t.rows}
    assert paper["G1", "Contractive AE"] == {"count": 10, "recall": 0.23, "energy": 0.82}
    assert paper["G5", "GA-AE"] == {"count": 55, "lift": 1.375, "var": 0.240}
    assert paper["L3", "LISA"] == {"N": 17.97, "GMM": 10.32}
    assert paper["L3", "Geo-VAE"] == {"GMM": 8.53}
    assert paper["L4", "LoRAE"] == {"accuracy": 98.60}


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


def test_two_percent_of_nines():
    y = np.repeat(np.arange(10), 300)
    kept = thinned(y, 1000, seed=0)
    assert len(set(kept)) == len(kept) == 1000 and (y[kept] == 9).sum() == 20
    assert not np.array_equal(kept, thinned(y, 1000, seed=1))
    with pytest.raises(ValueError, match="n_train=2900 rows with 2 % nines cannot be had"):
        thinned(y, 2900, seed=0)


def test_the_page_is_made_of_the_committed_results():
    root = Path(geomgen.__file__).parent.parent
    lines = Lines(root / "benchmarks" / "results" / "tables-cpu.jsonl")
    text = "\n".join(render(table, PROFILES["cpu"], lines, "cpu") for table in TABLES)
    page = (root / "docs" / "reproduction.md").read_text()
    command = "python -m benchmarks.quality report --profile cpu --page docs/reproduction.md"
    assert quality.between_marks(page, text) == page, f"run `{command}`"
