"""Samplers against their exact distributions."""

from math import inf, nan

import pytest
import torch

from scratchlm.inference.sampling.history import History
from scratchlm.inference.sampling.penalties import (
    FrequencyPenalty,
    PresencePenalty,
    RepetitionPenalty,
    Temperature,
)
from scratchlm.inference.sampling.processors import process
from scratchlm.inference.sampling.sampler import (
    Greedy,
    Sample,
    greedy,
    sampler,
)
from scratchlm.inference.sampling.truncation import MinP, TopK, TopP, Typical

N = 4000
LOGITS = torch.tensor([0.4, 1.5, -0.3, 1.4, 0.1, -2.0, 0.9, -9.0])
PROMPT, WRITTEN = [1, 1, 5], [3, 6, 3]
# Settings, and the processors that they stand for, in order.
SETTINGS = [
    ({}, []),
    ({"temperature": 0.5}, [Temperature(0.5)]),
    ({"temperature": 1.7}, [Temperature(1.7)]),
    ({"top_k": 3}, [TopK(3)]),
    ({"top_p": 0.7}, [TopP(0.7)]),
    ({"min_p": 0.3}, [MinP(0.3)]),
    ({"typical": 0.6}, [Typical(0.6)]),
    ({"repetition_penalty": 1.5}, [RepetitionPenalty(1.5)]),
    ({"presence_penalty": 0.8}, [PresencePenalty(0.8)]),
    ({"frequency_penalty": -0.4}, [FrequencyPenalty(-0.4)]),
    (
        {"top_k": 5, "temperature": 1.3, "top_p": 0.9, "min_p": 0.1},
        [Temperature(1.3), TopK(5), TopP(0.9), MinP(0.1)],
    ),
    (
        {
            "typical": 0.9,
            "frequency_penalty": 0.2,
            "presence_penalty": 0.3,
            "repetition_penalty": 1.2,
            "temperature": 0.8,
        },
        [
            RepetitionPenalty(1.2),
            PresencePenalty(0.3),
            FrequencyPenalty(0.2),
            Temperature(0.8),
            Typical(0.9),
        ],
    ),
]


def history_of(n):
    history = History([PROMPT] * n)
    for token in WRITTEN:
        history.append([token] * n)
    return history


@pytest.mark.parametrize(("settings", "processors"), SETTINGS, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_drawn_as_the_distribution_says(
    settings, processors, seed, drawn, assert_drawn_as
):
    """A setting without effect, an order of processors that is not the
    documented one, or draws that lean."""
    counts = drawn(sampler(**settings, seed=seed), LOGITS, N, PROMPT, WRITTEN)
    left = process(tuple(processors), LOGITS[None], history_of(1))
    probabilities = left[0].softmax(-1)
    rare = (probabilities > 0) & (probabilities * N <= 5)
    assert counts[rare].sum() <= 20
    counts[rare], probabilities[rare] = 0, 0
    assert_drawn_as(counts, probabilities)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_order_is_that_of_transformers(dtype):
    """Top-p before the temperature, or a penalty behind it, cuts elsewhere;
    the reference is a list of processors as its generate makes one."""
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=300,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
        )
    )
    settings = {
        "temperature": 1.6,
        "top_k": 60,
        "top_p": 0.8,
        "min_p": 0.05,
        "repetition_penalty": 1.4,
    }
    made = model._get_logits_processor(
        GenerationConfig(do_sample=True, typical_p=0.9, **settings)
    )
    assert len(made) == 6
    generator = torch.Generator().manual_seed(0)
    logits = (3 * torch.randn(20, 300, generator=generator)).to(dtype)
    prompts = torch.randint(0, 300, (20, 9), generator=generator)
    ours = sampler(typical=0.9, **settings)
    history = History(prompts.tolist())
    expected = made(prompts, logits.float())
    found = process(ours.processors, logits.float(), history)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    tokens = ours(logits, history)
    assert (expected.gather(1, tokens[:, None]) > -inf).all()


def test_a_row_draws_the_same_in_any_company():
    """With one generator for the batch, a row's text changes when another
    row ends, or when it is served beside others."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 50, generator=generator)
    choose = sampler(top_p=0.9, seed=3)

    def text(rows, ended=()):
        history, live = History([[]] * 6), list(rows)
        history.keep(live)
        texts = {row: [] for row in rows}
        for step in range(20):
            tokens = choose(logits[live].roll(step, -1), history).tolist()
            for row, token in zip(live, tokens, strict=True):
                texts[row].append(token)
            history.append(tokens)
            if step == 9:
                stay = [i for i, row in enumerate(live) if row not in ended]
                history.keep(stay)
                live = [live[i] for i in stay]
        return texts

    together = text(range(6))
    assert len({tuple(t) for t in together.values()}) == 6
    for row in range(6):
        assert text([row])[row] == together[row]
    ended = text(range(6), ended=(0, 3))
    assert [ended[row] == together[row] for row in (1, 2, 4, 5)] == [True] * 4
    assert text([5, 2, 0]) == {row: together[row] for row in (5, 2, 0)}


def test_seeds_differ_and_repeat():
    """A seed that is not used."""
    history, logits = History([[]] * 200), torch.zeros(200, 1000)
    draws = [sampler(seed=seed)(logits, history) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert (draws[0] == draws[2]).sum() < 5


def test_temperature_zero_is_greedy_behind_the_penalties():
    """A division by zero, or a greedy choice that repeats itself for ever
    because its penalty is dropped."""
    logits = torch.tensor([[1.0, 2.0, 1.9]])
    history = History([[]])
    assert sampler(temperature=0)(logits, history).tolist() == [1]
    history.append([1])
    choose = sampler(temperature=0.0, presence_penalty=0.5)
    assert choose(logits, history).tolist() == [2]
    assert sampler(temperature=0, top_p=0.0)(logits, history).tolist() == [1]


def test_greedy_takes_the_first_of_equals():
    """A choice that differs between machines."""
    logits = torch.tensor([[0.0, 3.0, 3.0], [-inf, -inf, -5.0]])
    for choose in (greedy, Greedy()):
        assert choose(logits, History([[], []])).tolist() == [1, 2]


def test_others_apply_between_penalties_and_temperature():
    """A grammar behind top-p may find that all it allows is hidden."""

    def only_the_last(logits, history):
        hidden = torch.ones_like(logits, dtype=torch.bool)
        hidden[:, -1] = False
        return logits.masked_fill(hidden, -inf)

    logits, history = torch.tensor([[9.0, 0.0, 0.0]]), History([[]])
    for settings in ({"top_p": 0.1}, {"top_k": 1}, {"temperature": 0}):
        choose = sampler(processors=[only_the_last], **settings)
        assert choose(logits, history).tolist() == [2]


@pytest.mark.parametrize(
    "choose", [greedy, Greedy(), Sample(), Sample(TopP(0.5))]
)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (-inf, "row 1 is -inf: every token is hidden; loosen"),
        (nan, "row 1 is nan: look for NaN or overflow in the model"),
        (inf, "row 1 is inf"),
    ],
)
def test_a_row_with_nothing_to_take_is_refused(choose, bad, message):
    """Drawn from NaN, which is the last token, or the first, or noise."""
    logits = torch.zeros(2, 4)
    logits[1] = bad
    with pytest.raises(ValueError, match=message):
        choose(logits, History([[], []]))


def test_settings_are_checked_when_the_sampler_is_made():
    """An error behind the first hundred tokens."""
    for setting in ["temperature", "top_k", "top_p", "min_p", "typical"]:
        with pytest.raises(ValueError, match=f"{setting} is -1"):
            sampler(**{setting: -1})


def test_a_seed_that_is_too_large_is_refused():
    """Cut to 64 bits without a word, or an error behind the prompt."""
    Sample(seed=-(2**63)), Sample(seed=2**63 - 1)
    with pytest.raises(ValueError, match="give a whole number of 64 bits"):
        sampler(seed=2**63)


def test_half_precision_draws_as_float32_does(drawn):
    """Processed in bfloat16, the temperature rounds each logit again."""
    half = LOGITS.bfloat16()
    choose = sampler(temperature=0.7, top_p=0.9)
    assert torch.equal(
        drawn(choose, half, 500), drawn(choose, half.float(), 500)
    )
