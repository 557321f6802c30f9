"""Subwords: WordPiece, unigram models and BPE on characters."""

from scratchlm.text.subwords.character_bpe.merging import (
    RankedMerges,
    ScoredMerges,
    merge_symbols,
)
from scratchlm.text.subwords.character_bpe.tokenizer import (
    CharacterBPETokenizer,
)
from scratchlm.text.subwords.preparation.charsmap import Charsmap
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
    "CharacterBPETokenizer",
    "Charsmap",
    "PairCounts",
    "PairTrainer",
    "RankedMerges",
    "ScoredMerges",
    "Scores",
    "UnigramTokenizer",
    "UnigramTrainer",
    "WordPieceTokenizer",
    "forward",
    "frequency",
    "learn_best_merges",
    "likelihood",
    "match_longest",
    "merge_symbols",
    "ratio",
    "sample",
    "viterbi",
]
