"""Strings: grammars, their vectorizers and benchmark, and autoencoders over them."""

from geomgen.sequence._result import OptimizationResult
from geomgen.sequence.evaluation import ExpressionScore, evaluate_expressions
from geomgen.sequence.expressions import EXPRESSIONS, make_expressions
from geomgen.sequence.grammar import Grammar
from geomgen.sequence.models import (
    CharacterVAE,
    GrammarConstantVarianceVAE,
    GrammarGMMDAE,
    GrammarLISA,
    GrammarRAE,
    GrammarVAE,
)
from geomgen.sequence.optimize import LatentOptimizer
from geomgen.sequence.scoring import exact_reconstruction
from geomgen.sequence.vectorizers import CharacterVectorizer, GrammarVectorizer

__all__ = [
    "EXPRESSIONS",
    "CharacterVAE",
    "CharacterVectorizer",
    "ExpressionScore",
    "Grammar",
    "GrammarConstantVarianceVAE",
    "GrammarGMMDAE",
    "GrammarLISA",
    "GrammarRAE",
    "GrammarVAE",
    "GrammarVectorizer",
    "LatentOptimizer",
    "OptimizationResult",
    "evaluate_expressions",
    "exact_reconstruction",
    "make_expressions",
]
