"""Strings: grammars, their vectorizers and benchmark, and autoencoders over them."""

from geomgen.sequence.expressions import EXPRESSIONS, make_expressions
from geomgen.sequence.grammar import Grammar
from geomgen.sequence.vectorizers import CharacterVectorizer, GrammarVectorizer

__all__ = [
    "EXPRESSIONS",
    "CharacterVectorizer",
    "Grammar",
    "GrammarVectorizer",
    "make_expressions",
]
