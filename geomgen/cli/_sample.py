"""``geomgen sample``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from tqdm.auto import tqdm

import geomgen
from geomgen._device import resolve_device
from geomgen._io import check_output, open_table
from geomgen.cli._options import add_command, add_running, find_label, names, say
from geomgen.tabular import TableGenerator

__all__ = ["add_to"]

_NUMBERS_AT_ONCE = 4_000_000  # of a chunk's features, on which the memory needed depends
_ROWS_AT_ONCE = 50_000


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "sample",
        _run,
        "draw new rows from a model",
        "Draw new rows from a model that 'geomgen fit' or geomgen.save wrote. They are written\n"
        "as they are drawn, so that any number fits into memory; the file appears when it is\n"
        "whole.",
        "  geomgen sample claims.geomgen -n 100000 -o synthetic.parquet\n"
        "  geomgen sample claims.geomgen -n 500 --condition fraud=1 -o frauds.csv\n"
        "  geomgen sample claims.geomgen -n 10000 --balance 0=0.7,1=0.3 --seed 1 -o more.csv.gz\n"
        "  geomgen sample claims.geomgen -n 5",
    )
    parser.add_argument("model", type=Path, help="a file that geomgen wrote")
    parser.add_argument(
        "-n", "--rows", type=_count, default=1000, metavar="N", help="how many (default 1000)"
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        default=Path("-"),
        metavar="FILE",
        help=".csv, .tsv, either with .gz, or .parquet; by default CSV to the standard output",
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument(
        "--condition",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="what rows must have, such as fraud=1; of one column several may be given, and "
        "COLUMN= asks for missing values",
    )
    parser.add_argument(
        "--balance",
        metavar="SHARES",
        help="shares of the target's classes: equal, or such as 0=0.7,1=0.3",
    )
    add_running(parser)


def _run(options: argparse.Namespace) -> None:
    to_file = str(options.out) != "-"
    if to_file:
        check_output(options.out, options.force)
    model = geomgen.load(options.model, device=resolve_device(options.device))
    chunks = _chunks(model, options)
    try:
        with (
            open_table(options.out, options.force) as write,
            tqdm(total=options.rows, desc="rows", unit="row", disable=options.quiet) as bar,
        ):
            for rows in chunks:
                write(rows)
                bar.update(len(rows))
    except RuntimeError as error:  # conditions that next to no row meets
        raise ValueError(str(error)) from error
    if to_file:
        say(options, f"written: {options.out}")


def _chunks(model: Any, options: argparse.Namespace) -> Iterator[pd.DataFrame]:
    """Frames of rows, of a size that the width of the model's features allows."""
    if isinstance(model, TableGenerator):
        asked = {"conditions": _conditions(model, options.condition) or None}
        asked["balance"] = _balance(model, options.balance)
        width = sum(codec.width for codec in model.encoder_.codecs_.values())
        size = int(np.clip(_NUMBERS_AT_ONCE // max(width, 1), 1000, _ROWS_AT_ONCE))
        return map(_pandas, model.sample_chunks(options.rows, size, options.seed, **asked))
    if options.condition or options.balance:
        raise ValueError(
            f"{options.model}: --condition and --balance are for models of tables, such as "
            "'geomgen fit' writes."
        )
    rng = check_random_state(options.seed)
    sizes = [_ROWS_AT_ONCE] * (options.rows // _ROWS_AT_ONCE)
    sizes += [options.rows % _ROWS_AT_ONCE] if options.rows % _ROWS_AT_ONCE else []
    return (_pandas(geomgen.sample(model, size, random_state=rng)) for size in sizes)


def _pandas(rows: Any) -> pd.DataFrame:
    if isinstance(rows, pd.DataFrame):
        return rows
    if hasattr(rows, "to_pandas"):
        return rows.to_pandas()
    rows = np.asarray(rows)
    rows = rows.reshape(len(rows), -1)
    return pd.DataFrame(rows, columns=[f"x{j}" for j in range(rows.shape[1])])


def _conditions(model: TableGenerator, given: list[str]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    columns = {str(name): name for name in model.encoder_.codecs_}
    for condition in given:
        name, equals, value = condition.partition("=")
        if not equals or name not in columns:
            raise ValueError(
                f"--condition {condition}: it must be COLUMN=VALUE, and the columns are "
                f"{list(columns)[:20]}."
            )
        found.setdefault(columns[name], []).append(_value(model, columns[name], value, condition))
    return found


def _value(model: TableGenerator, column: Any, text: str, condition: str) -> Any:
    """Read what is asked of a column, as its values are."""
    option = f"--condition {condition.partition('=')[0]}="
    if text == "":
        return None
    if column == model.target and hasattr(model, "classes_"):
        return find_label(text, model.classes_, option)
    codec = model.encoder_.codecs_[column]
    if hasattr(codec, "values_"):  # categories
        return find_label(text, codec.values_, option)
    storage = model.encoder_.storages_[column]
    if storage.kind == "time":
        lasts = str(storage.dtype).startswith(("timedelta", "Duration"))
        try:
            return pd.Timedelta(text) if lasts else pd.Timestamp(text)
        except ValueError as error:
            what = "duration, such as '2 days'" if lasts else "date"
            raise ValueError(f"--condition {condition}: {text!r} is no {what}.") from error
    if storage.kind == "numeric":
        try:
            return float(text)
        except ValueError as error:
            raise ValueError(f"--condition {condition}: {column!r} holds numbers.") from error
    return text


def _balance(model: TableGenerator, given: str | None) -> Any:
    if given is None or given == "equal":
        return given
    if not hasattr(model, "classes_"):
        raise ValueError(f"--balance {given}: fit with --target, for there to be classes.")
    shares = {}
    for part in names(given):
        label, equals, share = part.rpartition("=")
        try:
            weight = float(share)
        except ValueError:
            weight = -1.0
        if not equals or weight < 0:
            raise ValueError(f"--balance {given}: it must be equal, or such as 0=0.7,1=0.3.")
        shares[find_label(label, model.classes_, "--balance")] = weight
    return shares


def _count(text: str) -> int:
    plain = text.replace("_", "")
    if not plain.isdigit() or int(plain) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be an integer of at least 1")
    return int(plain)
