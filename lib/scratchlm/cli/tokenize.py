"""``tokenize``: documents to token ids."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from scratchlm.cli.options import Reading, say

if TYPE_CHECKING:
    from scratchlm.text.tokenizer.base import SubwordTokenizer


@dataclass(frozen=True, kw_only=True)
class Tokenize(Reading):
    """Turn documents into shards of token ids.

    The tokenizer is loaded from its folder, whichever family it is of, or
    trained on the documents with --vocab-size and saved there. After a
    kill, the same command goes on where it stopped, and the bytes are the
    same.

    Example: python -m scratchlm tokenize unique.parquet -o shards
    --tokenizer tok --vocab-size 16384
    """

    out: Annotated[
        str, arg(aliases=["-o"], metavar="FOLDER", help="for the shards")
    ] = field()  # no default, where the base class has one
    tokenizer: Path
    """the tokenizer's folder, or a file of sentencepiece"""
    vocab_size: int | None = None
    """train a tokenizer of this size, where its folder holds none yet"""
    family: Literal["bpe", "wordpiece", "unigram"] = "bpe"
    """which kind to train; one that is loaded says its own"""
    end_of_text: str | None = "<|endoftext|>"
    """the special token behind each document; None for none"""
    shard_tokens: int = 1 << 25
    """a shard ends behind the document that reaches this many tokens"""
    workers: int | None = None
    """processes; None takes one per core"""

    def run(self) -> None:
        """Do it."""
        from scratchlm.text.shards.manifest import (  # noqa: PLC0415
            ShardConfig,
        )
        from scratchlm.text.shards.writing import write_shards  # noqa: PLC0415

        config = ShardConfig(
            shard_tokens=self.shard_tokens, end_of_text=self.end_of_text
        )
        with self.twice() as again:
            tok = self._tokenizer(record.text for record in again())
            shards = write_shards(
                (record.text for record in again()),
                tok,
                self.out,
                config,
                workers=self.workers,
                progress=self.progress,
            )
        say(f"tokenize: {len(shards):,} documents, {shards.n_tokens:,} tokens")

    def _tokenizer(self, texts: Iterator[str]) -> "SubwordTokenizer":
        from scratchlm.interop.tokenizers.loading import (  # noqa: PLC0415
            load_tokenizer,
        )

        trained = (self.tokenizer / "tokenizer.json").exists()
        if self.vocab_size is None or trained or self.tokenizer.is_file():
            tok = load_tokenizer(self.tokenizer)
        else:
            tok = self._train(texts)
            tok.save(self.tokenizer)
        if self.vocab_size not in (None, tok.vocab_size):
            raise ValueError(
                f"{self.tokenizer} holds a tokenizer of {tok.vocab_size} "
                f"entries, not {self.vocab_size}; leave --vocab-size out, or "
                "name another folder"
            )
        if self.end_of_text not in (None, *tok.special_tokens):
            names = ", ".join(map(repr, sorted(tok.special_tokens)))
            raise ValueError(
                f"the tokenizer of {self.tokenizer} has no special token "
                f"{self.end_of_text!r} to put behind each document; name one "
                f"with --end-of-text: it has {names or 'none'}; or give "
                "--end-of-text None, and documents have no end"
            )
        return tok

    def _train(self, texts: Iterator[str]) -> "SubwordTokenizer":
        from scratchlm.text.subwords.unigram import (  # noqa: PLC0415
            tokenizer as unigram,
        )
        from scratchlm.text.subwords.wordpiece import (  # noqa: PLC0415
            tokenizer as wordpiece,
        )
        from scratchlm.text.tokenizer.bpe import BPETokenizer  # noqa: PLC0415

        trainers: Mapping[str, Callable[..., SubwordTokenizer]] = {
            "bpe": BPETokenizer.train,
            "wordpiece": wordpiece.WordPieceTokenizer.train,
            "unigram": unigram.UnigramTokenizer.train,
        }
        assert self.vocab_size is not None
        end = [] if self.end_of_text is None else [self.end_of_text]
        try:
            with warnings.catch_warnings():
                # A smaller vocabulary than asked for: the same command would
                # not accept it the next time.
                warnings.simplefilter("error", UserWarning)
                return trainers[self.family](
                    texts,
                    self.vocab_size,
                    special_tokens=end,
                    workers=self.workers,
                    progress=self.progress,
                )
        except UserWarning as warning:
            raise ValueError(str(warning)) from None
