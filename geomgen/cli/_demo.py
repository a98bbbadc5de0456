"""``geomgen demo``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from geomgen.cli._options import add_command, add_running
from geomgen.demo import describe, load_problem, run_demo

__all__ = ["add_to"]


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "demo",
        _run,
        "fit, sample and score on real data, beside what people use today",
        "Fit GrassmannAE, LISAGenerator and VAEGenerator in pipelines on data with a rare class,\n"
        "draw new rows, and print one table: energy distance beside its floor, the rare class's\n"
        "lift with its interval, effective rank, seconds; and the same for a Gaussian mixture and\n"
        "a kernel density on the data. Writes demo.csv and demo.png.",
        "  geomgen demo\n  geomgen demo --data transactions.csv --target fraud --rare 1",
    )
    parser.add_argument("--data", default="digits", help="digits (default), ring, or a CSV file")
    parser.add_argument("--target", metavar="COLUMN", help="the file's label column")
    parser.add_argument(
        "--rare", metavar="CLASS", help="the rare label; by default the least frequent"
    )
    parser.add_argument("--out", type=Path, default=Path("geomgen-demo"), help="folder to write to")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    add_running(parser)


def _run(options: argparse.Namespace) -> None:
    files = [options.out / "demo.csv", options.out / "demo.png"]
    there = [str(file) for file in files if file.exists()]
    if there and not options.force:
        raise ValueError(f"--out {options.out}: {' and '.join(there)} exist; --force replaces.")
    problem = load_problem(options.data, options.target, options.rare, options.seed)
    frame = run_demo(
        problem,
        options.out,
        seed=options.seed,
        device=options.device,
        verbose=0 if options.quiet else 1,
    )
    print(describe(problem, frame))
    print(f"written: {files[0]}, {files[1]}")
