"""Decoding that stays in a grammar."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scratchlm.inference.constrained.grammar import Grammar, State
from scratchlm.inference.constrained.vocabulary import Vocabulary
from scratchlm.inference.sampling.history import History
from scratchlm.inference.sampling.truncation import hide

MOST_STATES = 4_096  # of texts that are remembered; guessed: a few batches


class Constrained:
    """A processor that hides each token that the grammar does not allow.

    What a row has written is read by the grammar; its prompt is not. The
    token that ends a text is allowed exactly where the text may end, and
    behind it nothing but itself. So some token is always allowed.

    Args:
        grammar: of what is written.
        vocabulary: the bytes of the tokens.
        end_id: the token that ends a text.

    Raises:
        ValueError: ``end_id`` is no id or has bytes, or no tokens of the
            vocabulary make a text of the grammar.

    Source: Willard and Louf 2023, "Efficient Guided Generation for Large
    Language Models", sec. 3.
    """

    def __init__(self, grammar: Grammar, vocabulary: Vocabulary, end_id: int):
        if not 0 <= end_id < vocabulary.size or end_id in vocabulary.tokens:
            raise ValueError(
                f"end_id is {end_id}; give an id from 0 to "
                f"{vocabulary.size - 1} that stands for no bytes"
            )
        if not vocabulary.ends(grammar.start()):
            raise ValueError(
                "a grammar that no token can begin: no sequence of the "
                f"vocabulary's {len(vocabulary.tokens)} tokens is one of its "
                "texts; add tokens for single bytes"
            )
        self.grammar = grammar
        self.vocabulary = vocabulary
        self.end_id = end_id
        # None stands behind the end.
        self._states: dict[tuple[int, ...], State | None] = {}
        self._over = torch.zeros(vocabulary.size, dtype=torch.bool)
        self._over[end_id] = True

    def __call__(
        self, logits: Float[Tensor, "B V"], history: History
    ) -> Float[Tensor, "B V"]:
        """Return the logits of allowed tokens, minus infinity elsewhere.

        Args:
            logits: of the next token.
            history: what the rows have written.

        Raises:
            ValueError: a row has left the grammar, or the vocabulary is of
                another size.
        """
        if logits.shape[-1] != self.vocabulary.size:
            raise ValueError(
                f"the logits are {logits.shape[-1]} wide and the vocabulary "
                f"{self.vocabulary.size}; give it the width of the head"
            )
        if not history.written:
            return logits.clone()
        masks = torch.stack([*map(self.allowed, history.written)])
        return hide(logits, ~masks.to(logits.device))

    def allowed(self, ids: Sequence[int]) -> Bool[Tensor, "V"]:
        """Return which tokens may follow what was written.

        Args:
            ids: written so far.

        Raises:
            ValueError: they have left the grammar.
        """
        state = self.state(ids)
        if state is None:
            return self._over
        mask = self.vocabulary.allowed(state)
        return mask | self._over if state.accepts else mask

    def state(self, ids: Sequence[int]) -> State | None:
        """Return where in the grammar a text stands; None behind its end.

        Args:
            ids: written so far.

        Raises:
            ValueError: they have left the grammar.
        """
        key = tuple(ids)
        if key in self._states:
            return self._states[key]
        known = len(key) - 1 if key[:-1] in self._states else 0
        state = self._states[key[:-1]] if known else self.grammar.start()
        for place in range(known, len(key)):
            state = self._step(state, key[place], place)
        if len(self._states) >= MOST_STATES:
            self._states.clear()
        self._states[key] = state
        return state

    def _step(
        self, state: State | None, token: int, place: int
    ) -> State | None:
        if token == self.end_id and (state is None or state.accepts):
            return None
        text = self.vocabulary.tokens.get(token)
        after = state.advance(text) if state and text else None
        if after is None:
            raise ValueError(
                f"token {token} at place {place} of what a row has written "
                "is not allowed there; let the same grammar constrain a row "
                "from its first token on"
            )
        return after
