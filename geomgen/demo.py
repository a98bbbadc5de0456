"""The main job in one run: fit, sample, score, beside what people use today."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from geomgen.datasets import make_rare_digits, make_ring_mixture
from geomgen.metrics import (
    effective_rank,
    energy_distance,
    is_rare,
    lift_interval,
    neighbour_judge,
    rare_mode_lift,
)
from geomgen.models import GrassmannAE, LISAGenerator, VAEGenerator
from geomgen.pipeline import sample

__all__ = ["Problem", "load_problem", "run_demo"]

MAX_ROWS = 12_000  # of a file: the demo is to take minutes, not hours
LIFT_DRAWS = 5_000


@dataclass(frozen=True)
class Problem:
    """Rows with a rare label, and how to look at them.

    Attributes
    ----------
    name : str
        For titles.
    X : ndarray or DataFrame of shape (n, p)
        Numeric rows.
    rare : ndarray of bool of shape (n,)
        Which rows are rare.
    n_components : int
        Latent dimension for the models.
    image_shape : tuple of int or None
        Height and width, where rows are images.
    notes : tuple of str
        What was left out of the data.
    """

    name: str
    X: Any
    rare: np.ndarray
    n_components: int
    image_shape: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


def load_problem(
    data: str = "digits", target: str | None = None, rare: str | None = None, seed: int = 0
) -> Problem:
    """Load ``digits``, ``ring`` or a CSV file.

    Parameters
    ----------
    data : str, default="digits"
        ``"digits"`` (scikit-learn's, with 2 % nines), ``"ring"`` or the path of a CSV file.
    target : str, optional
        The file's label column.
    rare : str, optional
        The rare label as written in the file; by default the least frequent.
    seed : int, default=0
        For the rows that are kept.

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        For a file that cannot be used, saying what to change.
    """
    if data == "digits":
        X, y = make_rare_digits(9, 0.02, random_state=seed)
        return Problem("digits, 2 % nines", X, y == 9, 16, image_shape=(8, 8))
    if data == "ring":
        X, y = make_ring_mixture(6000, random_state=seed)
        return Problem("ring of 8 Gaussians, one of 2 %", X, y == 0, 2)
    return _load_csv(Path(data), target, rare, seed)


def _load_csv(path: Path, target: str | None, rare: str | None, seed: int) -> Problem:
    if not path.is_file():
        raise ValueError(f"--data {path}: there is no such file. Use digits, ring, or a CSV file.")
    table = pd.read_csv(path)
    if target not in table.columns:
        raise ValueError(f"--target {target}: use one of the columns {list(table.columns)}.")
    labels = table.pop(target).astype(str)
    if rare is not None and rare not in set(labels):
        raise ValueError(f"--rare {rare}: {target} has only {sorted(set(labels))[:20]}.")
    notes = []
    X = table.select_dtypes("number")
    left_out = [c for c in table if c not in X]
    if left_out:
        notes.append(f"columns left out because they are not numeric: {left_out}")
    complete = X.notna().all(axis=1)
    if not complete.all():
        notes.append(f"{int((~complete).sum())} rows left out because they have missing values")
    X, labels = X[complete], labels[complete]
    if X.shape[1] == 0 or len(X) < 30:
        raise ValueError(
            f"{path} leaves {X.shape[0]} complete rows of {X.shape[1]} numeric columns."
        )
    if len(X) > MAX_ROWS:
        notes.append(f"{MAX_ROWS} of {len(X)} rows used, chosen at random")
        kept = check_random_state(seed).permutation(len(X))[:MAX_ROWS]
        X, labels = X.iloc[kept], labels.iloc[kept]
    n_components = int(np.clip(X.shape[1] - 1, 2, 16))
    return Problem(path.name, X, is_rare(labels, rare), n_components, notes=tuple(notes))


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
        pipe.fit(train)
        seconds = time.perf_counter() - start
        drawn = sample(pipe, LIFT_DRAWS + len(test), random_state=seed)
        drawn = np.asarray(drawn)
        table[name] = row(drawn[: len(test)], drawn[len(test) :], rate)
        if hasattr(pipe, "transform"):
            table[name]["effective rank"] = effective_rank(pipe.transform(test))
        table[name]["seconds"] = seconds
        pictures[name] = drawn
    frame = pd.DataFrame.from_dict(table, orient="index").rename_axis("generator")
    frame.insert(1, "x floor", frame["energy distance"] / frame["energy distance"].iloc[0])
    out.mkdir(parents=True, exist_ok=True)
    frame.to_csv(out / "demo.csv", float_format="%.6g")
    draw_pictures(problem, pictures, judge, frame).savefig(out / "demo.png", dpi=150)
    return frame


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
