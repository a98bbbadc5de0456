"""``geomgen evaluate``."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from geomgen._atomic import write_atomically
from geomgen._io import check_output, read_table
from geomgen.cli._options import (
    add_command,
    add_labels,
    add_output,
    add_reading,
    add_running,
    check_target,
    find_label,
    reading,
    say,
    tell,
    without_keys,
)
from geomgen.metrics import evaluate

__all__ = ["add_to", "held_out", "rare_label"]

_HELD_OUT = 0.3


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "evaluate",
        _run,
        "judge synthetic rows, each figure beside what real rows get",
        "Judge synthetic rows against real ones. Every figure stands beside what real rows get\n"
        "in the same place, with a verdict. Whether training rows were copied can be said only\n"
        "with --test: real rows that the generator has not seen.",
        "  geomgen evaluate claims.csv synthetic.csv\n"
        "  geomgen evaluate train.csv synthetic.parquet --test test.csv --target fraud --rare 1\n"
        "  geomgen evaluate claims.csv synthetic.csv --metrics all -o figures.csv",
    )
    parser.add_argument("real", help="the rows that the generator was fitted to, CSV or Parquet")
    parser.add_argument("synthetic", help="generated rows, of the same columns")
    parser.add_argument("--test", metavar="FILE", help="real rows that the generator has not seen")
    add_labels(parser)
    parser.add_argument(
        "--metrics", choices=("default", "all"), default="default", help="which (default: default)"
    )
    add_output(parser, "write the table as CSV, too", required=False)
    add_running(parser, device=False)
    add_reading(parser)


def _run(options: argparse.Namespace) -> None:
    if options.out is not None:
        check_output(options.out, options.force, (".csv",))
    how = reading(options)
    real = read_table(options.real, how)
    tell(options, how)
    real = without_keys(options, check_target(options, real))
    synthetic = read_table(options.synthetic, how, like=real)
    test = read_table(options.test, how, like=real) if options.test else None
    tell(options, how)
    if test is not None:
        train, test = real, check_target(options, test)
    else:
        train, test = held_out(options, real)
    table = evaluate(
        synthetic,
        train,
        test,
        target=options.target,
        rare_label=rare_label(options, real),
        metrics=options.metrics,
        random_state=options.seed,
    )
    if not options.test:
        table = table.drop(index=["preference", "copy_auc", "exact_copies"], errors="ignore")
        say(options, "whether rows were copied is not judged: --test names rows held out")
    if options.out is not None:
        text = table.to_csv(float_format="%.6g")
        write_atomically(options.out, text.encode(), options.force)
    print(_laid_out(table))
    if options.out is not None:
        say(options, f"written: {options.out}")


def held_out(options: argparse.Namespace, table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split rows, by classes where each can be on both sides.

    Raises
    ------
    ValueError
        If they are too few.
    """
    if len(table) < 20:
        raise ValueError(f"{len(table)} rows cannot be split into two parts: 20 are needed.")
    labels = None
    if options.target is not None and table[options.target].value_counts().min() >= 2:
        labels = table[options.target]
        labels = labels if labels.nunique() <= _HELD_OUT * len(table) else None
    order = np.arange(len(table))
    parts = train_test_split(order, test_size=_HELD_OUT, stratify=labels, random_state=options.seed)
    train, test = (table.iloc[np.sort(part)].reset_index(drop=True) for part in parts)
    return train, test


def rare_label(options: argparse.Namespace, table: pd.DataFrame) -> Any:
    """Find the class that --rare names; None if it names none."""
    if options.rare is None:
        return None
    return find_label(options.rare, table[options.target], "--rare")


def _laid_out(table: pd.DataFrame) -> str:
    shown = pd.DataFrame(index=table.index)
    shown["value"] = table["value"].map("{:.4g}".format)
    shown["95 %"] = [
        f"[{row.low:.3g}, {row.high:.3g}]" if np.isfinite(row.low) else ""
        for row in table.itertuples()
    ]
    shown["real rows"] = table["real"].map("{:.4g}".format)
    shown["verdict"] = table["verdict"]
    return shown.replace("nan", "-").rename_axis(None).to_string()
