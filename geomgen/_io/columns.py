"""What the strings of a column stand for: numbers, times, booleans, or themselves."""

from __future__ import annotations

import re
from itertools import product
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types

__all__ = ["Kind", "infer", "kind_of", "looks_like_a_key", "read_as"]

Kind = Literal["number", "time", "bool", "text"]

_STRAY = 0.05  # share of the values that may be of another kind, and are read as missing
_FEW = 50  # distinct values below which a column of numbers and words is one of categories
_EXACT = 2.0**53  # integers beyond have no float of their own
_MOST_TRIED = 200  # values that are tried before a whole column is

_ENGLISH = r"[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?"
_CONTINENTAL = r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?"
_UNITS = r"(?<![^+-])[$€£¥]|[$€£¥%]$"
_GROUPS = r"(?<=\d)[\s\u00a0\u202f'’](?=\d{3}(?!\d))"
_CENTS = r".*([.,]\d\d$|\d[eE])"

_DAYS = (
    *("%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%Y/%m/%d"),
    *("%d.%m.%Y", "%d.%m.%y", "%m-%d-%Y", "%d-%m-%Y"),
    *("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y", "%a %d %b %Y"),
)
_HOURS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_FORMATS = ("ISO8601", *(day + hour for day, hour in product(_DAYS, _HOURS)))

_KEY_NAME = re.compile(r"(?:^|[_\W])(?:id|key|uuid|guid)$", re.IGNORECASE)
_CAMEL_KEY_NAME = re.compile(r"[a-z](?:Id|ID|Key)$")


def infer(column: pd.Series, decimal: str | None = None) -> tuple[pd.Series, str]:
    """Read a column of strings as what nearly all of its values are.

    Parameters
    ----------
    column : Series of str
        Values, missing ones as NaN.
    decimal : {".", ","}, optional
        The decimal mark; by default what fits best.

    Returns
    -------
    column : Series
        Of dtype int64 or Int64, float64, bool or boolean, datetime64, or str.
    note : str
        What is worth saying, if anything is.

    Raises
    ------
    ValueError
        If numbers and words are mixed so that it can be neither.
    """
    present = column.dropna()
    if present.empty:
        return column.astype(float), ""
    numbers = _numbers(present, decimal)
    good = numbers.notna()
    if good.mean() >= 1 - _STRAY and good.any():
        if _has_exact_digits(present):
            return column, ""
        made = _whole(numbers, present).reindex(column.index)
        return _tight(made), _strays(column.name, present[~good], "numbers")
    if present.str.lower().isin(["true", "false"]).all():
        return _tight(_booleans(column)), ""
    times, note = _times(present)
    if times is not None:
        strays = _strays(column.name, present[times.isna()], "dates")
        return times.reindex(column.index), "; ".join(filter(None, (note, strays)))
    if good.mean() > 0.5 and numbers[good].nunique() > _FEW:
        raise ValueError(
            f"Column {column.name!r} has {int(good.sum())} numbers and {int((~good).sum())} values "
            f"that are none, such as {_some(present[~good])}: correct them, empty them, or leave "
            f"it out by --drop {column.name}."
        )
    return column, ""


def kind_of(dtype: Any) -> Kind:
    """Return what a column of a dtype holds."""
    if types.is_bool_dtype(dtype):
        return "bool"
    if types.is_datetime64_any_dtype(dtype):
        return "time"
    return "number" if types.is_numeric_dtype(dtype) else "text"


def read_as(kind: Kind, column: pd.Series, decimal: str | None = None) -> tuple[pd.Series, str]:
    """Read a column, of strings or not, as a kind that is known from other rows.

    Raises
    ------
    ValueError
        If it holds something else.
    """
    if kind_of(column.dtype) == kind or column.isna().all():
        return column, ""
    text = column.astype("str").where(column.notna())
    if kind == "text":
        return text, ""
    if kind == "bool":
        made: Any = _booleans(text)
    else:
        present = text.dropna()
        made = _numbers(present, decimal) if kind == "number" else _times(present)[0]
        made = pd.Series(np.nan, index=[]) if made is None else made
        made = made.reindex(text.index)
    lost = text[made.isna() & text.notna()]
    if len(lost) > _STRAY * text.notna().sum():
        words = {"number": "numbers", "time": "dates", "bool": "true and false"}[kind]
        raise ValueError(
            f"Column {column.name!r} holds {words} in the other table, and here {_some(lost)}: "
            "write both in the same way."
        )
    return _tight(made), _strays(column.name, lost, "of the other table's kind")


def looks_like_a_key(name: Any, column: pd.Series) -> bool:
    """Whether whole numbers number the rows: consecutive, or all different and called an id."""
    if not types.is_integer_dtype(column.dtype) or len(column) < 20 or column.isna().any():
        return False
    if column.nunique() < len(column):
        return False
    consecutive = int(column.max()) - int(column.min()) == len(column) - 1
    named = _KEY_NAME.search(str(name)) or _CAMEL_KEY_NAME.search(str(name))
    return consecutive or bool(named)


# ------------------------------------------------------------------------------------ numbers
def _numbers(values: pd.Series, decimal: str | None) -> pd.Series:
    """Numbers in the notation that most values fit, NaN where they do not."""
    if decimal != ",":
        plain = _plain(values)
        if plain.notna().all():
            return plain
    bare = values.str.replace(_UNITS, "", regex=True).str.strip()
    bare = bare.str.replace(_GROUPS, "", regex=True)
    found = []
    if decimal != ",":
        english = bare.where(bare.str.fullmatch(_ENGLISH)).str.replace(",", "")
        found += [_plain(bare), _plain(english)]
    if decimal != ".":
        continental = bare.where(bare.str.fullmatch(_CONTINENTAL))
        continental = continental.str.replace(".", "").str.replace(",", ".")
        # "1,234" alone is a thousand and more in one notation, and little more than 1 in the other
        grouped = bare.str.fullmatch(r"[+-]?\d{1,3},\d{3}").fillna(False)
        found.insert(0 if decimal or not grouped.all() else 2, _plain(continental))
    return max(found, key=lambda numbers: int(numbers.notna().sum()))


def _plain(values: pd.Series) -> pd.Series:
    words = values.str.fullmatch(r"\s*[a-zA-Z]+\s*").fillna(False)  # inf, true
    made = pd.to_numeric(values.where(~words.astype(bool)), errors="coerce").astype(float)
    return made.where(np.isfinite(made))  # -inf, 1e999


def _has_exact_digits(values: pd.Series) -> bool:
    """Whether digits are a code: of leading zeros, or more of them than a number holds."""
    if values.str.match(r"[+-]?0\d").any():
        return True
    long = values[values.str.fullmatch(r"[+-]?\d{16,}")]
    return any(abs(int(value)) > _EXACT for value in long)


def _whole(numbers: pd.Series, written: pd.Series) -> pd.Series:
    """Integers, if they are all whole and none is written with cents or an exponent."""
    present = numbers.dropna()
    whole = bool((present == present.round()).all()) and bool((present.abs() <= _EXACT).all())
    # "2.0" is how an integer is often written beside missing ones, and "2.00" is a price
    return numbers.astype("Int64") if whole and not written.str.match(_CENTS).any() else numbers


def _tight(column: pd.Series) -> pd.Series:
    """Take numpy's dtype where nothing is missing."""
    plain = {"Int64": "int64", "boolean": "bool"}.get(str(column.dtype))
    return column if plain is None or column.isna().any() else column.astype(plain)


def _booleans(column: pd.Series) -> pd.Series:
    words = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
    return column.str.lower().map(words).astype("boolean")


# -------------------------------------------------------------------------------------- times
def _times(values: pd.Series) -> tuple[pd.Series | None, str]:
    """Find the format that nearly all values are in: their times, or None."""
    some = values.drop_duplicates().head(_MOST_TRIED)
    if not some.str.contains(r"\d").all() or some.str.len().max() < 6:
        return None, ""
    fits = [form for form in _FORMATS if _parsed(some, form).notna().mean() >= 1 - _STRAY]
    tried = [(form, _parsed(values, form)) for form in fits]
    good = [(form, times) for form, times in tried if times.notna().mean() >= 1 - _STRAY]
    if not good:
        return None, ""
    form, times = max(good, key=lambda pair: int(pair[1].notna().sum()))
    others = [other for other, found in good if found.notna().sum() == times.notna().sum()]
    note = ""
    if {form[:2] for form in others} >= {"%d", "%m"}:
        note = (
            f"column {values.name!r}: the dates are read as month first, and could be day first; "
            "write them as 2024-01-31 to be sure"
        )
    return times, note


def _parsed(values: pd.Series, form: str) -> pd.Series:
    try:
        return pd.to_datetime(values, format=form, errors="coerce")
    except ValueError:  # several time zones
        return pd.to_datetime(values, format=form, errors="coerce", utc=True)


# -------------------------------------------------------------------------------------- words
def _strays(name: Any, values: pd.Series, kind: str) -> str:
    if values.empty:
        return ""
    return (
        f"column {name!r}: {len(values)} values that are no {kind}, such as {_some(values)}, are "
        "read as missing"
    )


def _some(values: pd.Series) -> str:
    return ", ".join(repr(value) for value in values.unique()[:3])
