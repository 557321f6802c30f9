"""Sums and differences, worked in steps."""

from collections.abc import Sequence
from functools import cached_property
from itertools import product

from scratchlm.text.tinyworld.grammar import Entity, Linked, Options
from scratchlm.text.tinyworld.telling import Case, Teller

SUM_LINES = """
sum.open ^
  {A} + {B}
  [Add|Let us add] {A} and {B}.
difference.open ^
  {A} - {B}
  [Take {B} from {A}|Subtract {B} from {A}].
sum.column /
  {P} + {Q} = {R}. Write {W}.
sum.column-paid /
  {P} + {Q} + 1 = {R}. Write {W}.
sum.carry /
  {P} + {Q} = {R}. Write {W}, carry 1.
sum.carry-paid /
  {P} + {Q} + 1 = {R}. Write {W}, carry 1.
difference.column /
  {P} - {Q} = {W}. Write {W}.
difference.column-paid /
  {P} - 1 - {Q} = {W}. Write {W}.
difference.carry /
  {P} + 10 - {Q} = {W}. Write {W}, borrow 1.
difference.carry-paid /
  {P} + 10 - 1 - {Q} = {W}. Write {W}, borrow 1.
sum.result /
  So {A} + {B} = {S}.
difference.result /
  So {A} - {B} = {S}.
sum.ask
  [What is|How much is] {A} [plus|+] {B}?
difference.ask
  [What is|How much is] {A} [minus|-] {B}?
answer.number /
  Answer: {S}.
"""


class _Smaller(dict[str, Options]):
    """The numbers up to one, made when asked for."""

    def __init__(self, number: int, least: int, numbers: "Terms"):
        super().__init__()
        self.span = (least, number)
        self.numbers = numbers

    def __missing__(self, link: str) -> Options:
        self[link] = options = self.numbers.span(*self.span)
        return options


class Terms:
    """The numbers of which sums are made.

    Args:
        n_digits: how many digits a term may have.
    """

    def __init__(self, n_digits: Sequence[int]):
        self.n_digits = tuple(n_digits)
        self.all = Options(
            [
                Entity("number", name=str(number))
                for number in range(2 * 10 ** max(n_digits))
            ]
        )
        least = 10 ** (min(n_digits) - 1)
        for number, entity in enumerate(self.all.values):
            entity.links = _Smaller(number, least, self)

    def __getitem__(self, number: int) -> Entity:
        """The entity of a number."""
        return self.all.values[number]

    def span(self, least: int, most: int) -> Options:
        """The numbers from ``least`` to ``most``."""
        return Options(self.all.values[least : most + 1])

    @cached_property
    def terms(self) -> list[Options]:
        """The terms, by how many digits they have."""
        return [self.span(10 ** (d - 1), 10**d - 1) for d in self.n_digits]


def tell_sum(teller: Teller, numbers: Terms) -> None:
    """Work a sum or a difference, column by column from the right.

    Args:
        teller: writes or reads it.
        numbers: all numbers that occur.
    """
    teller.kind = "sum"
    operation = _pose(teller, numbers, "open")
    _columns(teller, numbers, operation)
    teller.tell(f"{operation}.result")


def ask_sum(teller: Teller, numbers: Terms) -> None:
    """Ask for a sum or a difference, and answer. Args: as ``tell_sum``."""
    teller.kind = "sum_question"
    teller.tell("question")
    _pose(teller, numbers, "ask")
    teller.tell("answer.number")


def _pose(teller: Teller, numbers: Terms, line: str) -> str:
    """Choose two terms; whether they make a sum or a difference."""
    cases: list[Case] = [
        (f"sum.{line}", {"A": left, "B": right})
        for left, right in product(numbers.terms, repeat=2)
    ]
    smaller = Linked("A", "smaller", "number")
    cases += [
        (f"difference.{line}", {"A": left, "B": smaller})
        for left in numbers.terms
    ]
    operation = cases[teller.tell_one(cases)][0].partition(".")[0]
    a, b = (int(teller.roles[role].name) for role in "AB")
    sign, result = ("+", a + b) if operation == "sum" else ("-", a - b)
    problem = Entity("sum", name=f"{a} {sign} {b}")
    teller.bind(S=numbers[result])
    teller.note("equals", problem, numbers[result])
    return operation


def _columns(teller: Teller, numbers: Terms, operation: str) -> None:
    a, b = (teller.roles[role].name for role in "AB")
    n, paid, adds = max(len(a), len(b)), 0, operation == "sum"
    for left, right in zip(a.zfill(n)[::-1], b.zfill(n)[::-1], strict=True):
        p, q = int(left), int(right)
        total = p + q + paid if adds else p - q - paid
        teller.bind(P=numbers[p], Q=numbers[q], W=numbers[total % 10])
        if adds:
            teller.bind(R=numbers[total])
        carries = not 0 <= total <= 9
        line = "carry" if carries else "column"
        teller.tell(f"{operation}.{line}{'-paid' if paid else ''}")
        paid = int(carries)
