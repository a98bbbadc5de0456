"""Cheaper steps of training: bfloat16, and networks that are compiled."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from geomgen.nn import Head

__all__ = ["accelerated"]


@contextmanager
def accelerated(module: nn.Module, low_precision: bool, compiled: bool) -> Iterator[None]:
    """Let the networks of a model train in bfloat16, or compiled, and put them back after.

    It is the trunks of encoder and decoder that are, not the terms of the loss: distances and
    determinants lose their digits in bfloat16. What torch compiles is dropped after training, for
    evaluation and pickle to find the networks as they were.

    Raises
    ------
    RuntimeError
        If torch cannot compile here.
    """
    heads = [part for part in module.modules() if isinstance(part, Head)]
    failures = _compilation_errors() if compiled else ()
    try:
        with _without_torchs_warnings() if compiled else nullcontext():
            for head in heads:
                head.low_precision = low_precision
                head.compiled = _compile(head.trunk) if compiled else None
            yield
    except failures as error:
        raise RuntimeError(
            f"compile=True, but torch.compile fails here ({type(error).__name__}: "
            f"{str(error).splitlines()[0]}): it needs a C++ compiler, or Triton on a GPU. Use "
            "compile=False."
        ) from error
    finally:
        for head in heads:
            head.low_precision, head.compiled = False, None


def _compile(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """Compile a function: ``nn.Module.compile`` does nothing for torch's own containers."""

    def forward(x: Tensor) -> Tensor:
        return network(x)

    return torch.compile(forward)


@contextmanager
def _without_torchs_warnings() -> Iterator[None]:
    """Silence what the compiler says of torch's own modules, and of inputs with a gradient."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.script", DeprecationWarning)
        warnings.filterwarnings("ignore", "The .grad attribute of a Tensor that is not a leaf")
        yield


def _compilation_errors() -> tuple[type[Exception], ...]:
    from torch._dynamo.exc import TorchDynamoException  # a second to import

    return (TorchDynamoException,)
