"""Sums and differences, worked in steps. Chapter: book/text/corpora.md."""

from collections.abc import Sequence
from itertools import product

from scratchlm.text.tinyworld_grammar import Entity, Linked, Options
from scratchlm.text.tinyworld_telling import Case, Teller

SUM_LINES = """
sum.add ^
  {A} + {B}
  [Add|Let us add] {A} and {B}.
sum.subtract ^
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
sum.ask ^
  Question: [What is|How much is] {A} [plus|+] {B}?
difference.ask ^
  Question: [What is|How much is] {A} [minus|-] {B}?
answer.number /
  Answer: {S}.
"""


class _Smaller(dict[str, Options]):
    """The numbers up to one, made when asked for."""

    def __init__(self, number: int, least: int, numbers: "Numbers"):
        super().__init__()
        self.span = (least, number)
        self.numbers = numbers

    def __missing__(self, link: str) -> Options:
        self[link] = options = self.numbers.span(*self.span)
        return options


class Numbers:
    """Whole numbers from zero. Chapter: book/text/corpora.md.

    Args:
        most: the greatest.
        least: the least that is subtracted.
    """

    def __init__(self, most: int, least: int):
        self.all = Options(
            [Entity("number", name=str(n)) for n in range(most + 1)]
        )
        for n, entity in enumerate(self.all.values):
            entity.links = _Smaller(n, least, self)

    def __getitem__(self, number: int) -> Entity:
        """The entity of a number."""
        return self.all.values[number]

    def span(self, least: int, most: int) -> Options:
        """The numbers from ``least`` to ``most``."""
        return Options(self.all.values[least : most + 1])


def tell_sum(
    teller: Teller, numbers: Numbers, n_digits: Sequence[int]
) -> None:
    """Work a sum or a difference, column by column from the right.

    Chapter: book/text/corpora.md.

    Args:
        teller: writes or reads it.
        numbers: all numbers that occur.
        n_digits: how many digits a term may have.
    """
    chosen = teller.tell_one(
        problems("sum.add", "sum.subtract", numbers, n_digits)
    )
    teller.kind = "sum"
    adds = chosen < len(n_digits) ** 2
    _columns(teller, numbers, adds)
    teller.tell("sum.result" if adds else "difference.result")


def ask_sum(teller: Teller, numbers: Numbers, n_digits: Sequence[int]) -> None:
    """Ask for a sum or a difference, and answer. Args: as ``tell_sum``.

    Chapter: book/text/corpora.md.
    """
    chosen = teller.tell_one(
        problems("sum.ask", "difference.ask", numbers, n_digits)
    )
    teller.kind = "sum_question"
    _result(teller, numbers, chosen < len(n_digits) ** 2)
    teller.tell("answer.number")


def problems(
    add: str, subtract: str, numbers: Numbers, n_digits: Sequence[int]
) -> list[Case]:
    """The sums and the differences, by how many digits their terms have."""
    spans = [numbers.span(10 ** (d - 1), 10**d - 1) for d in n_digits]
    cases: list[Case] = [
        (add, {"A": left, "B": right}) for left, right in product(spans, spans)
    ]
    smaller = Linked("A", "smaller", "number")
    cases += [(subtract, {"A": span, "B": smaller}) for span in spans]
    return cases


def _result(teller: Teller, numbers: Numbers, adds: bool) -> int:
    a, b = (int(teller.roles[role].name) for role in "AB")
    result = a + b if adds else a - b
    teller.bind(S=numbers[result])
    return result


def _columns(teller: Teller, numbers: Numbers, adds: bool) -> None:
    _result(teller, numbers, adds)
    a, b = (teller.roles[role].name for role in "AB")
    n, paid = max(len(a), len(b)), 0
    for left, right in zip(a.zfill(n)[::-1], b.zfill(n)[::-1], strict=True):
        p, q = int(left), int(right)
        total = p + q + paid if adds else p - q - paid
        teller.bind(P=numbers[p], Q=numbers[q], W=numbers[total % 10])
        if adds:
            teller.bind(R=numbers[total])
        carried = not 0 <= total <= 9
        line = "sum." if adds else "difference."
        line += ("carry" if carried else "column") + ("-paid" if paid else "")
        paid = int(carried)
        teller.tell(line)
