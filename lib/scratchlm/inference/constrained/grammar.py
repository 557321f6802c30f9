"""A grammar: which texts are allowed, read byte by byte."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scratchlm.inference.constrained.expression import (
    ALL_BYTES,
    EMPTY,
    VOID,
    Call,
    Expression,
    Listed,
    Literal,
    OneOf,
    call,
    terminal,
)
from scratchlm.inference.constrained.pattern import parse_pattern


@dataclass(frozen=True)
class State:
    """Where in a grammar a text stands.

    Two texts in the same state may go on in the same ways, so that what is
    found out for one holds for the other.

    Args:
        expression: what may follow.
        alphabet: the bytes that the grammar uses at all, as a set of 256
            bits.
    """

    expression: Expression
    alphabet: int = ALL_BYTES

    def advance(self, text: bytes | int) -> "State | None":
        """Return the state behind some bytes, or behind one.

        Args:
            text: bytes, or the number of one byte.

        Returns:
            None where no text of the grammar goes on so.
        """
        expression = self.expression
        for byte in (text,) if isinstance(text, int) else text:
            expression = expression.after(byte)
            if expression is VOID:
                return None
        return State(expression, self.alphabet)

    @property
    def accepts(self) -> bool:
        """Whether the text may end here."""
        return bool(self.expression.nullable)


@dataclass(frozen=True)
class Grammar:
    """A set of byte strings.

    Each state that can be reached has a text that ends it: what is dead was
    cut off when the expression was made.

    Args:
        expression: all of the texts.
        alphabet: the bytes that they use, as a set of 256 bits.

    Raises:
        ValueError: there is no text at all.
    """

    expression: Expression
    alphabet: int = ALL_BYTES

    def __post_init__(self) -> None:
        if self.expression is VOID:
            raise ValueError(
                "the grammar allows no text, not even the empty one; look "
                "for requirements that exclude each other"
            )

    def start(self) -> State:
        """Return the state before the first byte."""
        return State(self.expression, self.alphabet)

    def accepts(self, text: str | bytes) -> bool:
        """Whether a text is one of the grammar's.

        Args:
            text: as bytes, or as text for UTF-8.
        """
        raw = text.encode() if isinstance(text, str) else text
        state = self.start().advance(raw)
        return state is not None and state.accepts


def pattern(source: str) -> Grammar:
    """Return the grammar of a regular expression that matches all of a text.

    Args:
        source: literals, ``.``, classes, groups, ``|``, ``* + ? {m,n}``.

    Raises:
        ValueError: it is malformed, or uses what is not regular.
    """
    expression = terminal(parse_pattern(source))
    return Grammar(expression, alphabet_of(expression))


def recursive(start: object, rules: Listed) -> Grammar:
    """Return the grammar of rules that may call each other.

    Rules that never come to an end are cut off, with all that needs them.

    Args:
        start: the rule that stands for a whole text.
        rules: all of them.

    Raises:
        ValueError: no text is left, or a rule begins with itself.
    """
    ending: set[object] = set()
    while True:
        ends = _replaced(dict.fromkeys(ending, EMPTY))
        more = {
            key
            for key, body in rules.bodies.items()
            if key not in ending and ends(body) is not VOID
        }
        if not more:
            break
        ending |= more
    pruned = Listed()
    prune = _replaced({key: call(pruned, key) for key in ending})
    for key in ending:
        pruned.bodies[key] = prune(rules.bodies[key])
    for key in ending:
        _ = call(pruned, key).first  # raises where a rule begins with itself
    expression = pruned.bodies.get(start, VOID)
    return Grammar(expression, alphabet_of(expression))


def _replaced(
    calls: Mapping[object, Expression],
) -> Callable[[Expression], Expression]:
    """Return what replaces calls in an expression, those not named by VOID."""
    done: dict[Expression, Expression] = {}

    def replace(expression: Expression) -> Expression:
        if expression not in done:
            done[expression] = (
                calls.get(expression.key, VOID)
                if isinstance(expression, Call)
                else expression.rebuilt(replace)
            )
        return done[expression]

    return replace


def alphabet_of(expression: Expression) -> int:
    """Return the bytes that the texts of an expression use.

    Args:
        expression: whose rules are all listed.
    """
    found, seen, waiting = 0, {expression}, [expression]
    while waiting:
        node = waiting.pop()
        if isinstance(node, OneOf):
            found |= node.first
        elif isinstance(node, Literal):
            for byte in node.text:
                found |= 1 << byte
        inner = [node.body] if isinstance(node, Call) else node.children
        waiting += set(inner) - seen
        seen.update(inner)
    return found
