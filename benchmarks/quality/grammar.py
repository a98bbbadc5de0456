"""Strings by Bayesian optimisation: ``python -m benchmarks.quality.grammar run --profile cpu``.

Table 5 of paper L with one net, one mask and one evaluator for all six estimators. ``run`` measures
what the results file does not hold yet, a line at a time, so it can be killed and started again;
``report`` prints the tables as Markdown, the paper's figures beside ours.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.quality._figures import markdown
from benchmarks.quality._report import publish
from benchmarks.quality._runs import Lines, cached
from geomgen import sequence
from geomgen.sequence import (
    ExpressionScore,
    LatentOptimizer,
    evaluate_expressions,
    exact_reconstruction,
    make_expressions,
)

__all__ = ["main", "render"]

RESULTS = Path("benchmarks/results")
NEAR = 0.3  # a score below it is in the optimum's neighbourhood

PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {"n_train": 300, "epochs": 1, "rounds": 1, "batch": 5, "inducing": 50, "seeds": 1},
    "cpu": {"n_train": 20_000, "epochs": 15, "rounds": 5, "batch": 50, "inducing": 500, "seeds": 5},
    "full": {
        "n_train": 90_000,
        "epochs": 100,
        "rounds": 5,
        "batch": 50,
        "inducing": 500,
        "seeds": 5,
    },
}
MODELS = {  # with the paper's share of valid strings and average score
    "GVAE": ("GrammarVAE", 0.99, 3.47),
    "CVAE": ("CharacterVAE", 0.86, 4.75),
    "GCVVAE": ("GrammarConstantVarianceVAE", None, None),
    "GRAE": ("GrammarRAE", 1.00, 3.22),
    "G-GMM-DAE": ("GrammarGMMDAE", 1.00, 3.32),
    "G-LISA": ("GrammarLISA", 1.00, 3.16),
}
DATA = {
    "with": "the optimum's neighbourhood left in the training data (the paper's way)",
    "without": f"every string that scores under {NEAR} removed (the honest search)",
}
SEARCHES: dict[str, dict[str, Any]] = {
    "log-EI": {"acquisition": "log_ei", "duplicates": True},
    "random codes": {"acquisition": "log_ei", "duplicates": True},
    "log-EI, no duplicates": {"acquisition": "log_ei", "duplicates": False},
    "Thompson, no duplicates": {"acquisition": "thompson", "duplicates": False},
    "random codes, no duplicates": {"acquisition": "log_ei", "duplicates": False},
}
FIGURES = {  # label, digits
    "valid": ("valid", 2),
    "average_score": ("average score", 2),
    "distinct": ("distinct", 2),
    "novel": ("novel", 2),
    "best_novel": ("best novel", 3),
}
OF_MODEL = {
    "valid_sampled": ("valid, sampler's draws", 3),
    "valid_unmasked": ("the same, mask off", 3),
    "exact_held_out": ("reconstructed exactly, held out", 3),
    "exact_left_out": ("combinations left out", 3),
}


class Cell(NamedTuple):
    """A trained model with all that is measured of it."""

    data: str
    model: str
    profile: str
    seed: int

    def what(self, search: str) -> dict[str, Any]:
        budget = {k: v for k, v in PROFILES[self.profile].items() if k != "seeds"}
        return {**self._asdict(), "budget": budget, "search": search}


def cells(profile: str, n_seeds: int | None = None) -> Iterator[Cell]:
    """All cells, a seed of every model before the next seed."""
    declared = PROFILES[profile]["seeds"]
    for seed in range(declared if n_seeds is None else min(n_seeds, declared)):
        for data in DATA:
            for model in MODELS:
                yield Cell(data, model, profile, seed)


def is_expression(strings: list[str]) -> np.ndarray:
    """Whether strings are expressions that can be evaluated somewhere."""
    return ~np.isnan(evaluate_expressions(strings, np.linspace(-10, 10, 20))).all(axis=1)


class Work:
    """Training strings of one seed, with their scores; the same for all models.

    With the neighbourhood left in, all its strings are in, however few are trained on.
    """

    def __init__(self, data: str, n_train: int, seed: int, cache: Path | None) -> None:
        strings, self.left_out = make_expressions(return_left_out=True)
        scores = cached(cache, "expression-scores", lambda: ExpressionScore()(strings))
        order = np.random.RandomState(seed).permutation(len(strings))
        near = scores[order] < NEAR
        order = np.concatenate([order[near], order[~near]])[near.sum() * (data == "without") :]
        chosen, self.held_out = order[:n_train], strings[order[n_train:][-1000:]]
        chosen = np.random.RandomState(seed).permutation(chosen)
        self.strings, self.scores = strings[chosen], scores[chosen]


def fitted(cell: Cell, work: Work, cache: Path | None) -> tuple[Any, float]:
    """Train, or load from the cache; also the CPU seconds it took."""

    def fit() -> tuple[Any, float]:
        start = time.process_time()
        epochs = PROFILES[cell.profile]["epochs"]
        model = getattr(sequence, MODELS[cell.model][0])(max_epochs=epochs, random_state=cell.seed)
        model.fit(work.strings)
        return model, time.process_time() - start

    name = json.dumps(cell.what(""), sort_keys=True)
    return cached(cache, "grammar-" + hashlib.sha256(name.encode()).hexdigest()[:16], fit)


def of_model(model: Any, work: Work) -> dict[str, float]:
    """Measure validity of draws, with the mask and without, and exact reconstruction."""

    def valid() -> float:
        drawn = model.sample(2000, random_state=0)
        return float(np.mean(is_expression([str(s) for s in drawn])))

    figures = {"valid_sampled": valid()}
    if "budget" in model.get_params():
        model.set_params(budget=False)
        figures["valid_unmasked"] = valid()
        model.set_params(budget=True)
    return {
        **figures,
        "exact_held_out": exact_reconstruction(model, work.held_out),
        "exact_left_out": exact_reconstruction(model, work.left_out[::20]),
    }


def searched(model: Any, work: Work, search: str, cell: Cell) -> dict[str, float]:
    """Figures of one search, or of random codes at the same budget."""
    budget = PROFILES[cell.profile]
    optimizer = LatentOptimizer(
        model,
        ExpressionScore(),
        valid=is_expression,
        n_rounds=budget["rounds"],
        batch_size=budget["batch"],
        n_inducing=budget["inducing"],
        random_state=cell.seed,
        **SEARCHES[search],
    ).fit(work.strings, work.scores)
    result = optimizer.random_baseline() if search.startswith("random") else optimizer.run()
    return result.summary().to_dict() | {"best_string": result.best_novel[0]}


def run(wanted: Iterator[Cell], lines: Lines, cache: Path | None) -> int:
    """Measure what is missing; return the number of measurements."""
    done = 0
    for cell in wanted:
        missing = [s for s in ("model", *SEARCHES) if not lines.get(cell.what(s))]
        if not missing:
            continue
        work = Work(cell.data, PROFILES[cell.profile]["n_train"], cell.seed, cache)
        model, training = fitted(cell, work, cache)
        for search in missing:
            start = time.process_time()
            found = of_model(model, work) if search == "model" else None
            figures = found or searched(model, work, search, cell)
            seconds = {"training": training, "figures": time.process_time() - start}
            lines.add(cell.what(search), figures, seconds=seconds, device=str(model.device_))
            done += 1
            print(f"{cell.data} | {cell.model} | {search} | seed {cell.seed}", flush=True)
    return done


# ----------------------------------------------------------------------------------------- report
def render(profile: str, lines: Lines) -> str:
    """All tables of a profile."""
    budget = PROFILES[profile]
    said = ", ".join(f"{k} {v}" for k, v in budget.items())
    parts = [
        f"Profile `{profile}`: {said}. Entries are mean ± standard deviation (number of seeds)."
    ]
    for data, title in DATA.items():
        parts.append(f"## Expressions, {title}")
        for search in SEARCHES:
            grid = _grid(data, search, profile, lines, FIGURES, paper=search == "log-EI")
            parts += [f"**{search[0].upper()}{search[1:]}**", grid]
        grid = _grid(data, "model", profile, lines, OF_MODEL)
        parts += ["**The models themselves**", grid]
    missing = sum(not lines.get(c.what(s)) for c in cells(profile) for s in ("model", *SEARCHES))
    if missing:
        parts.append(f"- {missing} measurements of this profile have not been run.")
    return "\n\n".join(parts) + "\n"


def _grid(
    data: str,
    search: str,
    profile: str,
    lines: Lines,
    columns: dict[str, tuple[str, int]],
    paper: bool = False,
) -> str:
    papers = ["paper: valid", "paper: average score"] if paper else []
    heads = ["row", *papers, *(label for label, _ in columns.values())]
    rows = [heads, ["---"] * len(heads)]
    for name, (_, *figures) in MODELS.items():
        told = ["–" if f is None else f"{f:.2f}" for f in figures] if paper else []
        own = (
            _text(data, name, search, profile, lines, key, digits)
            for key, (_, digits) in columns.items()
        )
        rows.append([name, *told, *own])
    return markdown(rows)


def _text(
    data: str, model: str, search: str, profile: str, lines: Lines, key: str, digits: int
) -> str:
    found = [
        record["figures"].get(key)
        for seed in range(PROFILES[profile]["seeds"])
        if (record := lines.get(Cell(data, model, profile, seed).what(search)))
    ]
    values = [value for value in found if value is not None]
    if not values:
        return "—" if found else "not run"
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread} ({len(values)})"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.quality.grammar")
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--profile", choices=PROFILES, default="cpu")
    shared.add_argument("--out", type=Path, default=RESULTS, help="folder of the results file")
    running = commands.add_parser("run", parents=[shared], help="measure what is missing")
    running.add_argument("--seeds", type=int, help="at most so many; the profile's by default")
    running.add_argument("--rows", nargs="+", choices=MODELS, help="labels; all by default")
    running.add_argument("--cache", type=Path, help="folder of trained models")
    reporting = commands.add_parser("report", parents=[shared], help="print Markdown")
    reporting.add_argument("--page", type=Path, help="put it between the marks of this page")
    options = parser.parse_args(arguments)
    lines = Lines(options.out / f"grammar-{options.profile}.jsonl")
    if options.command == "report":
        text = render(options.profile, lines)
        publish(text, options.page)
        return 0
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Round .* found")
        wanted = cells(options.profile, options.seeds)
        rows = options.rows or MODELS
        done = run((cell for cell in wanted if cell.model in rows), lines, options.cache)
    print(f"{done} measured, {len(lines.records)} in {lines.path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
