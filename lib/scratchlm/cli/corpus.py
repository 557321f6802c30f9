"""``corpus``: text to begin with."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import inf
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from scratchlm.cli.options import Output, Progress, say, watched


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Write a corpus to a file.

    The sources: tinyworld, made by the book's world whose entropy is known;
    python-docs and python-source, from the running interpreter; shakespeare,
    tinystories and fineweb-edu, public data at a fixed revision, fetched
    over the network. Where the variable SCRATCHLM_DATA names a folder, what
    is in it is not fetched: tinyshakespeare.txt, or a folder tinystories
    with parquet, jsonl or txt files.

    Example: python -m scratchlm corpus tinyworld --seed 7 -o world.jsonl
    """

    source: Positional[
        Literal[
            "tinyworld",
            "python-docs",
            "python-source",
            "shakespeare",
            "tinystories",
            "fineweb-edu",
        ]
    ]
    """where the text comes from"""
    out: Output = "-"
    megabytes: float = 10.0
    """stop before it is more than this many million bytes"""
    seed: int = 0
    """which documents of tinyworld"""
    cache: Path = Path("~/.cache/scratchlm")
    """the folder that keeps what was downloaded"""
    progress: Progress = True

    def run(self) -> None:
        """Do it."""
        from scratchlm.text.corpora.texts import (  # noqa: PLC0415
            take_bytes,
            write_texts,
        )

        if not 0 < self.megabytes < inf:
            raise ValueError(
                f"--megabytes is {self.megabytes:g}; give a number above 0"
            )
        max_bytes = int(self.megabytes * 1_000_000)
        texts = take_bytes(self._texts(), max_bytes)
        first = next(texts, None)
        if first is None:
            raise ValueError(
                f"the first document of {self.source} is larger than "
                f"{max_bytes:,} bytes; give more --megabytes"
            )
        texts = watched(
            chain([first], texts),
            "corpus",
            self.progress,
            total=max_bytes,
        )
        say(f"corpus: {write_texts(texts, self.out):,} documents")

    def _texts(self) -> Iterator[str]:
        from scratchlm.text.corpora import (  # noqa: PLC0415
            interpreter,
            public_data,
            texts,
        )

        if self.source == "tinyworld":
            from scratchlm.text.tinyworld.world import (  # noqa: PLC0415
                TinyWorld,
            )

            documents = TinyWorld(seed=0).documents(self.seed)
            return (document.text for document in documents)
        if self.source == "python-docs":
            return interpreter.python_docs()
        if self.source == "python-source":
            return interpreter.python_source()
        folder = public_data.data_folder(os.environ)
        if self.source == "shakespeare":
            file = public_data.TINY_SHAKESPEARE.fetch(
                self.cache.expanduser(), folder=folder, progress=self.progress
            )
            return texts.read_texts(file)
        return public_data.HUB_DATASETS[self.source].texts(folder)
