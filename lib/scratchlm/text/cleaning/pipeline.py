"""A pipeline of steps, and the account it keeps.

A step is any callable with a ``name``. It takes a text and returns the text
that goes on, or a :class:`Rejection`. Steps are passed in; none is built in.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scratchlm.foundation.arguments import not_one_string
from scratchlm.text.cleaning.c4 import C4
from scratchlm.text.cleaning.gopher import GOPHER
from scratchlm.text.cleaning.html_pages import PAGE_TO_TEXT
from scratchlm.text.cleaning.private_data import MASKING
from scratchlm.text.cleaning.repair import REPAIR, repair_mojibake
from scratchlm.text.cleaning.repetition import REPETITION
from scratchlm.text.cleaning.steps import Counted, Edit, Rejection, Step

# What any text can go through: no optional library, no language assumed
# beyond the English stop words of the last Gopher rule.
DEFAULT_STEPS: tuple[Step, ...] = (
    REPAIR,
    *GOPHER,
    *REPETITION,
    *C4,
    MASKING,
)

# The same for pages of HTML; needs the extra "data". Mojibake first: a parser
# of HTML drops control characters, and they are bytes of the letters.
PAGE_STEPS: tuple[Step, ...] = (
    Edit(name="mojibake", change=repair_mojibake),
    PAGE_TO_TEXT,
    *DEFAULT_STEPS,
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one text.

    Args:
        index: its place in the input, from 0.
        text: the cleaned text; of a reject, as it reached the step that
            rejected it.
        rejected_by: the name of that step; None where the text was kept.
        reason: why, for a person to read; empty where the text was kept.
        sizes: UTF-8 bytes at the start and after each step it survived.
        changes: how many changes of each kind the steps counted in it.
    """

    index: int
    text: str
    rejected_by: str | None = None
    reason: str = ""
    sizes: tuple[int, ...] = ()
    changes: Mapping[str, int] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        """Whether every step let it pass."""
        return self.rejected_by is None


@dataclass(kw_only=True)
class Funnel:
    """How many documents and bytes each step let pass, and rejects to look at.

    Its memory does not grow with the corpus.

    Args:
        examples: rejects to keep for each step, the last ones it made.
        names: of the input and the steps, once a pipeline has begun.
        documents: how many came to the end of each.
        n_bytes: how many bytes those had there.
        rejects: the examples, by the name of the step.
        changes: how many changes of each kind the steps counted in the texts
            that were kept, as ``{"email": 3}``.

    Raises:
        ValueError: ``examples`` is negative.
    """

    examples: int = 3
    names: tuple[str, ...] = field(default=(), init=False)
    documents: list[int] = field(default_factory=list, init=False)
    n_bytes: list[int] = field(default_factory=list, init=False)
    rejects: dict[str, deque[Outcome]] = field(
        default_factory=dict, init=False
    )
    changes: Counter[str] = field(default_factory=Counter, init=False)

    def __post_init__(self) -> None:
        if self.examples < 0:
            raise ValueError(
                f"examples is {self.examples}; give 0 to keep no rejects"
            )

    def begin(self, names: Sequence[str]) -> None:
        """Take up the names of the steps; ``clean`` calls it.

        Raises:
            ValueError: it has counted for other steps.
        """
        names = ("input", *names)
        if self.names and self.names != names:
            raise ValueError(
                f"this funnel counts for the steps {list(self.names[1:])}, "
                f"not {list(names[1:])}; give each pipeline its own Funnel()"
            )
        if not self.names:
            self.names = names
            self.documents = [0] * len(names)
            self.n_bytes = [0] * len(names)

    def add(self, outcome: Outcome) -> None:
        """Count what became of one text."""
        for place, size in enumerate(outcome.sizes):
            self.documents[place] += 1
            self.n_bytes[place] += size
        if outcome.rejected_by is not None:
            last = self.rejects.setdefault(
                outcome.rejected_by, deque(maxlen=self.examples)
            )
            last.append(outcome)
        else:
            self.changes.update(outcome.changes)

    def rows(self) -> list[tuple[str, int, int]]:
        """Each step's name, the documents and the bytes that it let pass.

        The first row is the input.
        """
        return list(zip(self.names, self.documents, self.n_bytes, strict=True))


def clean(
    texts: Iterable[str],
    steps: Sequence[Step] = DEFAULT_STEPS,
    *,
    funnel: Funnel | None = None,
) -> Iterator[Outcome]:
    """Send each text through the steps, until one rejects it.

    Lazy: texts are taken one at a time, and
    each gives one outcome, in order, kept or not. The kept texts alone::

        kept = (done.text for done in clean(texts, steps) if done.kept)

    Args:
        texts: the documents.
        steps: what to do with each, in order; all names differ.
        funnel: counts what passes, where one is given.

    Raises:
        ValueError: ``texts`` is one string, or two steps share a name.
    """
    not_one_string(texts)
    names = [step.name for step in steps]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or "input" in names:
        raise ValueError(
            f"the steps {twice or ['input']} cannot be told apart in the "
            "funnel; rename one with dataclasses.replace(step, name=...)"
        )
    if funnel is not None:
        funnel.begin(names)
    return _outcomes(texts, tuple(steps), funnel)


def _outcomes(
    texts: Iterable[str], steps: tuple[Step, ...], funnel: Funnel | None
) -> Iterator[Outcome]:
    for index, text in enumerate(texts):
        outcome = _run(index, text, steps)
        if funnel is not None:
            funnel.add(outcome)
        yield outcome


def _run(index: int, text: str, steps: tuple[Step, ...]) -> Outcome:
    sizes = [_size(text)]
    changes: Counter[str] = Counter()
    for step in steps:
        result = step(text)
        if isinstance(result, Rejection):
            return Outcome(
                index=index,
                text=text,
                rejected_by=step.name,
                reason=result.reason,
                sizes=tuple(sizes),
            )
        if isinstance(result, Counted):
            changes.update(result.counts)
            result = result.text
        # Most steps return the very text they were given.
        sizes.append(sizes[-1] if result is text else _size(result))
        text = result
    return Outcome(index=index, text=text, sizes=tuple(sizes), changes=changes)


def _size(text: str) -> int:
    """Bytes; half a surrogate pair counts, so that repair can meet it."""
    return len(text.encode("utf-8", "surrogatepass"))
