"""Rows or images to the features in which two samples are compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["extract", "inception_features"]

_BATCH = 64
_WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"  # as torch-fidelity calls them


def extract(rows: Any, features: Any) -> Any:
    """Features of rows, by any of the means that :func:`frechet_distance` takes."""
    if features is None:
        return rows
    if isinstance(features, str):
        if features != "inception":
            raise ValueError(
                f"features={features!r} must be 'inception', a torch module, a fitted transformer "
                "or a function of rows."
            )
        features = inception_features()
    if isinstance(features, nn.Module):
        return _by_module(features, np.asarray(rows))
    if hasattr(features, "transform"):
        return features.transform(rows)
    if callable(features):
        return features(rows)
    raise TypeError(
        f"features={features!r} must be 'inception', a torch module, a fitted transformer or a "
        "function of rows."
    )


def inception_features(
    weights: str | Path | None = None, *, device: str = "cpu"
) -> Callable[[Any], np.ndarray]:
    """Make the function from images to the 2048 features of the FID's InceptionV3.

    The network is torch-fidelity's, whose weights are the original ones: figures compare with
    those of the literature.

    Parameters
    ----------
    weights : path, optional
        File of the network's weights. By default the file that torch-fidelity keeps in torch's
        cache; nothing is downloaded.
    device : str, default="cpu"
        Where the network runs: a torch device.

    Returns
    -------
    callable
        From uint8 images of shape (n, h, w), (n, h, w, 3) or (n, 3, h, w) to an ndarray of shape
        (n, 2048). For ``features`` of :func:`frechet_distance`.

    Raises
    ------
    ImportError
        If torch-fidelity is not installed.
    FileNotFoundError
        If the file of weights is not there.

    References
    ----------
    Heusel et al., 2017, *GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium*.

    Examples
    --------
    >>> try:
    ...     features = inception_features("weights.pth")
    ... except (ImportError, FileNotFoundError):
    ...     print("Install geomgen[fid], and give the file of weights.")
    Install geomgen[fid], and give the file of weights.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise ImportError(
            "The features of InceptionV3 need torch-fidelity: pip install 'geomgen[fid]'."
        ) from error
    path = Path(weights) if weights else Path(torch.hub.get_dir()) / "checkpoints" / _WEIGHTS
    if not path.exists():
        raise FileNotFoundError(
            f"There are no InceptionV3 weights at {str(path)!r}, and none are downloaded unasked. "
            f"Put {_WEIGHTS} of torch-fidelity's releases there, or pass "
            "features=inception_features(weights=PATH)."
        )
    net = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
    ).to(device)
    return lambda images: _by_module(net, _images(images))


def _by_module(module: nn.Module, rows: np.ndarray) -> np.ndarray:
    """Run a module in evaluation mode, batch by batch, and leave it as it was."""
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    dtype = torch.uint8 if rows.dtype == np.uint8 else like.dtype
    modes = {part: part.training for part in module.modules()}
    outputs = []
    try:
        module.eval()
        with torch.no_grad():
            for start in range(0, len(rows), _BATCH):
                batch = torch.tensor(rows[start : start + _BATCH], dtype=dtype, device=like.device)
                outputs.append(_matrix(module(batch)))
    finally:
        for part, mode in modes.items():
            part.training = mode
    return np.concatenate(outputs)


def _matrix(output: Any) -> np.ndarray:
    """One row of features per row put in."""
    if isinstance(output, tuple) and len(output) == 1:
        output = output[0]
    if not isinstance(output, Tensor):
        raise TypeError(
            f"The module of features returns {type(output).__name__}: it must return one tensor. "
            "Wrap it in a function that selects one."
        )
    return output.flatten(1).double().cpu().numpy()


def _images(images: Any) -> np.ndarray:
    """Images as (n, 3, h, w) in uint8."""
    a = np.asarray(images)
    if a.dtype != np.uint8:
        raise ValueError(
            f"The images have dtype {a.dtype}: InceptionV3 takes uint8 in 0..255. Multiply values "
            "in [0, 1] by 255, round and convert."
        )
    if a.ndim == 3:
        return np.repeat(a[:, None], 3, axis=1)
    if a.ndim == 4 and a.shape[1] == 3:
        return a
    if a.ndim == 4 and a.shape[3] == 3:
        return a.transpose(0, 3, 1, 2)
    raise ValueError(
        f"The images have shape {a.shape}: it must be (n, h, w), (n, h, w, 3) or (n, 3, h, w)."
    )
