"""The papers' tables: ``python -m benchmarks.quality run --table G1 --profile cpu``, and report.

``run`` measures what the results file does not hold yet, a line at a time, so it can be killed and
started again; ``report`` prints the tables as Markdown, the paper's figures beside ours.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import torch

from benchmarks.quality import _work, tables_f, tables_g, tables_l
from benchmarks.quality._profiles import PROFILES
from benchmarks.quality._report import publish, render
from benchmarks.quality._runs import Lines

__all__ = ["main"]

TABLES = {table.name: table for table in (*tables_g.TABLES, *tables_l.TABLES, *tables_f.TABLES)}
RESULTS = Path("benchmarks/results")
EXPECTED = ("Terms that are less", "Every sampler's draws", "The judge's true-pos", ".*onverge")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.quality", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--table", nargs="+", choices=TABLES, default=list(TABLES))
    shared.add_argument("--profile", choices=PROFILES, default="cpu")
    shared.add_argument("--out", type=Path, default=RESULTS, help="folder of the results file")
    running = commands.add_parser("run", parents=[shared], help="measure what is missing")
    running.add_argument("--seeds", type=int, help="at most so many; the profile's by default")
    running.add_argument("--cache", type=Path, help="folder of trained models")
    running.add_argument("--rows", nargs="+", help="labels of rows; all by default")
    running.add_argument("--data", nargs="+", help="names of data, such as cifar10; all by default")
    reporting = commands.add_parser("report", parents=[shared], help="print Markdown")
    reporting.add_argument("--page", type=Path, help="put it between the marks of this page")
    options = parser.parse_args(arguments)
    profile = PROFILES[options.profile]
    lines = Lines(options.out / f"tables-{options.profile}.jsonl")
    tables = [TABLES[name] for name in options.table]
    if options.command == "report":
        text = "\n".join(render(table, profile, lines, options.profile) for table in tables)
        publish(text, options.page)
        return 0
    torch.set_num_threads(1)
    cells = [cell for table in tables for cell in table.cells(profile)]
    for name, chosen in (("row", options.rows), ("data", options.data)):
        known = dict.fromkeys(getattr(cell, name) for cell in cells)
        if unknown := [each for each in chosen or () if each not in known]:
            parser.error(f"{', '.join(unknown)}: not among {', '.join(known)}")
        cells = [cell for cell in cells if not chosen or getattr(cell, name) in chosen]
    with warnings.catch_warnings():
        for expected in EXPECTED:
            warnings.filterwarnings("ignore", expected)
        done = _work.run(cells, lines, options.seeds, options.cache)
    print(f"{done} measured, {len(lines.records)} in {lines.path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
