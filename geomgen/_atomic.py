"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_atomically", "write_atomically"]


def write_atomically(path: str | os.PathLike[str], content: bytes, overwrite: bool) -> Path:
    """Write a file beside its place, sync it to the disk, and move it there.

    Raises
    ------
    FileExistsError
        If there is a file and ``overwrite`` is False; it is left as it is.
    """
    with open_atomically(path, overwrite) as file:
        file.write(content)
    return Path(path)


@contextmanager
def open_atomically(path: str | os.PathLike[str], overwrite: bool) -> Iterator[BinaryIO]:
    """Open a file to be written piece by piece, which appears at the end or, at an error, not.

    Raises
    ------
    FileExistsError
        If there is a file and ``overwrite`` is False; it is left as it is.
    IsADirectoryError, FileNotFoundError
        If it is a folder, or is to be in one that does not exist.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    if path.is_dir():
        raise IsADirectoryError(f"{str(path)!r} is a folder: name a file in it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r}: make it first.")
    if path.exists() and not overwrite:  # checked again below, when the file is moved
        raise FileExistsError(_exists(path))
    try:
        with open(beside, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            with suppress(OSError):  # a file that was kept from others stays so
                shutil.copymode(path, beside)
            os.replace(beside, path)
        else:
            _move(beside, path)
        _sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def _move(beside: Path, path: Path) -> None:
    """Move without overwriting: a link fails where a file has appeared in the meantime."""
    try:
        os.link(beside, path)
    except FileExistsError as error:
        raise FileExistsError(_exists(path)) from error
    except OSError:  # a file system without hard links
        os.rename(beside, path)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _exists(path: Path) -> str:
    return f"There is a file at {str(path)!r} already: pass overwrite=True to replace it."
