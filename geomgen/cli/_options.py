"""Options that commands share, and what is done with them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geomgen._io import Reading

__all__ = [
    "add_command",
    "add_labels",
    "add_output",
    "add_reading",
    "add_running",
    "check_target",
    "find_label",
    "keys_of",
    "names",
    "reading",
    "say",
    "tell",
    "without_keys",
]


_FEW = 20  # rows below which hardly anything is a key


def add_command(
    commands: Any, name: str, run: Callable, help: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Add a command, whose help ends in examples."""
    parser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_running(parser: argparse.ArgumentParser, device: bool = True) -> None:
    """Add what says how to compute."""
    parser.add_argument(
        "--seed", type=_seed, default=0, help="the same seed gives the same result (default 0)"
    )
    if device:
        parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, ...")
    parser.add_argument("--quiet", action="store_true", help="no progress bars, no notes")


def add_output(parser: argparse.ArgumentParser, what: str, required: bool = True) -> None:
    """Add where to write, and whether over what is there."""
    parser.add_argument("-o", "--out", type=Path, required=required, metavar="FILE", help=what)
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def add_labels(
    parser: argparse.ArgumentParser, rare: str = "the rare class; by default the least frequent"
) -> None:
    """Add the column of the classes, and the rare one."""
    parser.add_argument("--target", metavar="COLUMN", help="the column of the classes")
    parser.add_argument("--rare", metavar="CLASS", help=rare)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add how files are read."""
    group = parser.add_argument_group(
        "reading", "CSV (also .gz) or Parquet. What is not said is found out; doubts are told."
    )
    group.add_argument("--drop", type=names, default=[], metavar="A,B", help="leave columns out")
    group.add_argument("--sep", help="what is between the fields of a CSV file, such as ';'")
    group.add_argument("--encoding", help="of a CSV file, such as latin-1")
    group.add_argument(
        "--decimal",
        choices=(".", ","),
        metavar="MARK",
        help="the decimal mark of a CSV file, a point or a comma",
    )


def reading(options: argparse.Namespace) -> Reading:
    """Make of the options what reads files."""
    separator = {"\\t": "\t", "tab": "\t"}.get(options.sep, options.sep)
    if separator is not None and len(separator) != 1:
        raise ValueError(f"--sep {options.sep!r}: one character is needed, such as ';' or tab.")
    keep = [*getattr(options, "categorical", []), getattr(options, "target", None)]
    return Reading(
        separator=separator,
        encoding=options.encoding,
        decimal=options.decimal,
        drop=options.drop,
        keep=[name for name in keep if name],
    )


def say(options: argparse.Namespace, text: str) -> None:
    """Say something that is no result, unless quiet."""
    if not options.quiet:
        print(f"geomgen {options.command}: {text}", file=sys.stderr)


def tell(options: argparse.Namespace, how: Reading) -> None:
    """Say how files were read, once."""
    for note in dict.fromkeys(how.notes):
        say(options, note)
    how.notes.clear()


def check_target(options: argparse.Namespace, table: pd.DataFrame) -> pd.DataFrame:
    """Check the target, and leave rows without it out."""
    if options.target is None:
        if options.rare is not None:
            raise ValueError(f"--rare {options.rare}: name the column of the classes by --target.")
        return table
    if options.target not in table.columns:
        raise ValueError(f"--target {options.target}: the columns are {list(table)[:20]}.")
    labelled = table[options.target].notna()
    if labelled.all():
        return table
    gone = int((~labelled).sum())
    say(options, f"{gone} rows are left out: {options.target!r} is missing there")
    table = table[labelled].reset_index(drop=True)
    if not len(table):
        raise ValueError(f"--target {options.target}: it is missing in every row.")
    plain = {"Int64": "int64", "boolean": "bool"}.get(str(table[options.target].dtype))
    return table.astype({options.target: plain}) if plain else table


def find_label(text: str, labels: Any, option: str) -> Any:
    """Find the value that is written as a text, among those there are.

    Raises
    ------
    ValueError
        If there is none.
    """
    known = list(dict.fromkeys(np.asarray(labels).tolist()))
    for label in known:
        if text == str(label) or (isinstance(label, bool) and text.lower() == str(label).lower()):
            return label
    for label in known:
        if isinstance(label, int | float) and _is_number(text, float(label)):
            return label
    shown = sorted(map(str, known))[:20]
    raise ValueError(f"{option} {text}: there is no such value; there are {', '.join(shown)}.")


def keys_of(options: argparse.Namespace, table: pd.DataFrame) -> list[Any]:
    """Names of the columns that hold another string in almost every row."""
    found = []
    for name, column in table.select_dtypes(["object", "str"]).items():
        n = column.count()
        if name not in reading(options).keep and n >= _FEW and column.nunique() > 0.5 * n:
            found.append(name)
    return found


def without_keys(options: argparse.Namespace, real: pd.DataFrame) -> pd.DataFrame:
    """Leave out of a table what cannot be compared: keys, and columns of nothing."""
    lost = [name for name in real if real[name].isna().all()] + keys_of(options, real)
    if lost:
        say(options, f"columns left out, of keys or of nothing: {', '.join(map(str, lost))}")
    if len(lost) == real.shape[1]:
        raise ValueError("every column is of keys, or of nothing: there is nothing to compare.")
    return real.drop(columns=lost)


def names(text: str) -> list[str]:
    """Split names at commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _seed(text: str) -> int:
    value = int(text) if text.isdigit() else -1
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} must be an integer from 0 to 2**32 - 1")
    return value


def _is_number(text: str, value: float) -> bool:
    try:
        return float(text) == value
    except ValueError:
        return False
