"""Whether the geometric terms help to generate: GrassmannAE's options against a plain AE.

``python -m benchmarks.quality.geometry [--seeds 3] [--out FILE.json]``

Energy distance of draws to held-out rows, in units of the floor (real against real, same sizes),
paired by seed: the same split, the same first weights, the same sampler. A claim needs a gain
above twice the spread of the paired differences.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from geomgen import AE, GrassmannAE
from geomgen.datasets import make_rare_digits, make_ring_mixture
from geomgen.metrics import energy_distance

DATA = Path(os.environ.get("GEOMGEN_DATA", "../shared/data"))
COMMON = {"n_components": 8, "max_epochs": 60}


def data_sets() -> dict[str, np.ndarray]:
    """Rows by name; tables only where GEOMGEN_DATA has them."""
    sets = {
        "ring": make_ring_mixture(3000, random_state=0)[0],
        "digits": make_rare_digits(random_state=0)[0],
    }
    path = DATA / "tabular" / "pendigits.npz"
    if path.exists():
        with np.load(path) as table:
            sets["pendigits"] = table["X"][:4000].astype(float)
    return sets


def models() -> dict[str, AE]:
    """Make the plain model, then every option at weights that are a real part of the loss."""
    options = {
        f"{repulsion}, {entropy}": GrassmannAE(
            lam_grass=1.0, lam_entropy=1.0, repulsion=repulsion, entropy=entropy, **COMMON
        )
        for repulsion in ("literal", "overlap", "log", "riesz")
        for entropy in ("literal", "scale_free", "per_code")
    }
    return {
        "AE": AE(**COMMON),
        "GrassmannAE (defaults)": GrassmannAE(**COMMON),
        "its own frames": GrassmannAE(lam_grass=1.0, shared_frames=False, **COMMON),
        "blades at prior draws": GrassmannAE(lam_grass=1.0, latent_law="prior", **COMMON),
        "E2: volume preservation": GrassmannAE(
            lam_grass=0.0, lam_entropy=0.0, lam_volume=1.0, **COMMON
        ),
        "E2b: coverage": GrassmannAE(lam_grass=0.0, lam_entropy=0.0, lam_coverage=1.0, **COMMON),
        **options,
    }


def distances(X: np.ndarray, seed: int) -> dict[str, float]:
    """Energy distance of each model's draws on one split, over the floor."""
    rng = np.random.RandomState(seed)
    order = rng.permutation(len(X))
    test, train = X[order[: len(X) // 3]], X[order[len(X) // 3 :]]
    scaler = StandardScaler().fit(train)
    test, train = scaler.transform(test), scaler.transform(train)
    picks = [rng.permutation(len(train))[: len(test)] for _ in range(10)]
    floor = np.mean([energy_distance(test, train[pick]) for pick in picks])
    found = {}
    for name, model in models().items():
        fitted = clone(model).set_params(random_state=seed).fit(train)
        draws = [fitted.sample(len(test), random_state=s) for s in range(5)]
        found[name] = float(np.mean([energy_distance(test, draw) for draw in draws]) / floor)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "Terms that are less", UserWarning)
    result: dict = {"benchmark": "quality/geometry", "seeds": options.seeds, "unit": "floor"}
    for data, X in data_sets().items():
        runs = [distances(X, seed) for seed in range(options.seeds)]
        result[data] = {}
        for name in runs[0]:
            values = np.array([run[name] for run in runs])
            gains = np.array([run["AE"] for run in runs]) - values
            result[data][name] = {
                "mean": round(float(values.mean()), 3),
                "sd": round(float(values.std(ddof=1)), 3),
                "gain over AE": round(float(gains.mean()), 3),
                "sd of gain": round(float(gains.std(ddof=1)), 3),
            }
            print(data, name, result[data][name], flush=True)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
