"""What was measured of a table, and the Markdown it goes into."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.quality._declare import Cell, Column, Row, Table
from benchmarks.quality._metrics import METRICS
from benchmarks.quality._runs import Lines

__all__ = ["Figures", "bold", "markdown"]


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
        if METRICS[column.metric].label:
            return ", ".join(f"{value:.0f}" for value in values)
        digits = METRICS[column.metric].digits
        spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
        own = f" {cell.sampler}" if column.sampler == "N" and not row.control else ""
        return f"{np.mean(values):.{digits}f}{spread} ({len(values)}){own}"

    def means(self, column: Column) -> dict[Row, float]:
        """Means over seeds, of the rows that have any."""
        found = {row: [*self.of(row, column).values()] for row in self.table.rows}
        return {row: float(np.mean(values)) for row, values in found.items() if values}


def markdown(lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def bold(text: str, really: bool) -> str:
    return f"**{text}**" if really else text
