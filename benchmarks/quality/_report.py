"""Tables as Markdown: the paper's figure beside ours, and sentences made of the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.quality._declare import Block, Column, Metric, Row, Table
from benchmarks.quality._runs import Lines

__all__ = ["render"]

METRICS = {
    "count": Metric(40, 1),
    "count_inside": Metric(40, 1),
    "recall": Metric("none"),  # the count, over another
    "lift": Metric(1.0),
    "inside": Metric("high", 3),
    "energy": Metric("low", 3),
    "mse": Metric("low", 4),
    "kl": Metric("none"),
    "variance": Metric("none", 4),
    "nn_lift": Metric(1.0),
    "nn_corrected": Metric(1.0),
    "cnn_lift": Metric(1.0),
    "cnn_corrected": Metric(1.0),
    "frechet": Metric("low", 1),
    "top_share": Metric("low", 3),
    "condition": Metric("low"),
    "participation": Metric("high"),
    "entropy_rank": Metric("high"),
    "logistic": Metric("high", 1),
    "mlp": Metric("high", 1),
    "knn": Metric("high", 1),
}


class Figures:
    """What was measured of a table under one profile."""

    def __init__(self, table: Table, profile: dict[str, Any], lines: Lines) -> None:
        self.table, self.profile, self.lines = table, profile, lines

    def of(self, row: Row, column: Column) -> dict[int, float]:
        """Figures by seed; NaN where a figure is not finite."""
        cell, found = self.table.cell(row, column, self.profile), {}
        for seed in range(cell.seeds):
            record = None if cell.reason else self.lines.get(cell.what(seed))
            if record and column.metric in record["figures"]:
                value = record["figures"][column.metric]
                found[seed] = float("nan") if value is None else float(value)
        return found

    def text(self, row: Row, column: Column) -> str:
        """Mean ± spread (number of seeds), or why there is none."""
        cell, values = self.table.cell(row, column, self.profile), [*self.of(row, column).values()]
        if not values:
            return "—" if cell.reason else "not run"
        if not np.isfinite(values).all():
            return f"undefined in {np.sum(~np.isfinite(values))} of {len(values)}"
        digits = METRICS[column.metric].digits
        spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
        own = f" {cell.sampler}" if column.sampler == "N" and not row.control else ""
        return f"{np.mean(values):.{digits}f}{spread} ({len(values)}){own}"


def render(table: Table, profile: dict[str, Any], lines: Lines, name: str) -> str:
    """One table with its note, budget, findings and what is missing."""
    figures = Figures(table, profile, lines)
    parts = [f"## {table.name}: {table.title}", f"{table.source}. {table.note}".strip()]
    parts.append(_budget(figures, name))
    for block in table.blocks:
        if any(figures.of(row, column) for row in table.rows for column in block.columns):
            grid, said = _grid(figures, block), _bullets(_findings(figures, block))
            parts += [f"**{block.title}**", grid, said]
        else:
            parts.append(f"**{block.title}**: not run under this profile.")
    parts.append(_bullets(_missing(figures, name)))
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
        "Cells are mean ± standard deviation (number of seeds)."
    )


def _flat(budget: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((k.replace("_", " "), v) for k, v in budget.items() if k != "net")
    yield "net", ", ".join(f"{k}={v}" for k, v in budget["net"].items())


def _grid(figures: Figures, block: Block) -> str:
    heads, takes, shown = ["row"], [], set()
    for column in block.columns:
        if column.paper and column.paper not in shown:
            shown.add(column.paper)
            heads.append(f"paper: {column.paper}" if _papers(block) > 1 else "paper")
            takes.append(lambda row, c=column: _paper(row, c))
        heads.append(column.label)
        takes.append(lambda row, c=column: figures.text(row, c))
    lines = [heads, ["---"] * len(heads)]
    for row in figures.table.rows:
        cells = [take(row) for take in takes]
        if any(cell not in ("—", "") for cell in cells):
            lines.append([f"*{row.label}*" if row.control else row.label, *cells])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _papers(block: Block) -> int:
    return len({column.paper for column in block.columns if column.paper})


def _paper(row: Row, column: Column) -> str:
    value = row.paper.get(column.paper or "")
    return "" if row.control else "–" if value is None else f"{value:g}"


def _findings(figures: Figures, block: Block) -> Iterator[str]:
    """Order against the paper's, closest rows against controls, and paired differences."""
    means = {
        column: {
            row: float(np.mean([*found.values()]))
            for row in figures.table.rows
            if (found := figures.of(row, column))
        }
        for column in block.columns
    }
    orders = [(c, *found) for c in block.columns if (found := _order(c, means[c]))]
    if orders:
        said = (f"{c.label} {value:+.2f} over {n} rows" for c, value, n in orders)
        yield f"Rank correlation of the obtained means with the paper's figures: {'; '.join(said)}."
    bests = [(c, *found) for c in block.columns if (found := _best(c, means[c]))]
    if bests:
        said = (f"{c.label} {best}" for c, best, _ in bests)
        yield f"Best model ({_goal(block)}): {'; '.join(said)}."
        beaten = [f"{c.label} {controls}" for c, _, controls in bests if controls]
        where = f"in {len(beaten)} of {len(bests)} columns"
        yield f"Controls at least as good, {where}: {'; '.join(beaten) or 'none'}."
    for pair in figures.table.pairs:
        yield from _paired(figures, block, pair)


def _order(column: Column, means: dict[Row, float]) -> tuple[float, int] | None:
    both = [row for row in means if column.paper in row.paper and np.isfinite(means[row])]
    paper = [row.paper[column.paper or ""] for row in both]
    obtained = [means[row] for row in both]
    if len(both) < 3 or len(set(paper)) < 3 or len(set(obtained)) < 2:
        return None
    return float(spearmanr(paper, obtained).statistic), len(both)


def _goal(block: Block) -> str:
    goals = {METRICS[column.metric].goal for column in block.columns} - {"none"}
    words = {"low": "lowest", "high": "highest"}
    return ", ".join(sorted(words.get(str(goal), f"closest to {goal}") for goal in goals))


def _best(column: Column, means: dict[Row, float]) -> tuple[str, str] | None:
    """Models nearest to the goal, and the controls that are no further."""
    metric = METRICS[column.metric]
    short = {r: _short_of(v, metric.goal) for r, v in means.items() if np.isfinite(v)}
    models = [row for row in short if not row.control]
    if metric.goal == "none" or len(models) < 2:
        return None
    least = min(short[row] for row in models)

    def said(rows: list[Row]) -> str:
        return ", ".join(f"{row.label} ({means[row]:.{metric.digits}f})" for row in rows)

    best = [row for row in models if short[row] == least]
    controls = [row for row in short if row.control and short[row] <= least]
    return (said(best) if len(best) < len(models) else "all alike"), said(controls)


def _short_of(value: float, goal: str | float) -> float:
    if isinstance(goal, str):
        return value if goal == "low" else -value
    return abs(value - goal)


def _paired(figures: Figures, block: Block, pair: tuple[str, str]) -> Iterator[str]:
    rows = {row.label: row for row in figures.table.rows}
    said, beyond = [], []
    for column in block.columns:
        one, two = (figures.of(rows[label], column) for label in pair)
        gaps = np.array([one[seed] - two[seed] for seed in sorted(one.keys() & two.keys())])
        if len(gaps) < 2 or not np.isfinite(gaps).all():
            continue
        digits, spread = METRICS[column.metric].digits, gaps.std(ddof=1)
        lower = f"lower on {(gaps < 0).sum()} of {len(gaps)}"
        said.append(f"{column.label} {gaps.mean():+.{digits}f} ± {spread:.{digits}f} ({lower})")
        if abs(gaps.mean()) > 2 * spread / len(gaps) ** 0.5:
            beyond.append(column.label)
    if said:
        yield (
            f"{pair[0]} less {pair[1]}, by seed: {'; '.join(said)}. Beyond two standard errors: "
            f"{', '.join(beyond) or 'none'}."
        )


def _missing(figures: Figures, name: str) -> Iterator[str]:
    cells = list(figures.table.cells(figures.profile))
    wanted = [cell for cell in cells if not cell.reason]
    had = [sum(bool(figures.lines.get(c.what(s))) for s in range(c.seeds)) for c in wanted]
    seeds = max(cell.seeds for cell in wanted) if wanted else 0
    command = f"`python -m benchmarks.quality run --table {figures.table.name} --profile {name}`"
    if 0 in had:
        yield f"{had.count(0)} of {len(had)} cells have not been run; {command} measures them."
    elif had and min(had) < seeds:
        yield (
            f"The profile declares {seeds} seeds, the cells have {min(had)} to {max(had)}; "
            f"{command} adds the others."
        )
    for reason in sorted({cell.reason for cell in cells if cell.reason}):
        rows = dict.fromkeys(cell.row for cell in cells if cell.reason == reason)
        yield f"— is printed where {reason}: {', '.join(rows)}."
