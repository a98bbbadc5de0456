"""Features of pictures: SqueezeNet 1.1 with ImageNet weights, averaged over space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["squeezenet_features"]

_MEAN, _SCALE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours
_SIZE = 128  # pixels a side that the network sees


class Fire(nn.Module):
    """Squeeze to few channels, expand by 1×1 and 3×3 filters side by side."""

    def __init__(self, n_in: int, n_squeezed: int, n_out: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(n_in, n_squeezed, 1)
        self.expand1x1 = nn.Conv2d(n_squeezed, n_out, 1)
        self.expand3x3 = nn.Conv2d(n_squeezed, n_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1).relu()


def squeezenet() -> nn.Sequential:
    """Make the network up to its last feature maps; names are those of the published weights."""
    pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), pool),
        *(Fire(64, 16, 64), Fire(128, 16, 64), pool),
        *(Fire(128, 32, 128), Fire(256, 32, 128), pool),
        *(Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)),
    )


def squeezenet_features(
    weights: Path, shape: tuple[int, int, int]
) -> Callable[[np.ndarray], np.ndarray]:
    """Make the function from flat rows in [0, 1], channels first, to 512 features.

    The distance between such features is a Fréchet SqueezeNet distance, never an FID.
    """
    net = squeezenet().eval()
    with np.load(weights) as file:
        state = {k: torch.from_numpy(file[k].astype(np.float32)) for k in file.files}
    net.load_state_dict({k.removeprefix("features."): v for k, v in state.items() if "feat" in k})
    mean, scale = (torch.tensor(v).view(3, 1, 1) for v in (_MEAN, _SCALE))

    @torch.no_grad()
    def features(rows: np.ndarray) -> np.ndarray:
        found = []
        for part in torch.from_numpy(np.asarray(rows, np.float32)).split(50):
            x = part.clamp(0, 1).view(-1, *shape).expand(-1, 3, -1, -1)
            x = nn.functional.interpolate(x, (_SIZE, _SIZE), mode="bilinear", align_corners=False)
            found.append(net((x - mean) / scale).mean((2, 3)).numpy())
        return np.concatenate(found)

    return features
