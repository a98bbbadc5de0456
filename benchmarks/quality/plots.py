"""The papers' figures from measurements: ``python -m benchmarks.quality.plots --profile cpu``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.quality._declare import Block, Row, Table
from benchmarks.quality._figures import Figures
from benchmarks.quality._pictures import ALPHAS
from benchmarks.quality._profiles import PROFILES
from benchmarks.quality._ring import EPOCHS
from benchmarks.quality._runs import Lines
from benchmarks.quality.tables_f import GF1, GF2, LD, LF1, TEMPERATURES, WEIGHTS
from geomgen._atomic import open_atomically

__all__ = ["main"]


def training(figures: Figures) -> plt.Figure:
    """Draw paper G's figure 1: errors fall, distances of the prior's draws stay."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), sharex=True)
    for axis, block in zip(axes, figures.table.blocks, strict=False):
        curves(axis, figures, block, EPOCHS)
        axis.set(title=block.title, xlabel="epochs", xscale="log", yscale="log")
    return figure


def rescaled(figures: Figures) -> plt.Figure:
    """Draw paper L's figure 1: errors of codes moved along their ray."""
    figure, axis = plt.subplots(figsize=(5, 3.4))
    curves(axis, figures, figures.table.blocks[0], ALPHAS)
    axis.set(xlabel="α", ylabel="mean squared error", yscale="log")
    return figure


def curves(axis: plt.Axes, figures: Figures, block: Block, x: tuple[float, ...]) -> None:
    """Draw a line for each row, its spread over seeds around it."""
    for row in figures.table.rows:
        found = [list(figures.of(row, column).values()) for column in block.columns]
        if not all(found):
            continue
        mean, spread = (np.array([f(v) for v in found]) for f in (np.mean, np.std))
        axis.plot(x, mean, marker="o", markersize=3, label=row.label)
        axis.fill_between(x, np.maximum(mean - spread, mean / 10), mean + spread, alpha=0.2)
    if axis.lines:
        axis.legend(fontsize=7)


def coverage(figures: Figures) -> plt.Figure:
    """Draw paper G's figure 2: diagnostics against coverage, a point for each configuration."""
    blocks = figures.table.blocks
    figure, axes = plt.subplots(len(blocks), 5, figsize=(13, 2.5 * len(blocks)), squeeze=False)
    for line, block in zip(axes, blocks, strict=True):
        target = figures.means(block.columns[-2])
        for axis, column in zip(line, block.columns[:5], strict=True):
            for i, (row, value) in enumerate(figures.means(column).items()):
                if row in target:
                    look = {"color": f"C{i % 10}", "marker": "ox^s"[2 * (i // 10) + row.control]}
                    axis.scatter(value, target[row], s=18, label=row.label, **look)
            axis.set(xlabel=column.label, ylabel=f"recall, {block.title.lower()}")
    figure.tight_layout()
    handles, labels = axes[-1, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    return figure


def sensitivity(figures: Figures) -> plt.Figure:
    """Draw the missing appendix D: three samplers and the probe over λ and t."""
    columns = figures.table.blocks[0].columns
    shown = [c for c in columns if c.label in ("MVG", "GMM-10", "cells", "accuracy")]
    rows = {row.label: row for row in figures.table.rows}
    figure, axes = plt.subplots(1, len(shown), figsize=(3.4 * len(shown), 3))
    for axis, column in zip(axes, shown, strict=True):
        means = figures.means(column)
        surface = np.array([[cell(rows, means, lam, t) for t in TEMPERATURES] for lam in WEIGHTS])
        axis.imshow(surface, cmap="viridis" if column.metric == "logistic" else "viridis_r")
        for (i, j), value in np.ndenumerate(surface):
            axis.text(j, i, f"{value:.1f}", ha="center", va="center", fontsize=7, color="grey")
        axis.set_xticks(range(len(TEMPERATURES)), [f"{t:g}" for t in TEMPERATURES])
        axis.set_yticks(range(len(WEIGHTS)), [f"{lam:g}" for lam in WEIGHTS])
        axis.set(title=column.label, xlabel="t", ylabel="λ")
    figure.tight_layout()
    return figure


def cell(rows: dict[str, Row], means: dict[Row, float], lam: float, t: float) -> float:
    """Look up a figure; without λ there is one for all t."""
    return means.get(rows[f"λ = {lam:g}, t = {t if lam else 2:g}"], np.nan)


PLOTS: dict[str, tuple[Callable[[Figures], plt.Figure], Table]] = {
    "training": (training, GF1),
    "coverage": (coverage, GF2),
    "rescaled-codes": (rescaled, LF1),
    "sensitivity": (sensitivity, LD),
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.quality.plots", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="cpu")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--images", type=Path, default=Path("docs/images"))
    options = parser.parse_args(arguments)
    lines = Lines(options.out / f"tables-{options.profile}.jsonl")
    options.images.mkdir(parents=True, exist_ok=True)
    for name, (plot, table) in PLOTS.items():
        figure = plot(Figures(table, PROFILES[options.profile], lines))
        with open_atomically(options.images / f"{name}.png", overwrite=True) as file:
            figure.savefig(file, dpi=110, bbox_inches="tight")
        plt.close(figure)
        print(options.images / f"{name}.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
