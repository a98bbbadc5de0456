"""``geomgen fit``."""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd

import geomgen
from geomgen._device import resolve_device
from geomgen._io import check_output, read_table
from geomgen.cli._models import make_generator
from geomgen.cli._options import (
    add_command,
    add_labels,
    add_output,
    add_reading,
    add_running,
    check_target,
    find_label,
    keys_of,
    names,
    reading,
    say,
    tell,
)
from geomgen.tabular import TableEncoder, TableGenerator

__all__ = ["add_to", "fit_generator"]

_FEW = 10  # rows of a class below which little is learnt of it


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "fit",
        _run,
        "learn a table and write a model",
        "Learn a table, whatever its columns hold, and write a model that draws rows like its\n"
        "own. With --target each class has a density of its own, keeps its share exactly, and\n"
        "can be asked for when rows are drawn.",
        "  geomgen fit claims.csv -o claims.geomgen\n"
        "  geomgen fit claims.csv --target fraud --rare 1 -o claims.geomgen\n"
        '  geomgen fit stays.csv.gz --constraint "arrival <= departure" --drop notes -o s.geomgen\n'
        "  geomgen fit shops.parquet --model lisa --categorical zip,branch -o shops.geomgen",
    )
    parser.add_argument("data", help="a CSV or Parquet file; - is CSV from the standard input")
    add_output(parser, "the model's file, such as claims.geomgen")
    add_labels(parser, f"the class that matters: refused if fewer than {_FEW} rows have it")
    parser.add_argument(
        "--model",
        default="auto",
        help="auto (default), rows, pca, ae, or a model of the catalogue, such as lisa or vae",
    )
    parser.add_argument(
        "--constraint",
        action="append",
        default=[],
        metavar="EXPRESSION",
        help="what every row must satisfy, such as 'low <= high'; may be repeated",
    )
    parser.add_argument(
        "--categorical",
        type=names,
        default=[],
        metavar="A,B",
        help="columns that are categories, though they look like numbers or keys",
    )
    add_running(parser)
    add_reading(parser)


def _run(options: argparse.Namespace) -> None:
    check_output(options.out, options.force)
    how = reading(options)
    table = check_target(options, read_table(options.data, how))
    tell(options, how)
    unknown = [name for name in options.categorical if name not in table.columns]
    if unknown:
        raise ValueError(f"--categorical {','.join(unknown)}: the columns are {list(table)[:20]}.")
    _check_rare(options, table)
    start = time.perf_counter()
    generator = fit_generator(options, table)
    geomgen.save(generator, options.out, overwrite=options.force)
    kinds = pd.Series(generator.encoder_.kinds_).value_counts()
    found = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    say(options, f"{len(table)} rows of {table.shape[1]} columns ({found})")
    say(options, f"model {generator.model_name_}, {time.perf_counter() - start:.1f} s")
    say(options, f"written: {options.out}")


def fit_generator(options: argparse.Namespace, table: pd.DataFrame) -> TableGenerator:
    """Fit a generator as the options say, all of it.

    Raises
    ------
    ValueError
        For rows or options that cannot be used.
    KeyboardInterrupt
        If training was cut short: the estimator would keep what it has learnt.
    """
    keys = keys_of(options, table)
    if keys:
        say(
            options,
            f"keys, of which nothing is learnt, and new ones made: {', '.join(map(str, keys))} "
            "(--drop leaves columns out, --categorical takes them for categories)",
        )
    kinds = dict.fromkeys(keys, "key")
    kinds |= dict.fromkeys(getattr(options, "categorical", []), "categorical")
    generator = make_generator(
        options.model,
        "--model",
        target=options.target,
        encoder=TableEncoder(kinds=kinds or None),
        constraints=list(getattr(options, "constraint", [])) or None,
        random_state=options.seed,
        device=resolve_device(options.device),
        verbose=0 if options.quiet else 1,
    )
    try:
        generator.fit(table)
    except TypeError as error:  # of a column that cannot be used
        raise ValueError(str(error)) from error
    for model in generator._engine.models_ or [generator.model_]:
        if getattr(model, "n_iter_", 0) < getattr(model, "max_epochs", 0):
            raise KeyboardInterrupt
    return generator


def _check_rare(options: argparse.Namespace, table: pd.DataFrame) -> None:
    if options.rare is None:
        return
    labels = table[options.target]
    rare = find_label(options.rare, labels, "--rare")
    count = int(np.sum(np.asarray(labels == rare)))
    if count < _FEW:
        raise ValueError(
            f"--rare {options.rare}: {count} rows have it, and at least {_FEW} are needed to learn "
            "anything of it."
        )
    say(options, f"{options.target}={options.rare}: {count} of {len(table)} rows")
