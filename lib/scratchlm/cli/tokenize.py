"""``tokenize``: documents to token ids."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from scratchlm.cli.options import Reading, say

if TYPE_CHECKING:
    from scratchlm.text.shards.manifest import ShardConfig
    from scratchlm.text.tokenizer.bpe import BPETokenizer


@dataclass(frozen=True, kw_only=True)
class Tokenize(Reading):
    """Turn documents into shards of token ids.

    The tokenizer is loaded from its folder, or trained on the documents
    with --vocab-size and saved there. After a kill, the same command goes
    on where it stopped, and the bytes are the same.

    Example: python -m scratchlm tokenize unique.parquet -o shards
    --tokenizer tok --vocab-size 16384
    """

    out: Annotated[
        str, arg(aliases=["-o"], metavar="FOLDER", help="for the shards")
    ] = field()  # no default, where the base class has one
    tokenizer: Path
    """the tokenizer's folder"""
    vocab_size: int | None = None
    """train a tokenizer of this size, where its folder holds none yet"""
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
        from scratchlm.text.tokenizer.bpe import BPETokenizer  # noqa: PLC0415

        config = ShardConfig(shard_tokens=self.shard_tokens)
        saved = self.tokenizer / "tokenizer.json"
        with self.twice() as again:
            if self.vocab_size is None or saved.exists():
                tok = BPETokenizer.load(self.tokenizer)
            else:
                tok = self._train(again(), config)
                tok.save(self.tokenizer)
            if self.vocab_size not in (None, tok.vocab_size):
                raise ValueError(
                    f"{self.tokenizer} holds a tokenizer of "
                    f"{tok.vocab_size} entries, not {self.vocab_size}; leave "
                    "--vocab-size out, or name another folder"
                )
            shards = write_shards(
                again(),
                tok,
                self.out,
                config,
                workers=self.workers,
                progress=self.progress,
            )
        say(f"tokenize: {len(shards):,} documents, {shards.n_tokens:,} tokens")

    def _train(
        self, texts: Iterator[str], config: "ShardConfig"
    ) -> "BPETokenizer":
        from scratchlm.text.tokenizer.bpe import BPETokenizer  # noqa: PLC0415

        assert self.vocab_size is not None
        try:
            with warnings.catch_warnings():
                # A smaller vocabulary than asked for: the same command would
                # not accept it the next time.
                warnings.simplefilter("error", UserWarning)
                return BPETokenizer.train(
                    texts,
                    self.vocab_size,
                    special_tokens=[config.end_of_text or ""],
                    workers=self.workers,
                    progress=self.progress,
                )
        except UserWarning as warning:
            raise ValueError(str(warning)) from None
