"""Tokenizers: text to ids and back, by byte-pair encoding."""

from scratchlm.text.tokenizer.added_tokens import Matching
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.frame import Frame
from scratchlm.text.tokenizer.merging import MergeRules, merge_piece
from scratchlm.text.tokenizer.normalizers import UnicodeForm
from scratchlm.text.tokenizer.patterns import (
    CL100K,
    GPT2,
    O200K,
    PATTERNS,
    Pattern,
    find_pattern,
)
from scratchlm.text.tokenizer.preparation import Preparation
from scratchlm.text.tokenizer.printable import (
    ALPHABET,
    from_printable,
    to_printable,
)
from scratchlm.text.tokenizer.special_tokens import SpecialTokens
from scratchlm.text.tokenizer.training import (
    MergeTrainer,
    count_pieces,
    learn_merges,
)

__all__ = [
    "ALPHABET",
    "CL100K",
    "GPT2",
    "O200K",
    "PATTERNS",
    "BPETokenizer",
    "Frame",
    "Matching",
    "MergeRules",
    "MergeTrainer",
    "Pattern",
    "Preparation",
    "SpecialTokens",
    "SubwordTokenizer",
    "UnicodeForm",
    "count_pieces",
    "find_pattern",
    "from_printable",
    "learn_merges",
    "merge_piece",
    "to_printable",
]
