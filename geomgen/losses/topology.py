"""How far the connectivity of codes is from that of rows."""

from __future__ import annotations

import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree
from torch import Tensor

__all__ = ["spanning_tree", "topological_loss"]


def topological_loss(x: Tensor, z: Tensor) -> Tensor:
    r"""Mismatch of the 0-dimensional persistence of rows and of their codes, by row.

    .. math:: \frac{1}{N} \Big( \tfrac12 \|A^X[\pi^X] - A^Z[\pi^X]\|^2
       + \tfrac12 \|A^Z[\pi^Z] - A^X[\pi^Z]\|^2 \Big)

    :math:`A` are the distances between the N points of a batch, divided by the largest of them;
    :math:`\pi` the pairs of points at which two components of the Vietoris-Rips filtration merge,
    which are the edges of the minimum spanning tree. The first term asks that rows which hold the
    batch together be as far apart as their codes; the second asks it of codes.

    Parameters
    ----------
    x : Tensor of shape (N, p)
        Rows.
    z : Tensor of shape (N, d)
        Their codes.

    Returns
    -------
    Tensor of shape ()
        0, without a gradient, for fewer than two rows.

    Notes
    -----
    The pairs are piecewise constant in the points: the gradient goes through the distances of the
    selected pairs, and the largest one, alone. Two equal points have distance 0, with gradient 0.

    The paper writes distances without a scale and the sums without 1/N. The authors' code divides
    by N, leaves out the ½, and divides rows' distances by the largest of a batch; those of codes
    it divides by a learnt number, here by their own largest, so that neither space's units count.

    References
    ----------
    Moor et al., 2020, *Topological autoencoders*, Eqs. 2-4.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([[0.0], [1.0], [3.0]])
    >>> topological_loss(x, 7 - 2 * x), topological_loss(x, x.square()).round(decimals=4)
    (tensor(0.), tensor(0.0329))
    """
    if len(x) < 2:
        return z.new_zeros(())
    pairs = torch.cat([spanning_tree(x), spanning_tree(z)], dim=1)
    mismatch = _relative(x, pairs) - _relative(z, pairs)
    return mismatch.square().sum() / (2 * len(x))


@torch.no_grad()
def spanning_tree(points: Tensor) -> Tensor:
    r"""Edges of the Euclidean minimum spanning tree.

    They are the 0-dimensional persistence pairs of the Vietoris-Rips filtration: the components
    that exist at scale r are those of the tree's edges shorter than r.

    Parameters
    ----------
    points : Tensor of shape (N, p)
        Points, N ≥ 2. Equal points are joined by edges of length 0.

    Returns
    -------
    Tensor of shape (2, N - 1), int64
        Indices of the edges' ends.

    References
    ----------
    Moor et al., 2020, *Topological autoencoders*, section 3.1.

    Examples
    --------
    >>> import torch
    >>> spanning_tree(torch.tensor([[0.0], [5.0], [1.0]]))
    tensor([[0, 1],
            [2, 2]])
    """
    n = len(points)
    start, end = torch.triu_indices(n, n, offset=1)
    distances = torch.pdist(points).double().cpu()
    # scipy reads a distance of 0 as no edge. Any increasing map of the distances has the same tree.
    weights = 1 + distances / distances.max().clamp(min=torch.finfo(distances.dtype).tiny)
    row_starts = torch.arange(n + 1)
    row_starts = row_starts * (2 * n - 1 - row_starts) // 2
    graph = csr_array((weights.numpy(), end.numpy(), row_starts.numpy()), shape=(n, n))
    tree = minimum_spanning_tree(graph, overwrite=True).tocoo()
    edges = torch.stack([torch.from_numpy(tree.row), torch.from_numpy(tree.col)])
    return edges.long().to(points.device)


def _relative(points: Tensor, pairs: Tensor) -> Tensor:
    """Distances of pairs of points, divided by the largest distance of any two."""
    n = len(points)
    farthest = torch.pdist(points.detach()).argmax()
    extremes = torch.triu_indices(n, n, offset=1, device=points.device)[:, farthest]
    first, second = torch.cat([pairs, extremes[:, None]], dim=1)
    selected = torch.linalg.vector_norm(points[first] - points[second], dim=1)
    largest = selected[-1]
    return selected[:-1] / torch.where(largest > 0, largest, 1)
