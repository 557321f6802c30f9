"""Subwords: WordPiece and unigram models."""

from scratchlm.text.subwords.unigram.lattice import (
    Scores,
    forward,
    sample,
    viterbi,
)
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.subwords.unigram.training import UnigramTrainer
from scratchlm.text.subwords.wordpiece.merging import (
    PairCounts,
    PairTrainer,
    frequency,
    likelihood,
    ratio,
)
from scratchlm.text.subwords.wordpiece.tokenizer import (
    WordPieceTokenizer,
    match_longest,
)
from scratchlm.text.subwords.wordpiece.training import learn_best_merges

__all__ = [
    "PairCounts",
    "PairTrainer",
    "Scores",
    "UnigramTokenizer",
    "UnigramTrainer",
    "WordPieceTokenizer",
    "forward",
    "frequency",
    "learn_best_merges",
    "likelihood",
    "match_longest",
    "ratio",
    "sample",
    "viterbi",
]
