"""Text that lies on a disk as shards, or is fetched and becomes shards."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Int64

from scratchlm.interop.tokenizers.gpt2 import from_gpt2_files
from scratchlm.interop.tokenizers.loading import has_tokenizer, load_tokenizer
from scratchlm.recipes.held_out_rows import loss_of_rows
from scratchlm.recipes.recipe import Recipe
from scratchlm.text.corpora.public_data import (
    GPT2_MERGES,
    GPT2_VOCAB,
    HubDataset,
)
from scratchlm.text.corpora.texts import take_bytes
from scratchlm.text.shards.batches import BatchConfig, Batches
from scratchlm.text.shards.manifest import MANIFEST, Manifest, ShardConfig
from scratchlm.text.shards.reading import TokenShards
from scratchlm.text.shards.rows import ChoppedRows
from scratchlm.text.shards.writing import write_shards
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.training.pretraining.run import Run

END = "<|endoftext|>"
SHARDS, TOKENIZER = "shards", "tokenizer"
LEARNED_FROM = 100_000_000  # bytes of text that a tokenizer is trained on


class DocumentSpan:
    """Some documents of shards that follow each other, as rows take them.

    Args:
        shards: of all documents.
        start: number of the first document.
        stop: of the one behind the last.

    Raises:
        ValueError: there are no such documents.
    """

    def __init__(self, shards: TokenShards, start: int, stop: int):
        if not 0 <= start < stop <= len(shards):
            raise ValueError(
                f"{shards.name} holds {len(shards)} documents, and none from "
                f"{start} to {stop}"
            )
        starts = shards.document_starts()[start : stop + 1]
        self.shards, self._first = shards, int(starts[0])
        self._starts = starts - starts[0]
        self.n_tokens, self.end_id = int(self._starts[-1]), shards.end_id
        self.name = f"documents {start} to {stop - 1} of {shards.name}"
        self.fingerprint = f"{shards.fingerprint} {start} {stop}"

    def document_starts(self) -> Int64[np.ndarray, "D1"]:
        """Where each document begins, and where the last one ends."""
        return self._starts

    def windows(
        self, starts: Int[np.ndarray, "B"], length: int
    ) -> Int64[np.ndarray, "B length"]:
        """Equally long ranges, each a row, as shards give them."""
        return self.shards.windows(starts + self._first, length)

    def ranges(
        self, starts: Int[np.ndarray, "n"], lengths: Int[np.ndarray, "n"]
    ) -> Int64[np.ndarray, "_"]:
        """Ranges of any lengths, one after another, as shards give them."""
        return self.shards.ranges(starts + self._first, lengths)


@dataclass(frozen=True, kw_only=True)
class ShardedText:
    """Where a run's text is, and how it gets there.

    Args:
        recipe: the name of the recipe, for messages.
        folder: of the shards and their tokenizer, in two folders of it.
        dataset: that they are made of.
        megabytes: of the whole data set, for messages.
        vocab_size: the most tokens that the model knows.
        learn: called with texts; makes the tokenizer where there is none.
        stream: fetch the data set and write the shards where they are
            missing.
        local: a folder of local data, in the place of the network.
        n_held_out: tokens of the first documents, which no step sees.
    """

    recipe: str
    folder: Path
    dataset: HubDataset
    megabytes: int
    vocab_size: int
    learn: Callable[[Iterator[str]], SubwordTokenizer]
    stream: bool = False
    local: Path | None = None
    n_held_out: int = 1_000_000

    def tokenizer(self) -> SubwordTokenizer:
        """Return the tokenizer that the shards were made with.

        Raises:
            ValueError: there is none, or it is too large for the model.
        """
        self._make_sure()
        found = load_tokenizer(self.folder / TOKENIZER)
        if found.vocab_size > self.vocab_size:
            raise ValueError(
                f"the tokenizer of {self.folder / TOKENIZER} has "
                f"{found.vocab_size} tokens, and the model of {self.recipe} "
                f"knows {self.vocab_size}; make shards with a smaller one"
            )
        return found

    def rows(self, n_tokens: int) -> tuple[ChoppedRows, ChoppedRows]:
        """Return rows of all documents but the first, and of the first.

        Args:
            n_tokens: T, the length of a row.

        Returns:
            Those to train on, and those held out.

        Raises:
            ValueError: there are no shards, or too few for both.
        """
        shards = TokenShards(self.folder / SHARDS, self.tokenizer())
        first = int(np.searchsorted(shards.document_starts(), self.n_held_out))
        if not 0 < first < len(shards):
            raise ValueError(
                f"{shards.name} holds {shards.n_tokens:,} tokens, of which "
                f"{self.n_held_out:,} are to be held out; hold out 1 or more, "
                "and fewer than there are"
            )
        spans = (first, len(shards)), (0, first)
        trained_on, out = (
            ChoppedRows(DocumentSpan(shards, *span), n_tokens)
            for span in spans
        )
        return trained_on, out

    def batches(self, *, n_tokens: int, batch_size: int, seed: int) -> Batches:
        """Return batches of the rows to train on.

        Args:
            n_tokens: T, the length of a row.
            batch_size: rows of a step.
            seed: of their order.
        """
        rows, _ = self.rows(n_tokens)
        return Batches(rows, BatchConfig(batch_size=batch_size, seed=seed))

    def batching(
        self, n_tokens: int, batch_size: int, seed: int
    ) -> Callable[[], Batches]:
        """Return what makes the batches, so that a plan needs no data.

        Args:
            n_tokens: T, the length of a row.
            batch_size: rows of a step.
            seed: of their order.
        """
        return partial(
            self.batches, n_tokens=n_tokens, batch_size=batch_size, seed=seed
        )

    def trained_on(self, run: Run, n_tokens: int, batch_size: int) -> Recipe:
        """Return the recipe of a run on this text.

        Args:
            run: with the batches of :meth:`batching`.
            n_tokens: T, the length of a row.
            batch_size: rows of a step.
        """
        return Recipe(
            name=self.recipe,
            run=run,
            tokenizer=self.tokenizer,
            n_tokens=n_tokens,
            batch_size=batch_size,
        )

    def held_out_loss(self, model: Any, *, n_tokens: int) -> float:
        """Return the nats that a held-out token costs.

        Args:
            model: a transformer.
            n_tokens: T, the length of a row.
        """
        _, rows = self.rows(n_tokens)
        return float(loss_of_rows(model, rows).mean())

    def _make_sure(self) -> None:
        shards, tokenizer = self.folder / SHARDS, self.folder / TOKENIZER
        begun = (shards / MANIFEST).exists()
        if begun and Manifest.read(shards).complete:
            return
        if not self.stream:
            raise ValueError(self._remedy())
        if not has_tokenizer(tokenizer):
            texts = take_bytes(self.dataset.texts(self.local), LEARNED_FROM)
            self.learn(texts).save(tokenizer)
        write_shards(
            self.dataset.texts(self.local),
            load_tokenizer(tokenizer),
            shards,
            ShardConfig(end_of_text=END),
            progress=True,
        )

    def _remedy(self) -> str:
        name, folder = self.dataset.name, self.folder
        return (
            f"there are no finished shards in {folder / SHARDS}; make them "
            f"with: python -m scratchlm corpus {name} --megabytes "
            f"{self.megabytes} -o {name}.jsonl && python -m scratchlm "
            f"tokenize {name}.jsonl -o {folder / SHARDS} --tokenizer "
            f"{folder / TOKENIZER} --vocab-size {self.vocab_size}; or fetch "
            f"the text as they are made: python -m scratchlm train "
            f"{self.recipe} --stream"
        )


def learned(vocab_size: int, texts: Iterator[str]) -> SubwordTokenizer:
    """Return byte-level BPE of some texts.

    Args:
        vocab_size: the bytes, the merged tokens and the end of a document.
        texts: to learn from.
    """
    return BPETokenizer.train(
        texts, vocab_size, pattern="cl100k", special_tokens=[END]
    )


def gpt2_tokenizer(texts: Iterator[str]) -> SubwordTokenizer:
    """Return GPT-2's own tokenizer, which learns nothing from the texts.

    Args:
        texts: left as they are.

    Raises:
        ConnectionError: its files are not here and cannot be fetched.
    """
    cache = Path.home() / ".cache" / "scratchlm"
    vocab, merges = GPT2_VOCAB.fetch(cache), GPT2_MERGES.fetch(cache)
    return from_gpt2_files(vocab, merges)
