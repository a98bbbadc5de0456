"""What the metrics cost: beside the libraries that compute the same number, in one run.

``python -m benchmarks.speed.metrics [--device cuda] [--rounds 5] [--only NAME] [--out FILE.json]``

One thread. Each row alternates our function and its peer and takes the medians: of the processor's
time on a CPU (another load of the machine disturbs it little), of the wall's on a GPU, where the
peers stay on the CPU. Every peer computes the whole number: the energy distance is three full
means. Peak memory is that of a fresh process for one call, above what the process held before it
(VmHWM of Linux, reset before the call: it sees the allocations of C++ too). A peer that is not
installed is named, and its row has no ratio.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import torch
from scipy.spatial.distance import cdist, pdist
from sklearn.metrics import euclidean_distances
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from geomgen.metrics._pairs import nearest
from geomgen.metrics.energy import energy_distance
from geomgen.metrics.frechet import frechet_distance, frechet_distance_from_moments

PACKAGES = ("geomgen", "numpy", "scipy", "scikit-learn", "torch", "dcor", "POT", "torchmetrics")


class Row(NamedTuple):
    """One comparison: two functions of the same arguments."""

    what: str
    ours: Callable[..., Any]
    peer: str  # "package: function"
    theirs: Callable[..., Any] | None
    data: Callable[[], tuple]
    bar: float | None = None  # least ratio of the times
    memory: bool = False


# ------------------------------------------------------------------------------------ peers
def three_means(distances: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[..., float]:
    def energy(X: np.ndarray, Y: np.ndarray) -> float:
        return 2 * distances(X, Y).mean() - distances(X, X).mean() - distances(Y, Y).mean()

    return energy


def by_pdist(X: np.ndarray, Y: np.ndarray) -> float:
    """Visit each pair within a sample once, as scipy can too."""
    n, m = len(X), len(Y)
    return 2 * cdist(X, Y).mean() - 2 * pdist(X).sum() / n**2 - 2 * pdist(Y).sum() / m**2


def by_dcor(X: np.ndarray, Y: np.ndarray) -> float:
    import dcor

    return dcor.energy_distance(X, Y)


def by_pot(X: np.ndarray, Y: np.ndarray) -> float:
    import ot

    return three_means(partial(ot.dist, metric="euclidean"))(X, Y)


def by_sqrtm(m1: np.ndarray, S1: np.ndarray, m2: np.ndarray, S2: np.ndarray) -> float:
    root = scipy.linalg.sqrtm(S1 @ S2)
    return ((m1 - m2) ** 2).sum() + np.trace(S1) + np.trace(S2) - 2 * np.trace(root).real


def by_torchmetrics(*moments: np.ndarray) -> float:
    from torchmetrics.image.fid import _compute_fid

    return float(_compute_fid(*map(torch.from_numpy, moments)))


def by_brute_force(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    return NearestNeighbors(n_neighbors=1, algorithm="brute").fit(Y).kneighbors(X)[0]


# ------------------------------------------------------------------------------------- data
def normals(n: int, m: int, p: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(0)
    return rng.normal(size=(n, p)), 0.1 + rng.normal(size=(m, p))


def features(n: int, p: int) -> tuple[np.ndarray, np.ndarray]:
    """Rectified, correlated features, as the FID's are."""
    rng = np.random.RandomState(0)
    Q = np.linalg.qr(rng.normal(size=(p, p)))[0]
    X, Y = (rng.normal(size=(n, p)) * np.logspace(0, -3, p) * s @ Q for s in (1.0, 1.1))
    return np.maximum(X + 0.1, 0), np.maximum(Y + 0.1, 0)


def moments(n: int, p: int) -> tuple[np.ndarray, ...]:
    X, Y = features(n, p)
    return X.mean(0), np.cov(X, rowvar=False), Y.mean(0), np.cov(Y, rowvar=False)


def table(device: str) -> list[Row]:
    ours = partial(energy_distance, device=device)
    name, data = "dcor: energy_distance", partial(normals, 2000, 2000, 32)
    rows = [Row("energy n=2000 d=32", ours, name, by_dcor, data, 20, True)]
    peers = {
        "scipy: cdist": three_means(cdist),
        "scipy: cdist, pdist": by_pdist,
        "sklearn: euclidean_distances": three_means(euclidean_distances),
        "ot: dist": by_pot,
    }
    for p in (2, 8, 32):
        data = partial(normals, 10_000, 10_000, p)
        for name, peer in peers.items():
            bar = None if "pdist" in name else 4
            rows.append(Row(f"energy n=10000 d={p}", ours, name, peer, data, bar, p == 32))
    data = partial(normals, 50_000, 50_000, 32)
    rows.append(Row("energy n=50000 d=32", ours, "", None, data, memory=True))
    data = partial(normals, 2000, 10_000, 784)
    brute = "sklearn: NearestNeighbors(brute)"
    rows.append(Row("nearest 2000 x 10000 x 784", near, brute, by_brute_force, data, 1.8, True))
    given, data = frechet_distance_from_moments, partial(moments, 6000, 2048)
    rows.append(Row("frechet moments d=2048", given, "scipy: sqrtm", by_sqrtm, data, 10))
    name = "torchmetrics: _compute_fid"
    rows.append(Row("frechet moments d=2048", given, name, by_torchmetrics, data, 2.5))
    rows.append(Row("frechet rows n=1000 d=2048", few, "scipy: sqrtm", of_rows, few_rows, 30))
    return rows


def near(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    return nearest(X, Y, 1)[0]


def few_rows() -> tuple[tuple, tuple]:
    """Rows for us, their moments for the peer: neither pays for making its own."""
    X, Y = features(1000, 2048)
    return (X, Y), (X.mean(0), np.cov(X, rowvar=False), Y.mean(0), np.cov(Y, rowvar=False))


def few(rows: tuple, _: tuple) -> float:
    return frechet_distance(*rows)


def of_rows(_: tuple, given: tuple) -> float:
    return by_sqrtm(*given)


# -------------------------------------------------------------------------------- measuring
def seconds(function: Callable[[], Any], device: str) -> tuple[float, Any]:
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    value = function()
    return clock() - start, value


def measure(row: Row, device: str, rounds: int) -> dict[str, Any]:
    arguments = row.data()
    package = row.peer.partition(":")[0]
    installed = row.theirs is not None and importlib.util.find_spec(package) is not None
    result: dict[str, Any] = {"what": row.what, "peer": row.peer, "bar": row.bar}
    if row.theirs is not None and not installed:
        result["peer"] += " (not installed)"
    warm_up(row, installed)
    ours, theirs = [], []
    for _ in range(rounds if installed else 1):
        spent, value = seconds(partial(row.ours, *arguments), device)
        ours.append(spent)
        if installed:
            spent, other = seconds(partial(row.theirs, *arguments), device)
            theirs.append(spent)
    result["ours, s"] = round(float(np.median(ours)), 4)
    if installed:
        result["peer, s"] = round(float(np.median(theirs)), 4)
        result["ratio"] = round(float(np.median(theirs) / np.median(ours)), 2)
        gap = np.abs(np.asarray(value) - np.asarray(other)).max() / np.abs(other).max()
        result["relative difference"] = float(f"{gap:.1e}")
    return result


def warm_up(row: Row, both: bool) -> None:
    """Compile what a first call compiles; and one thread again, which importing dcor undoes."""
    if row.what.startswith("energy"):
        for function in (row.ours, row.theirs) if both else (row.ours,):
            function(*normals(20, 20, 2))
    torch.set_num_threads(1)


def peak(index: int, device: str, who: str) -> float | None:
    """Peak memory in MB of one call in a process of its own, above what was held before."""
    command = [sys.executable, "-m", "benchmarks.speed.metrics", "--device", device]
    done = subprocess.run(
        [*command, "--peak", str(index), who], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"  no peak memory: {done.stderr.strip().splitlines()[-1]}")
        return None
    return float(done.stdout)


def print_peak(row: Row, who: str) -> None:
    function = row.ours if who == "ours" else row.theirs
    arguments = row.data()
    warm_up(row, who == "peer")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before = high_water()
    function(*arguments)
    print(round(high_water() - before, 1))


def high_water() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def show(results: list[dict[str, Any]]) -> None:
    columns = (
        ("what", 27),
        ("ours, s", 9),
        ("peer", 34),
        ("peer, s", 9),
        ("ratio", 7),
        ("bar", 5),
        ("relative difference", 20),
        ("peak, MB", 9),
        ("peer's, MB", 10),
    )
    print(" ".join(f"{name:<{width}}" for name, width in columns))
    for result in results:
        cells = (("" if result.get(k) is None else str(result[k]), w) for k, w in columns)
        print(" ".join(f"{cell:<{width}}" for cell, width in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="rows whose name starts so")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "The smaller sample has", UserWarning)
    rows = table(options.device)
    with threadpool_limits(1):
        if options.peak:
            print_peak(rows[int(options.peak[0])], options.peak[1])
            return
        results = []
        for index, row in enumerate(rows):
            if not row.what.startswith(options.only):
                continue
            result = measure(row, options.device, options.rounds)
            if row.memory:
                result["peak, MB"] = peak(index, options.device, "ours")
                if "peer, s" in result:
                    result["peer's, MB"] = peak(index, options.device, "peer")
            results.append(result)
            print(result, flush=True)
    show(results)
    result = {
        "benchmark": "speed/metrics",
        "device": options.device,
        "threads": 1,
        "rounds": options.rounds,
        "versions": {"python": platform.python_version(), **versions()},
        "rows": results,
    }
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


if __name__ == "__main__":
    main()
