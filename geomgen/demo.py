"""The main job in one run: fit, sample, score, beside what people use today."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from geomgen._atomic import open_atomically, write_atomically
from geomgen._problems import Problem, load_problem
from geomgen.metrics import (
    effective_rank,
    energy_distance,
    lift_interval,
    neighbour_judge,
    rare_mode_lift,
)
from geomgen.models import GrassmannAE, LISAGenerator, VAEGenerator
from geomgen.pipeline import sample

__all__ = ["Problem", "load_problem", "run_demo"]

LIFT_DRAWS = 5_000


def generators(problem: Problem, seed: int, device: str, verbose: int) -> dict[str, Pipeline]:
    """Make the pipelines that the demo compares: ours, and what people use today."""
    ours: dict[str, Any] = {
        "n_components": problem.n_components,
        "random_state": seed,
        "device": device,
        "verbose": verbose,
    }
    n_modes = min(10, len(problem.X) // 10)
    last_steps: dict[str, BaseEstimator] = {
        "GrassmannAE": GrassmannAE(**ours),
        "LISAGenerator": LISAGenerator(**ours),
        "VAEGenerator": VAEGenerator(**ours),
        "GaussianMixture (data)": GaussianMixture(n_modes, reg_covar=1e-3, random_state=seed),
        "KernelDensity (data)": KernelDensity(bandwidth="scott"),
    }
    return {name: make_pipeline(StandardScaler(), step) for name, step in last_steps.items()}


def run_demo(
    problem: Problem, out: Path, *, seed: int = 0, device: str = "auto", verbose: int = 1
) -> pd.DataFrame:
    """Fit and score every generator; write ``demo.csv`` and ``demo.png``.

    Parameters
    ----------
    problem : Problem
        Rows with a rare label.
    out : Path
        Folder for the table and the picture; it is made if need be.
    seed : int, default=0
        Of split, fits and draws.
    device : str, default="auto"
        Of the autoencoders.
    verbose : int, default=1
        0 shows no progress bars.

    Returns
    -------
    DataFrame
        A row a generator, the first for real rows.
    """
    out.mkdir(parents=True, exist_ok=True)  # before the work, which takes a while
    train, test, train_rare, test_rare = train_test_split(
        problem.X, problem.rare, test_size=1 / 3, stratify=problem.rare, random_state=seed
    )
    rate = float(train_rare.mean())
    judge = neighbour_judge().fit(np.asarray(train), train_rare)
    scaler = StandardScaler().fit(train)  # distances in standard deviations of the columns

    def distance(rows: Any) -> float:
        return energy_distance(scaler.transform(test), scaler.transform(_like(rows, train)))

    def row(rows: Any, lift_rows: Any, true_rate: float) -> dict[str, float]:
        judged = judge.predict(np.asarray(lift_rows))
        low, high = lift_interval(judged, true_rate)
        lift = rare_mode_lift(judged, true_rate)
        return {"energy distance": distance(rows), "lift": lift, "low": low, "high": high}

    rng = check_random_state(seed)
    floor_rows = [rng.permutation(len(train))[: len(test)] for _ in range(20)]
    floors = [distance(np.asarray(train)[index]) for index in floor_rows]
    table = {"real rows": row(test, test, float(test_rare.mean()))}
    table["real rows"]["energy distance"] = float(np.mean(floors))
    pictures = {"real rows": np.asarray(test)}
    for name, pipe in generators(problem, seed, device, verbose).items():
        start = time.perf_counter()
        with one_thread(), warnings.catch_warnings():
            # GrassmannAE at the paper's weights: advice for those who search them, not for a demo
            warnings.filterwarnings("ignore", "Terms that are less", UserWarning)
            pipe.fit(train)
        seconds = time.perf_counter() - start
        if getattr(pipe[-1], "n_iter_", 0) < getattr(pipe[-1], "max_epochs", 0):
            raise KeyboardInterrupt  # the estimator keeps what it learnt; a demo needs it all
        drawn = sample(pipe, LIFT_DRAWS + len(test), random_state=seed)
        drawn = np.asarray(drawn)
        table[name] = row(drawn[: len(test)], drawn[len(test) :], rate)
        if hasattr(pipe, "transform"):
            table[name]["effective rank"] = effective_rank(pipe.transform(test))
        table[name]["seconds"] = seconds
        pictures[name] = drawn
    frame = pd.DataFrame.from_dict(table, orient="index").rename_axis("generator")
    frame.insert(1, "x floor", frame["energy distance"] / frame["energy distance"].iloc[0])
    figure = draw_pictures(problem, pictures, judge, frame)
    write_atomically(out / "demo.csv", frame.to_csv(float_format="%.6g").encode(), overwrite=True)
    with open_atomically(out / "demo.png", overwrite=True) as file:
        figure.savefig(file, dpi=150)
    return frame


@contextmanager
def one_thread() -> Iterator[None]:
    """Train on one thread: on nets this small, two wait for each other."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def describe(problem: Problem, frame: pd.DataFrame) -> str:
    """Lay out the table for a terminal."""
    shown = pd.DataFrame(index=frame.index)
    shown["energy distance"] = frame["energy distance"].map("{:.4f}".format)
    shown["x floor"] = frame["x floor"].map("{:.1f}".format)
    shown["rare-mode lift [95 %]"] = [
        f"{r.lift:.2f} [{r.low:.2f}, {r.high:.2f}]" for r in frame.itertuples()
    ]
    shown["effective rank"] = frame["effective rank"].map("{:.1f}".format).replace("nan", "-")
    shown["seconds"] = frame["seconds"].map("{:.1f}".format).replace("nan", "-")
    rate = problem.rare.mean()
    lines = [
        f"{problem.name}: {len(problem.X)} rows, {problem.X.shape[1]} columns, {rate:.1%} rare",
        *problem.notes,
        "",
        shown.rename_axis(None).to_string(),
        "",
        "real rows: the floor of the distance (real against real, same sizes) and the judge's own",
        "lift on held-out real rows. Lift 1 is calibrated; the intervals are binomial.",
    ]
    return "\n".join(lines)


def draw_pictures(
    problem: Problem, pictures: dict[str, np.ndarray], judge: Any, frame: pd.DataFrame
) -> Figure:
    """Show real rows beside drawn ones: tiles of images, else a plane with the rare in colour."""
    n_rows = 1 if len(pictures) < 4 else 2
    n_columns = -(-len(pictures) // n_rows)
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(3.2 * n_columns, 3.7 * n_rows), layout="constrained")
        axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True).ravel()
        for ax in axes[len(pictures) :]:
            ax.set_visible(False)
        real = pictures["real rows"]
        plane = _plane(real)
        for ax, (name, rows) in zip(axes, pictures.items(), strict=False):
            lift = frame.loc[name, "lift"]
            ax.set_title(f"{name}\nED {frame.loc[name, 'energy distance']:.3f}, lift {lift:.2f}")
            if problem.image_shape is not None:
                ax.imshow(_tiles(rows, problem.image_shape), cmap="gray_r", interpolation="nearest")
                ax.set_axis_off()
            else:
                rows = rows[: len(real)]
                judged = judge.predict(rows).astype(bool)
                for mask, color, size in ((~judged, "C0", 2), (judged, "C3", 5)):
                    points = plane(rows[mask]).T if mask.any() else ([], [])
                    ax.plot(*points, ".", color=color, ms=size, alpha=0.6)
                ax.set_aspect("equal")
    return figure


def _plane(real: np.ndarray) -> Any:
    if real.shape[1] == 2:
        return lambda rows: rows
    scaler = StandardScaler().fit(real)
    pca = PCA(2).fit(scaler.transform(real))
    return lambda rows: pca.transform(scaler.transform(rows))


def _tiles(rows: np.ndarray, shape: tuple[int, int], side: int = 9) -> np.ndarray:
    """Lay out the first side² rows as one image, a blank line between."""
    images = np.clip(rows[: side**2], 0, 16).reshape(side, side, *shape)
    framed = np.pad(images, ((0, 0), (0, 0), (0, 1), (0, 1)))
    return framed.swapaxes(1, 2).reshape(side * (shape[0] + 1), side * (shape[1] + 1))


def _like(rows: Any, frame: Any) -> Any:
    """Name the columns of rows as those of a frame, if it is one."""
    if isinstance(frame, pd.DataFrame) and not isinstance(rows, pd.DataFrame):
        return pd.DataFrame(rows, columns=frame.columns)
    return rows
