"""Choosing the next token, and when to stop."""

from scratchlm.inference.sampling.draws import inverse_cdf, uniform
from scratchlm.inference.sampling.history import History
from scratchlm.inference.sampling.penalties import (
    FrequencyPenalty,
    PresencePenalty,
    RepetitionPenalty,
    Temperature,
    frequency_penalty,
    presence_penalty,
    repetition_penalty,
    temperature,
)
from scratchlm.inference.sampling.processors import Processor, process
from scratchlm.inference.sampling.sampler import (
    Greedy,
    Sample,
    Sampler,
    greedy,
    sampler,
)
from scratchlm.inference.sampling.search import (
    Hypothesis,
    beam_search,
    best_of,
    majority,
)
from scratchlm.inference.sampling.stopping import (
    AnyOf,
    Stop,
    StopSequences,
    StopTexts,
    StopTokens,
)
from scratchlm.inference.sampling.streaming import TextStream
from scratchlm.inference.sampling.truncation import (
    MinP,
    TopK,
    TopP,
    Typical,
    min_p,
    top_k,
    top_p,
    typical,
)

__all__ = [
    "AnyOf",
    "FrequencyPenalty",
    "Greedy",
    "History",
    "Hypothesis",
    "MinP",
    "PresencePenalty",
    "Processor",
    "RepetitionPenalty",
    "Sample",
    "Sampler",
    "Stop",
    "StopSequences",
    "StopTexts",
    "StopTokens",
    "Temperature",
    "TextStream",
    "TopK",
    "TopP",
    "Typical",
    "beam_search",
    "best_of",
    "frequency_penalty",
    "greedy",
    "inverse_cdf",
    "majority",
    "min_p",
    "presence_penalty",
    "process",
    "repetition_penalty",
    "sampler",
    "temperature",
    "top_k",
    "top_p",
    "typical",
    "uniform",
]
