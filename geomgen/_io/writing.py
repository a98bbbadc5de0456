"""Rows into a file, a frame at a time: the whole file is there in the end, or none."""

from __future__ import annotations

import gzip
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from geomgen._atomic import open_atomically

__all__ = ["check_output", "open_table"]

_ENDINGS = ".csv, .csv.gz, .tsv, .tsv.gz or .parquet"

Write = Callable[[pd.DataFrame], None]


def check_output(path: Path, force: bool, endings: tuple[str, ...] = ()) -> None:
    """Refuse, before the work, a file that could not be written after it.

    Raises
    ------
    ValueError
        If it exists and is not to be replaced, its folder does not exist or cannot be written to,
        or the name ends in none of the endings.
    """
    if endings and not path.name.lower().endswith(endings):
        raise ValueError(f"-o {path}: the name must end in {' or '.join(endings)}.")
    if path.is_dir():
        raise ValueError(f"-o {path}: this is a folder; name a file in it.")
    if path.exists() and not force:
        raise ValueError(f"-o {path}: the file exists; --force replaces it.")
    if not path.parent.is_dir():
        raise ValueError(f"-o {path}: there is no folder {str(path.parent)!r}; make it first.")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"-o {path}: the folder {str(path.parent)!r} cannot be written to.")


@contextmanager
def open_table(path: Path, force: bool) -> Iterator[Write]:
    """Open a file for rows; ``-`` is the standard output.

    Parameters
    ----------
    path : Path
        Its ending says the format.
    force : bool
        Whether to replace a file that is there.

    Yields
    ------
    callable
        Takes a frame and writes its rows after those before.

    Raises
    ------
    ValueError
        For an ending that is not known.
    """
    name = path.name.lower()
    if name == "-":
        yield _CSV(sys.stdout, ",")
    elif name.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz")):
        with open_atomically(path, force) as raw, _text(raw, name.endswith(".gz")) as text:
            yield _CSV(text, "\t" if name.endswith((".tsv", ".tsv.gz")) else ",")
    elif name.endswith((".parquet", ".pq")):
        _pyarrow()  # before a file is opened
        with open_atomically(path, force) as raw, _Parquet(raw) as write:
            yield write
    else:
        raise ValueError(f"-o {path}: the name must end in {_ENDINGS}.")


@contextmanager
def _text(raw: BinaryIO, compressed: bool) -> Iterator[io.TextIOWrapper]:
    # without a time stamp, so that the same rows are the same bytes
    inner: Any = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") if compressed else raw
    text = io.TextIOWrapper(inner, encoding="utf-8", newline="")
    try:
        yield text
    finally:
        text.detach()
        if compressed:
            inner.close()


class _CSV:
    def __init__(self, text: Any, separator: str) -> None:
        self.text, self.separator, self.header = text, separator, True

    def __call__(self, rows: pd.DataFrame) -> None:
        rows.to_csv(
            self.text, sep=self.separator, header=self.header, index=False, lineterminator="\n"
        )
        self.header = False
        self.text.flush()


class _Parquet:
    """Row groups of one schema, which is that of the first frame."""

    def __init__(self, raw: BinaryIO) -> None:
        self.raw, self.pyarrow = raw, _pyarrow()
        self.writer: Any = None

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, *error: Any) -> None:
        if self.writer is not None:
            self.writer.close()

    def __call__(self, rows: pd.DataFrame) -> None:
        arrow: Any = self.pyarrow
        if self.writer is None:
            from pyarrow import parquet

            schema = arrow.Schema.from_pandas(rows, preserve_index=False)
            for i, part in enumerate(schema):
                if arrow.types.is_null(part.type):  # all missing so far: later rows may not be
                    schema = schema.set(i, part.with_type(arrow.string()))
            self.schema, self.writer = schema, parquet.ParquetWriter(self.raw, schema)
        self.writer.write_table(
            arrow.Table.from_pandas(rows, schema=self.schema, preserve_index=False)
        )


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            'Parquet files need pyarrow: pip install "geomgen[parquet]", or use CSV.'
        ) from error
    return pyarrow
