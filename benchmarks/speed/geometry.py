"""What the geometric terms cost: a GrassmannAE epoch against an AE epoch, in one run.

``python -m benchmarks.speed.geometry [--device cuda] [--data mnist.npz] [--out FILE.json]``

Net 784-512-256-32, batches of 256, grades 1, 2, 4, 8. Two tables:

- epochs: the ratio of a GrassmannAE epoch to an AE epoch, by number of codes with blades and by
  schedule, and the energy distance of the two models' draws to held-out rows beside it;
- terms: forward and backward of the blades by explicit propagation and one Cholesky factor,
  against ``vmap(jvp)`` and QR over the same codes.

Rows are MNIST's if ``--data`` (default: ``mnist.npz`` under GEOMGEN_DATA) is there, else noise.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sklearn
import torch
from torch import Tensor, nn

import geomgen
from geomgen.losses import blade_entropy, grassmann_spread, random_frames, tangents
from geomgen.nn import mlp

GRADES = (1, 2, 4, 8)
N_BLADES = (4, 8, 16, 32, 256)
MNIST = Path(os.environ.get("GEOMGEN_DATA", "../shared/data")) / "mnist.npz"


def rows(path: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """Training and held-out rows, and what they are."""
    if not path.exists():
        noise = np.random.default_rng(0).random((9192, 784), dtype=np.float32)
        return noise[:8192], noise[8192:], "noise"
    with np.load(path) as data:
        X, T = (data[k].reshape(-1, 784) for k in ("X_train", "X_test"))
    return X[:8192].astype(np.float32) / 255, T[:1000].astype(np.float32) / 255, "MNIST, 8192 rows"


def model(cls: type, device: str, epochs: int, **params: object) -> geomgen.GenerativeAutoencoder:
    common = {"n_components": 32, "hidden": (512, 256), "batch_size": 256, "random_state": 0}
    return cls(max_epochs=epochs, device=device, **common, **params)


def epoch_rows(X: np.ndarray, T: np.ndarray, device: str, epochs: int) -> list[dict]:
    """Time whole epochs, each model's beside a plain AE's of the same moment."""
    settings = [(n, every) for n in N_BLADES[:-1] for every in (1, 2, 4)] + [(256, 1)]
    table = []
    for n_blades, every in settings:
        ratios = []
        plain = model(geomgen.AE, device, epochs)
        ours = model(geomgen.GrassmannAE, device, epochs, n_blades=n_blades, every=every)
        plain.fit(X), ours.fit(X)
        for a, b in zip(ours.history_["seconds"][1:], plain.history_["seconds"][1:], strict=True):
            ratios.append(a / b)
        table.append(
            {
                "n_blades": n_blades,
                "every": every,
                "epoch ratio": [round(float(f(ratios)), 3) for f in (min, np.median, max)],
                "energy distance": round(-ours.score(T), 4),
                "energy distance of AE": round(-plain.score(T), 4),
            }
        )
        print(table[-1], flush=True)
    return table


def terms_ours(decoder: nn.Module, z: Tensor, frames: Tensor) -> Tensor:
    A = tangents(decoder, z, frames).double()
    return grassmann_spread(A, form="determinant") - blade_entropy(A, GRADES)


def terms_qr(decoder: nn.Module, z: Tensor, frames: Tensor) -> Tensor:
    """Compute the same terms as one writes them from the paper's text."""

    def push(w: Tensor) -> Tensor:
        return torch.func.jvp(decoder, (z,), (w,))[1]

    A = torch.vmap(push, in_dims=-1, out_dims=-1)(frames.expand(len(z), -1, -1))
    U = torch.linalg.qr(A).Q
    M = U.mT @ U.roll(1, 0)
    eye = torch.eye(A.shape[-1], device=A.device)
    log_similarity = 0.5 * torch.logdet(M @ M.mT + 1e-6 * eye)
    logs = []
    for k in GRADES:
        G = A[..., :k].mT @ A[..., :k]
        logs.append(0.5 * torch.logdet(G + 1e-6 * torch.eye(k, device=A.device)))
    s = torch.stack(logs, -1).exp().mean(0) + 1e-8
    p = s / s.sum()
    return log_similarity.exp().mean() + (p * p.log()).sum()


def term_rows(device: str, rounds: int) -> list[dict]:
    """Time forward and backward of the terms alone, alternating, for our net and the paper's."""
    generator = torch.Generator(device).manual_seed(0)
    nets = {
        "SiLU": mlp(32, (256, 512), 784),
        "BatchNorm, LeakyReLU": mlp(32, (256, 512), 784, activation="leaky_relu", norm="batch"),
    }
    table = []
    for name, net in nets.items():
        decoder = net.to(device).eval()
        for n in N_BLADES:
            z = torch.randn(n, 32, generator=generator, device=device)
            frames = random_frames(1, 32, 8, generator=generator, like=z)
            ours, theirs = (
                lambda f=f, net=decoder, z=z, w=frames: f(net, z, w).backward()
                for f in (terms_ours, terms_qr)
            )
            ours(), theirs()
            ratios = [seconds(theirs, device) / seconds(ours, device) for _ in range(rounds)]
            spread = [round(float(f(ratios)), 2) for f in (min, np.median, max)]
            table.append({"decoder": name, "n_blades": n, "vmap(jvp)+QR / ours": spread})
            print(table[-1], flush=True)
    return table


def seconds(function: Callable[[], object], device: str) -> float:
    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data", type=Path, default=MNIST)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", "Terms that are less", UserWarning)  # cost is the question
    warnings.filterwarnings("ignore", ".*torch.jit.script.*", DeprecationWarning)
    X, T, what = rows(options.data)
    result = {
        "benchmark": "speed/geometry",
        "device": options.device,
        "threads": options.threads,
        "rows": what,
        "versions": {
            "geomgen": geomgen.__version__,
            "python": platform.python_version(),
            "scikit-learn": sklearn.__version__,
            "torch": torch.__version__,
        },
        "terms": term_rows(options.device, options.rounds),
        "epochs": epoch_rows(X, T, options.device, options.epochs),
    }
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
