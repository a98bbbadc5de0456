"""Tables from files that nobody prepared."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
import sys
import warnings
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from geomgen._io.columns import infer, kind_of, looks_like_a_key, read_as

__all__ = ["Reading", "read_table"]

MISSING = frozenset(
    ["", "?", "-", "--", ".", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan"]
    + ["-NaN", "NULL", "null", "None", "NaT", "#NULL!", "#DIV/0!", "#VALUE!"]
)
_SEPARATORS = (",", ";", "\t", "|")
_LOOKED_AT = 1 << 16  # characters that tell the separator
_OTHER_FILES = {
    ".xlsx",
    ".xls",
    ".ods",
    ".json",
    ".jsonl",
    ".feather",
    ".pkl",
    ".pickle",
    ".sas7bdat",
}


@dataclass(frozen=True)
class Reading:
    """How a file is to be read.

    Attributes
    ----------
    separator, encoding, decimal : str or None
        Of a CSV file; None finds them out.
    drop : collection of str
        Columns to leave out.
    keep : collection of str
        Columns that are no keys, whatever they look like.
    """

    separator: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    drop: Collection[str] = ()
    keep: Collection[str] = ()
    notes: list[str] = field(default_factory=list)  # what was found, filled by reading


def read_table(path: Path | str, how: Reading, like: pd.DataFrame | None = None) -> pd.DataFrame:
    """Read a CSV file, perhaps compressed by gzip, or a Parquet file.

    Parameters
    ----------
    path : path
        The file; ``-`` is a CSV file from the standard input.
    how : Reading
        What is known of it; its ``notes`` are added to.
    like : DataFrame, optional
        Another table of the same columns, whose kinds this one's are to have.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        For a file that cannot be read, or whose columns cannot be; it says what to change.
    """
    path = Path(path)
    try:
        table, is_text = _load(path, how)
        return _typed(table, how, like, is_text)
    except csv.Error as error:
        raise ValueError(f"{path}: this cannot be read as CSV ({error}).") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: the compressed file is damaged ({error}).") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _load(path: Path, how: Reading) -> tuple[pd.DataFrame, bool]:
    if str(path) != "-" and not path.is_file():
        raise ValueError("there is no such file.")
    if path.suffix.lower() in _OTHER_FILES:
        raise ValueError(f"{path.suffix} files are not read: save it as CSV or Parquet.")
    if path.suffix.lower() in (".parquet", ".pq"):
        return _load_parquet(path, how), False
    content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    return _load_csv(content, how), True


def _load_parquet(path: Path, how: Reading) -> pd.DataFrame:
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            'Parquet files need pyarrow: pip install "geomgen[parquet]", or use CSV.'
        ) from error
    try:
        table = pd.read_parquet(path, dtype_backend="numpy_nullable")
    except pyarrow.ArrowInvalid as error:
        raise ValueError(f"this is no Parquet file ({error}).") from error
    plain = {"Int64": "int64", "Float64": "float64", "boolean": "bool", "string": "str"}
    for name, column in table.items():
        if column.dtype == object and name not in how.drop:
            column = table[name] = _of_objects(name, column)
        dtype = plain.get(str(column.dtype))
        if dtype and (not column.isna().any() or dtype in ("str", "float64")):
            table[name] = column.astype(dtype)
    return table.reset_index(drop=True)


def _of_objects(name: Any, column: pd.Series) -> pd.Series:
    """Days, times of the day and decimals, which come as Python's own, as other files have them."""
    kinds = {type(value) for value in column.dropna()}
    if kinds == {datetime.date}:
        return column.astype("datetime64[s]")
    if kinds == {decimal.Decimal}:
        return column.astype(float)
    if kinds == {datetime.time}:
        return column.astype("str").where(column.notna())
    if kinds <= {str}:
        return column
    words = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise ValueError(
        f"column {name!r} holds values of type {words}: leave it out by --drop {name}."
    )


# ---------------------------------------------------------------------------------------- CSV
def _load_csv(content: bytes, how: Reading) -> pd.DataFrame:
    text = _decode(content, how)
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:  # as Excel writes it
        text, separator = rest, how.separator or first.strip()[4]
    else:
        separator = how.separator or _separator(text)
    _check_header(text, separator)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
                index_col=False,
            )
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            if "EOF" in str(error):
                raise ValueError("a quotation mark is opened and never closed.") from error
            raise ValueError(
                f"rows have more fields than the first line, with {separator!r} between them "
                f"({str(error).strip()}). Put fields that contain {separator!r} into quotes, or "
                "name another separator by --sep."
            ) from error
    table.columns = _unlike([str(name).strip() for name in table.columns])
    for name in table:
        column = table[name].str.strip()
        table[name] = column.mask(column.isin(MISSING) | column.isna())
    return table.dropna(how="all").reset_index(drop=True)


def _unlike(names: list[str]) -> list[str]:
    """Names that differ by spaces only get numbers, as pandas gives them to those of one name."""
    made: list[str] = []
    for name in names:
        copies = (f"{name}.{k}" for k in range(1, len(names) + 1))
        made.append(
            name if name not in made else next(c for c in copies if c not in [*names, *made])
        )
    return made


def _decode(content: bytes, how: Reading) -> str:
    if how.encoding is not None:
        try:
            return content.decode(how.encoding).removeprefix("\ufeff")
        except (UnicodeDecodeError, LookupError) as error:
            raise ValueError(f"--encoding {how.encoding}: {error}.") from error
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    if b"\x00" in content[:_LOOKED_AT]:
        raise ValueError("this is no text: save the table as CSV or Parquet.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        how.notes.append("not UTF-8, read as Western European (cp1252); --encoding names another")
        try:
            return content.decode("cp1252")
        except UnicodeDecodeError:
            return content.decode("latin-1")


def _separator(text: str) -> str:
    """Find what makes the lines equally long, and long."""
    start = text[:_LOOKED_AT]
    lines = (start.rpartition("\n")[0] if len(text) > len(start) else start).splitlines(True)

    def merit(separator: str) -> tuple[float, int]:
        rows = [row for row in csv.reader(lines, delimiter=separator, skipinitialspace=True) if row]
        if not rows or len(rows[0]) < 2:
            return 0.0, 0
        return sum(len(row) == len(rows[0]) for row in rows) / len(rows), len(rows[0])

    return max(_SEPARATORS, key=merit)


def _check_header(text: str, separator: str) -> None:
    lines = (line for line in io.StringIO(text) if line.strip())
    names = next(csv.reader(lines, delimiter=separator, skipinitialspace=True), None)
    if not names:
        raise ValueError("the file is empty.")
    given = [name.strip() for name in names if name.strip()]
    try:
        numbers = [float(name) for name in given]
    except ValueError:
        return
    steps = {b - a for a, b in zip(numbers, numbers[1:], strict=False)}
    if numbers and not (steps == {1.0} and numbers[0] in (0.0, 1.0)):  # 0, 1, 2, ... are names
        raise ValueError(
            f"the first line holds numbers ({', '.join(given[:4])}), and should name the columns: "
            "put a line of names above it."
        )


# -------------------------------------------------------------------------------------- kinds
def _typed(
    table: pd.DataFrame, how: Reading, like: pd.DataFrame | None, is_text: bool
) -> pd.DataFrame:
    unknown = [name for name in how.drop if name not in table.columns]
    if unknown and like is None:
        raise ValueError(f"--drop {','.join(unknown)}: the columns are {list(table)[:20]}.")
    table = table.drop(columns=[name for name in how.drop if name in table.columns])
    if table.shape[1] == 0 or len(table) == 0:
        raise ValueError(f"it has {len(table)} rows of {table.shape[1]} columns.")
    if like is not None:
        return _as_the_other(table, how, like)
    made = {}
    for name in table:
        column, note = infer(table[name], how.decimal) if is_text else (table[name], "")
        nameless = is_text and str(name).startswith("Unnamed: ")
        is_key = name not in how.keep and looks_like_a_key(name, column)
        if nameless and (is_key or column.isna().all()):
            how.notes.append(f"column {table.columns.get_loc(name) + 1} has no name: left out")
            continue
        if is_key:
            column = column.astype(str)
            note = f"column {name!r} numbers the rows, and is taken for a key"
        how.notes.extend([note] if note else [])
        made[name] = column
    if not made:
        raise ValueError("no column is left.")
    return pd.DataFrame(made)


def _as_the_other(table: pd.DataFrame, how: Reading, like: pd.DataFrame) -> pd.DataFrame:
    lacking = [name for name in like if name not in table.columns]
    if lacking:
        raise ValueError(f"columns {lacking[:5]} of the other table are not there.")
    made: dict[Any, pd.Series] = {}
    for name in like:
        if like[name].isna().all():
            made[name] = infer(table[name])[0] if kind_of(table[name]) == "text" else table[name]
            continue
        made[name], note = read_as(kind_of(like[name].dtype), table[name], how.decimal)
        how.notes.extend([note] if note else [])
    return pd.DataFrame(made)
