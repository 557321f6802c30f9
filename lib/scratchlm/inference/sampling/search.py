"""Choose among whole texts: by search, by a score, or by their answers."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from math import inf, isnan
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scratchlm.inference.sampling.stopping import Stop

FEW = 64  # candidates looked at together; guessed, most searches need fewer

Candidate = TypeVar("Candidate")
Answer = TypeVar("Answer", bound=Hashable)
# The logits of the token that follows each row.
Score = Callable[[Int[Tensor, "B T"]], Float[Tensor, "B V"]]


class Hypothesis(NamedTuple):
    """What a search has written.

    Args:
        tokens: behind the prompt, the one that stops among them.
        log_prob: of the tokens, in nats, given the prompt.
        score: by which hypotheses are ranked.
        stopped: whether it ended by itself, not where it was cut off.
    """

    tokens: tuple[int, ...]
    log_prob: float
    score: float
    stopped: bool


def beam_search(  # noqa: PLR0913
    score: Score,
    prompt: Sequence[int],
    *,
    n_beams: int,
    max_new_tokens: int,
    stop: Stop,
    length_penalty: float = 1.0,
) -> list[Hypothesis]:
    """Search for the likeliest texts behind a prompt.

    The n_beams likeliest beginnings are kept, and each is continued by every
    token. It ends when no beginning can rank any more among the hypotheses
    that are found, which makes the result exact as far as beams go: a
    likelier text is missed only where its beginning fell out.

    Args:
        score: the logits of the next token.
        prompt: ids, one or more.
        n_beams: beginnings kept, 1 or more.
        max_new_tokens: where a hypothesis is cut off.
        stop: where one ends by itself.
        length_penalty: a hypothesis of n tokens ranks by its log-probability
            over n to this power. 0 ranks by probability; 1, the habit of
            the field, by the mean of a token; more favours longer ones.

    Returns:
        At most n_beams, the highest score first.

    Raises:
        ValueError: the prompt is empty, a number is out of range, or no
            token has a probability.

    Source: Graves 2012, "Sequence Transduction with Recurrent Neural
    Networks", sec. 2.5; the length penalty as in transformers.
    """
    if n_beams < 1 or max_new_tokens < 1 or not prompt:
        raise ValueError(
            f"n_beams is {n_beams}, max_new_tokens {max_new_tokens} and the "
            f"prompt has {len(prompt)} tokens; give 1 or more of each"
        )
    found: list[Hypothesis] = []
    live: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    for length in range(1, max_new_tokens + 1):
        last = length == max_new_tokens
        ranks = length**length_penalty
        continued = _continued(score, prompt, live)
        live = []
        for rank, (tokens, log_prob) in enumerate(continued):
            stopped = stop(tokens)
            if rank < n_beams and (stopped or last):
                found.append(
                    Hypothesis(tokens, log_prob, log_prob / ranks, stopped)
                )
            elif not stopped:
                live.append((tokens, log_prob))
            if len(live) == n_beams or (last and rank + 1 == n_beams):
                break
        found = sorted(found, key=lambda h: -h.score)[:n_beams]
        if not live or _settled(
            found, live, n_beams, (length + 1, max_new_tokens), length_penalty
        ):
            break
    return found


def _continued(
    score: Score,
    prompt: Sequence[int],
    live: list[tuple[tuple[int, ...], float]],
) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every beginning with every token behind it, the likeliest first."""
    rows = torch.tensor([[*prompt, *tokens] for tokens, _ in live])
    logits = score(rows).detach()
    before = [log_prob for _, log_prob in live]
    each = logits.double().log_softmax(-1).cpu()
    total = each + torch.tensor(before, dtype=torch.float64)[:, None]
    flat = total.flatten()
    if not flat.isfinite().any():
        raise ValueError(
            "no token has a probability; look for NaN in the logits, or for "
            "what hides them all"
        )
    order = flat.argsort(descending=True, stable=True)
    for start in range(0, len(flat), FEW):
        for at in order[start : start + FEW].tolist():
            log_prob = float(flat[at])
            if log_prob == -inf:
                return
            beam, token = divmod(at, total.shape[1])
            yield (*live[beam][0], token), log_prob


def _settled(
    found: list[Hypothesis],
    live: list[tuple[tuple[int, ...], float]],
    n_beams: int,
    lengths: tuple[int, int],
    length_penalty: float,
) -> bool:
    """Whether no beginning can become one of the best."""
    if len(found) < n_beams:
        return False
    log_prob = live[0][1]  # which more tokens can only lower
    best = max(log_prob / length**length_penalty for length in lengths)
    return best <= found[-1].score


def best_of(
    candidates: Sequence[Candidate], score: Callable[[Candidate], float]
) -> Candidate:
    """Return the candidate with the highest score, of equals the first.

    Args:
        candidates: one or more.
        score: a log-probability, a verifier's verdict, a reward.

    Raises:
        ValueError: there are none, or a score is no number.
    """
    if not candidates:
        raise ValueError("there are no candidates; give one or more")
    scores = [score(candidate) for candidate in candidates]
    for i, value in enumerate(scores):
        if isnan(value):
            raise ValueError(f"the score of candidate {i} is no number")
    return candidates[scores.index(max(scores))]


def majority(answers: Sequence[Answer]) -> Answer:
    """Return the answer that is given most often, of equals the first given.

    Args:
        answers: one or more, in a form in which equal ones are equal.

    Raises:
        ValueError: there are none.

    Source: Wang et al. 2023, "Self-Consistency Improves Chain of Thought
    Reasoning in Language Models".
    """
    if not answers:
        raise ValueError("there are no answers; give one or more")
    # Counter keeps the order of first occurrence, and max takes the first.
    counts = Counter(answers)
    return max(counts, key=counts.__getitem__)
