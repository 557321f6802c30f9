"""Beam search against enumeration and against transformers'."""

from itertools import product
from math import nan

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from scratchlm.inference.sampling.search import (
    Hypothesis,
    beam_search,
    best_of,
    majority,
)
from scratchlm.inference.sampling.stopping import StopTokens

END, V = 0, 4


def markov(rows):
    """A model of V tokens that looks at the last two tokens."""
    generator = torch.Generator().manual_seed(5)
    table = 2 * torch.randn(V, V, V, generator=generator)
    return table[rows[:, -2], rows[:, -1]]


def log_prob_of(score, prompt, tokens):
    total = 0.0
    for n, token in enumerate(tokens):
        row = torch.tensor([[*prompt, *tokens[:n]]])
        total += float(score(row).double().log_softmax(-1)[0, token])
    return total


def enumerated(prompt, longest, penalty):
    """All texts that end by themselves or at the limit, the best first."""
    texts = [
        tokens
        for n in range(1, longest + 1)
        for tokens in product(range(V), repeat=n)
        if END not in tokens[:-1] and (tokens[-1] == END or n == longest)
    ]
    scored = [
        (log_prob_of(markov, prompt, t) / len(t) ** penalty, t) for t in texts
    ]
    return sorted(scored, reverse=True)


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0, -0.5])
def test_with_enough_beams_equal_to_enumeration(penalty):
    """A search that stops as soon as n texts are found, as if a longer one
    could not rank above them; or log-probabilities that are not exact."""
    n_beams, longest = V**4, 4
    found = beam_search(
        markov,
        [1, 2],
        n_beams=n_beams,
        max_new_tokens=longest,
        stop=StopTokens([END]),
        length_penalty=penalty,
    )
    expected = enumerated([1, 2], longest, penalty)[:n_beams]
    assert [h.tokens for h in found] == [tokens for _, tokens in expected]
    for h, (score, tokens) in zip(found, expected, strict=True):
        assert h.score == pytest.approx(score, rel=1e-12)
        exact = log_prob_of(markov, [1, 2], tokens)
        assert h.log_prob == pytest.approx(exact, rel=1e-12)
        assert h.stopped == (tokens[-1] == END)
    together = sum(torch.tensor(h.log_prob).exp() for h in found)
    assert float(together) == pytest.approx(1, abs=1e-6)


@pytest.fixture(scope="module")
def llama():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=24,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=0.6,
        bos_token_id=None,
        eos_token_id=END,
        pad_token_id=END,
    )
    return LlamaForCausalLM(config).eval()


@pytest.mark.parametrize("penalty", [0.0, 1.0, 1.5])
@pytest.mark.parametrize("n_beams", [1, 3, 5])
def test_equal_to_transformers(llama, n_beams, penalty):
    """Other beams kept, or another length in the penalty. Theirs is asked to
    go on until nothing can improve, as ours does."""

    def score(rows):
        with torch.no_grad():
            return llama(rows).logits[:, -1]

    stopped = 0
    for prompt in [[3], [5, 7], [9, 1, 2], [4, 4, 8, 15]]:
        ours = beam_search(
            score,
            prompt,
            n_beams=n_beams,
            max_new_tokens=9,
            stop=StopTokens([END]),
            length_penalty=penalty,
        )
        with torch.no_grad():
            theirs = llama.generate(
                torch.tensor([prompt]),
                num_beams=max(n_beams, 2) if n_beams > 1 else 1,
                num_return_sequences=n_beams,
                do_sample=False,
                max_new_tokens=9,
                early_stopping="never" if n_beams > 1 else None,
                length_penalty=penalty if n_beams > 1 else None,
                output_scores=True,
                return_dict_in_generate=True,
            )
        for i, h in enumerate(ours):
            row = theirs.sequences[i, len(prompt) :].tolist()
            assert row[: len(h.tokens)] == list(h.tokens)
            assert set(row[len(h.tokens) :]) <= {END}
            if n_beams > 1:
                score_of = float(theirs.sequences_scores[i])
                assert h.score == pytest.approx(score_of, abs=1e-4)
        stopped += sum(h.stopped for h in ours)
    assert stopped or penalty > 1


def test_one_beam_is_greedy():
    """A beam that is not the likeliest one."""
    rows, tokens = [1, 2], []
    while len(tokens) < 6 and END not in tokens:
        tokens.append(int(markov(torch.tensor([rows + tokens])).argmax()))
    (found,) = beam_search(
        markov, rows, n_beams=1, max_new_tokens=6, stop=StopTokens([END])
    )
    assert found.tokens == tuple(tokens)


def test_many_stops_leave_enough_beginnings():
    """Twice as many candidates as beams are not enough where several tokens
    stop: the search would go on with fewer beams, or end."""

    def score(rows):
        return torch.tensor([[5.0, 4.9, 4.8, 4.7, 1.0, 0.5]]).expand(
            len(rows), -1
        )

    found = beam_search(
        score,
        [0],
        n_beams=2,
        max_new_tokens=2,
        stop=StopTokens([0, 1, 2, 3]),
        length_penalty=50.0,  # long ones first
    )
    assert [h.tokens for h in found] == [(4, 0), (4, 1)]


def test_equals_are_ranked_by_beam_and_id():
    """A result that depends on how a machine sorts."""
    found = beam_search(
        lambda rows: torch.zeros(len(rows), 3),
        [0],
        n_beams=3,
        max_new_tokens=2,
        stop=StopTokens([9]),
    )
    assert [h.tokens for h in found] == [(0, 0), (0, 1), (0, 2)]
    assert not any(h.stopped for h in found)
    assert isinstance(found[0], Hypothesis)


def test_hidden_tokens_are_never_taken():
    """Minus infinity is a number too, and fills the last beams."""
    logits = torch.tensor([[0.0, -torch.inf, 0.0]])
    found = beam_search(
        lambda rows: logits.expand(len(rows), -1),
        [0],
        n_beams=8,
        max_new_tokens=2,
        stop=StopTokens([9]),
    )
    assert sorted(h.tokens for h in found) == [(0, 0), (0, 2), (2, 0), (2, 2)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_beams": 0}, "n_beams is 0"),
        ({"max_new_tokens": 0}, "max_new_tokens 0"),
        ({"prompt": []}, "the prompt has 0 tokens"),
        ({"score": lambda rows: torch.full((1, 3), nan)}, "no token has a"),
    ],
)
def test_impossible_searches_are_refused(changes, message):
    """An empty list, or a loop without end."""
    settings = {
        "score": markov,
        "prompt": [1, 1],
        "n_beams": 2,
        "max_new_tokens": 2,
        "stop": StopTokens([END]),
    }
    with pytest.raises(ValueError, match=message):
        beam_search(**settings | changes)


def test_best_of_takes_the_first_of_the_best():
    """The last of equals, or one whose score is no number."""
    assert best_of(["a", "bbb", "ccc"], len) == "bbb"
    with pytest.raises(ValueError, match="candidate 1 is no number"):
        best_of([1.0, nan], lambda x: x)
    with pytest.raises(ValueError, match="there are no candidates"):
        best_of([], len)


def test_majority_takes_the_first_of_the_most_frequent():
    """A winner among equals that depends on the order of a hash."""
    assert majority(["7", "3", "7"]) == "7"
    assert majority(["b", "a", "a", "b"]) == "b"
    assert majority([(1, 2), (1, 2), 3]) == (1, 2)
    with pytest.raises(ValueError, match="there are no answers"):
        majority([])
