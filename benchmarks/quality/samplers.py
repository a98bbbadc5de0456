"""Samplers side by side: distance, rare modes, copying and cost, over models and data sets.

``python -m benchmarks.quality.samplers [--seeds 3] [--cache DIR] [--out FILE.json] [--parts ...]``

One training for each model, data set and seed; then every sampler is fitted to its codes. What the
file already holds is not measured again, so a run can be stopped and resumed. All CPU, one thread.

Columns are standardised by the training rows. The rows held out are dealt in two halves, anew for
each of three comparisons: draws are compared with the one; the other is the real sample of the
*floor* and, through the autoencoder, the *ceiling*. The rare mode's judge is a boosted classifier
of the training rows (on the ring the true mixture), and its error rates are those on
reconstructions of held-out rows.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator

from benchmarks.quality import _mnist
from benchmarks.quality._rows import DATA, TABLES, Split, distance, split
from benchmarks.quality._runs import Results, timed, trained
from geomgen import AE, GrassmannAE, LISAGenerator, SphericalAE, VAEGenerator
from geomgen.datasets import make_ring_mixture
from geomgen.metrics import (
    energy_distance,
    memorisation,
    precision_recall_density_coverage,
    rare_mode_report,
)
from geomgen.samplers import CellSampler, MixtureSampler

BUDGET: dict[str, Any] = {
    "max_epochs": 40,
    "batch_size": 256,
}  # with 8 components and (256, 128), the defaults

MODELS = {
    "AE": AE(**BUDGET),
    "SphericalAE": SphericalAE(**BUDGET),
    "LISAGenerator": LISAGenerator(**BUDGET),
    "VAEGenerator": VAEGenerator(likelihood="gaussian", warmup=0, **BUDGET),
    "GrassmannAE": GrassmannAE(**BUDGET),
}
SAMPLERS: dict[str, Any] = {
    "cells": "cells",
    "local": "local",
    "auto": "auto",
    "gmm": "gmm",
    "mvg": "mvg",
    "prior": "prior",
}
MORE: dict[str, Any] = {  # for the AE, and vmf for the SphericalAE
    "cells, half as many": "half",
    "cells, twice as many": "twice",
    "cells, ridge .01": CellSampler(ridge=1e-2),
    "cells, ridge .001": CellSampler(ridge=1e-3),
    "gmm, auto": MixtureSampler(n_components="auto"),
    "interpolation": "interpolation",
    "kde": "kde",
    "copula": "copula",
}
SLOW = {name: name for name in ("flow", "diffusion", "riemannian")}  # for the AE, seed 0

SUBSETS = {
    "shuttle": "10 000 of 49 097 rows to train on, 4000 held out",
    "mnist": "figures of code distances and of reach on 5000 rows; other models on 10 000 rows",
    "slow": "flow, diffusion and riemannian with the AE on ring and digits, gmm, kde, auto and "
    "copula on MNIST with d = 16: seed 0 only",
}


def rare(rows: Split, drawn: np.ndarray, decoded: np.ndarray, judge: Any) -> dict[str, Any]:
    """Lift of the rare mode with its interval, and how much of it is where the mode is."""
    if rows.mixture is not None:
        report = rare_mode_report(drawn, mixture=rows.mixture)
        lift, ends = report.lift, report.lift_interval
    else:
        report = rare_mode_report(
            drawn, decoded, y=rows.y_held, judge=judge, rate=float(rows.y_train.mean())
        )
        lift, ends = report.corrected_lift, report.corrected_interval
    return {"lift": lift, "interval": ends, "in_support": report.in_support}


def measure(model: Any, rows: Split, judge: Any) -> dict[str, Any]:
    """Fit the model's sampler anew, and take all figures of its draws."""
    _, fitting = timed(model.fit_sampler, rows.train)
    many, drawing = timed(model.sample, 10_000, random_state=0)
    n = len(rows.halves(0)[0])
    few = [model.sample(n, random_state=repeat) for repeat in range(3)]
    copies = memorisation(few[0], rows.train, rows.held)
    decoded = model.inverse_transform(model.transform(rows.held))
    chosen = getattr(model.sampler_, "sampler_", None)
    return {
        "energy": distance(rows, few),
        **rare(rows, many, decoded, judge),
        "preference": copies.preference,
        "preference_low": copies.preference_interval[0],
        "expected": copies.training_share,
        "copy_auc": copies.copy_auc,
        "fit_seconds": fitting,
        "rows_per_second": len(many) / drawing,
        **({"chosen": type(chosen).__name__} if chosen is not None else {}),
    }


def sampler_of(name: str, n: int) -> Any:
    """Look a sampler up; numbers of cells depend on the number of rows."""
    made = (SAMPLERS | MORE | SLOW | {"vmf": "vmf"})[name]
    scale = {"half": 100, "twice": 25}.get(made) if isinstance(made, str) else None
    return CellSampler(n_cells=max(1, n // scale)) if scale else made


def grid(
    cache: Path | None, results: Results, seed: int, data: tuple[str, ...], slow: bool = False
) -> None:
    """Models by samplers by data sets; or the slow samplers alone, of the AE."""
    for name in data:
        rows = split(name, seed)
        judge = None
        if rows.mixture is None:
            boosting = HistGradientBoostingClassifier(random_state=seed)
            judge = FrozenEstimator(boosting.fit(rows.train, rows.y_train))
        for kind, unfitted in MODELS.items():
            extra = list(MORE) if kind == "AE" else ["vmf"] if kind == "SphericalAE" else []
            names = (SLOW if kind == "AE" else []) if slow else [*SAMPLERS, *extra]
            wanted = [s for s in names if results.missing(name, kind, s, seed)]
            if not wanted:
                continue
            fit = clone(unfitted).set_params(random_state=seed, sampler="mvg")
            model, seconds = trained(cache, f"{name}-{kind}-{seed}", fit, rows.train)
            real = [rows.halves(repeat)[1] for repeat in range(3)]
            decoded = [model.inverse_transform(model.transform(X)) for X in real]
            if results.missing(name, kind, "ceiling", seed):
                results.add(
                    *(name, kind, "ceiling", seed),
                    energy=distance(rows, decoded),
                    floor=distance(rows, real),
                    training_seconds=seconds,
                )
            for s in wanted:
                model.set_params(sampler=sampler_of(s, len(rows.train)))
                results.add(name, kind, s, seed, **measure(model, rows, judge))


def ring(cache: Path | None, results: Results, seed: int, weight: float, names: list[str]) -> None:
    """Measure the default configuration, and other samplers, on paper G's ring."""
    wanted = [name for name in names if results.missing("default", weight, name, seed)]
    if not wanted:
        return
    X, _, truth = make_ring_mixture(
        10_000, rare_weight=weight, random_state=seed, return_mixture=True
    )
    model, _ = trained(cache, f"default-{weight}-{seed}", AE(random_state=seed), X)
    fresh = [truth.sample(2000, random_state=1000 * (seed + 1) + s)[0] for s in range(10)]
    tests, others = fresh[:5], fresh[5:]
    floor = float(np.mean(list(map(energy_distance, tests, others))))
    for name in wanted:
        model.set_params(sampler=sampler_of(name, len(X))).fit_sampler(X)
        drawn = [model.sample(2000, random_state=s) for s in range(5)]
        energy = float(np.mean(list(map(energy_distance, tests, drawn))))
        report = rare_mode_report(model.sample(10_000, random_state=0), mixture=truth)
        low, high = report.lift_interval
        results.add(
            *("default", weight, name, seed),
            energy=energy,
            floor=floor,
            of_floor=energy / floor,
            lift=report.lift,
            interval=report.lift_interval,
            inside=bool(low <= 1 <= high),
            in_support=report.in_support,
            training_share=float((truth.predict(X) == 0).mean()),
        )


def output(cache: Path | None, results: Results, seed: int) -> None:
    """Residual noise and output map against none: one net, codes half as many as columns."""
    for name in TABLES:
        if not results.missing("output", name, "auto, empirical", seed):
            continue
        rows = split(name, seed)
        fit = AE(n_components=rows.train.shape[1] // 2, residual="auto", random_state=seed)
        model, _ = trained(cache, f"output-{name}-{seed}", fit.set_params(**BUDGET), rows.train)
        real = [rows.halves(repeat)[1] for repeat in range(3)]
        found = precision_recall_density_coverage(rows.halves(0)[0], real[0])._asdict()
        results.add("output", name, "real", seed, energy=distance(rows, real), **found)
        for residual in ("none", "component", "auto"):
            for marginals in ("decoded", "empirical"):
                model.set_params(residual=residual, marginals=marginals).fit_sampler(rows.train)
                drawn = [model.sample(len(real[0]), random_state=repeat) for repeat in range(3)]
                found = precision_recall_density_coverage(rows.halves(0)[0], drawn[0])._asdict()
                copies = memorisation(drawn[0], rows.train, rows.held)
                results.add(
                    *("output", name, f"{residual}, {marginals}", seed),
                    energy=distance(rows, drawn),
                    preference=copies.preference,
                    expected=copies.training_share,
                    chosen=getattr(model.residual_, "kind", "none"),
                    **found,
                )


def ring_part(cache: Path | None, results: Results, seeds: range) -> None:
    """Ten seeds at 2 %, the bar's, and fewer at smaller weights and of other samplers."""
    for weight, n_seeds in ((0.02, 10), (0.005, len(seeds)), (0.01, len(seeds))):
        for seed in range(n_seeds):
            names = ["cells", "cells, ridge .001", "local"]
            more = ["auto", "gmm", "interpolation", "mvg", "prior"]
            ring(cache, results, seed, weight, names + more if seed in seeds else names)


def grid_part(cache: Path | None, results: Results, seeds: range) -> None:
    """All data sets, one after the other."""
    for name in ("ring", "thyroid", "digits", "pendigits", "annthyroid", "shuttle"):
        for seed in seeds:
            grid(cache, results, seed, (name,))


def output_part(cache: Path | None, results: Results, seeds: range) -> None:
    """All tables."""
    for seed in seeds:
        output(cache, results, seed)


def mnist_part(cache: Path | None, results: Results, seeds: range) -> None:
    """Run AE on 50 000 rows, at the seeds in RUNS, and the rare nines."""
    _mnist.whole(DATA, cache, results, _mnist.RUNS, _mnist.SAMPLERS)
    _mnist.rare_nines(DATA, cache, results)


def models_part(cache: Path | None, results: Results, seeds: range) -> None:
    """All models on 10 000 rows of MNIST, under the two strong samplers."""
    _mnist.whole(DATA, cache, results, _mnist.FEWER, _mnist.STRONG)


def slow_part(cache: Path | None, results: Results, seeds: range) -> None:
    """Samplers that take long, once."""
    _mnist.whole(DATA, cache, results, _mnist.RUNS[:1], _mnist.SLOW)
    grid(cache, results, 0, ("digits", "ring"), slow=True)


PARTS = {
    "ring": ring_part,
    "output": output_part,
    "mnist": mnist_part,
    "grid": grid_part,
    "models": models_part,
    "slow": slow_part,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", type=Path, help="folder of trained models")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for expected in ("Terms that are less", "Every sampler's draws prefer", "The judge's true-pos"):
        warnings.filterwarnings("ignore", expected, UserWarning)
    results = Results(options.out, benchmark="quality/samplers", threads=1, subsets=SUBSETS)
    for part in options.parts:
        PARTS[part](options.cache, results, range(options.seeds))
    results.write()


if __name__ == "__main__":
    main()
