"""A small world whose entropy is known. Chapter: book/text/corpora.md."""

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from scratchlm.text.tinyworld_facts import FACT_LINES, World, tell_facts
from scratchlm.text.tinyworld_grammar import read_script
from scratchlm.text.tinyworld_reading import (
    Reader,
    Stopped,
    Verdict,
    answer_in,
)
from scratchlm.text.tinyworld_stories import STORY_LINES, tell_story
from scratchlm.text.tinyworld_sums import (
    SUM_LINES,
    Numbers,
    ask_sum,
    tell_sum,
)
from scratchlm.text.tinyworld_telling import (
    Teller,
    Writer,
    all_paths,
    draw_weighted,
    entropy_of,
)

Relations = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """How large a world is, and what is told of it.

    Chapter: book/text/corpora.md.
    """

    story: int = 8
    story_question: int = 4
    facts: int = 2
    sum: int = 3
    sum_question: int = 1
    n_people: int = 40
    n_towns: int = 12
    n_things: int = 32
    n_places: int = 20
    n_shops: int = 8
    n_animals: int = 12
    n_digits: tuple[int, ...] = (2, 3)
    max_forms: int | None = None
    max_alternatives: int | None = None


@dataclass(frozen=True)
class Document:
    """A text, and what is known about it. Chapter: book/text/corpora.md."""

    text: str
    kind: str
    log_prob: float
    state: Relations = field(default_factory=dict)
    question: str | None = None
    answer: str | None = None

    @property
    def prompt(self) -> str | None:
        """The text up to where the answer begins."""
        if self.answer is None:
            return None
        return self.text[: self.text.rindex("Answer:") + 7]


@dataclass(frozen=True, kw_only=True)
class EntropyRate:
    """Entropy per byte, in nats. Chapter: book/text/corpora.md."""

    nats_per_byte: float
    standard_error: float
    nats_per_document: float
    bytes_per_document: float
    n_documents: int

    @property
    def bits_per_byte(self) -> float:
        """The same in bits."""
        return self.nats_per_byte / math.log(2)


class TinyWorld:
    """A world, its documents and their probabilities.

    Chapter: book/text/corpora.md.
    """

    def __init__(self, seed: int = 0, config: WorldConfig | None = None):
        self.seed = seed
        self.config = c = config or WorldConfig()
        self.world = World(
            seed,
            n_people=c.n_people,
            n_towns=c.n_towns,
            n_things=c.n_things,
            n_places=c.n_places,
            n_shops=c.n_shops,
            n_animals=c.n_animals,
        )
        most = 10 ** max(c.n_digits)
        self.numbers = Numbers(2 * most, 10 ** (min(c.n_digits) - 1))
        self.lines = read_script(
            FACT_LINES + SUM_LINES + STORY_LINES,
            max_forms=c.max_forms,
            max_alternatives=c.max_alternatives,
        )
        self.topics: list[tuple[int, Callable[[Teller], None]]] = [
            (c.story + c.story_question, self._story),
            (c.facts, lambda t: tell_facts(t, self.world)),
            (c.sum, lambda t: tell_sum(t, self.numbers, c.n_digits)),
            (c.sum_question, lambda t: ask_sum(t, self.numbers, c.n_digits)),
        ]
        w = self.world
        self.universes = {
            options.kind: options
            for options in (
                *(w.people, w.towns, w.things, w.places, w.shops, w.animals),
                *(w.foods, w.beds, w.landmarks, self.numbers.all),
            )
        }

    def _story(self, teller: Teller) -> None:
        tell_story(
            teller, self.world, [self.config.story, self.config.story_question]
        )

    def documents(self, seed: int, n: int | None = None) -> Iterator[Document]:
        """Documents drawn independently; without end where n is None."""
        rng = random.Random(seed)
        made = 0
        while n is None or made < n:
            yield self.sample(rng)
            made += 1

    def texts(self, max_bytes: int, seed: int) -> Iterator[str]:
        """Texts of documents, up to ``max_bytes`` in all."""
        size = 0
        for document in self.documents(seed):
            size += len(document.text)
            if size > max_bytes:
                return
            yield document.text

    def sample(self, rng: random.Random) -> Document:
        """One document."""
        uniform = rng.random
        return self._write(lambda n: int(uniform() * n))[0]

    def _write(self, pick: Callable[[int], int]) -> tuple[Document, float]:
        writer = Writer(self.lines, pick)
        weights = [weight for weight, _ in self.topics]
        topic = draw_weighted(pick, weights)
        writer.log_prob += math.log(weights[topic] / sum(weights))
        writer.entropy += entropy_of(weights)
        self.topics[topic][1](writer)
        text, question = "".join(writer.pieces), None
        if writer.kind.endswith("question"):
            question = text.rpartition("Question: ")[2].partition("\n")[0]
        document = Document(
            text,
            writer.kind,
            writer.log_prob,
            {
                relation: {a.name: b.name for a, b in pairs.items()}
                for relation, pairs in writer.state.items()
            },
            question,
            answer_in(text) if question else None,
        )
        return document, writer.entropy

    def _read(self, text: str) -> tuple[Reader, Verdict]:
        weights = [weight for weight, _ in self.topics]
        best = None
        for weight, tell in self.topics:
            if not weight:
                continue
            reader = Reader(self.lines, self.universes, text)
            reader.log_prob = math.log(weight / sum(weights))
            try:
                tell(reader)
                reader.end()
                return reader, Verdict(kind="ok", offset=len(text))
            except Stopped as stopped:
                verdict = stopped.verdict
            if best is None or verdict.offset > best[1].offset:
                best = reader, verdict
        assert best is not None
        return best

    def log_prob(self, text: str) -> float:
        """Its log-probability in nats; ``-inf`` for what cannot be said."""
        reader, verdict = self._read(text)
        return reader.log_prob if verdict.ok else -math.inf

    def check(self, text: str) -> Verdict:
        """Whether a text is a document of the world, and if not, why."""
        return self._read(text)[1]

    def enumerate(self) -> Iterator[Document]:
        """All documents of a world that is small enough."""
        made: list[Document] = []
        for _ in all_paths(lambda pick: made.append(self._write(pick)[0])):
            yield made.pop()

    def question(self, rng: random.Random) -> Document:
        """One document that asks and answers a question."""
        while (document := self.sample(rng)).answer is None:
            pass
        return document

    def answer(self, prompt: str) -> str:
        """The right answer to a prompt that ends in a question.

        Raises:
            ValueError: if it does not, or if the world cannot say it.
        """
        reader, verdict = self._read(prompt)
        answer = reader.answer() if verdict.kind == "incomplete" else None
        if answer is None:
            raise ValueError(
                f"the prompt ends {prompt[-40:]!r} ({verdict}); give a text "
                "of this world that ends in 'Answer:'"
            )
        return answer

    def grade(self, asked: Document | str, answer_text: str) -> bool:
        """Whether an answer is right.

        Args:
            asked: a document with a question, or a prompt.
            answer_text: what was answered, with or without ``Answer:``, the
                space before it and the full stop behind.
        """
        if isinstance(asked, Document):
            gold = asked.answer
            if gold is None:
                raise ValueError(
                    f"a document of kind {asked.kind!r} asks nothing; give "
                    "one that does, as question() draws"
                )
        else:
            gold = self.answer(asked)
        return (
            answer_in(answer_text) or answer_in(f"Answer:{answer_text}")
        ) == gold

    def entropy_per_byte(
        self, n: int | None = 2000, seed: int = 0
    ) -> EntropyRate:
        """The entropy of a document over its expected bytes.

        Args:
            n: how many documents to draw; None enumerates all, for an exact
                answer in a world that is small enough.
            seed: of the documents.
        """
        if n is None:
            every = [(d.log_prob, len(d.text)) for d in self.enumerate()]
            nats = -math.fsum(math.exp(lp) * lp for lp, _ in every)
            size = math.fsum(math.exp(lp) * length for lp, length in every)
            return EntropyRate(
                nats_per_byte=nats / size,
                standard_error=0.0,
                nats_per_document=nats,
                bytes_per_document=size,
                n_documents=len(every),
            )
        uniform = random.Random(seed).random
        drawn = [self._write(lambda m: int(uniform() * m)) for _ in range(n)]
        entropies = [entropy for _, entropy in drawn]
        sizes = [len(document.text) for document, _ in drawn]
        nats, size = sum(entropies) / n, sum(sizes) / n
        rate = nats / size
        squares = sum(
            (h - rate * b) ** 2 for h, b in zip(entropies, sizes, strict=True)
        )
        return EntropyRate(
            nats_per_byte=rate,
            standard_error=math.sqrt(squares / (n - 1) / n) / size,
            nats_per_document=nats,
            bytes_per_document=size,
            n_documents=n,
        )
