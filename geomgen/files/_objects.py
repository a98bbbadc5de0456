"""The kinds of objects: estimators, samplers and their parts, layers of nets, trees."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import DistanceMetric
from sklearn.neighbors import BallTree, KDTree
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree
from torch import nn

from geomgen._trainable import Trainable
from geomgen._training import Net
from geomgen.files._allowed import find_class, has_name, name_class
from geomgen.files._container import ModelFileError
from geomgen.files._graph import Kind, Node, Reader, Writer
from geomgen.files._rebuilt import flow_state, net_state, rebuilt_flow, rebuilt_net
from geomgen.pipeline import unwrap
from geomgen.samplers import FlowSampler

__all__ = ["KINDS"]

# What holds things that no file can: their state is written, and they are built anew.
_REBUILT: list[Any] = [
    (Trainable, "net_", net_state, rebuilt_net),
    (FlowSampler, "network_", flow_state, rebuilt_flow),
]
_KEPT_OF_LAYERS = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")
_FLAT = ("_flat_weights", "_flat_weight_refs")  # of torch's recurrent layers: their parameters


# --------------------------------------------------------------------------------------- objects
def _write_object(value: Any, writer: Writer) -> Node:
    cls = type(value)
    if isinstance(value, BaseEstimator) and hasattr(value, "cv_results_"):
        raise writer.refusal(
            f"a {cls.__name__} holds its folds and scorers: save its best_estimator_"
        )
    state = dict(vars(value))
    if isinstance(value, BaseEstimator) and state.get("memory") is not None:
        raise writer.refusal(f"memory={state['memory']!r} is a cache of pickles: use memory=None")
    if getattr(value, "callbacks", None):
        raise writer.refusal(
            "callbacks cannot be put into a file: set_params(callbacks=None) before"
        )
    for holder, name, taken, _ in _REBUILT:
        if isinstance(value, holder) and state.get(name) is not None:
            state[name] = taken(value)
    return {"class": name_class(cls), "state": _write_state(state, writer)}


def _read_object(node: Node, reader: Reader) -> Any:
    cls = find_class(node["class"])
    value = _shell(cls)
    reader.know(node, value)
    state = {name: reader.read(part) for name, part in node["state"].items()}
    if issubclass(cls, BaseEstimator) and state.get("memory") is not None:
        raise ModelFileError(f"a file cannot hold memory={state['memory']!r}, a cache of pickles")
    rebuilt = [part for part in _REBUILT if isinstance(value, part[0]) and state.get(part[1])]
    later = {name: state.pop(name) for _, name, _, _ in rebuilt}
    _update(value, state)
    for _, name, _, build in rebuilt:
        setattr(value, name, build(value, later[name], reader.device))
    tree = state.get("tree_") if isinstance(value, BaseDecisionTree) else None
    if tree is not None and tree.n_features != value.n_features_in_:
        raise ModelFileError("a tree has not the columns that it says")
    return value


def _shell(cls: type) -> Any:
    """Make an object of a class without running its constructor."""
    if cls.__new__ is not object.__new__ or issubclass(cls, Net | nn.Module):
        raise ModelFileError(f"{cls.__name__} is no class of plain objects")
    return object.__new__(cls)


def _update(value: Any, state: dict[str, Any]) -> None:
    """Set attributes, and no methods."""
    methods = [n for n in state if inspect.isroutine(inspect.getattr_static(type(value), n, None))]
    if methods:
        raise ModelFileError(f"it replaces {methods} of {type(value).__name__}")
    vars(value).update(state)


def _write_state(state: dict[str, Any], writer: Writer) -> Node:
    return {name: writer.write(part, f".{name}") for name, part in state.items()}


def _is_object(value: Any) -> bool:
    plain = type(value).__new__ is object.__new__ and hasattr(value, "__dict__")
    return plain and not isinstance(value, type) and has_name(type(value))


def _is_search(value: Any) -> bool:
    return isinstance(value, BaseEstimator) and hasattr(value, "best_estimator_")


# ---------------------------------------------------------------------------------------- layers
def _write_layer(value: nn.Module, writer: Writer) -> Node:
    cls, empty = name_class(type(value)), vars(nn.Module())
    state = {}
    for name, part in vars(value).items():
        if name in _KEPT_OF_LAYERS or name not in empty:
            state[name] = part
        elif isinstance(part, dict) and part:
            raise writer.refusal(f"hooks ({name}) cannot be put into a file")
    state = {name: part for name, part in state.items() if name not in _FLAT}
    return {"class": cls, "training": value.training, "state": _write_state(state, writer)}


def _read_layer(node: Node, reader: Reader) -> nn.Module:
    cls = find_class(node["class"])
    if not issubclass(cls, nn.Module):
        raise ModelFileError(f"{node['class']} is no layer")
    value: Any = object.__new__(cls)
    nn.Module.__init__(value)
    reader.know(node, value)
    state = {name: reader.read(part) for name, part in node["state"].items()}
    if any(name in state for name in vars(nn.Module()) if name not in _KEPT_OF_LAYERS):
        raise ModelFileError(f"the layer {node['class']} sets what is torch's")
    _update(value, state)
    if isinstance(value, nn.RNNBase):
        value._flat_weights = [getattr(value, name) for name in value._flat_weights_names]
        value._init_flat_weights()
    return value.train(bool(node["training"]))


# ----------------------------------------------------------------------------------------- trees
def _write_neighbours(value: Any, writer: Writer) -> Node:
    state = value.__getstate__()
    rows, leaf_size, metric, weights = state[0], state[4], state[-2], state[-1]
    p = metric.__getstate__()[0]  # of Minkowski's
    name = next((m for m in value.valid_metrics if _is_metric(metric, m, p)), None)
    if name is None:
        raise writer.refusal(f"a tree with {type(metric).__name__} cannot be put into a file")
    return {
        "class": type(value).__name__,
        "data": writer.write(np.asarray(rows)),
        "leaf_size": leaf_size,
        "metric": name,
        "p": {"p": p} if name == "minkowski" else {},
        "weights": None if weights is None else writer.write(np.asarray(weights)),
    }


def _is_metric(metric: Any, name: str, p: float) -> bool:
    given = {"p": p} if name == "minkowski" else {}
    try:
        return type(DistanceMetric.get_metric(name, **given)) is type(metric)
    except (TypeError, ValueError):  # a metric with other parameters, which must be given
        return False


def _read_neighbours(node: Node, reader: Reader) -> Any:
    """Build the tree anew from its rows, which gives the same one."""
    cls = {"KDTree": KDTree, "BallTree": BallTree}[node["class"]]
    if node["metric"] not in cls.valid_metrics:
        raise ModelFileError(f"{node['metric']!r} is no metric of a {node['class']}")
    rows = reader.array(node["data"])
    weights = None if node["weights"] is None else reader.array(node["weights"])
    how = {"leaf_size": node["leaf_size"], "metric": node["metric"], **node["p"]}
    return cls(rows, sample_weight=weights, **how)


def _write_decisions(value: Any, writer: Writer) -> Node:
    state = value.__getstate__()
    nodes = state["nodes"]
    return {
        "shape": [value.n_features, value.n_outputs],
        "n_classes": writer.write(value.n_classes),
        "max_depth": state["max_depth"],
        "nodes": {name: writer.write(nodes[name]) for name in nodes.dtype.names},
        "values": writer.write(state["values"]),
    }


def _read_decisions(node: Node, reader: Reader) -> Any:
    """Make a tree whose every path ends, and asks for columns that there are."""
    n_features, n_outputs = node["shape"]
    columns = {name: reader.array(column) for name, column in node["nodes"].items()}
    n_classes = reader.array(node["n_classes"])
    if n_classes.shape != (n_outputs,):
        raise ModelFileError("a tree has not the outputs that it says")
    tree = Tree(n_features, n_classes, n_outputs)
    nodes = np.zeros(len(columns["feature"]), dtype=tree.__getstate__()["nodes"].dtype)
    for name, column in columns.items():
        nodes[name] = column
    place, leaf = np.arange(len(nodes)), nodes["left_child"] == -1
    for child in (nodes["left_child"], nodes["right_child"]):
        if not np.all(leaf | ((child > place) & (child < len(nodes)))):
            raise ModelFileError("a tree has branches that lead nowhere")
    children = np.r_[nodes["left_child"][~leaf], nodes["right_child"][~leaf]]
    if len(np.unique(children)) < len(children):
        raise ModelFileError("a tree has branches that meet")
    if not np.all(leaf | ((nodes["feature"] >= 0) & (nodes["feature"] < n_features))):
        raise ModelFileError("a tree asks for columns that there are not")
    state = {"max_depth": _depth(nodes), "node_count": len(nodes), "nodes": nodes}
    tree.__setstate__(state | {"values": reader.array(node["values"])})
    return tree


def _depth(nodes: np.ndarray) -> int:
    """Count the branches to the deepest leaf: compiled code makes room for so many."""
    depth, level = -1, np.zeros(1, dtype=np.intp)
    while level.size:
        below = nodes[level][nodes["left_child"][level] != -1]
        level, depth = np.r_[below["left_child"], below["right_child"]], depth + 1
    return depth


KINDS = [
    Kind(
        "search",  # what was searched for is in the file, not the search
        _is_search,
        lambda v, w: {"found": w.write(unwrap(v))},
        lambda n, r: r.read(n["found"]),
    ),
    Kind("layer", lambda v: isinstance(v, nn.Module), _write_layer, _read_layer),
    Kind(
        "neighbours",
        lambda v: type(v) in (KDTree, BallTree),
        _write_neighbours,
        _read_neighbours,
    ),
    Kind("decisions", lambda v: type(v) is Tree, _write_decisions, _read_decisions),
    Kind("object", _is_object, _write_object, _read_object),
]
