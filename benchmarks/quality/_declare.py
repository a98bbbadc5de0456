"""How the papers' tables are declared: rows are systems, columns are metrics of their work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = [
    "REAL",
    "STUDIES",
    "Block",
    "Cell",
    "Column",
    "Metric",
    "Row",
    "System",
    "Table",
    "kind_of",
]

REAL = "real"  # a control: rows of the truth in place of draws
STUDIES = {  # measurements in place of one sample, by the sampler that is fitted for them
    "ten draws": "cells",
    "nearest images": "prior",
    "rescaled codes": "mvg",
    "volumes": "cells",
    "epochs": "cells",
}


def kind_of(data: str) -> str:
    """Name the kind of a data set, which decides work and budget: "ring, radius 4" is a ring."""
    return data.partition(",")[0]


@dataclass(frozen=True)
class System:
    """What is trained: a class of geomgen or a peer, its parameters, and its kind of net."""

    model: str
    params: dict[str, Any] = field(default_factory=dict)
    architecture: str = "mlp"

    @property
    def has_codes(self) -> bool:
        """Whether there is a latent space, and so a choice of sampler."""
        return self.model not in (REAL, "GaussianMixture")


@dataclass(frozen=True)
class Metric:
    """Where a figure should be (``"low"``, ``"high"``, a number or ``"none"``), and its digits.

    ``label`` is a name rather than a quantity: its values are listed.
    """

    goal: str | float
    digits: int = 2
    label: bool = False


@dataclass(frozen=True)
class Column:
    """One metric under one sampler on one data set.

    ``sampler`` None is the model itself: reconstructions and codes. ``"N"`` is what the row says;
    the name of a study stands for itself.
    ``paper`` names the column of the paper's table whose figures stand beside it.
    """

    label: str
    metric: str
    data: str
    sampler: str | None = None
    paper: str | None = None


@dataclass(frozen=True)
class Block:
    """Columns that are printed side by side."""

    title: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, eq=False)
class Row:
    """A system of the table, with the paper's figures by the paper's column.

    ``own`` is the sampler of columns that say ``"N"``; ``why`` says why a sampler is not run.
    """

    label: str
    system: System
    paper: dict[str, float] = field(default_factory=dict)
    own: str = "mvg"
    why: dict[str, str] = field(default_factory=dict)
    control: bool = False


class Cell(NamedTuple):
    """One figure to be had, of all its seeds."""

    table: str
    row: str
    column: str
    data: str
    system: System
    sampler: str | None
    metric: str
    seeds: int
    budget: dict[str, Any]
    reason: str | None

    def what(self, seed: int) -> dict[str, Any]:
        """Declare the measurement behind one seed; cells of several tables may share it."""
        return {
            "data": self.data,
            "model": self.system.model,
            "params": self.system.params,
            "architecture": self.system.architecture,
            "sampler": self.sampler,
            "budget": self.budget,
            "seed": seed,
        }


@dataclass(frozen=True)
class Table:
    """A table of a paper.

    ``pairs`` are rows to compare seed by seed, first less second; ``together`` are columns to rank
    the rows by, one against the other; ``default`` is a row and a column, what users get if they
    choose nothing; ``pictures`` are files of docs/images; ``note`` says what the paper leaves open,
    and how it is read here.
    """

    name: str
    title: str
    source: str
    blocks: tuple[Block, ...]
    rows: tuple[Row, ...]
    note: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    together: tuple[tuple[Column, Column], ...] = ()
    default: tuple[str, str] | None = None
    pictures: tuple[str, ...] = ()

    def cells(self, profile: dict[str, dict[str, Any]]) -> Iterator[Cell]:
        """Every row by every column, with the budgets and seeds of a profile."""
        for row in self.rows:
            for block in self.blocks:
                for column in block.columns:
                    yield self.cell(row, column, profile)

    def cell(self, row: Row, column: Column, profile: dict[str, dict[str, Any]]) -> Cell:
        """One row by one column."""
        budget = dict(profile.get(column.data) or profile[kind_of(column.data)])
        seeds = budget.pop("seeds")
        sampler = row.own if column.sampler == "N" else column.sampler
        reason = row.why.get(column.sampler or "codes")
        if not row.system.has_codes and sampler != "ten draws":
            reason = "there are no codes" if sampler is None or sampler in STUDIES else reason
            sampler = "itself"
        if column.data not in profile["data"]["names"]:
            reason = "not in this profile"
        where = (self.name, row.label, column.label, column.data)
        return Cell(*where, row.system, sampler, column.metric, seeds, budget, reason)
