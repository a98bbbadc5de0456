"""The grammar track's table says what was measured, and only that."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import geomgen
from benchmarks.quality import grammar
from benchmarks.quality._report import publish
from benchmarks.quality._runs import Lines

ROOT = Path(geomgen.__file__).parent.parent


def test_page_is_made_of_the_committed_results(tmp_path):
    text = grammar.render("cpu", Lines(ROOT / "benchmarks" / "results" / "grammar-cpu.jsonl"))
    page = ROOT / "docs" / "expressions.md"
    command = "python -m benchmarks.quality.grammar report --profile cpu --page docs/expressions.md"
    publish(text, made := Path(shutil.copy(page, tmp_path)))
    assert made.read_text() == page.read_text(), f"run `{command}`"


def test_page_without_marks_is_refused_and_kept(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- tables --> and no end")
    with pytest.raises(SystemExit, match="page.md has no"):
        publish("| a |", page)
    assert page.read_text() == "<!-- tables --> and no end"


def test_report_has_means_spread_and_what_is_missing(tmp_path):
    lines = Lines(tmp_path / "lines.jsonl")
    for seed, score in enumerate([1.0, 2.0, 4.5]):
        cell = grammar.Cell("with", "G-LISA", "cpu", seed)
        lines.add(cell.what("log-EI"), {"valid": 1.0, "average_score": score, "best_novel": None})
    text = grammar.render("cpu", lines)
    assert "| G-LISA | 1.00 | 3.16 | 1.00 ± 0.00 (3) | 2.50 ± 1.80 (3) | — |" in text
    declared = 5 * 2 * 6 * (1 + len(grammar.SEARCHES))
    assert f"{declared - 3} measurements of this profile have not been run." in text


def lengths(strings):
    return np.char.str_len(strings) / 100


@pytest.mark.parametrize("data", ["with", "without"])
def test_neighbourhood_of_the_optimum_is_in_or_out(data, monkeypatch):
    monkeypatch.setattr(grammar, "ExpressionScore", lambda: lengths)
    monkeypatch.setattr(grammar, "NEAR", 0.1)  # strings of fewer than ten characters
    work = grammar.Work(data, 3000, 0, None)
    assert len(set(work.strings)) == 3000
    short = sum(len(s) < 10 for s in work.strings)
    assert short > 0 if data == "with" else short == 0
    assert not set(work.held_out) & set(work.strings)
