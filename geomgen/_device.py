"""Where to compute."""

from __future__ import annotations

import torch

__all__ = ["resolve_device"]


def resolve_device(device: str | torch.device) -> str:
    """Return a device that can be used here; ``auto`` is CUDA where there is one.

    Raises
    ------
    ValueError
        For a device that torch does not know, or does not see.
    """
    device, cuda = str(device), torch.cuda.is_available()
    if device == "auto":
        return "cuda" if cuda else "cpu"
    try:
        torch.ones(1, device=torch.device(device)).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} cannot be used here ({str(error).splitlines()[0].rstrip('.')}). "
            f"Use 'auto', 'cpu', or a device torch sees (torch.cuda.is_available() is {cuda})."
        ) from error
    return device
