"""One who writes and reads all documents of a world."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scratchlm.foundation.dice import Dice
from scratchlm.text.tinyworld.config import WorldConfig
from scratchlm.text.tinyworld.facts import FACT_LINES, ask_fact, tell_facts
from scratchlm.text.tinyworld.grammar import Options, read_script
from scratchlm.text.tinyworld.reading import (
    Reader,
    Stopped,
    Verdict,
    answer_in,
)
from scratchlm.text.tinyworld.setting import World
from scratchlm.text.tinyworld.stories.plots import STORY_LINES, tell_story
from scratchlm.text.tinyworld.stories.scenes import HOME
from scratchlm.text.tinyworld.sums import (
    SUM_LINES,
    Terms,
    ask_sum,
    tell_sum,
)
from scratchlm.text.tinyworld.telling import Teller, Writer


@dataclass(frozen=True)
class Document:
    """A text, and what is known about it.

    Args:
        text: all of it, in ASCII.
        kind: a weight's name of ``WorldConfig``: ``story``,
            ``story_question`` and so on.
        log_prob: its log-probability among all documents, in nats.
        state: what holds at its end, by relation: ``{"has": {"kite":
            "Mia"}}`` after a story, the facts told, the sum worked.
        question: what is asked; None if nothing is.
        answer: the right answer, without ``Answer:`` and full stop.
    """

    text: str
    kind: str
    log_prob: float
    state: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    question: str | None = None
    answer: str | None = None

    @property
    def prompt(self) -> str | None:
        """The text up to ``Answer:``; None if nothing is asked."""
        if self.answer is None:
            return None
        return self.text[: self.text.rindex("Answer:") + len("Answer:")]


class Narrator:
    """Writes and reads documents.

    Args:
        world: what is true.
        config: what is told, and how often.
    """

    def __init__(self, world: World, config: WorldConfig):
        self.world = world
        self.config = c = config
        self.numbers = Terms(c.n_digits)
        self.lines = read_script(
            FACT_LINES + SUM_LINES + STORY_LINES,
            max_forms=c.max_forms,
            max_alternatives=c.max_alternatives,
        )
        places = (*world.kinds["place"].values, HOME)
        self.universes = {
            **world.kinds,
            "place": Options(places),
            "number": self.numbers.all,
        }
        # A story decides only at its end whether it asks a question.
        self.topics: tuple[tuple[int, Callable[[Teller], None]], ...] = (
            (c.story + c.story_question, self._tell_story),
            (c.facts, lambda teller: tell_facts(teller, world)),
            (c.facts_question, lambda teller: ask_fact(teller, world)),
            (c.sum, lambda teller: tell_sum(teller, self.numbers)),
            (c.sum_question, lambda teller: ask_sum(teller, self.numbers)),
        )
        self.weights = [weight for weight, _ in self.topics]

    def _tell_story(self, teller: Teller) -> None:
        c = self.config
        tell_story(
            teller,
            self.world.kinds,
            plots=c.plots,
            passing=c.passing,
            weights=(c.story, c.story_question),
        )

    def write(self, dice: Dice) -> tuple[Document, float]:
        """Write a document.

        Args:
            dice: make the choices.

        Returns:
            The document, and the sum of its choices' entropies in nats.
        """
        writer = Writer(self.lines, dice)
        self.topics[writer.weigh(self.weights)][1](writer)
        text, question, answer = "".join(writer.pieces), None, None
        if writer.kind.endswith("_question"):
            question = text.rpartition("Question: ")[2].partition("\n")[0]
            answer = answer_in(text)
        state = {
            relation: {a.name: b.name for a, b in pairs.items()}
            for relation, pairs in writer.state.items()
        }
        document = Document(
            text, writer.kind, writer.log_prob, state, question, answer
        )
        return document, writer.entropy

    def read(self, text: str) -> tuple[Reader, Verdict]:
        """Whoever reads furthest into a text, and what it says of it."""
        best: tuple[Reader, Verdict] | None = None
        furthest = -1
        total = sum(self.weights)
        for weight, tell in self.topics:
            if not weight:
                continue
            reader = Reader(self.lines, self.universes, text)
            reader.log_prob = math.log(weight / total)
            try:
                tell(reader)
                reader.end()
                return reader, Verdict(kind="ok", offset=len(text))
            except Stopped as stopped:
                if stopped.reached > furthest:
                    furthest, best = stopped.reached, (reader, stopped.verdict)
        assert best is not None
        return best
