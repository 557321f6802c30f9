"""The tokens of a vocabulary, read through a grammar all at once."""

from collections.abc import Mapping
from typing import no_type_check

import torch
from jaxtyping import Bool
from torch import Tensor

from scratchlm.inference.constrained.expression import (
    EMPTY,
    VOID,
    Call,
    Either,
    Expression,
    Repeated,
    Then,
    sequence,
)
from scratchlm.inference.constrained.grammar import State

# What is kept, in ids of walks and in flags of masks; a full store is emptied.
# Guessed: some hundred MB together.
MOST_IDS, MOST_FLAGS = 10_000_000, 200_000_000
MOST_STATES = 20_000  # looked at for an end, where bytes are missing


class Branch:
    """A node of the trie: all tokens that begin with the same bytes.

    Attributes:
        ids: the tokens that are these bytes and no more.
        branches: by the next byte.
    """

    __slots__ = ("branches", "ids")

    def __init__(self) -> None:
        self.ids: tuple[int, ...] = ()
        self.branches: dict[int, Branch] = {}


class Vocabulary:
    """Tokens as bytes, in a trie.

    A walk follows the trie and the grammar together, so that tokens that
    begin alike share their steps and what the grammar forbids is left with
    all that lies behind it.

    Args:
        tokens: the bytes of each id. Ids without bytes, as those of special
            tokens, are left out and never allowed.
        size: V, the width of the masks.

    Raises:
        ValueError: there are no tokens, one is empty, or an id is out of
            range.
    """

    def __init__(self, tokens: Mapping[int, bytes], size: int):
        self.tokens = dict(tokens)
        self.size = size
        if not tokens:
            raise ValueError("the vocabulary has no tokens; give some bytes")
        self.root = Branch()
        for token, text in sorted(self.tokens.items()):
            if not text or not 0 <= token < size:
                raise ValueError(
                    f"token {token} is {text!r}; give ids from 0 to "
                    f"{size - 1} and at least one byte for each"
                )
            branch = self.root
            for byte in text:
                branch = branch.branches.setdefault(byte, Branch())
            branch.ids += (token,)
        # The bytes that can be said one by one, as a set of 256 bits.
        self.single = sum(
            1 << byte for byte, b in self.root.branches.items() if b.ids
        )
        self._masks: dict[Expression, Tensor] = {}
        self._walks: dict[tuple[Expression, Branch], Walk] = {}
        self._kept = 0
        self._ending: dict[Expression, bool] = {}

    def allowed(self, state: State) -> Bool[Tensor, "V"]:
        """Return which tokens a text in a state may go on with.

        A token is allowed if its bytes may follow and tokens exist that
        bring the text to an end behind it.

        Args:
            state: of a grammar.

        Returns:
            A mask that is kept; it is to be read, not written.

        Raises:
            ValueError: the vocabulary lacks bytes of the grammar, and it
                cannot be found out what ends without them.
        """
        mask = self._masks.get(state.expression)
        if mask is None:
            if len(self._masks) * self.size >= MOST_FLAGS:
                self._masks.clear()
            if self._kept >= MOST_IDS:
                self._walks.clear()
                self._kept = 0
            mask = torch.zeros(self.size, dtype=torch.bool)
            mask[list(self._ids(state))] = True
            self._masks[state.expression] = mask
        return mask

    def ends(self, state: State) -> bool:
        """Whether tokens exist that bring a text in a state to its end.

        Args:
            state: of a grammar.

        Raises:
            ValueError: as in :meth:`allowed`.
        """
        if not state.alphabet & ~self.single:
            return True  # each byte is a token, and no state is dead
        if state.expression not in self._ending:
            self._explore(state)
        return self._ending[state.expression]

    def _ids(self, state: State) -> set[int]:
        if not state.alphabet & ~self.single:
            return {*self._walk(state.expression, self.root)[0]}
        self.ends(state)
        return {
            token
            for after, ids in self._behind(state.expression).items()
            if self._ending[after]
            for token in ids
        }

    @no_type_check  # at run time, where it is called for each straddling token
    def _walk(self, expression: Expression, branch: Branch) -> "Walk":
        """Go on from a branch with texts of an expression.

        What a token does within a part is the same whatever stands behind
        it. So a walk is put together from those of the parts, each of which
        is made once: of a sequence, the walk of its head, and from each
        branch at which the head may be over, that of its tail.

        Returns:
            The tokens that may stand there, and the branches at which the
            text may end while the token goes on.
        """
        found = self._walks.get((expression, branch))
        if found is not None:
            return found
        if isinstance(expression, Call):
            return self._walk(expression.body, branch)
        if isinstance(expression, Then):
            found = self._behind_head(expression, branch)
        elif isinstance(expression, Either):
            walks = [self._walk(e, branch) for e in expression.parts]
            found = _joined(walks)
        elif isinstance(expression, Repeated) and not expression.item.nullable:
            one = sequence(expression.item, expression.fewer)
            ids, exits = self._walk(one, branch)
            found = ids, (*exits, branch) if expression.nullable else exits
        else:
            found = _scan(expression, branch)
        self._walks[expression, branch] = found
        self._kept += len(found[0]) + 10  # 10: for the entry itself
        return found

    @no_type_check
    def _behind_head(self, expression: Then, branch: Branch) -> "Walk":
        ids, exits = self._walk(expression.head, branch)
        if not exits:
            return ids, ()
        walks = [self._walk(expression.tail, exit) for exit in exits]
        more, ends = _joined(walks)
        return ids + more, ends

    def _behind(self, start: Expression) -> dict[Expression, list[int]]:
        """Return the states behind each token, and the tokens to each."""
        found: dict[Expression, list[int]] = {}
        waiting = [(self.root, start)]
        while waiting:
            branch, expression = waiting.pop()
            for byte, longer in branch.branches.items():
                after = expression.after(byte)
                if after is not VOID:
                    if longer.ids:
                        found.setdefault(after, []).extend(longer.ids)
                    waiting.append((longer, after))
        return found

    def _explore(self, state: State) -> None:
        """Find out of all states behind one which can come to an end."""
        before: dict[Expression, set[Expression]] = {state.expression: set()}
        waiting = [state.expression]
        for expression in waiting:  # grows
            if len(before) > MOST_STATES:
                missing = state.alphabet & ~self.single
                raise ValueError(
                    "no token is the single byte "
                    f"{bytes([(missing & -missing).bit_length() - 1])!r}, and "
                    "the grammar has too many states to find out which of "
                    "them end without it; add a token for each byte"
                )
            for after in self._behind(expression):
                if after not in before:
                    before[after] = set()
                    waiting.append(after)
                before[after].add(expression)
        ending = {e for e in before if e.nullable}
        waiting = [*ending]
        for expression in waiting:  # grows
            new = before[expression] - ending
            ending |= new
            waiting += new
        self._ending |= {e: e in ending for e in before}


Walk = tuple[tuple[int, ...], tuple[Branch, ...]]


@no_type_check
def _joined(walks: list[Walk]) -> Walk:
    if len(walks) == 1:
        return walks[0]
    ids = [token for some, _ in walks for token in some]
    exits = dict.fromkeys(exit for _, some in walks for exit in some)
    return tuple(ids), tuple(exits)


@no_type_check  # at run time, where a string visits most of the trie
def _scan(expression: Expression, branch: Branch) -> Walk:
    """Walk the trie and an expression together, byte by byte."""
    ids, exits = [], []
    if expression.nullable:
        exits.append(branch)
    waiting = [(branch, expression)]
    while waiting:
        branch, expression = waiting.pop()
        first = expression.first
        for byte, longer in branch.branches.items():
            if not first >> byte & 1:
                continue
            after = expression.after(byte)
            ids += longer.ids
            if longer.branches:
                if after.nullable:
                    exits.append(longer)
                if after is not EMPTY:
                    waiting.append((longer, after))
    return tuple(ids), tuple(exits)
