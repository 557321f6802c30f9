"""A small world whose entropy is known.

It tells short stories, states facts, works sums, and asks and answers
questions about all three. Each document is drawn from a distribution that can
be computed: the probability of any text, whether it is well-formed and true,
and the entropy that no model's loss can fall below.
"""

import math
import random
from collections.abc import Collection, Iterator
from itertools import repeat

from scratchlm.foundation.dice import Dice
from scratchlm.text.corpora.texts import take_bytes
from scratchlm.text.tinyworld.config import DOCUMENT_KINDS, WorldConfig
from scratchlm.text.tinyworld.entropy import (
    EntropyRate,
    estimated_rate,
    exact_rate,
)
from scratchlm.text.tinyworld.narrator import Document, Narrator
from scratchlm.text.tinyworld.reading import Verdict
from scratchlm.text.tinyworld.setting import World
from scratchlm.text.tinyworld.telling import Choices

__all__ = ["Document", "EntropyRate", "TinyWorld", "Verdict", "WorldConfig"]


class TinyWorld:
    """A world, and the distribution of its documents.

    Args:
        seed: decides what is true: who lives where, what is sold where.
        config: how large it is and what is told; None for the book's own.

    Raises:
        ValueError: for a negative seed.
    """

    def __init__(self, seed: int = 0, config: WorldConfig | None = None):
        self.seed = _seed(seed)
        self.config = c = config or WorldConfig()
        self.narrator = Narrator(World(seed, c), c)

    def documents(self, seed: int, n: int | None = None) -> Iterator[Document]:
        """Documents drawn independently of each other.

        Args:
            seed: decides which; the same everywhere.
            n: how many; None for a stream without end.

        Raises:
            ValueError: for a negative number.
        """
        if n is not None and n < 0:
            raise ValueError(f"n is {n}; give 0 or more, or None for a stream")
        rng = random.Random(_seed(seed))
        times = repeat(rng) if n is None else repeat(rng, n)
        return map(self.sample, times)

    def texts(self, max_bytes: int, seed: int) -> Iterator[str]:
        """Texts of documents, as ``documents`` draws them.

        Args:
            max_bytes: stop before the texts would exceed it.
            seed: decides which.

        Raises:
            ValueError: for a negative seed.
        """
        texts = (document.text for document in self.documents(seed))
        return take_bytes(texts, max_bytes)

    def sample(
        self, rng: random.Random, kinds: Collection[str] | None = None
    ) -> Document:
        """Draw one document.

        Args:
            rng: is advanced.
            kinds: draw until the document is of one of these. Its
                ``log_prob`` remains that among all documents.

        Raises:
            ValueError: for a kind that is never told.
        """
        dice = Dice(rng)
        if kinds is not None:
            told = [k for k in DOCUMENT_KINDS if getattr(self.config, k)]
            if not kinds or not set(kinds) <= set(told):
                raise ValueError(
                    f"kinds is {sorted(kinds)}, but this world tells "
                    f"{', '.join(told)}; give some of these"
                )
        while True:
            document = self.narrator.write(dice)[0]
            if kinds is None or document.kind in kinds:
                return document

    def question(self, rng: random.Random) -> Document:
        """Draw one document that asks a question.

        Its ``prompt`` is what to show, its ``answer`` what to expect.

        Args:
            rng: is advanced.
        """
        asking = [k for k in DOCUMENT_KINDS if k.endswith("_question")]
        told = [k for k in asking if getattr(self.config, k)]
        return self.sample(rng, told)

    def log_prob(self, text: str) -> float:
        """The log-probability of a text among all documents, in nats.

        ``-inf`` for what the world cannot say. Equal to ``log_prob`` of a
        document drawn, up to the rounding of a sum of floats.
        """
        reader, verdict = self.narrator.read(text)
        return reader.log_prob if verdict.ok else -math.inf

    def check(self, text: str) -> Verdict:
        """Whether a text is a document of the world, and if not, why.

        Only the first fault is named.
        """
        return self.narrator.read(text)[1]

    def answer(self, prompt: str) -> str:
        """The right answer to a prompt.

        Args:
            prompt: a text of this world up to ``Answer:`` or less, if the
                answer is already decided there.

        Raises:
            ValueError: if the world cannot say it, or asks nothing there.
        """
        reader, verdict = self.narrator.read(prompt)
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
            asked: a document that asks, or a prompt.
            answer_text: what a model wrote. What follows its last
                ``Answer:`` counts, all of it where there is none; space
                around it and a full stop behind it do not.

        Raises:
            ValueError: if nothing was asked.
        """
        if isinstance(asked, str):
            gold: str | None = self.answer(asked)
        else:
            gold = asked.answer
        if gold is None:
            raise ValueError(
                "the document asks nothing; give one that does, as "
                "question() draws"
            )
        given = answer_text.rpartition("Answer:")[2]
        return given.strip().removesuffix(".") == gold

    def enumerate(self, limit: int = 1_000_000) -> Iterator[Document]:
        """Every document of a world that is small enough.

        Args:
            limit: how many documents are small enough.

        Raises:
            ValueError: when there are more.
        """
        path = Choices()
        for _ in range(limit):
            yield self.narrator.write(path)[0]
            if not path.advance():
                return
        raise ValueError(
            f"the world has more than {limit} documents; give a config with "
            "fewer people, forms or alternatives"
        )

    def entropy_per_byte(
        self, n: int | None = 2000, seed: int = 0
    ) -> EntropyRate:
        r"""The entropy of a document over its expected bytes, in nats.

        No model does better. On documents :math:`x` drawn from the world's
        distribution :math:`p`, a model :math:`q` loses

        .. math::

            \frac{E_p[-\log q(x)]}{E_p[|x|]} = \frac{H(p) + KL(p \| q)}
            {E_p[|x|]} \ge \frac{H(p)}{E_p[|x|]}

        nats a byte in the long run, since the divergence is never negative.
        Documents are drawn independently, so that seeing some of them tells
        nothing about the next. A tokenizer changes nothing, as long as all
        bytes are counted and no special token is. Neither does a separator
        between documents: no document is the beginning of another, so that
        the text itself says where it ends, and a sign that is certain costs
        nothing. Count its loss, if it has one, but not its bytes.

        With ``n``, documents are drawn, and instead of :math:`-\log p` the
        entropies of their choices are averaged, each given the choices
        before it. The mean is the same, and its error much smaller
        (Rao-Blackwell).

        Args:
            n: how many documents to draw; None lists all, for the exact
                value, in a world that is small enough.
            seed: decides which are drawn.

        Raises:
            ValueError: ``n`` is below 2, the seed is negative, or there are
                too many documents to list.
        """
        if n is None:
            return exact_rate(
                (d.log_prob, len(d.text)) for d in self.enumerate()
            )
        dice = Dice(random.Random(_seed(seed)))
        drawn = [self.narrator.write(dice) for _ in range(n)]
        return estimated_rate([(h, len(d.text)) for d, h in drawn])


def _seed(seed: int) -> int:
    """The seed; Python would take a negative one for its opposite."""
    if seed < 0:
        raise ValueError(f"the seed is {seed}; give a number from 0")
    return seed
