"""Tables as Markdown: the paper's figure beside ours, and sentences made of the numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import spearmanr, t

from benchmarks.quality._declare import Block, Cell, Column, Row, Table
from benchmarks.quality._metrics import METRICS
from benchmarks.quality._runs import Lines

__all__ = ["render"]


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

    def was_run(self, cell: Cell) -> bool:
        """Whether any seed was measured; its model may have no such figure all the same."""
        return any(self.lines.get(cell.what(seed)) for seed in range(cell.seeds))

    def text(self, row: Row, column: Column) -> str:
        """Mean ± spread (number of seeds), or why there is none."""
        cell, values = self.table.cell(row, column, self.profile), [*self.of(row, column).values()]
        if not values:
            return "—" if cell.reason or self.was_run(cell) else "not run"
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
            said = _bullets(_findings(figures, block))
            parts += [f"**{block.title}**", _grid(figures, block), said, _paired(figures, block)]
        else:
            parts.append(f"**{block.title}**: not run under this profile.")
    parts += [_ranked(figures), _defaults(figures), _bullets(_missing(figures, name))]
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
        best = _best(_means(figures, column), METRICS[column.metric].goal)[0]
        takes.append(partial(_own, figures, column, best))
    lines = [heads, ["---"] * len(heads)]
    for row in figures.table.rows:
        cells = [take(row) for take in takes]
        if any(cell not in ("—", "") for cell in cells):
            lines.append([f"*{row.label}*" if row.control else row.label, *cells])
    return _markdown(lines)


def _markdown(lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _bold(text: str, really: bool) -> str:
    return f"**{text}**" if really else text


def _papers(block: Block) -> int:
    return len({column.paper for column in block.columns if column.paper})


def _own(figures: Figures, column: Column, best: list[Row], row: Row) -> str:
    return _bold(figures.text(row, column), row in best)


def _paper(column: Column, row: Row) -> str:
    value = row.paper.get(column.paper or "")
    return "" if row.control else "–" if value is None else f"{value:g}"


def _means(figures: Figures, column: Column) -> dict[Row, float]:
    found = {row: [*figures.of(row, column).values()] for row in figures.table.rows}
    return {row: float(np.mean(values)) for row, values in found.items() if values}


def _findings(figures: Figures, block: Block) -> Iterator[str]:
    """Order against the paper's, and the controls that no model beats."""
    orders = [(c, *found) for c in block.columns if (found := _order(figures, c))]
    if orders:
        said = "; ".join(f"{c.label} {value:+.2f} over {n} rows" for c, value, n in orders)
        yield f"Rank correlation of the obtained means with the paper's figures: {said}."
    goals = [METRICS[column.metric].goal for column in block.columns]
    pairs = zip(block.columns, goals, strict=True)
    bests = [best for c, g in pairs if (best := _best(_means(figures, c), g))[0]]
    if bests:
        ahead = Counter(row.label for _, controls in bests for row in controls)
        run = {row for c in block.columns for row in _means(figures, c) if row.control}
        said = ", ".join(f"{label} in {n}" for label, n in ahead.items()) or "none"
        said += "" if run else " (none has been run)"
        words = {"low": "lowest", "high": "highest"}
        goal = ", ".join(
            dict.fromkeys(words.get(str(g), f"closest to {g}") for g in goals if g != "none")
        )
        yield (
            f"Bold: the best model of a column ({goal}). Controls at least as good as it, of "
            f"{len(bests)} columns: {said}."
        )


def _order(figures: Figures, column: Column) -> tuple[float, int] | None:
    means = _means(figures, column)
    both = [row for row in means if column.paper in row.paper and np.isfinite(means[row])]
    paper = [row.paper[column.paper or ""] for row in both]
    obtained = [means[row] for row in both]
    if len(both) < 3 or len(set(paper)) < 3 or len(set(obtained)) < 2:
        return None
    return float(spearmanr(paper, obtained).statistic), len(both)


def _best(means: dict[Row, float], goal: str | float) -> tuple[list[Row], list[Row]]:
    """Models nearest to the goal, and the controls that are no further."""
    short = {row: _short_of(value, goal) for row, value in means.items() if np.isfinite(value)}
    models = [row for row in short if not row.control]
    if goal == "none" or len({short[row] for row in models}) < 2:
        return [], []
    least = min(short[row] for row in models)
    controls = [row for row in short if row.control and short[row] <= least]
    return [row for row in models if short[row] == least], controls


def _short_of(value: float, goal: str | float) -> float:
    if isinstance(goal, str):
        return value if goal == "low" else -value
    return abs(value - goal)


def _paired(figures: Figures, block: Block) -> str:
    """Differences of pairs of rows by seed, bold where the 95 % interval of Student's t lacks 0."""
    rows = {row.label: row for row in figures.table.rows}
    columns = [c for c in block.columns if METRICS[c.metric].goal != "none"]
    lines = []
    for first, second in figures.table.pairs:
        cells = []
        for column in columns:
            one, two = (figures.of(rows[label], column) for label in (first, second))
            gaps = np.array([one[seed] - two[seed] for seed in sorted(one.keys() & two.keys())])
            cells.append(_gap(gaps, METRICS[column.metric].digits))
        if set(cells) - {"—"}:
            lines.append([f"{first} − {second}", *cells])
    if not lines:
        return ""
    heads = ["paired by seed", *(column.label for column in columns)]
    return _markdown([heads, ["---"] * len(heads), *lines])


def _gap(gaps: np.ndarray, digits: int) -> str:
    if len(gaps) < 3 or not np.isfinite(gaps).all():
        return "—"
    spread = gaps.std(ddof=1)
    clear = abs(gaps.mean()) > t.ppf(0.975, len(gaps) - 1) * spread / len(gaps) ** 0.5
    said = f"{gaps.mean():+.{digits}f} ± {spread:.{digits}f}"
    return f"{_bold(said, clear)}, lower on {(gaps < 0).sum()} of {len(gaps)}"


def _ranked(figures: Figures) -> str:
    """Rank correlations over rows of one column with another, and bootstrap intervals."""
    lines = []
    for first, second in figures.table.together:
        one, two = _means(figures, first), _means(figures, second)
        both = [
            row
            for row in one
            if not row.control and np.isfinite([one[row], two.get(row, np.nan)]).all()
        ]
        if len(both) < 5:
            continue
        values = np.array([[one[row], two[row]] for row in both])
        low, high = _interval(values)
        found = f"{spearmanr(*values.T).statistic:+.2f}"
        said = f"{_bold(found, low > 0 or high < 0)} [{low:+.2f}, {high:+.2f}]"
        lines.append([first.label, second.label, first.data, said, str(len(both))])
    if not lines:
        return ""
    heads = ["diagnostic", "coverage", "data", "rank correlation [95 %]", "rows"]
    said = (
        "Rank correlations of the rows' means; intervals by bootstrap over rows, bold where they "
        "lack 0:"
    )
    return f"{said}\n\n{_markdown([heads, ['---'] * len(heads), *lines])}"


def _interval(values: np.ndarray) -> tuple[float, float]:
    rng, found = np.random.RandomState(0), []
    while len(found) < 2000:
        chosen = values[rng.randint(len(values), size=len(values))]
        if (np.ptp(chosen, axis=0) > 0).all():
            found.append(spearmanr(*chosen.T).statistic)
    return tuple(np.quantile(found, (0.025, 0.975)))


def _defaults(figures: Figures) -> str:
    """Compare what users get if they choose nothing with every row under its paper's samplers."""
    if not figures.table.default:
        return ""
    label, sampler = figures.table.default
    sentences = []
    for block in figures.table.blocks:
        by_label = {c.label: _means(figures, c) for c in block.columns}
        own = {row.label: v for row, v in by_label.get(sampler, {}).items()}.get(label)
        others = {
            (row.label, name): v
            for name, means in by_label.items()
            if name not in (sampler, "reconstructions")
            for row, v in means.items()
            if not row.control
        }
        if own is None or not others:
            continue
        (best, name), least = min(others.items(), key=lambda item: item[1])
        ceiling = {r.label: v for r, v in by_label.get("reconstructions", {}).items()}.get(label)
        of_ceiling = f", {own / ceiling:.2f} times its reconstructions" if ceiling else ""
        sentences.append(
            f"{block.title.partition(':')[0]}: the default, {label} with {sampler}, has "
            f"{own:.1f}{of_ceiling}; the lowest of {len(others)} figures under the papers' "
            f"samplers is {least:.1f} ({best}, {name}): the default is "
            f"{'ahead' if own < least else 'behind'}."
        )
    return _bullets(sentences)


def _missing(figures: Figures, name: str) -> Iterator[str]:
    cells = list(figures.table.cells(figures.profile))
    wanted = [cell for cell in cells if not cell.reason]
    had = [sum(bool(figures.lines.get(c.what(s))) for s in range(c.seeds)) for c in wanted]
    seeds = max(cell.seeds for cell in wanted) if wanted else 0
    command = f"`python -m benchmarks.quality run --table {figures.table.name} --profile {name}`"
    if 0 in had:
        yield f"{had.count(0)} of {len(had)} entries have not been run; {command} measures them."
    elif had and min(had) < seeds:
        yield (
            f"The profile declares {seeds} seeds, the entries have {min(had)} to {max(had)}; "
            f"{command} adds the others."
        )
    reasons: dict[str, list[str]] = {}
    for cell in cells:
        records = (figures.lines.get(cell.what(seed)) for seed in range(cell.seeds))
        lacks = any(record and cell.metric not in record["figures"] for record in records)
        reason = cell.reason or ("the model has no such figure" if lacks else "")
        reasons.setdefault(reason, []).append(cell.row)
    for reason, labels in reasons.items():
        if reason:
            yield f"— is printed where {reason}: {', '.join(dict.fromkeys(labels))}."
