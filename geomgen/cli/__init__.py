"""The command line: ``geomgen fit | sample | evaluate | compare | report | demo``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import geomgen
from geomgen.cli import _compare, _demo, _evaluate, _fit, _report, _sample

__all__ = ["main"]

_COMMANDS = (_fit, _sample, _evaluate, _compare, _report, _demo)
_EXAMPLES = """\
the usual way, from a table in a file to a synthetic one:
  geomgen fit claims.csv --target fraud --rare 1 -o claims.geomgen
  geomgen sample claims.geomgen -n 100000 -o synthetic.parquet
  geomgen evaluate claims.csv synthetic.parquet --target fraud --rare 1

a page for a reviewer, from rows held out of the fit:
  geomgen report claims.csv --target fraud --rare 1 -o claims.html

each command says more: geomgen fit --help
exit codes: 0; 2 for arguments or data that cannot be used; 130 after Ctrl-C"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        In place of those of the process.

    Returns
    -------
    int
        The exit code: 0; 2 for arguments or data that cannot be used; 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    name = f"geomgen {options.command}"

    def show(message: Any, *_: Any) -> None:
        print(f"{name}: warning: {message}", file=sys.stderr)

    try:
        with _stopping(), warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = show  # type: ignore[assignment]
            options.run(options)
            sys.stdout.flush()
    except BrokenPipeError:  # who read the rows has had enough, as "head" does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, ImportError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, _Stopped):
        print(f"{name}: interrupted, nothing was written", file=sys.stderr)
        return 130
    return 0


class _Stopped(BaseException):
    """Ctrl-C, which no estimator takes for the wish to keep what it has learnt so far."""


@contextmanager
def _stopping() -> Iterator[None]:
    """Let Ctrl-C end the command, not only the fit that it meets."""
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise _Stopped

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="geomgen",
        description="Learn a table, draw new rows, and know how good they are.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"geomgen {geomgen.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for module in _COMMANDS:
        module.add_to(commands)
    return parser
