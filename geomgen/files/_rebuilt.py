"""Parts that are built anew from parameters, and then take the state that a file has."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from geomgen._device import resolve_device
from geomgen._fields import check_fields
from geomgen._trainable import Trainable
from geomgen._training import Net
from geomgen.files._container import ModelFileError
from geomgen.samplers import FlowSampler

__all__ = ["flow_state", "net_state", "rebuilt_flow", "rebuilt_net"]


def net_state(estimator: Trainable) -> dict[str, Any]:
    """Take of a net what training changes: its module, its optimizers, its history."""
    net = estimator.net_
    optimizers = [name for name in vars(net) if name.endswith("optimizer_")]
    return {
        "module": net.module_,
        "optimizers": {name: vars(net)[name].state_dict() for name in optimizers},
        "history": [dict(row) for row in net.history],
    }


def rebuilt_net(estimator: Trainable, state: dict[str, Any], device: str | None) -> Net:
    """Make the net that the estimator's parameters say, around the module of the file."""
    if device is not None:
        estimator.device = device
        estimator._built_with["device"] = device
    check_fields(estimator)
    try:
        resolve_device(estimator.device)
    except ValueError as error:
        raise ModelFileError(f"{str(error).rstrip('.')}; pass device= to load") from error
    net = estimator._make_net()
    make_module = net.module
    net.__dict__["module"] = state["module"]  # skorch takes a module as it is
    net.initialize()
    net.__dict__["module"] = make_module
    for name, held in state["optimizers"].items():
        if not (name.endswith("optimizer_") and name in vars(net)):
            raise ModelFileError(f"{type(estimator).__name__} has no optimizer {name!r}")
        vars(net)[name].load_state_dict(held)
    for row in state["history"]:
        net.history.append(row)
    net.module_.eval()
    return net


def flow_state(sampler: FlowSampler) -> dict[str, Any]:
    """Take the weights of a flow, whose layers belong to another package."""
    return dict(sampler.network_.state_dict())


def rebuilt_flow(sampler: FlowSampler, state: dict[str, Any], device: str | None) -> nn.Module:
    """Build the flow anew, and give it the weights of the file."""
    check_fields(sampler)
    sizes = {size for weights in state.values() for size in weights.shape}
    d = sampler.whiten_.shape[1]
    if not sizes.issuperset((*sampler.hidden, d)) or sampler.n_transforms > len(state):
        raise ModelFileError("a flow's parameters are not those of its weights")
    network = sampler._build(d, 0).double()
    network.load_state_dict({name: torch.as_tensor(part) for name, part in state.items()})
    return network.eval()
