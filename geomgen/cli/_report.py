"""``geomgen report``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

import geomgen
from geomgen._device import resolve_device
from geomgen._io import check_output, read_table
from geomgen.cli._evaluate import held_out, rare_label
from geomgen.cli._fit import fit_generator
from geomgen.cli._options import (
    add_command,
    add_labels,
    add_output,
    add_reading,
    add_running,
    check_target,
    reading,
    say,
    tell,
    without_keys,
)
from geomgen.tabular import TableGenerator

__all__ = ["add_to"]

_TABLES = (".csv", ".tsv", ".gz", ".txt", ".parquet", ".pq")


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "report",
        _run,
        "make a page on a generator that can be handed to a reviewer",
        "Make one page of HTML, which needs nothing from outside: verdicts, figures beside their\n"
        "floors, columns, the rare class, copies and privacy, usefulness, what was run. It needs\n"
        "real rows that the generator has not seen: those of TEST. Without --generated, a\n"
        "generator is fitted to TRAIN first; without TEST, too, to seven tenths of TRAIN.",
        "  geomgen report claims.csv --target fraud --rare 1 -o claims.html\n"
        "  geomgen report train.csv test.csv --generated claims.geomgen -o claims.html\n"
        "  geomgen report train.csv test.csv --generated synthetic.csv -o theirs.html",
    )
    parser.add_argument("train", help="the rows that the generator is, or was, fitted to")
    parser.add_argument("test", nargs="?", help="real rows that it has not seen")
    parser.add_argument(
        "--generated", type=Path, metavar="FILE", help="a model's file, or a table of its rows"
    )
    parser.add_argument("--model", default="auto", help="what is fitted, as of 'geomgen fit'")
    parser.add_argument("--title", help="of the page")
    add_labels(parser)
    add_output(parser, "the page, such as report.html")
    add_running(parser)
    add_reading(parser)


def _run(options: argparse.Namespace) -> None:
    check_output(options.out, options.force, (".html", ".htm"))
    if options.generated is not None and options.test is None:
        raise ValueError(
            f"--generated {options.generated}: give TEST, a file of real rows that the generator "
            "has not seen, after TRAIN."
        )
    how, model = reading(options), None
    is_table = options.generated is not None and options.generated.name.lower().endswith(_TABLES)
    if options.generated is not None and not is_table:
        model = geomgen.load(options.generated, device=resolve_device(options.device))
        if options.target is None and isinstance(model, TableGenerator):
            options.target = model.target
    train = check_target(options, read_table(options.train, how))
    if options.test is None:
        train, test = held_out(options, train)
    else:
        test = check_target(options, read_table(options.test, how, like=train))
    compared = without_keys(options, train)
    generated = read_table(options.generated, how, like=compared) if is_table else model
    tell(options, how)
    if generated is None:
        generated = fit_generator(options, train)
    made = geomgen.report(
        generated,
        compared,
        test[compared.columns],
        target=options.target,
        rare_label=rare_label(options, train),
        title=options.title,
        random_state=options.seed,
    )
    made.save(options.out, overwrite=options.force)
    print(_laid_out(made.verdicts))
    say(options, f"written: {options.out}")


def _laid_out(verdicts: pd.DataFrame) -> str:
    width = max(map(len, verdicts.index))
    return "\n".join(
        f"{question:<{width}}  {row['status']:<4}  {row['verdict']}"
        for question, row in verdicts.iterrows()
    )
