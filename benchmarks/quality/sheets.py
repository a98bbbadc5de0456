"""Contact sheets: ``python -m benchmarks.quality.sheets --data mnist --cache DIR``.

Draws of every row of a table that has images, a row of pictures each, under the row's own sampler
and under the default one; models come from the cache of a run, or are trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import geomgen
from benchmarks.quality._declare import REAL, Cell, Row, Table
from benchmarks.quality._pictures import SHAPES
from benchmarks.quality._profiles import PROFILES
from benchmarks.quality._work import DATA, fitted
from benchmarks.quality.tables_f import FEW, NETS
from benchmarks.quality.tables_g import G5
from benchmarks.quality.tables_l import L3
from geomgen._atomic import open_atomically

__all__ = ["main", "sheet"]

TABLES = {table.name: table for table in (G5, L3, NETS, FEW)}
N_EACH = 10


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.quality.sheets", description=__doc__)
    parser.add_argument("--table", choices=TABLES, default="L3")
    parser.add_argument("--data", choices=SHAPES, default="mnist")
    parser.add_argument("--profile", choices=PROFILES, default="cpu")
    parser.add_argument("--rows", nargs="+", help="labels of rows; all by default")
    parser.add_argument("--cache", type=Path, help="folder of trained models")
    parser.add_argument("--images", type=Path, default=Path("docs/images"))
    options = parser.parse_args(arguments)
    table, profile = TABLES[options.table], PROFILES[options.profile]
    cells = [cell for cell in table.cells(profile) if cell.reason != "not in this profile"]
    known = sorted({cell.data for cell in cells} & SHAPES.keys())
    if options.data not in known:
        parser.error(
            f"--data {options.data} is not in table {options.table} of profile {options.profile}: "
            f"choose from {', '.join(known) or 'none'}"
        )
    rows = [row for row in table.rows if row.label in (options.rows or [row.label])]
    strips = dict(drawn(replace(table, rows=tuple(rows)), options.data, profile, options.cache))
    path = options.images / f"sheet-{options.table.lower()}-{options.data}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = sheet(strips, SHAPES[options.data])
    with open_atomically(path, overwrite=True) as file:
        figure.savefig(file, dpi=110, bbox_inches="tight", pil_kwargs={"optimize": True})
    plt.close(figure)
    print(path)
    return 0


def drawn(
    table: Table, data: str, profile: dict, cache: Path | None
) -> Iterator[tuple[str, np.ndarray]]:
    """Rows of images by label: ten by the row's own sampler, ten by the default one."""
    budget = {k: v for k, v in profile[data].items() if k != "seeds"}
    work = DATA[data](data, budget, 0)
    for row in table.rows:
        if row.system.model == REAL:
            yield row.label, work.real()[: 2 * N_EACH]
            continue
        cell = Cell(table.name, row.label, "", data, row.system, None, "", 1, budget, None)
        model, _ = fitted(work, row.system, cell.what(0), cache)
        found = []
        for sampler in samplers(table, row):
            if row.system.has_codes:
                model.set_params(sampler=sampler).fit_sampler(work.train)
            found.append(np.asarray(geomgen.sample(model, N_EACH, random_state=0)))
        names = "itself" if not row.system.has_codes else " | ".join(samplers(table, row))
        yield f"{row.label}: {names}", np.concatenate(found)


def samplers(table: Table, row: Row) -> tuple[str, str]:
    """Name the two samplers of a row: paper G draws from N(0, I)."""
    return ("prior" if table.name == G5.name else row.own, "cells")


def sheet(strips: dict[str, np.ndarray], shape: tuple[int, ...]) -> plt.Figure:
    """Lay strips of flat images under one another, a gap in the middle, labels at the left."""
    height, width = shape[-2:]
    figure, axis = plt.subplots(figsize=(11, 0.46 * len(strips)))
    lines = []
    for images in strips.values():
        pixels = np.clip(images, 0, 1).reshape(-1, *((1,) * (3 - len(shape))), *shape)
        pixels = np.broadcast_to(pixels.transpose(0, 2, 3, 1), (len(images), height, width, 3))
        halves = (np.concatenate(list(half), 1) for half in np.array_split(pixels, 2))
        left, right = halves
        lines.append(np.concatenate([left, np.ones((height, width // 2, 3)), right], 1))
    axis.imshow(np.concatenate(lines), interpolation="nearest", aspect="equal")
    axis.set_yticks(height * (np.arange(len(strips)) + 0.5), strips, fontsize=7)
    axis.set_xticks([])
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return figure


if __name__ == "__main__":
    raise SystemExit(main())
