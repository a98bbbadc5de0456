"""What the estimator shell costs: a fit against a bare PyTorch loop, in one run.

``python -m benchmarks.speed.training [--device cuda] [--out FILE.json]``

All train the same network on the same in-memory rows with the same batches and number of epochs;
runs alternate, and each ratio is of neighbouring runs. There are two loops: one with Adam as one
writes it, one with its fused kernel, which the fit chooses by itself. The fit includes what the
loops do not have: validation of the rows, history, the check for finite losses, the sampler
(``UniformSphereSampler``, which costs nothing: what a sampler costs is not the question here).
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sklearn
import torch
from torch import nn

import geomgen
from geomgen.nn import mlp

CASES = {
    # name: (rows, features, hidden, components, batch size, epochs, bar)
    "784-512-256-32": (8192, 784, (512, 256), 32, 256, 5, 1.1),
    "2-64-32-2": (10_000, 2, (64, 32), 2, 256, 10, 1.3),
}


def bare_loop(
    X: np.ndarray, hidden: tuple, d: int, batch: int, epochs: int, device: str, fused: bool
) -> float:
    """Train as one writes it by hand; return the last loss."""
    torch.manual_seed(0)
    p = X.shape[1]
    encoder = mlp(p, hidden, d).to(device)
    decoder = mlp(d, hidden[::-1], p).to(device)
    model = nn.Sequential(encoder, decoder)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused or None)
    rows = torch.from_numpy(X).to(device)
    for _ in range(epochs):
        order = torch.randperm(len(rows), device=device)
        for start in range(0, len(rows), batch):
            x = rows[order[start : start + batch]]
            loss = (model(x) - x).square().sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return loss.item()


def seconds(function: Callable[[], object], device: str) -> float:
    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(name: str, device: str, rounds: int) -> dict:
    n, p, hidden, d, batch, epochs, bar = CASES[name]
    X = np.random.default_rng(0).standard_normal((n, p)).astype(np.float32)
    model = geomgen.AE(
        n_components=d,
        hidden=hidden,
        batch_size=batch,
        max_epochs=epochs,
        device=device,
        sampler="uniform",
        random_state=0,
    )

    runs = {
        "fit": lambda: model.fit(X),
        "loop": lambda: bare_loop(X, hidden, d, batch, epochs, device, fused=False),
        "fused loop": lambda: bare_loop(X, hidden, d, batch, epochs, device, fused=True),
    }
    for run in runs.values():
        run()  # warm up
    times = [{name: seconds(run, device) for name, run in runs.items()} for _ in range(rounds)]
    row: dict = {"net": name, "bar": bar}
    row |= {f"{name} s": round(float(np.median([t[name] for t in times])), 4) for name in runs}
    for peer in ("loop", "fused loop"):
        ratios = [t["fit"] / t[peer] for t in times]
        row[f"fit / {peer}"] = [round(float(f(ratios)), 3) for f in (min, np.median, max)]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [measure(name, options.device, options.rounds) for name in CASES]
    result = {
        "benchmark": "speed/training",
        "device": options.device,
        "threads": options.threads,
        "rounds": options.rounds,
        "versions": {
            "geomgen": geomgen.__version__,
            "python": platform.python_version(),
            "scikit-learn": sklearn.__version__,
            "torch": torch.__version__,
        },
        "rows": rows,
    }
    for row in rows:
        print(row)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
