"""Generators that need environments of their own: fit on rows from files, draw as many into files.

``python benchmarks/quality/elsewhere.py --generator NAME --rows DIR [--data ...] [--seeds 1]``

DIR holds the training rows that ``tables.py`` has written. This script imports pandas and the
generator, nothing of this project: run it by its path, in an environment that has the generator.

Draws go to ``DIR/NAME/DATA-SEED.csv``, and then ``DATA-SEED.json``: CPU seconds of ``fit`` and
``sample``, the ``version`` of the package and ``trained_on``, how many rows it saw; or the
``reason`` why there are no draws. Where that file is, nothing is drawn again; to try again, delete
it. ``--limit`` gives up after so many CPU seconds. ``--most`` trains on the first rows alone, and
adds their number to NAME.

Generators run at their packages' defaults, in one thread. They do not see the column ``rare`` of
the numeric tables, which is a label; of ``adult`` they see every column. Text and columns of two
values are declared categories. What is drawn for integers is rounded, and nothing else is changed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

LABEL = "rare"  # of the numeric tables
ALONE = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "LOKY_MAX_CPU_COUNT": "1",  # so that seconds of this process are all seconds
    "PYTHONSAFEPATH": "1",  # modules of this folder hide none of the environment's
}

Draw = Callable[[int], pd.DataFrame]


class TooSlow(BaseException):
    """More CPU seconds than allowed; no Exception, which a generator might catch."""


class Generator(NamedTuple):
    """The package whose version counts, and fit: rows, categories and seed in, a sampler out."""

    package: str
    fit: Callable[[pd.DataFrame, list[str], int], Draw]


def _ctgan(name: str) -> Callable[[pd.DataFrame, list[str], int], Draw]:
    def fit(rows: pd.DataFrame, categories: list[str], seed: int) -> Draw:
        import ctgan
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(seed)
        model = getattr(ctgan, name)(enable_gpu=False)
        model.set_random_state(seed)
        # As floats: it would cut what it draws for integers, not round it.
        model.fit(_floats(rows, categories), discrete_columns=categories)
        return model.sample

    return fit


def _arf(rows: pd.DataFrame, categories: list[str], seed: int) -> Draw:
    from arfpy import arf

    forest = arf.arf(rows.astype(dict.fromkeys(categories, "category")), verbose=False)
    forest.forde()
    return forest.forge


def _forestdiffusion(rows: pd.DataFrame, categories: list[str], seed: int) -> Draw:
    from ForestDiffusion import ForestDiffusionModel

    values = {name: pd.Categorical(rows[name]).categories for name in categories}
    codes = {name: pd.Categorical(rows[name]).codes for name in categories}
    integers = [name for name in rows if pd.api.types.is_integer_dtype(rows[name])]
    kinds = {
        "bin_indexes": [name for name in categories if len(values[name]) <= 2],
        "cat_indexes": [name for name in categories if len(values[name]) > 2],
        "int_indexes": [name for name in integers if name not in categories],
    }
    model = ForestDiffusionModel(
        rows.assign(**codes).to_numpy(float),
        **{kind: [rows.columns.get_loc(name) for name in own] for kind, own in kinds.items()},
        n_jobs=1,
        seed=seed,
    )

    def draw(n: int) -> pd.DataFrame:
        drawn = pd.DataFrame(model.generate(batch_size=n), columns=rows.columns)
        return drawn.assign(**{k: values[k][drawn[k].astype(int)] for k in categories})

    return draw


def _mostlyai(rows: pd.DataFrame, categories: list[str], seed: int) -> Draw:
    import torch
    from mostlyai.engine import TabularARGN

    torch.set_num_threads(1)
    kinds = dict.fromkeys(categories, "TABULAR_CATEGORICAL")
    model = TabularARGN(tgt_encoding_types=kinds, device="cpu", random_state=seed)
    return model.fit(rows).sample


GENERATORS = {
    "tvae": Generator("ctgan", _ctgan("TVAE")),
    "ctgan": Generator("ctgan", _ctgan("CTGAN")),
    "arf": Generator("arfpy", _arf),
    "forestdiffusion": Generator("ForestDiffusion", _forestdiffusion),
    "mostlyai": Generator("mostlyai-engine", _mostlyai),
}


def _floats(rows: pd.DataFrame, categories: list[str]) -> pd.DataFrame:
    return rows.astype({name: float for name in rows if name not in categories})


def is_category(column: pd.Series) -> bool:
    """Whether a column is of text or of two values."""
    return not pd.api.types.is_numeric_dtype(column) or column.nunique() <= 2


def like(drawn: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Give draws the columns and dtypes of the training rows, integers rounded."""
    if missing := [name for name in rows if name not in drawn]:
        raise ValueError(f"columns {missing} were not drawn")
    made = {}
    for name, column in rows.items():
        values = drawn[name]
        if pd.api.types.is_numeric_dtype(column):
            values = pd.to_numeric(values.astype(object)).astype(float)
            if not np.isfinite(values).all():
                share = 1 - np.isfinite(values).mean()
                raise ValueError(f"{share:.2%} of what was drawn for {name!r} is no finite number")
            values = values.round() if pd.api.types.is_integer_dtype(column) else values
            made[name] = values.astype(column.dtype).to_numpy()
        else:
            made[name] = values.astype(object).to_numpy()
    return pd.DataFrame(made)


def seeded(seed: int) -> None:
    """Seed the global random states, for generators that know no others."""
    random.seed(seed)
    np.random.seed(seed)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooSlow after so many CPU seconds of this process; 0 sets no limit."""

    def stop(*_: Any) -> None:
        raise TooSlow(f"more than {seconds:g} CPU seconds")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def drawn_from(
    generator: Generator, rows: pd.DataFrame, n: int, seed: int, limit: float = 0
) -> tuple[pd.DataFrame | None, dict[str, Any]]:
    """Fit, draw n rows, and say how; no rows, and the reason, if either fails or takes too long."""
    said: dict[str, Any] = {"trained_on": len(rows)}
    categories = [name for name in rows if is_category(rows[name])]
    seeded(seed)
    try:
        with limited(limit):
            said["version"] = f"{generator.package} {version(generator.package)}"
            start = time.process_time()
            draw = generator.fit(rows, categories, seed)
            said["fit"] = time.process_time() - start
            start = time.process_time()
            drawn = draw(n)
            said["sample"] = time.process_time() - start
            drawn = like(drawn, rows)
        if len(drawn) != n:
            raise ValueError(f"{len(drawn)} rows were drawn, not {n}")
    except (Exception, TooSlow) as error:  # whatever fails there is what is to be said of it
        return None, {**said, "reason": f"{type(error).__name__}: {error}"}
    return drawn, said


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        part.write_text(text)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def run(
    name: str, folder: Path, data: list[str] | None, seeds: int, most: int | None, limit: float
) -> None:
    """Draw what is not drawn yet."""
    written = sorted(folder.glob("*.csv"))
    if absent := set(data or ()) - {path.stem.rpartition("-")[0] for path in written}:
        raise SystemExit(f"no rows of {', '.join(sorted(absent))} in {folder}")
    for seed in range(seeds):
        for path in (p for p in written if p.stem.rpartition("-")[2] == str(seed)):
            if data and path.stem.rpartition("-")[0] not in data:
                continue
            target = folder / (f"{name}-{most}" if most else name) / path.name
            if target.with_suffix(".json").exists():
                continue
            rows = pd.read_csv(path).drop(columns=LABEL, errors="ignore")
            drawn, said = drawn_from(GENERATORS[name], rows[:most], len(rows), seed, limit)
            if drawn is not None:
                replace(target, drawn.to_csv(index=False))
            replace(target.with_suffix(".json"), json.dumps(said, indent=1) + "\n")
            print(path.stem, said, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generator", choices=GENERATORS, required=True)
    parser.add_argument("--rows", type=Path, required=True, help="the folder of training rows")
    parser.add_argument("--data", nargs="*", help="data sets; all unless given")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--most", type=int, help="train on so many rows at most")
    parser.add_argument("--limit", type=float, default=0, help="CPU seconds; 0 for no limit")
    options = parser.parse_args()
    run(options.generator, options.rows, options.data, options.seeds, options.most, options.limit)


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in ALONE.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALONE})
    main()
