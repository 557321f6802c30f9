"""Languages of byte strings, as expressions that can be read on.

An expression says which byte strings may still follow. Its *derivative* by a
byte says which may follow behind that byte, and is an expression again. So
an expression is a state of an automaton and the derivative its transition:
nothing has to be built before it is needed.

Nodes are made by the functions below, which simplify. The same node is made
once, so that equality is identity, and what was derived is remembered.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import count
from typing import Any, TypeVar, no_type_check
from weakref import WeakValueDictionary

Kind = TypeVar("Kind", bound="Expression")

_KNOWN: WeakValueDictionary[Any, "Expression"] = WeakValueDictionary()
_NUMBERS = count()
ALL_BYTES = (1 << 256) - 1


class Expression:
    """What may follow: a set of byte strings.

    Sets of bytes are integers of 256 bits. ``nullable`` says whether the
    text may end here, ``first`` which bytes may come next.
    """

    nullable: Any = False
    first: Any = 0

    def __init__(self, parts: tuple[Any, ...]):
        self.parts = parts
        self.number = next(_NUMBERS)
        self._derived: dict[int, Expression] = {}

    @no_type_check  # at run time, where a mask calls it thousands of times
    def after(self, byte: int) -> "Expression":
        """Return what may follow behind a byte; ``VOID`` if it may not."""
        if not self.first >> byte & 1:
            return VOID
        found = self._derived.get(byte)
        if found is None:
            found = self._derived[byte] = self.derive(byte)
        return found

    def derive(self, byte: int) -> "Expression":
        """Return the derivative by a byte that may come next."""
        raise AssertionError(byte)

    @property
    def children(self) -> Iterable["Expression"]:
        """The expressions that this one is made of."""
        return ()

    def rebuilt(
        self, of: Callable[["Expression"], "Expression"]
    ) -> "Expression":
        """Return the expression with each child replaced."""
        return self


@no_type_check
def _node(kind: type[Kind], *parts: Any) -> Kind:
    key = (kind, *parts)
    found = _KNOWN.get(key)
    if found is None:
        found = _KNOWN[key] = kind(parts)
    return found


class Void(Expression):
    """No text at all, not even the empty one."""


class Empty(Expression):
    """The empty text."""

    nullable = True


VOID, EMPTY = Void(()), Empty(())


class OneOf(Expression):
    """One byte of a set."""

    def __init__(self, parts: tuple[int]):
        super().__init__(parts)
        (self.first,) = parts

    def derive(self, byte: int) -> Expression:
        """Nothing more: the byte was the text."""
        return EMPTY


class Literal(Expression):
    """One text of at least one byte."""

    def __init__(self, parts: tuple[bytes]):
        super().__init__(parts)
        (self.text,) = parts
        self.first = 1 << self.text[0]

    def derive(self, byte: int) -> Expression:
        """The text without its first byte."""
        return literal(self.text[1:])


class Then(Expression):
    """A text of the head, and behind it one of the tail.

    The tail of a deep grammar is its stack: all that is still open.
    """

    def __init__(self, parts: tuple[Expression, Expression]):
        super().__init__(parts)
        self.head, self.tail = parts

    @cached_property
    def nullable(self) -> bool:
        """Whether both may be empty."""
        return bool(self.head.nullable and self.tail.nullable)

    @cached_property
    def first(self) -> int:
        """Those of the head, and of the tail where the head may be empty."""
        tail = self.tail.first if self.head.nullable else 0
        return int(self.head.first | tail)

    @no_type_check
    def derive(self, byte: int) -> Expression:
        """Read on in the head, or in the tail where the head may be empty."""
        behind = sequence(self.head.after(byte), self.tail)
        if self.head.nullable:
            return either(behind, self.tail.after(byte))
        return behind

    @property
    def children(self) -> Iterable[Expression]:
        """Head and tail."""
        return self.parts

    def rebuilt(self, of: Callable[[Expression], Expression]) -> Expression:
        """Return the sequence of the replaced parts."""
        return sequence(of(self.head), of(self.tail))


class Either(Expression):
    """A text of one of the options."""

    @cached_property
    def nullable(self) -> bool:
        """Whether one option may be empty."""
        return any(option.nullable for option in self.parts)

    @cached_property
    def first(self) -> int:
        """Those of all options."""
        found = 0
        for option in self.parts:
            found |= option.first
        return found

    @no_type_check
    def derive(self, byte: int) -> Expression:
        """Read on in each option that has the byte."""
        return either(
            *[
                option.after(byte)
                for option in self.parts
                if option.first >> byte & 1
            ]
        )

    @property
    def children(self) -> Iterable[Expression]:
        """The options."""
        return self.parts

    def rebuilt(self, of: Callable[[Expression], Expression]) -> Expression:
        """Return the choice between the replaced options."""
        return either(*map(of, self.parts))


class Repeated(Expression):
    """Texts of an expression, one behind the other, so many times."""

    def __init__(self, parts: tuple[Expression, int, int | None]):
        super().__init__(parts)
        self.item, self.least, self.most = parts

    @cached_property
    def nullable(self) -> bool:
        """Whether none is needed."""
        return self.least == 0 or bool(self.item.nullable)

    @cached_property
    def first(self) -> int:
        """Those of the expression."""
        return int(self.item.first)

    @cached_property
    def fewer(self) -> Expression:
        """The same, once less."""
        most = None if self.most is None else self.most - 1
        return repeat(self.item, max(self.least - 1, 0), most)

    def derive(self, byte: int) -> Expression:
        """Read on in one, and leave the others."""
        return sequence(self.item.after(byte), self.fewer)

    @property
    def children(self) -> Iterable[Expression]:
        """The expression."""
        return (self.item,)

    def rebuilt(self, of: Callable[[Expression], Expression]) -> Expression:
        """Return the repetition of the replaced expression."""
        return repeat(of(self.item), self.least, self.most)


class Both(Expression):
    """A text of two regular expressions at once."""

    def __init__(self, parts: tuple[Expression, Expression]):
        super().__init__(parts)
        self.one, self.other = parts
        self.alive: bool | None = None
        self._steps: dict[int, Both] = {}

    @cached_property
    def nullable(self) -> bool:
        """Whether both may be empty."""
        return bool(self.one.nullable and self.other.nullable)

    @cached_property
    def first(self) -> int:
        """Those that keep a text of both possible."""
        shared = int(self.one.first & self.other.first)
        return sum(1 << b for b in _bytes_in(shared) if self._step(b)._lives())

    def derive(self, byte: int) -> Expression:
        """Read on in both."""
        return both(self.one.after(byte), self.other.after(byte))

    def _step(self, byte: int) -> "Both":
        found = self._steps.get(byte)
        if found is None:
            parts = self.one.after(byte), self.other.after(byte)
            found = self._steps[byte] = _node(Both, *parts)
        return found

    def _lives(self) -> bool:
        """Whether any text is of both, found by trying all."""
        if self.alive is None:
            seen, waiting = {self}, [self]
            for state in waiting:  # grows
                if state.nullable or state.alive:
                    self.alive = True
                    return True
                shared = state.one.first & state.other.first
                after = {state._step(byte) for byte in _bytes_in(shared)}
                new = after - seen
                seen |= new
                waiting += sorted(new, key=lambda node: node.number)
            for state in seen:
                state.alive = False
        return bool(self.alive)


class Terminal(Expression):
    """A regular expression that is read as one symbol.

    It changes no text. A vocabulary walks its tokens through a terminal once
    and for all, whatever stands behind it.
    """

    def __init__(self, parts: tuple[Expression]):
        super().__init__(parts)
        (self.inner,) = parts
        self.nullable, self.first = self.inner.nullable, self.inner.first

    def derive(self, byte: int) -> Expression:
        """Read on within the symbol."""
        return terminal(self.inner.after(byte))

    @property
    def children(self) -> Iterable[Expression]:
        """The expression."""
        return (self.inner,)


class Call(Expression):
    """A rule, which may call itself: what makes a language recursive."""

    def __init__(self, parts: tuple["Rules", Any]):
        super().__init__(parts)
        self.rules, self.key = parts
        self._asked = False

    @property
    def body(self) -> Expression:
        """What the rule stands for."""
        return self.rules[self.key]

    def _ask(self, name: str) -> Any:
        if self._asked:
            raise ValueError(
                f"the rule {self.key!r} begins with itself, so that reading "
                "it never ends; let something stand before the call"
            )
        self._asked = True
        try:
            return getattr(self.body, name)
        finally:
            self._asked = False

    @property
    def nullable(self) -> bool:
        """Whether the rule may be empty."""
        return bool(self._ask("nullable"))

    @property
    def first(self) -> int:
        """Those of the rule."""
        return int(self._ask("first"))

    @no_type_check
    def after(self, byte: int) -> Expression:
        """Read on in the rule, which does the remembering."""
        return self.body.after(byte)


class Rules:
    """The expressions that calls stand for, by name."""

    def __getitem__(self, key: Any) -> Expression:
        raise NotImplementedError


class Listed(Rules):
    """Rules that are all there, to be filled in before they are called."""

    def __init__(self) -> None:
        self.bodies: dict[Any, Expression] = {}

    def __getitem__(self, key: Any) -> Expression:
        return self.bodies[key]


def literal(text: bytes) -> Expression:
    """Return the expression of one text."""
    return _node(Literal, text) if text else EMPTY


def one_of(*ranges: tuple[int, int]) -> Expression:
    """Return the expression of one byte of some ranges.

    Args:
        ranges: first and last byte of each.
    """
    mask = 0
    for low, high in ranges:
        mask |= (1 << high + 1) - (1 << low)
    return _node(OneOf, mask) if mask else VOID


@no_type_check
def sequence(*parts: Expression) -> Expression:
    """Return the expression of texts of the parts, one behind the other."""
    behind = EMPTY
    for part in reversed(parts):
        behind = _chained(part, behind)
    return behind


@no_type_check
def _chained(head: Expression, tail: Expression) -> Expression:
    if head is VOID or tail is VOID:
        return VOID
    if head is EMPTY:
        return tail
    if tail is EMPTY:
        return head
    if isinstance(head, Then):
        return _chained(head.head, _chained(head.tail, tail))
    return _node(Then, head, tail)


@no_type_check
def either(*options: Expression) -> Expression:
    """Return the expression of texts of any of the options."""
    found = set()
    for option in options:
        if isinstance(option, Either):
            found.update(option.parts)
        elif option is not VOID:
            found.add(option)
    if len(found) < 2:
        return found.pop() if found else VOID
    # In one order, so that the same options make the same node.
    return _node(Either, *sorted(found, key=lambda node: node.number))


def repeat(item: Expression, least: int, most: int | None) -> Expression:
    """Return the expression of so many texts, one behind the other.

    Args:
        item: of each.
        least: how many there must be.
        most: how many there may be; None sets no bound.
    """
    if most is not None and most < least:
        return VOID
    if most == 0 or item is EMPTY or (item is VOID and least == 0):
        return EMPTY
    if item is VOID:
        return VOID
    if (least, most) == (1, 1):
        return item
    return _node(Repeated, item, least, most)


def both(one: Expression, other: Expression) -> Expression:
    """Return the expression of texts of two regular expressions at once."""
    if one is other or VOID in (one, other):
        return one if one is other else VOID
    node = _node(Both, one, other)
    return node if node._lives() else VOID


@no_type_check
def terminal(inner: Expression) -> Expression:
    """Return a regular expression as one symbol."""
    if isinstance(inner, Void | Empty | Terminal | Literal | OneOf):
        return inner
    return _node(Terminal, inner)


def call(rules: Rules, key: Any) -> Expression:
    """Return the call of a rule."""
    return _node(Call, rules, key)


def _bytes_in(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
