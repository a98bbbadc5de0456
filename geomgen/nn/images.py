"""Rows that are images: their layout, and the layers between a row and an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["ImageLayout", "RandomFlip", "RandomShift", "ToImage", "ToRow"]


@dataclass(frozen=True)
class ImageLayout:
    """How the pixels of an image lie in a flat row.

    Parameters
    ----------
    channels, height, width : int
        Sizes.
    channels_last : bool
        Whether the channels of a pixel are neighbours in the row (h, w, c), or each channel is
        an image of its own (c, h, w).
    """

    channels: int
    height: int
    width: int
    channels_last: bool = False

    @classmethod
    def of(cls, shape: Sequence[int]) -> ImageLayout:
        """Read a shape: (h, w), (c, h, w) or (h, w, c).

        The channels are the end of the shape that is 1 or 3; if neither is, the end that is 4.

        Raises
        ------
        ValueError
            If that names no end, or both.

        Examples
        --------
        >>> ImageLayout.of((32, 32, 3))
        ImageLayout(channels=3, height=32, width=32, channels_last=True)
        """
        shape = tuple(map(int, shape))  # torch takes no integers of numpy
        if len(shape) == 2:
            return cls(1, shape[0], shape[1])
        said = f"image_shape={shape!r}"
        if len(shape) != 3:
            raise ValueError(
                f"{said} must be (height, width), (channels, height, width) or (height, width, "
                "channels)."
            )
        ends = shape[0], shape[-1]
        usual = [end in (1, 3) for end in ends]
        first, last = usual if any(usual) else [end == 4 for end in ends]
        if first == last:
            found = "both ends could be" if first else "neither end is 1, 3 or 4, to be"
            raise ValueError(
                f"{said}: {found} the channels. Give (height, width) for grey images; for others, "
                "give networks of your own as encoder and decoder."
            )
        if first:
            return cls(shape[0], shape[1], shape[2])
        return cls(shape[2], shape[0], shape[1], channels_last=shape[2] > 1)

    @property
    def n_features(self) -> int:
        """Length of a row."""
        return self.channels * self.height * self.width

    def to_images(self, x: Tensor) -> Tensor:
        """Map rows (n, p) to images (n, c, h, w)."""
        if not self.channels_last:
            return x.reshape(len(x), self.channels, self.height, self.width)
        images = x.reshape(len(x), self.height, self.width, self.channels)
        return images.permute(0, 3, 1, 2).contiguous()

    def to_rows(self, images: Tensor) -> Tensor:
        """Map images (n, c, h, w) to rows (n, p)."""
        return (images.permute(0, 2, 3, 1) if self.channels_last else images).flatten(1)


class _Reshape(nn.Module):
    """A rearrangement, which tangents go through as rows do."""

    def __init__(self, layout: ImageLayout) -> None:
        super().__init__()
        self.layout = layout

    def push_tangents(self, h: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Rearrange inputs and their directions (n, k, ...): see ``geomgen.losses.tangents``."""
        return self(h), self(rows.flatten(0, 1)).unflatten(0, rows.shape[:2])

    def extra_repr(self) -> str:
        """Show the layout."""
        return str(self.layout)


class ToImage(_Reshape):
    """Rows (n, p) -> images (n, c, h, w), for the first layer of a network.

    Parameters
    ----------
    layout : ImageLayout
        Of the rows.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Rearrange rows."""
        return self.layout.to_images(x)


class ToRow(_Reshape):
    """Images (n, c, h, w) -> rows (n, p), for the last layer of a network.

    Parameters
    ----------
    layout : ImageLayout
        Of the rows.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Rearrange images."""
        return self.layout.to_rows(x)


class RandomFlip:
    """An augmentation: every other image, by chance, is its mirror image.

    Parameters
    ----------
    image_shape : tuple of int
        Of the rows, as the estimator is told it.

    Examples
    --------
    >>> flip = RandomFlip((1, 3))
    >>> flip(torch.tensor([[1, 2, 3]] * 3), torch.Generator().manual_seed(0)).tolist()
    [[3, 2, 1], [1, 2, 3], [3, 2, 1]]
    """

    def __init__(self, image_shape: Sequence[int]) -> None:
        self.layout = ImageLayout.of(image_shape)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Augment rows (n, p)."""
        images = self.layout.to_images(x)
        mirrored = torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device) < 0.5
        return self.layout.to_rows(torch.where(mirrored, images.flip(-1), images))


class RandomShift:
    """An augmentation: images are moved by up to so many pixels, their edges stretched.

    Parameters
    ----------
    image_shape : tuple of int
        Of the rows, as the estimator is told it.
    pixels : int, default=2
        The longest move, to each side.

    Examples
    --------
    >>> shift = RandomShift((1, 4), pixels=1)
    >>> shift(torch.tensor([[1, 2, 3, 4]] * 3), torch.Generator().manual_seed(0)).tolist()
    [[1, 1, 2, 3], [1, 2, 3, 4], [1, 1, 2, 3]]
    """

    def __init__(self, image_shape: Sequence[int], pixels: int = 2) -> None:
        self.layout, self.pixels = ImageLayout.of(image_shape), pixels

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Augment rows (n, p)."""
        images = self.layout.to_images(x)
        for axis in (2, 3):
            moves = torch.randint(
                -self.pixels, self.pixels + 1, (len(x), 1), generator=generator, device=x.device
            )
            size = images.shape[axis]
            source = (torch.arange(size, device=x.device) + moves).clamp(0, size - 1)
            source = source[:, None, :, None] if axis == 2 else source[:, None, None, :]
            images = images.gather(axis, source.expand(images.shape))
        return self.layout.to_rows(images)
