"""Constrained decoding: text that a grammar allows."""

from scratchlm.inference.constrained.expression import (
    Expression,
    Listed,
    Rules,
    both,
    call,
    either,
    literal,
    one_of,
    repeat,
    sequence,
    terminal,
)
from scratchlm.inference.constrained.grammar import (
    Grammar,
    State,
    pattern,
    recursive,
)
from scratchlm.inference.constrained.json_schema import json_schema
from scratchlm.inference.constrained.processor import Constrained
from scratchlm.inference.constrained.token_bytes import vocabulary_of
from scratchlm.inference.constrained.vocabulary import Vocabulary
from scratchlm.inference.constrained.weighing import (
    Weighed,
    effective_number,
    resample,
    weigh,
)
from scratchlm.inference.constrained.world_grammar import world_grammar

__all__ = [
    "Constrained",
    "Expression",
    "Grammar",
    "Listed",
    "Rules",
    "State",
    "Vocabulary",
    "Weighed",
    "both",
    "call",
    "effective_number",
    "either",
    "json_schema",
    "literal",
    "one_of",
    "pattern",
    "recursive",
    "repeat",
    "resample",
    "sequence",
    "terminal",
    "vocabulary_of",
    "weigh",
    "world_grammar",
]
