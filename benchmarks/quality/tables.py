"""Tables of rare classes and of mixed types: our generators and others', on equal terms.

``python -m benchmarks.quality.tables run [--seeds 3] [--parts ...] [--drawn DIR]`` measures,
``report [--page docs/tables.md]`` prints the tables.

70 % of the rows train, at most 10 000 of a numeric set; the rest test, at most 4000. Generators
see no labels for the figures of ``numeric``, and the labels for those of ``labelled`` and of
Adult. What the file already holds is not measured again. All CPU, one thread.

Generators that need an environment of their own take part by files: ``write DIR`` writes the
training rows, labels included, as ``DATA-SEED.csv``; run the generator there, and put as many
rows into ``DIR/GENERATOR/DATA-SEED.csv``, beside them ``DATA-SEED.json`` with ``fit`` and
``sample``, its CPU seconds, or with a ``reason`` why there are no rows. ``elsewhere.py`` does so
for several generators. ``run --drawn DIR`` measures all of these.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import train_test_split

from benchmarks.quality import _table_peers
from benchmarks.quality._report import publish
from benchmarks.quality._rows import DATA, TABLES
from benchmarks.quality._runs import Results, timed
from benchmarks.quality._table_figures import Table, labelled, mixed, rate_error, unlabelled
from benchmarks.quality._table_report import render

RESULTS = Path("benchmarks/results/quality-tables.json")
MOST_TRAIN, MOST_TEST = 10_000, 4_000
WHOLE = "adultwhole"  # in files: all rows of Adult, whose seconds alone count
MANY = 100_000  # rows drawn to see how fast
RATE = 0.005  # of the rare class where it is thinned
THINNED = ("geomgen auto", "geomgen pca", "GaussianMixture (BIC)", "SMOTE")


def load(name: str, seed: int) -> Table:
    """Load and deal one data set."""
    if name == "adult":
        train, test = train_test_split(_adult(), train_size=0.7, random_state=seed)
        return Table(_fresh(train), _fresh(test), "income-per-year")
    with np.load(DATA / "tabular" / f"{name}.npz") as file:
        X = pd.DataFrame(file["X"].astype(float)).rename(columns="x{}".format)
        X["rare"] = (file["y"] == 1).astype(int)
    train, test = train_test_split(X, train_size=0.7, random_state=seed, stratify=X["rare"])
    return Table(_fresh(train[:MOST_TRAIN]), _fresh(test[:MOST_TEST]), "rare")


def _adult() -> pd.DataFrame:
    X = pd.read_csv(DATA / "tabular" / "adult.csv.gz")
    return X.assign(**{"income-per-year": (X["income-per-year"] == ">50K").astype(int)})


def _fresh(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.reset_index(drop=True)


def numeric_part(results: Results, seeds: range) -> None:
    """All generators on all numeric sets, without labels; and real rows, dealt anew."""
    for seed in seeds:
        for data in TABLES:
            table = load(data, seed)
            X = table.train.drop(columns=table.target)
            if results.missing("numeric", data, "real rows", seed):
                half = len(table.test) // 2
                real = Table(table.train, _fresh(table.test[:half]), table.target)
                results.add(
                    *("numeric", data, "real rows", seed),
                    **unlabelled(real, _fresh(table.test[half:])),
                )
            for name in _table_peers.NUMERIC:
                if not results.missing("numeric", data, name, seed):
                    continue
                generator, fit = timed(_table_peers.make(name, None, seed).fit, X)
                drawn = generator.sample(len(X), random_state=seed)
                _, draw = timed(generator.sample, MANY, random_state=seed)
                results.add(
                    *("numeric", data, name, seed),
                    **unlabelled(table, drawn),
                    fit_per_5000=fit * 5000 / len(X),
                    rows_per_second=MANY / draw,
                )


def labelled_part(results: Results, seeds: range) -> None:
    """All generators on all numeric sets, with labels."""
    for seed in seeds:
        for data in TABLES:
            table = load(data, seed)
            n_rare = int((table.train[table.target] == 1).sum())
            for name in _table_peers.NUMERIC:
                if not results.missing("labelled", data, name, seed):
                    continue
                generator = _table_peers.make(name, table.target, seed).fit(table.train)
                drawn = generator.sample(len(table.train), random_state=seed)
                wanted = {table.target: 1}
                rare = generator.sample(n_rare, random_state=seed, conditions=wanted)
                results.add("labelled", data, name, seed, **labelled(table, drawn, rare))


def thinned_part(results: Results, seeds: range) -> None:
    """Measure a few generators where the rare class is thinned to half a per cent."""
    for seed in seeds:
        for data in TABLES:
            table = load(data, seed)
            train, real = (_thin(part, table.target) for part in (table.train, table.test))
            table = table._replace(train=train)
            X = train.drop(columns=table.target)
            for name in ("real rows", *THINNED):
                if not results.missing("thinned", data, name, seed):
                    continue
                drawn = real
                if name != "real rows":
                    generator = _table_peers.make(name, None, seed).fit(X)
                    drawn = generator.sample(20_000, random_state=seed)
                results.add("thinned", data, name, seed, lRML=rate_error(table, drawn))


def _thin(rows: pd.DataFrame, target: str) -> pd.DataFrame:
    rare = rows[rows[target] == 1]
    others = rows.drop(index=rare.index)
    kept = max(round(RATE * len(others) / (1 - RATE)), 8)
    return pd.concat([others, rare[:kept]], ignore_index=True)


def adult_part(results: Results, seeds: range) -> None:
    """Adult, mixed types: as many rows drawn as trained on."""
    for seed in seeds:
        table = load("adult", seed)
        if results.missing("adult", "adult", "real rows", seed):
            real = table.train.sample(len(table.train), random_state=seed)
            results.add("adult", "adult", "real rows", seed, **mixed(table, real))
        for name in _table_peers.MIXED:
            if not results.missing("adult", "adult", name, seed):
                continue
            generator, fit = timed(_table_peers.make(name, table.target, seed).fit, table.train)
            drawn, draw = timed(generator.sample, len(table.train), random_state=seed)
            results.add("adult", "adult", name, seed, **mixed(table, drawn), fit=fit, sample=draw)


def whole_part(results: Results, seeds: range) -> None:
    """Measure the CPU seconds that all rows of Adult take, and as many draws."""
    if results.missing("whole", "adult", "geomgen auto", 0):
        X = _adult()
        generator, fit = timed(_table_peers.make("geomgen auto", "income-per-year", 0).fit, X)
        _, draw = timed(generator.sample, len(X), random_state=0)
        results.add("whole", "adult", "geomgen auto", 0, fit=fit, sample=draw)


def write(folder: Path, seeds: range) -> None:
    """Write training rows for generators of other environments."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for data in (*TABLES, "adult"):
            load(data, seed).train.to_csv(folder / f"{data}-{seed}.csv", index=False)
    _adult().to_csv(folder / f"{WHOLE}-0.csv", index=False)


def drawn_elsewhere(results: Results, folder: Path, seeds: range) -> None:
    """Measure rows that generators of other environments have written, or keep why none are."""
    for path in sorted(folder.glob("*/*.json")):
        name, (data, _, seed) = path.parent.name, path.stem.rpartition("-")
        part = {"adult": "adult", WHOLE: "whole"}.get(data, "numeric")
        data = "adult" if data == WHOLE else data
        if int(seed) not in seeds or not results.missing(part, data, name, seed):
            continue
        figures = json.loads(path.read_text())
        if "reason" not in figures and part != "whole":
            table, drawn = load(data, int(seed)), pd.read_csv(path.with_suffix(".csv"))
            figures |= (mixed if part == "adult" else unlabelled)(table, drawn)
            if part == "numeric":
                n = figures.get("trained_on", len(table.train))
                figures["fit_per_5000"] = figures["fit"] * 5000 / n
                figures["rows_per_second"] = len(drawn) / figures["sample"]
        results.add(part, data, name, seed, **figures)


PARTS = {
    "numeric": numeric_part,
    "adult": adult_part,
    "labelled": labelled_part,
    "thinned": thinned_part,
    "whole": whole_part,
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run, rows, report = (commands.add_parser(name) for name in ("run", "write", "report"))
    for command in (run, rows):
        command.add_argument("--seeds", type=int, default=3)
    for command in (run, report):
        command.add_argument("--out", type=Path, default=RESULTS, help="figures")
    run.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    run.add_argument("--drawn", type=Path, help="measure the rows that others drew there")
    rows.add_argument("folder", type=Path)
    report.add_argument("--page", type=Path, help="put the tables there, between marks")
    options = parser.parse_args(arguments)
    if options.command == "write":
        return write(options.folder, range(options.seeds))
    results = Results(options.out, benchmark="quality/tables", threads=1)
    if options.command == "report":
        return publish(render(results.cells), options.page)
    torch.set_num_threads(1)
    for expected in ("The judge's true-pos", ".*onverge", "Columns .* keys"):
        warnings.filterwarnings("ignore", expected)
    seeds = range(options.seeds)
    for part in options.parts:
        PARTS[part](results, seeds)
    if options.drawn:
        drawn_elsewhere(results, options.drawn, seeds)
    results.write()
    return None


if __name__ == "__main__":
    main()
