"""Every model by discovery, on paper G's ring and on digits: reconstruction, draws and cost.

``python -m benchmarks.quality.catalogue [--seeds 3] [--models AE ...] [--out FILE.json]``

All models have their default parameters but for the budget: the same net, epochs and batches. What
the file already holds is not measured again. All CPU, one thread.

Held-out rows are dealt in two halves: draws are compared with the one; the other, and its
reconstruction by the AE, are the *floor* and the *ceiling*. A model passes if its reconstruction
error is at most 1.5 times the AE's, its draws are finite and each principal direction of the real
rows keeps at least a tenth of its variance (they have not collapsed).
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from benchmarks.quality._runs import Results, timed
from geomgen import sample
from geomgen.datasets import make_rare_digits, make_ring_mixture
from geomgen.metrics import energy_distance, memorisation
from geomgen.utils.discovery import all_estimators

OUT = Path("benchmarks/results/quality-catalogue.json")
NETS: dict[str, dict[str, Any]] = {  # paper G's net for the ring; the defaults for digits
    "ring": {"n_components": 2, "hidden": (64, 32), "max_epochs": 50, "batch_size": 256},
    "digits": {"n_components": 8, "hidden": (256, 128), "max_epochs": 100, "batch_size": 128},
}
VARIANTS = {  # rows of the papers' tables that are a parameter of a class
    "FlowPosteriorVAE": {"": {}, " iaf": {"flow": "iaf"}, " radial": {"flow": "radial"}},
    "RAE": {f" {penalty}": {"penalty": penalty} for penalty in ("l2", "gp", "sn")},
    "WAE": {f" {kind}": {"discrepancy": kind} for kind in ("mmd", "energy", "sliced")},
    "SphericalVAE": {"": {}, " power": {"posterior": "power_spherical"}},
    "VAEGenerator": {"": {}, " beta .1": {"beta": 0.1}, " beta 4": {"beta": 4.0}},
    "VQVAE": {"": {}, " autoregressive": {"sampler": "autoregressive"}},
}
PEERS = {
    "GaussianMixture (data)": GaussianMixture(10, random_state=0),
    "KernelDensity (data)": KernelDensity(bandwidth="scott"),
}


def split(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and rows held out: of the ring in its units, of digits in [0, 1]."""
    if name == "ring":
        X = make_ring_mixture(12_000, random_state=seed)[0]
        return X[:10_000], X[10_000:]
    X = make_rare_digits(random_state=0)[0] / 16
    order = np.random.RandomState(seed).permutation(len(X))
    return X[order[:1100]], X[order[1100:]]


def models() -> dict[str, Any]:
    """Every estimator, and those of its variants that the papers' tables have."""
    return {
        name + suffix: cls(**params)
        for name, cls in all_estimators()
        for suffix, params in VARIANTS.get(name, {"": {}}).items()
    }


def kept_variance(real: np.ndarray, drawn: np.ndarray) -> float:
    """Least share of the variance that draws keep along the real rows' principal directions."""
    pca = PCA(min(8, real.shape[1])).fit(real)
    return float((pca.transform(drawn).var(0) / pca.explained_variance_).min())


def distances(model: Any, halves: list[np.ndarray], repeats: int = 3) -> float:
    """Mean energy distance of draws to the first half of the held-out rows."""
    drawn = (sample(model, len(halves[1]), random_state=s) for s in range(repeats))
    return float(np.mean([energy_distance(halves[0], np.asarray(X)) for X in drawn]))


def measure(model: Any, X: np.ndarray, held: np.ndarray) -> dict[str, Any]:
    """Fit a model; take its error, its draws under three samplers, and its seconds."""
    halves = np.array_split(held, 2)
    _, seconds = timed(model.fit, X)
    drawn = np.asarray(sample(model, 2000, random_state=0))
    copies = memorisation(drawn[: len(halves[1])], X, halves[1])
    figures: dict[str, Any] = {
        "energy": distances(model, halves),
        "finite": bool(np.isfinite(drawn).all()),
        "kept": kept_variance(X, drawn),
        "preference": copies.preference,
        "expected": copies.training_share,
        "seconds": seconds,
    }
    if not hasattr(model, "inverse_transform"):
        return figures
    figures["mse"] = float(np.mean((model.inverse_transform(model.transform(held)) - held) ** 2))
    for other in ("prior", "cells"):
        model.set_params(sampler=other).fit_sampler(X)
        figures[other] = distances(model, halves)
    return figures


def run(results: Results, names: list[str], seeds: range) -> None:
    """Measure what is not in the file yet."""
    for data, net in NETS.items():
        for seed in seeds:
            X, held = split(data, seed)
            if results.missing(data, "real", seed):
                first, second = np.array_split(held, 2)
                floor = energy_distance(first, second)
                variance = float(held.var(0).mean())
                kept = kept_variance(X, held)
                results.add(data, "real", seed, energy=floor, kept=kept, variance=variance)
            for name, model in {**models(), **PEERS}.items():
                if name.split()[0] not in names or not results.missing(data, name, seed):
                    continue
                if name not in PEERS:
                    params = {**net, "random_state": seed}
                    taken = params.keys() & model.get_params().keys()
                    model.set_params(**{key: params[key] for key in taken})
                results.add(data, name, seed, **measure(model, X, held))


def table(results: Results, data: str) -> pd.DataFrame:
    """Means over seeds of one data set, and whether the issue of each is kept."""
    rows = [
        {"model": key.split("|")[1], **figures}
        for key, figures in results.cells.items()
        if key.startswith(f"{data}|")
    ]
    means = pd.DataFrame(rows).groupby("model", sort=False).mean(numeric_only=False)
    base = means.loc["AE"] if "AE" in means.index else means.iloc[0]
    shown = pd.DataFrame(
        {
            "mse": means["mse"],
            "x AE": means["mse"] / base["mse"],
            "unexplained": means["mse"] / means.loc["real", "variance"],
            "energy": means["energy"],
            "x floor": means["energy"] / means.loc["real", "energy"],
            "prior": means["prior"] / means.loc["real", "energy"],
            "cells": means["cells"] / means.loc["real", "energy"],
            "kept variance": means["kept"],
            "seconds x AE": means["seconds"] / base["seconds"],
        }
    ).astype(float)
    good = (shown["x AE"].fillna(1) <= 1.5) & (shown["kept variance"] >= 0.1)
    shown["passes"] = np.where(good & (means["finite"].fillna(1).astype(float) == 1), "yes", "no")
    return shown.sort_values("x floor")


def both(results: Results) -> str:
    """Write the two tables as one, for the documents."""
    digits, ring = table(results, "digits"), table(results, "ring")
    joined = pd.DataFrame(
        {
            "error x AE, digits": digits["x AE"],
            "draws x floor, digits": digits["x floor"],
            "prior": digits["prior"],
            "left of variance, ring": ring["unexplained"],
            "draws x floor, ring": ring["x floor"],
            "prior ": ring["prior"],
            "seconds x AE": digits["seconds x AE"],
        }
    ).loc[digits.index]
    return joined.drop(index="real").map("{:.3g}".format).replace("nan", "").to_markdown()


def main() -> None:
    """Measure what is missing, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", nargs="*", help="names of classes; all by default")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    results = Results(args.out, command="python -m benchmarks.quality.catalogue", nets=NETS)
    names = args.models or [key.split()[0] for key in {**models(), **PEERS}]
    run(results, names, range(args.seeds))
    for data in NETS:
        print(f"\n{data}\n{table(results, data).to_markdown(floatfmt='.3g')}")
    print(f"\n{both(results)}")


if __name__ == "__main__":
    main()
