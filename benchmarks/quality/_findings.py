"""Sentences and comparisons, made of the numbers of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from scipy.stats import spearmanr, t

from benchmarks.quality._declare import Block, Column, Row
from benchmarks.quality._figures import Figures, bold, markdown
from benchmarks.quality._metrics import METRICS

__all__ = ["best_of", "defaults", "findings", "missing", "paired", "ranked"]


def findings(figures: Figures, block: Block) -> Iterator[str]:
    """Order against the paper's, and the controls that no model beats."""
    orders = [(c, *found) for c in block.columns if (found := _order(figures, c))]
    if orders:
        said = "; ".join(f"{c.label} {value:+.2f} over {n} rows" for c, value, n in orders)
        yield f"Rank correlation of the obtained means with the paper's figures: {said}."
    goals = [METRICS[column.metric].goal for column in block.columns]
    pairs = zip(block.columns, goals, strict=True)
    bests = [best for c, g in pairs if (best := best_of(figures.means(c), g))[0]]
    if bests:
        ahead = Counter(row.label for _, controls in bests for row in controls)
        run = {row for c in block.columns for row in figures.means(c) if row.control}
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
    means = figures.means(column)
    both = [row for row in means if column.paper in row.paper and np.isfinite(means[row])]
    paper = [row.paper[column.paper or ""] for row in both]
    obtained = [means[row] for row in both]
    if len(both) < 3 or len(set(paper)) < 3 or len(set(obtained)) < 2:
        return None
    return float(spearmanr(paper, obtained).statistic), len(both)


def best_of(means: dict[Row, float], goal: str | float) -> tuple[list[Row], list[Row]]:
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


def paired(figures: Figures, block: Block) -> str:
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
    return markdown([heads, ["---"] * len(heads), *lines])


def _gap(gaps: np.ndarray, digits: int) -> str:
    if len(gaps) < 3 or not np.isfinite(gaps).all():
        return "—"
    spread = gaps.std(ddof=1)
    clear = abs(gaps.mean()) > t.ppf(0.975, len(gaps) - 1) * spread / len(gaps) ** 0.5
    said = f"{gaps.mean():+.{digits}f} ± {spread:.{digits}f}"
    return f"{bold(said, clear)}, lower on {(gaps < 0).sum()} of {len(gaps)}"


def ranked(figures: Figures) -> str:
    """Rank correlations over rows of one column with another, and bootstrap intervals."""
    lines = []
    for first, second in figures.table.together:
        one, two = figures.means(first), figures.means(second)
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
        said = f"{bold(found, low > 0 or high < 0)} [{low:+.2f}, {high:+.2f}]"
        lines.append([first.label, second.label, first.data, said, str(len(both))])
    if not lines:
        return ""
    heads = ["diagnostic", "coverage", "data", "rank correlation [95 %]", "rows"]
    said = (
        "Rank correlations of the rows' means; intervals by bootstrap over rows, bold where they "
        "lack 0:"
    )
    return f"{said}\n\n{markdown([heads, ['---'] * len(heads), *lines])}"


def _interval(values: np.ndarray) -> tuple[float, float]:
    rng, found = np.random.RandomState(0), []
    while len(found) < 2000:
        chosen = values[rng.randint(len(values), size=len(values))]
        if (np.ptp(chosen, axis=0) > 0).all():
            found.append(spearmanr(*chosen.T).statistic)
    return tuple(np.quantile(found, (0.025, 0.975)))


def defaults(figures: Figures) -> Iterator[str]:
    """Compare what users get if they choose nothing with every row under every other sampler."""
    label, sampler = figures.table.default or ("", "")
    for block in figures.table.blocks:
        own: dict[str | None, float] = {}
        others: dict[tuple[str, str], float] = {}
        for column in (c for c in block.columns if c.metric == "frechet"):
            for row, value in figures.means(column).items():
                if row.label == label and column.sampler in (None, sampler):
                    own[column.sampler] = value
                elif not row.control and column.sampler not in (None, sampler):
                    others[row.label, column.label] = value
        if sampler not in own or not others:
            continue
        (best, name), least = min(others.items(), key=lambda item: item[1])
        share = f", {own[sampler] / own[None]:.2f} times its reconstructions" if None in own else ""
        yield (
            f"{block.title.partition(':')[0]}: the default, {label} with {sampler}, has "
            f"{own[sampler]:.1f}{share}; the lowest of {len(others)} figures under other samplers "
            f"is {least:.1f} ({best}, {name}): the default is "
            f"{'ahead' if own[sampler] < least else 'behind'}."
        )


def missing(figures: Figures, name: str) -> Iterator[str]:
    cells = list(figures.table.cells(figures.profile))
    wanted = [cell for cell in cells if not cell.reason]
    had = [sum(bool(figures.lines.get(c.what(s))) for s in range(c.seeds)) for c in wanted]
    command = f"`python -m benchmarks.quality run --table {figures.table.name} --profile {name}`"
    if 0 in had:
        yield f"{had.count(0)} of {len(had)} entries have not been run; {command} measures them."
    elif short := [pair for pair in zip(had, wanted, strict=True) if pair[0] < pair[1].seeds]:
        seeds = max(cell.seeds for _, cell in short)
        has = [n for n, _ in short]
        all_of_them = "" if len(short) == len(had) else f"{len(short)} of {len(had)} "
        yield (
            f"The profile declares {seeds} seeds, {all_of_them or 'the '}entries have {min(has)} "
            f"to {max(has)}; {command} adds the others."
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
