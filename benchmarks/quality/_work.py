"""Measuring cells: one training for all samplers of a system, data set and seed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import FunctionTransformer

import geomgen
from benchmarks.quality._declare import REAL, STUDIES, Cell, System, kind_of
from benchmarks.quality._pictures import SHAPES, Pictures
from benchmarks.quality._rare_digit import RareDigit
from benchmarks.quality._ring import Ring
from benchmarks.quality._runs import Lines, cached
from geomgen.samplers import GaussianSampler, MixtureSampler

__all__ = ["jobs", "run"]

DATA: dict[str, Callable] = {
    "ring": Ring,
    **dict.fromkeys(("mnist", "few", "cifar10", "faces"), Pictures),
    **dict.fromkeys(("nines", "digit"), RareDigit),
}
SAMPLERS = {
    "gmm, ambient": MixtureSampler(space="ambient"),
    "mvg, ambient": GaussianSampler(space="ambient"),
}

Job = tuple[str, System, dict[str, Any], int, list[Cell]]


def jobs(cells: list[Cell], lines: Lines, n_seeds: int | None) -> Iterator[Job]:
    """Trainings that are still wanted, with one cell for each missing measurement, by seed."""
    wanted: dict[str, Job] = {}
    for cell in cells:
        for seed in range(cell.seeds if n_seeds is None else min(cell.seeds, n_seeds)):
            what = cell.what(seed)
            if cell.reason or lines.get(what):
                continue
            training = lines.key({k: v for k, v in what.items() if k != "sampler"})
            job = wanted.setdefault(training, (cell.data, cell.system, cell.budget, seed, []))
            if cell.sampler not in [known.sampler for known in job[-1]]:
                job[-1].append(cell)
    yield from sorted(wanted.values(), key=lambda job: job[3])


def make(system: System, budget: dict[str, Any], seed: int, kind: str = "mnist") -> Any:
    """Make the unfitted model; the net's parameters count where the model has them."""
    if system.model == "GaussianMixture":
        return GaussianMixture(**system.params, reg_covar=1e-4, random_state=seed)
    if system.model == "Pixels":
        return FunctionTransformer()  # the identity: what heads tell from the pixels themselves
    name, _, preset = system.model.partition(".")
    cls = getattr(geomgen, name)
    fixed = {"max_epochs": budget["epochs"], "random_state": seed, "sampler": "mvg"}
    params = {**budget["net"], **fixed}
    if system.architecture != "mlp":
        params |= {"architecture": system.architecture, "image_shape": SHAPES[kind]}
    taken = {key: params[key] for key in params.keys() & cls().get_params().keys()}
    return (getattr(cls, preset) if preset else cls)(**(taken | system.params))


def run(cells: list[Cell], lines: Lines, n_seeds: int | None, cache: Path | None) -> int:
    """Measure what is missing; return the number of measurements."""
    done = 0
    for data, system, budget, seed, missing in jobs(cells, lines, n_seeds):
        work = DATA[kind_of(data)](data, budget, seed)
        model, training = (
            (None, 0.0)
            if system.model == REAL
            else fitted(work, system, missing[0].what(seed), cache)
        )
        for cell in missing:
            start = time.process_time()
            figures = measured(work, system, model, cell.sampler)
            seconds = {"training": training, "figures": time.process_time() - start}
            device = str(getattr(model, "device_", "cpu"))
            lines.add(cell.what(seed), figures, seconds=seconds, device=device)
            done += 1
            print(f"{cell.table} {data} | {cell.row} | {cell.sampler} | seed {seed}", flush=True)
    return done


def fitted(
    work: Any, system: System, what: dict[str, Any], cache: Path | None
) -> tuple[Any, float]:
    """Train, or load from the cache; also the CPU seconds it took."""

    def fit() -> tuple[Any, float]:
        model = make(system, what["budget"], what["seed"], kind_of(what["data"]))
        start = time.process_time()
        model.fit(work.train)
        return model, time.process_time() - start

    named = json.dumps({k: v for k, v in what.items() if k != "sampler"}, sort_keys=True)
    return cached(cache, hashlib.sha256(named.encode()).hexdigest()[:16], fit)


def measured(work: Any, system: System, model: Any, sampler: str | None) -> dict[str, Any]:
    """Figures of the model itself, of a study of it, or of draws by one sampler."""
    if sampler is None:
        return work.of_model(model)
    if system.has_codes:
        fitted = STUDIES.get(sampler) or SAMPLERS.get(sampler, sampler)
        model.set_params(sampler=fitted).fit_sampler(work.train)
    if sampler in STUDIES:
        return work.studies[sampler](model)
    if model is None:
        return work.of_draws(work.real(), None)
    drawn = np.asarray(geomgen.sample(model, work.n_drawn, random_state=0), work.train.dtype)
    return work.of_draws(drawn, model if system.has_codes else None)
