"""Settings that must be made before scipy and torch are imported."""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # else scikit-learn skips its array-API checks
os.environ.setdefault("MPLBACKEND", "agg")

import pytest
import torch

torch.set_num_threads(1)  # the workers of pytest-xdist share the cores


def pytest_collection_modifyitems(items):
    if not torch.cuda.is_available():
        for item in items:
            if "cuda" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
