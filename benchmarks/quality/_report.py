"""Tables as Markdown: the paper's figure beside ours, and sentences made of the numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.quality._declare import Block, Column, Row, Table
from benchmarks.quality._figures import Figures, bold, markdown
from benchmarks.quality._findings import best_of, defaults, findings, missing, paired, ranked
from benchmarks.quality._metrics import METRICS
from benchmarks.quality._runs import Lines

__all__ = ["publish", "render"]


def publish(text: str, page: Path | None) -> None:
    """Print tables, or put them between the marks of a page."""
    if page is None:
        print(text)
        return
    before, _, rest = page.read_text().partition("<!-- tables -->")
    _, mark, after = rest.partition("<!-- end -->")
    if not mark:
        raise SystemExit(
            f"{page} has no <!-- tables --> and <!-- end -->: put both where tables go"
        )
    page.write_text(f"{before}<!-- tables -->\n{text}<!-- end -->{after}")


def render(table: Table, profile: dict[str, Any], lines: Lines, name: str) -> str:
    """One table with its note, budget, findings and what is missing."""
    figures = Figures(table, profile, lines)
    parts = [f"## {table.name}: {table.title}", f"{table.source}. {table.note}".strip()]
    parts.append(_budget(figures, name))
    for block in table.blocks:
        if any(figures.of(row, column) for row in table.rows for column in block.columns):
            said = _bullets(findings(figures, block))
            parts += [f"**{block.title}**", _grid(figures, block), said, paired(figures, block)]
        else:
            parts.append(f"**{block.title}**: not run under this profile.")
    if any(figures.was_run(cell) for cell in table.cells(profile)):
        parts += [f"![{table.title}](images/{picture})" for picture in table.pictures]
    parts += [ranked(figures), _bullets(defaults(figures)), _bullets(missing(figures, name))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _bullets(sentences: Iterator[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _budget(figures: Figures, name: str) -> str:
    cells = list(figures.table.cells(figures.profile))
    budgets = {str(cell.budget): cell.budget for cell in cells}.values()
    said = "; ".join(", ".join(f"{k} {v}" for k, v in _flat(budget)) for budget in budgets)
    whats = (cell.what(seed) for cell in cells for seed in range(cell.seeds))
    records = [record for what in whats if (record := figures.lines.get(what))]
    devices = ", ".join(sorted({record["device"] for record in records})) or "none yet"
    return (
        f"Profile `{name}`: {said}; device: {devices}. "
        "Entries are mean ± standard deviation (number of seeds)."
    )


def _flat(budget: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((k.replace("_", " "), v) for k, v in budget.items() if k != "net")
    yield "net", ", ".join(f"{k}={v}" for k, v in budget["net"].items())


def _grid(figures: Figures, block: Block) -> str:
    heads, shown = ["row"], set()
    takes: list[Callable[[Row], str]] = []
    for column in block.columns:
        if column.paper and column.paper not in shown:
            shown.add(column.paper)
            heads.append(f"paper: {column.paper}" if _papers(block) > 1 else "paper")
            takes.append(partial(_paper, column))
        heads.append(column.label)
        best = best_of(figures.means(column), METRICS[column.metric].goal)[0]
        takes.append(partial(_own, figures, column, best))
    lines = [heads, ["---"] * len(heads)]
    for row in figures.table.rows:
        cells = [take(row) for take in takes]
        if any(cell not in ("—", "") for cell in cells):
            lines.append([f"*{row.label}*" if row.control else row.label, *cells])
    return markdown(lines)


def _papers(block: Block) -> int:
    return len({column.paper for column in block.columns if column.paper})


def _own(figures: Figures, column: Column, best: list[Row], row: Row) -> str:
    return bold(figures.text(row, column), row in best)


def _paper(column: Column, row: Row) -> str:
    value = row.paper.get(column.paper or "")
    return "" if row.control else "–" if value is None else f"{value:g}"
