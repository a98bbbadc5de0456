"""The codebook of a vector-quantised model: a discrete set of codes, learnt from the encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Codebook"]


class Codebook(nn.Module):
    r"""A manifold of finitely many codes: each position of a code is one of K vectors.

    A code of d numbers is split into d / ``code_dim`` positions, and each of them snapped to the
    nearest of the vectors :math:`e_1, \ldots, e_K`, which all positions share:

    .. math:: \Pi(z)_i = e_{k_i}, \qquad k_i = \arg\min_k \|z_i - e_k\|

    (van den Oord et al., 2017, Eqs. 1 and 2). The gradient passes straight through: the derivative
    of :math:`\Pi` is taken to be the identity. The vectors have no gradient; ``learn`` moves them.

    Parameters
    ----------
    n_codes : int, default=1
        Number K of vectors.
    code_dim : int, default=1
        Numbers in a position; it must divide d.
    decay : float, default=0.99
        Share γ of the running means that a batch leaves as it was.

    References
    ----------
    van den Oord, Vinyals and Kavukcuoglu, 2017, *Neural discrete representation learning*, Eqs. 1
    and 2, appendix A.1; Razavi, van den Oord and Vinyals, 2019, *Generating diverse high-fidelity
    images with VQ-VAE-2*, Eqs. 3 and 4.

    Examples
    --------
    >>> book = Codebook(n_codes=2, code_dim=1)
    >>> _ = book.vectors.copy_(torch.tensor([[0.0], [10.0]]))
    >>> book.project(torch.tensor([[1.0, 7.0]]))
    tensor([[ 0., 10.]])
    """

    min_dim = 1
    vectors: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, n_codes: int = 1, code_dim: int = 1, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("vectors", torch.zeros(n_codes, code_dim))
        self.register_buffer("counts", torch.zeros(n_codes))
        self.register_buffer("sums", torch.zeros(n_codes, code_dim))

    def project(self, z: Tensor) -> Tensor:
        """Snap codes (n, d) to the codebook, with the gradient of the identity."""
        snapped = self.lookup(self.assign(z)).to(z)
        return snapped + (z - z.detach())  # adds 0, exactly, and the gradient

    @torch.no_grad()
    def assign(self, z: Tensor) -> Tensor:
        """Find the nearest vectors, (n, d) -> indices (n, positions)."""
        positions = z.detach().unflatten(-1, (-1, self.vectors.shape[1]))
        exact = "donot_use_mm_for_euclid_dist"  # far from the origin, products lose all digits
        return torch.cdist(positions, self.vectors.to(z), compute_mode=exact).argmin(-1)

    def lookup(self, indices: Tensor) -> Tensor:
        """Write codes out, indices (n, positions) -> (n, d)."""
        return self.vectors[indices.to(self.vectors.device)].flatten(-2)

    @torch.no_grad()
    def learn(self, z: Tensor, generator: torch.Generator) -> None:
        r"""Move the vectors towards the codes (n, d) of a batch that are assigned to them.

        .. math:: N_k \leftarrow \gamma N_k + (1 - \gamma)\, n_k, \quad
           m_k \leftarrow \gamma m_k + (1 - \gamma) \sum_{k_i = k} z_i, \quad
           e_k = m_k / N_k

        where :math:`n_k` of the batch's positions are assigned to vector k. A dead vector, whose
        running count has fallen below a hundredth of the mean, is first put on a position of
        the batch, drawn without replacement. Before the first batch all are dead; and if a batch
        would use fewer than a tenth of the vectors, because the encoder has run away from them,
        all others are.
        """
        positions = z.detach().reshape(-1, self.vectors.shape[1])
        used = self._choices(positions).sum(0) > 0
        if used.sum() < 0.1 * min(len(used), len(positions)):
            self.counts[~used] = 0
        self._revive(positions, generator)
        chosen = self._choices(positions)
        self.counts.lerp_(chosen.sum(0), 1 - self.decay)
        self.sums.lerp_(chosen.T @ positions, 1 - self.decay)
        alive = self.counts > 0
        self.vectors[alive] = self.sums[alive] / self.counts[alive, None]

    def _choices(self, positions: Tensor) -> Tensor:
        """One-hot rows of the vectors that positions are assigned to."""
        return nn.functional.one_hot(self.assign(positions)[:, 0], len(self.vectors)).to(positions)

    def _revive(self, positions: Tensor, generator: torch.Generator) -> None:
        dead = (self.counts <= 0.01 * self.counts.mean()).nonzero()[:, 0]
        order = torch.randperm(len(positions), generator=generator, device=positions.device)
        dead, drawn = dead[: len(order)], positions[order[: len(dead)]]
        expected = len(positions) / len(self.vectors)  # the count of a vector used as often as any
        self.vectors[dead] = drawn
        self.sums[dead] = expected * drawn
        self.counts[dead] = expected
