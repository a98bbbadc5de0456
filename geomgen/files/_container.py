"""The file: a safetensors file whose metadata holds the document and a checksum."""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

__all__ = ["FORMAT", "ModelFileError", "pack", "read", "unpack"]

FORMAT = 1  # raised when a file of this version can no longer be read by the code of the last
_NO_SUM = b"0" * 64
_SUM = re.compile(rb'"sha256":"([0-9a-f]{64})"')  # quotes inside strings of the header are escaped
_MOST_HEADER = 2**26  # bytes; the tensors, which may be many, are not in it


class ModelFileError(ValueError):
    """A file that :func:`geomgen.load` refuses, or an object that :func:`geomgen.save` cannot hold.

    Examples
    --------
    >>> import geomgen, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.geomgen"
    >>> _ = path.write_bytes(b"no model")
    >>> geomgen.load(path)
    Traceback (most recent call last):
    geomgen.files._container.ModelFileError: ... is not a geomgen file, or was cut short...
    """


def pack(document: dict[str, Any], tensors: dict[str, np.ndarray]) -> bytes:
    """Make the bytes of a file.

    The checksum is the SHA-256 of the whole file, with zeros in the checksum's own place.
    """
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    metadata = {"format": f"geomgen {FORMAT}", "sha256": _NO_SUM.decode(), "document": text}
    content = safetensors.numpy.save(tensors, metadata)
    if _header_size(content) > _MOST_HEADER:
        raise ModelFileError(
            f"What is no number takes {len(text)} characters, and a file holds {_MOST_HEADER} at "
            "most: there are too many labels or texts in it."
        )
    return _with_sum(content, hashlib.sha256(content).hexdigest().encode())


def read(path: str | os.PathLike[str]) -> bytes:
    """Read a file, if it begins as one of ours does: what is none may be of any size."""
    with open(path, "rb") as file:
        if not 2 <= _header_size(file.peek(8)) <= _MOST_HEADER:
            raise ModelFileError(f"{path} is not a geomgen file, or was cut short.")
        return file.read()


def unpack(content: bytes, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Check the bytes of a file, and return its document and its tensors.

    Nothing is allocated that the file does not hold: tensors are not compressed, and their sizes
    must add up to that of the file.
    """
    size = _header_size(content)
    if not 2 <= size <= min(_MOST_HEADER, len(content) - 8):
        raise ModelFileError(f"{name} is not a geomgen file, or was cut short.")
    found = _SUM.findall(content[: 8 + size])
    if len(found) != 1:
        raise ModelFileError(f"{name} is not a geomgen file: it has no checksum.")
    header = content[: 8 + size]
    digest = hashlib.sha256(_with_sum(header, _NO_SUM))
    digest.update(memoryview(content)[len(header) :])  # no second copy of the weights
    if digest.hexdigest().encode() != found[0]:
        raise ModelFileError(f"{name} was altered or cut short: its checksum is not that it has.")
    try:
        metadata = json.loads(content[8 : 8 + size])["__metadata__"]
        version = re.fullmatch(r"geomgen (\d{1,9})", metadata["format"])
        if version is None:
            raise ModelFileError(f"{name} is not a geomgen file: it says {metadata['format']!r}.")
        _check_version(int(version[1]), name)
        document = json.loads(metadata["document"], parse_constant=_refuse_constant)
        return document, safetensors.numpy.load(content)
    except ModelFileError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise ModelFileError(
            f"{name} is not a geomgen file: {type(error).__name__}: {error}"
        ) from error


def _header_size(content: bytes) -> int:
    return int.from_bytes(content[:8], "little")


def _with_sum(content: bytes, checksum: bytes) -> bytes:
    header = content[: 8 + _header_size(content)]
    return _SUM.sub(b'"sha256":"' + checksum + b'"', header, count=1) + content[len(header) :]


def _check_version(version: int, name: str) -> None:
    if version > FORMAT:
        raise ModelFileError(
            f"{name} has version {version} of the format, and this geomgen reads {FORMAT}: "
            "upgrade geomgen."
        )
    if version < FORMAT:
        raise ModelFileError(
            f"{name} has version {version} of the format, which this geomgen, of version {FORMAT}, "
            "no longer reads: load it with the geomgen that saved it, or fit anew."
        )


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
