"""Figures of generators of tables as Markdown: means over data sets, spread over seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.quality._figures import markdown
from benchmarks.quality._rows import TABLES

__all__ = ["render"]

OURS = "geomgen auto"  # the default
SPENT = "fit + sample, s"
Figures = dict[str, dict[str, Any]]


class Figure(NamedTuple):
    """A column: what it is called, where it is, its digits, how data sets become one figure."""

    label: str
    name: str
    digits: int
    over_data: Callable[[pd.Series], float] = np.mean


class Aim(NamedTuple):
    """What the default should reach: in a part, a figure at most or at least so much."""

    part: str
    label: str
    most: float | None = None
    least: float | None = None


def _geometric(values: pd.Series) -> float:
    return float(np.exp(np.log(values).mean()))


NUMERIC = (
    Figure("precision", "precision", 3),
    Figure("recall", "recall", 3),
    Figure("coverage", "coverage", 3),
    Figure("ED / floor", "ratio", 2, _geometric),
    Figure("lRML", "lRML", 2),
    Figure("pref", "preference", 3),
    Figure("pref, worst set", "preference", 3, np.max),
    Figure("fit s per 5000", "fit_per_5000", 1),
    Figure("rows a second", "rows_per_second", 0, np.min),
)
LABELLED = (
    Figure("TSTR", "tstr", 3),
    Figure("TSTR, worst set", "tstr", 3, np.min),
    Figure("pref of rare rows", "rare_preference", 3),
    Figure("pref of rare rows, worst set", "rare_preference", 3, np.max),
)
THINNED = (Figure("lRML", "lRML", 2), Figure("lRML, worst set", "lRML", 2, np.max))
ADULT = (
    Figure("columns", "marginal", 4),
    Figure("pairs", "pairwise", 4),
    Figure("associations", "association", 4),
    Figure("TSTR", "tstr", 3),
    Figure("fit, s", "fit", 0),
    Figure("sample, s", "sample", 1),
)
WHOLE = ADULT[-2:]
PARTS = {
    "numeric": NUMERIC,
    "labelled": LABELLED,
    "thinned": THINNED,
    "adult": ADULT,
    "whole": WHOLE,
}
AIMS = (
    Aim("numeric", "precision", least=0.93),
    Aim("numeric", "recall", least=0.95),
    Aim("numeric", "coverage", least=0.91),
    Aim("numeric", "ED / floor", most=1.15),
    Aim("numeric", "lRML", most=0.18),
    Aim("numeric", "pref", most=0.74),
    Aim("numeric", "pref, worst set", most=0.77),
    Aim("numeric", "fit s per 5000", most=3.0),
    Aim("numeric", "rows a second", least=1e5),
    Aim("labelled", "TSTR", least=0.955),
    Aim("labelled", "pref of rare rows", most=0.78),
    Aim("labelled", "pref of rare rows, worst set", most=0.78),
    Aim("thinned", "lRML", most=0.25),
)


def render(cells: Figures) -> str:
    """All tables, the aims, and what could not be measured."""
    found = _frame(cells)
    parts = [
        "### Numeric tables, without labels",
        _over(found, "numeric", TABLES),
        *_fewer(found),
        "### Numeric tables, with labels",
        _over(found, "labelled", TABLES),
        "### The rare class thinned to 0.5 % of the training rows",
        _over(found, "thinned", TABLES),
        "### Adult, of mixed types",
        _over(found, "adult", ("adult",)),
        "### All 32 561 rows of Adult, and as many draws: CPU seconds",
        _over(found, "whole", ("adult",)),
        *_times(found),
        f"### What `{OURS}` should reach",
        _aims(found),
        *_reasons(cells),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _frame(cells: Figures) -> pd.DataFrame:
    """One line a cell that was measured."""
    keys = [key.split("|") for key in cells]
    names = pd.DataFrame(keys, columns=["part", "data", "generator", "seed"])
    found = pd.concat([names, pd.DataFrame(list(cells.values()))], axis=1)
    if "reason" in found:
        found = found[found["reason"].isna()]
    return found.assign(ratio=found["energy"] / found["floor"] if "energy" in found else np.nan)


def _by_seed(found: pd.DataFrame, part: str, data: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """Figures of each generator, a line a seed, over these data sets; of seeds with all of them."""
    wanted = found[(found["part"] == part) & found["data"].isin(data)]
    tables = {}
    for generator, own in wanted.groupby("generator", sort=False):
        seeds = {
            seed: {f.label: f.over_data(rows[f.name]) for f in PARTS[part] if f.name in rows}
            for seed, rows in own.groupby("seed")
            if len(rows) == len(data)
        }
        if seeds:
            tables[str(generator)] = pd.DataFrame.from_dict(seeds, orient="index")
    return tables


def _over(found: pd.DataFrame, part: str, data: tuple[str, ...]) -> str:
    tables = _by_seed(found, part, data)
    if not tables:
        return "Not run."
    head = ["generator", "seeds", *(f.label for f in PARTS[part])]
    lines = [head, ["---"] * len(head)]
    for generator, seeds in tables.items():
        said = [_said(seeds[f.label], f.digits) for f in PARTS[part]]
        lines.append([generator, str(len(seeds)), *said])
    return markdown(lines)


def _said(values: pd.Series, digits: int) -> str:
    if values.isna().any():
        return "–"
    spread = f" ± {values.std():,.{digits}f}" if len(values) > 1 and digits else ""
    return f"{values.mean():,.{digits}f}{spread}"


def _fewer(found: pd.DataFrame) -> Iterator[str]:
    """Show generators that were run on some of the data sets, beside ours on the same ones."""
    numeric = found[found["part"] == "numeric"]
    sets = numeric.groupby("generator", sort=False)["data"].agg(set)
    whole = set(_by_seed(found, "numeric", TABLES))
    for names in sorted({tuple(d for d in TABLES if d in s) for s in sets}, key=len, reverse=True):
        few = {str(g) for g, s in sets.items() if s == set(names)} - whole
        if few:
            yield f"On {', '.join(names)} alone, as far as these were run:"
            chosen = numeric["generator"].isin({*few, OURS, "real rows"})
            yield _over(numeric[chosen], "numeric", names)


def _times(found: pd.DataFrame) -> Iterator[str]:
    """Say the CPU seconds of others on all of Adult as multiples of ours."""
    tables = _by_seed(found, "whole", ("adult",))
    spent = {
        generator: float((seeds["fit, s"] + seeds["sample, s"]).mean())
        for generator, seeds in tables.items()
    }
    ours = spent.pop(OURS, float("nan"))
    others = {g: s / ours for g, s in spent.items() if np.isfinite(s / ours)}
    if others:
        said = ", ".join(f"{g} {ratio:.3g}" for g, ratio in others.items())
        yield f"In all, as multiples of `{OURS}`'s {ours:.1f}: {said}."


def _aims(found: pd.DataFrame) -> str:
    lines = [["figure", "aim", "obtained", "met", "real rows"], ["---"] * 5]
    digits = {(part, f.label): f.digits for part, own in PARTS.items() for f in own}
    for aim in AIMS:
        tables = _by_seed(found, aim.part, TABLES)
        seeds, real = tables.get(OURS), tables.get("real rows")
        said = f"at most {aim.most:g}" if aim.most is not None else f"at least {aim.least:,g}"
        if seeds is None:
            lines.append([f"{aim.label} ({aim.part})", said, "not run", "–", "–"])
            continue
        mean = seeds[aim.label].mean()
        met = mean <= aim.most if aim.most is not None else mean >= aim.least
        shown = [
            "–" if own is None else _said(own[aim.label], digits[aim.part, aim.label])
            for own in (seeds, real)
        ]
        obtained = f"{shown[0]} ({len(seeds)} seed{'s' if len(seeds) > 1 else ''})"
        met_or_not = "yes" if met else "**no**"
        lines.append([f"{aim.label} ({aim.part})", said, obtained, met_or_not, shown[1]])
    return markdown(lines)


def _reasons(cells: Figures) -> Iterator[str]:
    """Say why what is missing is missing."""
    found = [(key.split("|"), value["reason"]) for key, value in cells.items() if "reason" in value]
    if found:
        yield "Not measured:"
        yield "\n".join(f"- {g} on {data}, seed {seed}: {why}" for (_, data, g, seed), why in found)
