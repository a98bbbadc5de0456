"""The page of tables says what was measured, and only that."""

import shutil
from pathlib import Path

import pytest

import geomgen
from benchmarks.quality import tables
from benchmarks.quality._report import publish
from benchmarks.quality._rows import TABLES
from benchmarks.quality._runs import Results
from benchmarks.quality._table_report import render

ROOT = Path(geomgen.__file__).parent.parent
COMMITTED = ROOT / "benchmarks" / "results" / "quality-tables.json"


def figures(ratio=1.0, **others):
    return {"precision": 0.9, "energy": 0.002 * ratio, "floor": 0.002, "preference": 0.7} | others


def complete(ratio=1.0, **others):
    more = {"recall": 0.96, "coverage": 0.92, "lRML": 0.1}
    speed = {"fit_per_5000": 1.0, "rows_per_second": 2e5}
    return figures(ratio, **more, **speed) | others


def test_page_is_made_of_the_committed_results(tmp_path):
    page = ROOT / "docs" / "tables.md"
    publish(render(Results(COMMITTED).cells), made := Path(shutil.copy(page, tmp_path)))
    command = "python -m benchmarks.quality.tables report --page docs/tables.md"
    assert made.read_text() == page.read_text(), f"run `{command}`"


def test_means_are_over_sets_and_spread_over_seeds():
    ratios = {0: (1.0, 4.0, 1.0, 4.0), 1: (8.0, 8.0, 2.0, 2.0)}  # geometric means 2 and 4
    cells = {
        f"numeric|{data}|geomgen auto|{seed}": complete(ratio, precision=0.9 + 0.04 * (i == 3))
        for seed, own in ratios.items()
        for i, (data, ratio) in enumerate(zip(TABLES, own, strict=True))
    }
    text = render(cells)
    assert "| geomgen auto | 2 | 0.910 ± 0.000 | 0.960 ± 0.000 |" in text
    assert "| ED / floor (numeric) | at most 1.15 | 3.00 ± 1.41 (2 seeds) | **no** | – |" in text
    assert "| recall (numeric) | at least 0.95 | 0.960 ± 0.000 (2 seeds) | yes | – |" in text
    assert "| lRML (thinned) | at most 0.25 | not run | – | – |" in text


def test_a_seed_without_all_sets_does_not_count():
    cells = {f"numeric|{data}|geomgen auto|{s}": complete() for data in TABLES for s in (0, 1)}
    del cells[f"numeric|{TABLES[0]}|geomgen auto|1"]
    assert "| geomgen auto | 1 |" in render(cells)


def test_others_on_fewer_sets_stand_beside_ours_on_the_same():
    cells = {f"numeric|{data}|geomgen auto|0": complete() for data in TABLES}
    cells["numeric|thyroid|geomgen auto|0"] = complete(precision=0.75)
    cells["numeric|thyroid|tvae|0"] = figures(precision=0.5, fit=30.0)
    text = render(cells)
    below = text[text.index("On thyroid alone") :]
    assert "| geomgen auto | 1 | 0.750 |" in below and "| tvae | 1 | 0.500 | – |" in below
    assert "tvae" not in text[: text.index("On thyroid alone")]


def test_times_and_reasons_are_told():
    own = {"marginal": 0.01, "pairwise": 0.03, "association": 0.02, "tstr": 0.9}
    cells = {
        "adult|adult|geomgen auto|0": own | {"fit": 13.0, "sample": 1.0},
        "whole|adult|geomgen auto|0": {"fit": 18.0, "sample": 2.0},
        "whole|adult|tvae|0": {"fit": 390.0, "sample": 10.0},
        "adult|adult|ctgan|0": {"reason": "more than an hour"},
    }
    text = render(cells)
    assert "multiples of `geomgen auto`'s 20.0: tvae 20." in text
    assert "- ctgan on adult, seed 0: more than an hour" in text


def test_report_writes_the_page_and_nothing_else(tmp_path):
    page, out = tmp_path / "page.md", Path(shutil.copy(COMMITTED, tmp_path))
    before = out.read_text()
    page.write_text("a <!-- tables --> b <!-- end --> c")
    tables.main(["report", "--out", str(out), "--page", str(page)])
    assert out.read_text() == before
    assert page.read_text().startswith("a <!-- tables -->\n### Numeric")
    assert page.read_text().endswith("<!-- end --> c")


def test_unknown_parts_are_refused(capsys):
    with pytest.raises(SystemExit):
        tables.main(["run", "--parts", "nonsense"])
    assert "nonsense" in capsys.readouterr().err
