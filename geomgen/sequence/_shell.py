"""From strings to one-hot rows and back: what every estimator over strings adds to its model."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Literal

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from geomgen._fields import Count, Positive, estimator, fixing
from geomgen.base import GenerativeAutoencoder
from geomgen.losses import negative_log_likelihood
from geomgen.nn import (
    CategoricalLikelihood,
    Head,
    LatentVariableModel,
    sequence_decoder,
    sequence_encoder,
)
from geomgen.sequence._strings import check_strings
from geomgen.sequence.vectorizers import CharacterVectorizer, GrammarVectorizer

__all__ = ["CharacterModel", "GrammarModel", "SequenceModel"]

_CHUNK = 8192  # strings decoded at once


@estimator
@fixing(
    *("image_shape", "feature_blocks", "augment", "residual", "marginals"),
    reduction="sum",
)
class SequenceModel(GenerativeAutoencoder):
    """The half of an estimator over strings that its model does not bring.

    A vectorizer makes one-hot rows of L steps and W symbols of strings; the networks read and
    write these, and the reconstruction term is a cross entropy, summed over steps. The rest is the
    model's, which comes after this class among the bases.
    """

    n_components: Annotated[Count, "Dimension d of the codes."] = 25
    hidden: Annotated[
        tuple[Count, ...],
        """Widths of the encoder's linear layers, behind its convolutions; the decoder mirrors them.
        With ``architecture="gru"``, those of the decoder's recurrent layers too.""",
    ] = (256,)
    architecture: Annotated[  # of other networks than those of rows
        Literal["conv", "gru"],
        """Of the decoder: convolutions along the steps, or layers of gated recurrent units. The
        encoder has convolutions.""",
    ] = "conv"  # type: ignore[assignment]
    channels: Annotated[
        tuple[Count, ...],
        "Channels after each convolution of length 3; the decoder mirrors them.",
    ] = (64, 64)
    max_epochs: Annotated[Count, "Passes over the strings."] = 20
    batch_size: Annotated[
        Count, "Strings a step; a last batch of one string joins the one before."
    ] = 128
    lr: Annotated[Positive, "Learning rate."] = 1e-3

    # ------------------------------------------------------------------ what a subclass provides
    @abstractmethod
    def _make_vectorizer(self) -> Any: ...

    def _groups(self) -> list[list[int]] | None:
        """Symbols that are alternatives to each other; None for all."""
        return None

    def _decoding(self) -> dict[str, Any]:
        """Keywords of the vectorizer's ``decode``."""
        return {}

    # ------------------------------------------------------------------------- strings and codes
    def inverse_transform(
        self, X: Any, sample: bool = False, random_state: Any = None
    ) -> np.ndarray:
        """Decode codes to strings.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes.
        sample : bool, default=False
            Whether to draw every symbol from its probabilities, in place of the likeliest.
        random_state : int, RandomState or None, default=None
            Of the draws; None draws from numpy's global state.

        Returns
        -------
        ndarray of shape (n_samples,)
            Strings; "" for a derivation that ran out of steps, without the budget mask.
        """
        check_is_fitted(self)
        Z = self._check_codes(X)
        return self._strings(Z, sample, check_random_state(random_state) if sample else None)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the energy distance between one-hot rows of X and of a draw; greater is better.

        Parameters
        ----------
        X : array-like of str, of shape (n_samples,)
            Held-out strings.
        y : object
            Ignored.

        Returns
        -------
        float
            At most 0; the draw, of as many strings as X and at least 1000, is seeded, and decoded
            with the budget mask.
        """
        return super().score(X, y)

    def _start(self, X: Any, resume: bool) -> np.ndarray:
        strings = check_strings(X)
        if len(strings) < 2:
            raise ValueError(f"X has {len(strings)} strings: give 2 or more to learn from.")
        if not resume:
            self.vectorizer_ = self._make_vectorizer().fit(strings)
        return super()._start(self._rows(strings), resume)

    def _check_rows(self, X: Any) -> np.ndarray:
        return super()._check_rows(self._rows(X))

    def _rows(self, X: Any) -> np.ndarray:
        return self.vectorizer_.transform(X).astype(np.uint8)  # training keeps a byte a number

    def _new_rows(self, n: int, random_state: Any, **kwargs: Any) -> np.ndarray:
        return self._strings(self._draw_codes(n, random_state, **kwargs))

    def _draw_rows(self, n: int, random_state: Any, **kwargs: Any) -> np.ndarray:
        """Draw one-hot rows, of whole derivations all."""
        codes = self._draw_codes(n, random_state, **kwargs)
        return self._rows(self._strings(codes, budget=True))

    def _strings(
        self, Z: np.ndarray, sample: bool = False, random_state: Any = None, **decoding: Any
    ) -> np.ndarray:
        decoding = self._decoding() | decoding
        parts = [
            self.vectorizer_.decode(
                self._apply(self._logits, Z[start : start + _CHUNK]),
                sample=sample,
                random_state=random_state,
                **decoding,
            )
            for start in range(0, len(Z), _CHUNK)
        ]
        return np.concatenate(parts)

    def _logits(self, z: Tensor) -> Tensor:
        model = self._module
        return model.decoder(model.manifold.project(z)).logits

    # -------------------------------------------------------------------------- net and objective
    def _check_layout(self, n_features: int) -> int:
        length = self.vectorizer_.shape_[0]
        steps = self.channels if self.architecture == "conv" else (*self.channels, *self.hidden)
        return max(n_features, *self.hidden, *(length * width for width in steps))

    def _network(self, name: str, n_in: int, n_out: int, start: torch.Generator) -> nn.Module:
        layout = (self.vectorizer_.shape_, self.channels, self.hidden)
        style: dict[str, Any] = {
            "activation": self.activation,
            "norm": self.norm,
            "generator": start,
        }
        if name == "encoder":
            return sequence_encoder(*layout, n_out, **style)
        return sequence_decoder(*layout, n_in, architecture=self.architecture, **style)

    def _likelihood(self, decoder: nn.Module) -> Head:
        return CategoricalLikelihood(decoder, self.vectorizer_.shape_, self._groups())

    def _reconstruction(self, model: LatentVariableModel, z: Tensor, x: Tensor) -> Tensor:
        return negative_log_likelihood(model.decoder(model.manifold.project(z)), x)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


@estimator
class GrammarModel(SequenceModel):
    """Strings as the rules of their leftmost derivations."""

    grammar: Annotated[
        Any,
        """A ``Grammar``, or the text of one; None takes ``EXPRESSIONS``, the benchmark's arithmetic
        expressions.""",
    ] = None
    budget: Annotated[
        bool,
        """Whether decoding leaves out rules after which a derivation could not end within the
        grammar's ``max_length``. Every string decoded is then valid; without it, those that are not
        come out as "". It may change after fit.""",
    ] = True

    @property
    def grammar_(self) -> Any:
        """The grammar."""
        return self.vectorizer_.grammar_

    def _make_vectorizer(self) -> Any:
        return GrammarVectorizer(grammar=self.grammar)

    def _groups(self) -> list[list[int]]:
        """Rules by the nonterminal that they expand, and the padding."""
        grammar = self.vectorizer_.grammar_
        groups: dict[str | None, list[int]] = {}
        for rule, (left, _) in enumerate(grammar.rules):
            groups.setdefault(left, []).append(rule)
        return [*groups.values(), [grammar.n_rules]]

    def _decoding(self) -> dict[str, Any]:
        return {"budget": self.budget}


@estimator
class CharacterModel(SequenceModel):
    """Strings as their characters."""

    charset: Annotated[
        str | None,
        "Characters that strings are made of; None takes those of the strings that fit sees.",
    ] = None
    max_length: Annotated[
        Count | None,
        "Most characters of a string; None takes the longest that fit sees.",
    ] = None

    @property
    def charset_(self) -> Any:
        """The characters, in the order of their columns."""
        return self.vectorizer_.charset_

    def _make_vectorizer(self) -> Any:
        return CharacterVectorizer(charset=self.charset, max_length=self.max_length)
