"""``geomgen compare``."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd

from geomgen._atomic import write_atomically
from geomgen._device import resolve_device
from geomgen._io import check_output, read_table
from geomgen.cli._evaluate import rare_label
from geomgen.cli._models import PEERS, catalogue, make_generator, make_peer
from geomgen.cli._options import (
    add_command,
    add_labels,
    add_output,
    add_reading,
    add_running,
    check_target,
    names,
    reading,
    say,
    tell,
    without_keys,
)
from geomgen.metrics import compare

__all__ = ["add_to"]


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "compare",
        _run,
        "fit several generators on folds of a table, and judge them on the same terms",
        "Fit several generators on the same folds of a table, judge the rows that each draws\n"
        "against the rows held out, and print one table beside what real rows get.\n\n"
        f"models: auto, rows, pca, ae, {', '.join(catalogue())}\n"
        f"peers: {', '.join(PEERS)} (gmm and kde are scikit-learn's, the others sdv's)",
        "  geomgen compare claims.csv --target fraud --rare 1\n"
        "  geomgen compare claims.csv --models lisa,grassmann,vae,gmm,tvae -o comparison.csv",
    )
    parser.add_argument("data", help="a CSV or Parquet file; - is CSV from the standard input")
    parser.add_argument(
        "--models",
        type=names,
        default=["auto", "lisa", "grassmann", "vae", "gmm", "kde"],
        metavar="A,B",
        help="which (default auto,lisa,grassmann,vae,gmm,kde)",
    )
    add_labels(parser)
    parser.add_argument("--folds", type=int, default=3, help="of the rows (default 3)")
    add_output(parser, "write every figure of every fold as CSV, too", required=False)
    add_running(parser)
    add_reading(parser)


def _run(options: argparse.Namespace) -> None:
    if options.out is not None:
        check_output(options.out, options.force, (".csv",))
    generators = _generators(options)
    how = reading(options)
    table = read_table(options.data, how)
    tell(options, how)
    table = without_keys(options, check_target(options, table))
    if not 2 <= options.folds <= len(table) // 10:
        raise ValueError(
            f"--folds {options.folds}: {len(table)} rows make 2 to {len(table) // 10} of them."
        )
    try:
        found = compare(
            generators,
            table,
            target=options.target,
            rare_label=rare_label(options, table),
            cv=options.folds,
            random_state=options.seed,
            verbose=0 if options.quiet else 1,
        )
    except (TypeError, RuntimeError) as error:  # every generator failed, or a column cannot be used
        raise ValueError(str(error)) from error
    if options.out is not None:
        text = found.values.to_csv(index=False, float_format="%.6g")
        write_atomically(options.out, text.encode(), options.force)
    print(_laid_out(found.values))
    if options.out is not None:
        say(options, f"written: {options.out}")


def _generators(options: argparse.Namespace) -> dict[str, Any]:
    params = {"target": options.target, "device": resolve_device(options.device)}
    if not options.models:
        raise ValueError("--models: name at least one.")
    return {
        name: make_peer(name.lower())
        if name.lower() in PEERS
        else make_generator(name, "--models", **params)
        for name in options.models
    }


def _laid_out(values: pd.DataFrame) -> str:
    """Metrics down, generators across; mean and spread over the folds."""
    generators = list(dict.fromkeys(values["generator"]))
    lines = {}
    for metric, part in values.groupby("metric", sort=False):
        by = part.groupby("generator")["value"]
        real = part["real"].mean()
        line = {"real rows": f"{real:.3g}" if np.isfinite(real) else "-"}
        for name in generators:
            cell = by.get_group(name) if name in by.groups else pd.Series(dtype=float)
            line[name] = f"{cell.mean():.3g} ± {cell.std():.2g}" if cell.notna().any() else "-"
        lines[metric] = line
    seconds = values.groupby("generator")["fit_seconds"].mean()
    lines["seconds to fit"] = {"real rows": "-", **{n: f"{seconds[n]:.1f}" for n in generators}}
    return pd.DataFrame.from_dict(lines, orient="index").to_string()
