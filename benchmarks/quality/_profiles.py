"""What is measured, how large and how often: a quick check, two cores, or the papers' budget."""

from __future__ import annotations

from typing import Any

__all__ = ["NETS", "PROFILES"]

NETS: dict[str, dict[str, Any]] = {
    "ring": {  # paper G, section 5.1
        "n_components": 2,
        "hidden": (64, 32),
        "activation": "relu",
        "batch_size": 256,
    },
    "mnist": {  # paper L's appendix A is missing: the net of the benchmark of samplers
        "n_components": 16,
        "hidden": (512, 256),
        "norm": "batch",
        "activation": "relu",
        "batch_size": 128,
    },
    "nines": {  # paper G, section 5.1
        "n_components": 32,
        "hidden": (512, 256),
        "norm": "batch",
        "activation": "leaky_relu",
        "batch_size": 256,
    },
}
for _kind, _n_components in {"cifar10": 128, "faces": 64, "few": 16, "digit": 16}.items():
    NETS[_kind] = NETS["mnist"] | {"n_components": _n_components}  # paper L, section 5

_RING = ("ring, radius 2", "ring, radius 4", "ring, radius 8")
_DIGITS = (
    *(f"digit, 9 at {rate:g} %" for rate in (0.5, 1, 5)),
    *(f"digit, {digit} at 2 %" for digit in range(10)),
)
_ALL = (*_RING, "mnist", "nines", "cifar10", "faces", "few", *_DIGITS)
_LONG = {"cifar10, long": "cifar10", "faces, long": "faces"}

PROFILES: dict[str, dict[str, dict[str, Any]]] = {
    "smoke": {  # for CI: that everything runs, nothing more
        "data": {"names": ("ring, radius 4",)},
        "ring": {"n_train": 500, "epochs": 1, "seeds": 2},
    },
    "cpu": {  # the ring with a quarter of the paper's epochs, a fifth of its digits
        "data": {"names": (*_ALL, *_LONG)},
        "ring": {"n_train": 10_000, "epochs": 50, "seeds": 10},
        "mnist": {"n_train": 10_000, "epochs": 30, "n_drawn": 10_000, "seeds": 3},
        "nines": {"n_train": 10_000, "epochs": 50, "n_drawn": 10_000, "seeds": 3},
        "cifar10": {"n_train": 5_000, "epochs": 15, "n_drawn": 1_000, "seeds": 1},
        "faces": {"n_train": 5_000, "epochs": 15, "n_drawn": 1_000, "seeds": 1},
        **{data: {"n_train": 5_000, "epochs": 100, "n_drawn": 1_000, "seeds": 1} for data in _LONG},
        "few": {"n_train": 2_000, "epochs": 150, "n_drawn": 10_000, "seeds": 3},
        "digit": {"n_train": 10_000, "epochs": 30, "n_drawn": 10_000, "seeds": 1},
    },
    "full": {  # 45 900 digits are as many as the nines' 2 % can have beside 10 000 for the judges
        "data": {"names": _ALL},
        "ring": {"n_train": 10_000, "epochs": 200, "seeds": 10},
        "mnist": {"n_train": 50_000, "epochs": 100, "n_drawn": 10_000, "seeds": 3},
        "nines": {"n_train": 45_900, "epochs": 50, "n_drawn": 10_000, "seeds": 3},
        "cifar10": {"n_train": 40_000, "epochs": 100, "n_drawn": 5_000, "seeds": 3},
        "faces": {"n_train": 9_000, "epochs": 100, "n_drawn": 1_500, "seeds": 3},
        "few": {"n_train": 2_000, "epochs": 750, "n_drawn": 10_000, "seeds": 3},
        "digit": {"n_train": 45_000, "epochs": 100, "n_drawn": 10_000, "seeds": 3},
    },
}
for _profile in PROFILES.values():
    for _kind, _net in NETS.items():
        _profile.setdefault(_kind, {"seeds": 1})["net"] = _net
    for _data in _LONG.keys() & _profile.keys():  # others have the budget of the kind
        _profile[_data]["net"] = NETS[_LONG[_data]]
