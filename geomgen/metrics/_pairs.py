"""All pairs of two samples, by tiles: mean distances and nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

__all__ = ["mean_distance", "nearest", "quadratic_forms"]

_TILE = {"cpu": (128, 1024)}  # rows and columns: a tile stays in the processor's cache
_TILE_GPU = (2048, 8192)
_BLOCK = 2**23  # entries of the matrix that the search for neighbours holds at once
_GATHER = 2**20  # entries of the rows whose pairs are computed one by one
_TREE = 5  # columns up to which a tree finds neighbours sooner


# ------------------------------------------------------------------- sums over all distances
def mean_distance(
    X: np.ndarray,
    Y: np.ndarray,
    X_weight: np.ndarray,
    Y_weight: np.ndarray,
    *,
    dtype: str = "float64",
    device: str = "cpu",
) -> float:
    r"""Weighted mean :math:`\sum_{ij} w_i v_j \|x_i - y_j\|` over all pairs.

    Half the pairs are visited when X is Y (the same object, and the same weights).
    """
    (X, Y), scale = _centred(X, Y)
    rows, others = (_tensor(a, dtype, device) for a in (X, Y))
    w, v = (_tensor(a, dtype, device) for a in (X_weight, Y_weight))
    total = torch.zeros((), dtype=torch.float64, device=device)
    for i, j, distances in _tiles(rows, rows if X is Y else others):
        twice = 2 if X is Y and i != j else 1  # the pairs below the diagonal
        total += twice * (w[i] @ (distances @ v[j])).double()
    return scale * float(total)


def quadratic_forms(
    Z: np.ndarray, A: np.ndarray, *, dtype: str = "float64", device: str = "cpu"
) -> np.ndarray:
    r"""Forms :math:`a^\top D a` of the distances D of all pairs of rows, per column a of A."""
    (Z, _), scale = _centred(Z, Z)
    rows, a = _tensor(Z, dtype, device), _tensor(A, dtype, device)
    total = torch.zeros(a.shape[1], dtype=torch.float64, device=device)
    for i, j, distances in _tiles(rows, rows):
        total += (1 if i == j else 2) * (a[i] * (distances @ a[j])).sum(0, dtype=torch.float64)
    return scale * total.cpu().numpy()


def _centred(X: np.ndarray, Y: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], float]:
    """Rows centred and scaled: distances are the same, rounding errors shrink, none overflows."""
    centre = X.mean(0) / 2 + Y.mean(0) / 2
    scale = float(max(np.abs(X - centre).max(), np.abs(Y - centre).max())) or 1.0
    left = (X - centre) / scale
    return (left, left if X is Y else (Y - centre) / scale), scale


def _tensor(a: np.ndarray, dtype: str, device: str) -> Tensor:
    return torch.as_tensor(a, dtype=getattr(torch, dtype), device=device)


def _tiles(X: Tensor, Y: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """Distances tile by tile, each valid until the next; when X is Y, none below the diagonal.

    One product of the rows (-2 x, |x|², 1) and (y, 1, |y|²) gives the squares; those of near
    pairs, whose digits have cancelled, are computed again from the differences.
    """
    height, width = _TILE.get(X.device.type, _TILE_GPU)
    x, y = ((a * a).sum(1, keepdim=True) for a in (X, Y))
    left = torch.cat([-2 * X, x, torch.ones_like(x)], 1)
    right = torch.cat([Y, torch.ones_like(y), y], 1).T
    near = torch.finfo(X.dtype).eps ** 0.5
    squares, roots = torch.empty(2, height * width, dtype=X.dtype, device=X.device)
    for start in range(0, len(X), height):
        i = slice(start, min(start + height, len(X)))
        for j in _columns(i if X is Y else None, len(Y), width):
            shape = (i.stop - i.start, j.stop - j.start)
            s, root = (buffer[: shape[0] * shape[1]].view(shape) for buffer in (squares, roots))
            torch.mm(left[i], right[:, j], out=s)
            close = bool(s.amin() <= near * (x[i].max() + y[j].max()))
            if close:
                _recompute(s, X[i], Y[j], s <= near * (x[i] + y[j].T))
            torch.rsqrt(s, out=root).mul_(s)  # twice as fast as torch's square root here
            yield i, j, root.nan_to_num_(0.0) if close else root  # 0/√0


def _columns(diagonal: slice | None, n: int, width: int) -> Iterator[slice]:
    """Columns of a row of tiles; first the tile on the diagonal, where there is one."""
    if diagonal is not None:
        yield diagonal
    for start in range(diagonal.stop if diagonal else 0, n, width):
        yield slice(start, min(start + width, n))


def _recompute(squares: Tensor, X: Tensor, Y: Tensor, mask: Tensor) -> None:
    """Squared distances by differences where the mask is set, some pairs at a time."""
    rows, columns = mask.nonzero(as_tuple=True)
    size = max(1, _GATHER // X.shape[1])
    for i, j in zip(rows.split(size), columns.split(size), strict=True):
        squares[i, j] = (X[i] - Y[j]).square_().sum(1)


# ------------------------------------------------------------------------- nearest neighbours
def nearest(X: np.ndarray, Y: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    r"""Distances to, and indices of, the k rows of Y nearest to each row of X, nearest first.

    Exact in float64, in memory bounded for any number of rows of X. When X is Y (the same
    object), a row is not its own neighbour; its copies are, at distance 0. Of equal distances
    the lower index comes first, but for trees (few columns).

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Rows whose neighbours are sought.
    Y : ndarray of shape (m, p)
        Rows among which they are sought.
    k : int, default=1
        Number of neighbours.

    Returns
    -------
    distances : ndarray of shape (n, k)
    indices : ndarray of int of shape (n, k)

    Raises
    ------
    ValueError
        If Y has fewer than k rows, or fewer than k + 1 when X is Y.

    Notes
    -----
    A product in float32 gives every square :math:`s` up to an error of at most
    :math:`\epsilon (|x|^2 + |y|^2)`, hence a lower bound :math:`l` of each. The k-th smallest of
    the bounds gives an upper bound of the k-th distance, and the pairs whose lower bound does
    not exceed it are measured in float64. Where float32 leaves many, a product in float64 comes
    between.
    """
    same = X is Y
    available = len(Y) - same
    if not 1 <= k <= available:
        raise ValueError(
            f"k={k} neighbours of a row cannot be found among {available} other rows: k must be "
            "between 1 and their number."
        )
    if X.shape[1] <= _TREE:
        tree = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(Y)
        return tree.kneighbors(None if same else X)
    search = _Candidates(X, Y, k)
    height = int(np.clip(_BLOCK // len(Y), 32, 1024))
    blocks = (slice(start, start + height) for start in range(0, len(X), height))
    found = [_decide(X[b], Y, *search.pairs(X[b], b.start if same else None), k) for b in blocks]
    distances, indices = zip(*found, strict=True)
    return np.concatenate(distances), np.concatenate(indices)


class _Candidates:
    """Pairs that may be among the k nearest of their row, by bounds in float32, then float64."""

    def __init__(self, X: np.ndarray, Y: np.ndarray, k: int) -> None:
        self.Y, self.k = Y, k
        self.centre = np.median(Y[:: max(1, len(Y) // 256)], axis=0)  # no outlier moves it
        extremes = np.r_[Y.max(0), X.max(0)], np.r_[Y.min(0), X.min(0)]
        centres = np.r_[self.centre, self.centre]
        self.scale = max((extremes[0] - centres).max(), (centres - extremes[1]).max()) or 1.0
        self.group = max(1, min(32, len(Y) // (4 * k)))
        self.right: dict[type, np.ndarray] = {}

    def pairs(self, X: np.ndarray, first: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Row and column numbers; with ``first``, row i is row first + i of Y, not its own pair."""
        if X.shape[1] < 2**16:  # else float32 bounds nothing
            i, j = self._pairs(X, first, np.float32)
            if len(i) <= 8 * (self.k + 8) * len(X):
                return i, j
        return self._pairs(X, first, np.float64)

    def _pairs(
        self, X: np.ndarray, first: int | None, dtype: type
    ) -> tuple[np.ndarray, np.ndarray]:
        eps = 2 * (X.shape[1] + 8) * float(np.finfo(dtype).eps)  # twice the rounding at worst
        if dtype not in self.right:
            self.right[dtype] = self._augmented(self.Y, dtype, eps, fill=self.group)
        left = self._augmented(X, dtype, eps)
        x = left[:, -2].astype(np.float64)
        left[:, :-2] *= -2
        lower = left @ self.right[dtype].T
        if first is not None:
            np.fill_diagonal(lower[:, first:], np.inf)
        # The k-th smallest minimum of the groups is at least the k-th smallest bound. A square
        # s of bound l is at most l + 2 eps (|x|² + |y|²), and |y|² at most 2 |x|² + 2 s.
        minima = lower.reshape(len(X), self.group, -1).min(1)
        kth = np.partition(minima, self.k - 1, axis=1)[:, self.k - 1]
        upper = (kth + 6 * eps * x / (1 - eps)) / (1 - 4 * eps)
        upper += np.finfo(dtype).tiny ** 0.5  # products that underflow
        flat = np.flatnonzero(lower <= upper.astype(dtype)[:, None])
        return np.divmod(flat, lower.shape[1])

    def _augmented(self, rows: np.ndarray, dtype: type, eps: float, fill: int = 0) -> np.ndarray:
        """Rows (x, (1 - eps)|x|², 1); or (y, 1, (1 - eps)|y|²), filled to whole groups."""
        n, p = rows.shape
        out = np.zeros((-(-n // fill) * fill if fill else n, p + 2), dtype)
        norm, one = (p + 1, p) if fill else (p, p + 1)
        out[:, one], out[n:, norm] = 1, np.finfo(dtype).max / 4  # farther than any row
        for start in range(0, n, 256):  # in the processor's cache
            stop = min(start + 256, n)
            block = (rows[start:stop] - self.centre) / self.scale
            out[start:stop, :p] = block
            out[start:stop, norm] = (1 - eps) * np.einsum("ij,ij->i", block, block)
        return out


def _decide(
    X: np.ndarray, Y: np.ndarray, i: np.ndarray, j: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest of each row among the pairs (i, j), by their differences."""
    size = max(1, _GATHER // X.shape[1])
    chunks = (slice(start, start + size) for start in range(0, len(i), size))
    differences = (X[i[c]] - Y[j[c]] for c in chunks)
    d = np.sqrt(np.concatenate([np.einsum("ij,ij->i", a, a) for a in differences]))
    order = np.lexsort((j, d, i))
    starts = np.searchsorted(i[order], np.arange(len(X)))
    best = order[starts[:, None] + np.arange(k)]
    return d[best], j[best]
