"""The arithmetic expressions of the Grammar VAE."""

from __future__ import annotations

from itertools import product

import numpy as np

from geomgen.sequence.grammar import Grammar

__all__ = ["EXPRESSIONS", "make_expressions"]

EXPRESSIONS = Grammar(
    """
    S -> S '+' T | S '*' T | S '/' T | T
    T -> '(' S ')' | 'sin(' S ')' | 'exp(' S ')' | 'x' | '1' | '2' | '3'
    """,
    max_length=15,
)
"""The grammar of univariate expressions; a derivation has at most 15 rules."""

_N_STRINGS = 100_000


def make_expressions(return_left_out: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Generate the benchmark's expressions, and those that it leaves out.

    All are sums ``N o N + A + B`` of a leaf each N (x, 1, 2 or 3), o one of + * /, A a leaf or a
    leaf in brackets, of sin or of exp, and B likewise or with ``N o N`` in the brackets. There are
    48 x 16 x 160 = 122 880; in the order of the grammar's rules, the benchmark has the first
    100 000, without its spaces. The others are new combinations of parts that all stand among the
    first: a test of composition.

    Parameters
    ----------
    return_left_out : bool, default=False
        Whether to return the 22 880 others too.

    Returns
    -------
    ndarray of str of shape (100000,)
        The expressions.
    left_out : ndarray of str of shape (22880,)
        Only with return_left_out.

    References
    ----------
    Kusner, Paige and Hernandez-Lobato, 2017, *Grammar variational autoencoder*, section 5.

    Examples
    --------
    >>> strings, left_out = make_expressions(return_left_out=True)
    >>> strings[0], len(strings), left_out[0], len(left_out)
    (np.str_('x+x+(x)+(x+x)'), 100000, np.str_('1/3+(1)+(x+x)'), 22880)
    """
    leaves, opened = ("x", "1", "2", "3"), ("(", "sin(", "exp(")
    pairs = [first + o + second for o in "+*/" for first in leaves for second in leaves]
    short = [f"{o}{leaf})" for o in opened for leaf in leaves] + [*leaves]
    long = [f"{o}{inner})" for o in opened for inner in (*pairs, *leaves)] + [*leaves]
    strings = np.array(["+".join(parts) for parts in product(pairs, short, long)])
    if return_left_out:
        return strings[:_N_STRINGS], strings[_N_STRINGS:]
    return strings[:_N_STRINGS]
