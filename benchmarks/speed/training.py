"""What the estimator shell costs: a fit against a bare PyTorch loop, in one run.

``python -m benchmarks.speed.training [--device cuda] [--out FILE.json]``

Both train the same network on the same in-memory rows with the same optimizer, batches and number
of epochs; runs alternate, and each ratio is of one pair. The fit includes what the loop does not
have: validation of the rows, history, the check for finite losses, the sampler
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
    "784-512-256-32": (8192, 784, (512, 256), 32, 256, 2, 1.1),
    "2-64-32-2": (10_000, 2, (64, 32), 2, 256, 10, 1.3),
}


def bare_loop(X: np.ndarray, hidden: tuple, d: int, batch: int, epochs: int, device: str) -> float:
    """Train as one writes it by hand; return the last loss."""
    torch.manual_seed(0)
    p = X.shape[1]
    encoder = mlp(p, hidden, d).to(device)
    decoder = mlp(d, hidden[::-1], p).to(device)
    model = nn.Sequential(encoder, decoder)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
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


def measure(name: str, device: str, pairs: int) -> dict:
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

    def loop() -> float:
        return bare_loop(X, hidden, d, batch, epochs, device)

    loop(), model.fit(X)  # warm up both
    times = [(seconds(lambda: model.fit(X), device), seconds(loop, device)) for _ in range(pairs)]
    ratios = np.array([fit / bare for fit, bare in times])
    fit, bare = np.median(times, axis=0)
    return {
        "net": name,
        "fit_s": round(float(fit), 4),
        "bare_s": round(float(bare), 4),
        "ratio_median": round(float(np.median(ratios)), 3),
        "ratio_min": round(float(ratios.min()), 3),
        "ratio_max": round(float(ratios.max()), 3),
        "bar": bar,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [measure(name, options.device, options.pairs) for name in CASES]
    result = {
        "benchmark": "speed/training",
        "device": options.device,
        "threads": options.threads,
        "pairs": options.pairs,
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
