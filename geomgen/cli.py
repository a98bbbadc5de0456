"""The command line: ``geomgen demo``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import geomgen
from geomgen.demo import describe, load_problem, run_demo

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        In place of those of the process.

    Returns
    -------
    int
        The exit code: 0; 2 for arguments or data that cannot be used; 130 after Ctrl-C.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        print(f"geomgen {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"geomgen {options.command}: interrupted, nothing was written", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="geomgen", description="Generative autoencoders for scikit-learn."
    )
    parser.add_argument("--version", action="version", version=f"geomgen {geomgen.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="fit, sample and score on real data, beside what people use today",
        description=(
            "Fit GrassmannAE, LISAGenerator and VAEGenerator in pipelines on data with a rare "
            "class, draw new rows, and print one table: energy distance beside its floor, the "
            "rare class's lift with its interval, effective rank, seconds; and the same for a "
            "Gaussian mixture and a kernel density on the data. Writes demo.csv and demo.png."
        ),
        epilog="example: geomgen demo --data transactions.csv --target fraud --rare 1",
    )
    demo.add_argument("--data", default="digits", help="digits (default), ring, or a CSV file")
    demo.add_argument("--target", help="the CSV file's label column")
    demo.add_argument("--rare", help="the rare label; by default the least frequent")
    demo.add_argument("--out", type=Path, default=Path("geomgen-demo"), help="folder to write to")
    demo.add_argument("--seed", type=int, default=0)
    demo.add_argument("--device", default="auto", help="auto (default), cpu, cuda, ...")
    demo.add_argument("--quiet", action="store_true", help="no progress bars")
    demo.set_defaults(run=_demo)
    return parser


def _demo(options: argparse.Namespace) -> int:
    problem = load_problem(options.data, options.target, options.rare, options.seed)
    frame = run_demo(
        problem,
        options.out,
        seed=options.seed,
        device=options.device,
        verbose=0 if options.quiet else 1,
    )
    print(describe(problem, frame))
    print(f"written: {options.out / 'demo.csv'}, {options.out / 'demo.png'}")
    return 0
