"""Rows that begin, stop and end apart."""

import pytest
import torch

from scratchlm.inference.cache.generate import (
    BatchCache,
    complete,
    generate,
    read,
)
from scratchlm.inference.cache.kv_cache import cache_for
from scratchlm.inference.cache.sinks import SinkCache
from scratchlm.inference.cache.static import StaticCache
from scratchlm.inference.sampling.sampler import sampler


@torch.no_grad()
def plain(model, row, n):
    """The likeliest token each time, all read anew."""
    row = list(row)
    for _ in range(n):
        row.append(int(model(torch.tensor([row]))[0, -1].argmax()))
    return row


def test_it_writes_what_a_plain_loop_writes(small, build, prompts):
    """The logits of the token before, or of a prompt's first piece."""
    model, rows = build(small), prompts(small, 6, 11)
    written = complete(model, rows, max_new_tokens=10)
    for row, new in zip(rows, written, strict=True):
        assert row + new == plain(model, row, 10)


@pytest.mark.parametrize("kind", ["cache_for", "static"])
def test_what_a_row_draws_is_its_own(kind, small, build, prompts):
    """Draws from one stream: another row's stop shifts them all."""
    model, rows = build(small), prompts(small, 6, 2, 9)
    stop = set(range(0, 61, 4))

    def written(rows, first=0):
        n = max(map(len, rows)) + 25
        cache = cache_for(model) if kind != "static" else StaticCache(model, n)
        draw = sampler(temperature=1.3, top_k=20, seed=5)

        def drawn(logits, history):
            history.rows = [row + first for row in history.rows]
            tokens = draw(logits, history)
            history.rows = [row - first for row in history.rows]
            return tokens

        return complete(
            model,
            rows,
            max_new_tokens=25,
            sampler=drawn,
            stop=stop,
            cache=cache,
        )

    together = written(rows)
    assert len({len(new) for new in together}) > 1
    assert together == [written([row], i)[0] for i, row in enumerate(rows)]


def test_rows_leave_when_they_stop(small, build, prompts):
    """A row that has stopped and still takes its share of each step."""
    model, rows = build(small), prompts(small, 4, 7, 5)
    first = complete(model, rows, max_new_tokens=20)
    ends = {first[0][3], first[2][9]}
    steps = list(generate(model, rows, max_new_tokens=20, stop=ends))
    for number, new in enumerate(first):
        at = [i for i, token in enumerate(new) if token in ends]
        n = at[0] + 1 if at else 20
        got = [step[number] for step in steps if number in step]
        assert got == new[:n]
        assert all(number not in step for step in steps[n:])
    cut = complete(model, rows, max_new_tokens=20, stop=ends)
    for number, new in enumerate(cut):
        whole = [step[number] for step in steps if number in step]
        assert new == (whole[:-1] if whole[-1] in ends else whole)


def test_a_row_may_stop_at_more_than_a_token(small, build, prompts):
    """A stop that is asked about the last token alone."""
    model, rows = build(small), prompts(small, 5)
    new = complete(model, rows, max_new_tokens=12)[0]
    pair = new[4:6]
    found = complete(
        model,
        rows,
        max_new_tokens=12,
        stop=lambda written: list(written[-2:]) == pair,
    )
    n = next(i for i in range(2, 13) if new[i - 2 : i] == pair)
    assert found == [new[:n]]


def test_tokens_come_as_they_are_drawn(small, build, prompts):
    """An iterator that writes all before it yields the first."""
    model, calls = build(small), []
    model.head.register_forward_hook(lambda *_: calls.append(1))
    steps = generate(model, prompts(small, 5), max_new_tokens=30)
    assert not calls
    next(steps)
    assert len(calls) == 1
    next(steps)
    assert len(calls) == 2


def test_the_last_token_is_not_read(small, build, prompts):
    """One step of the model more than there are tokens to write."""
    model, calls = build(small), []
    model.head.register_forward_hook(lambda *_: calls.append(1))
    complete(model, prompts(small, 5, 3), max_new_tokens=7)
    assert len(calls) == 7


def test_gradients_are_on_between_the_tokens(small, build, prompts):
    """A generator that leaves its caller in inference mode."""
    model = build(small)
    for _ in generate(model, prompts(small, 5), max_new_tokens=3):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        (torch.ones(2, requires_grad=True) * 2).sum().backward()


def test_a_text_goes_on_in_its_cache(small, build, prompts):
    """A second turn whose positions start at 0 again; the last token of the
    first turn, which was never read, left out."""
    model, cache = build(small), cache_for(build(small))
    first, second = prompts(small, 5, 4)
    new = complete(model, [first], max_new_tokens=6, cache=cache)[0]
    again = complete(
        model, [new[-1:] + second], max_new_tokens=6, cache=cache
    )[0]
    whole = plain(model, [*first, *new, *second], 6)
    assert again == whole[-6:]


def test_a_tensor_of_rows_is_taken_too(small, build, prompts):
    """Rows of one length, as a loader gives them."""
    model, rows = build(small), prompts(small, 5, 5)
    tokens = torch.tensor(rows)
    by_list = complete(model, rows, max_new_tokens=4)
    assert complete(model, tokens, max_new_tokens=4) == by_list
    cache = cache_for(model)
    logits = read(model, rows, cache, chunk=2)
    with torch.no_grad():
        whole = model(tokens)[:, -1]
    torch.testing.assert_close(logits, whole, rtol=1e-5, atol=1e-5)
    assert isinstance(cache, BatchCache)
    assert isinstance(StaticCache(model, 9), BatchCache)


def test_what_cannot_be_written_is_refused(small, build, prompts):
    """Errors that say what to do, before anything is written."""
    model = build(small)

    def refuse(says, rows, n=3, **given):
        with pytest.raises(ValueError, match=says):
            complete(model, rows, max_new_tokens=n, **given)

    refuse("no prompts", [])
    refuse("prompt 1 is empty", [[1], []])
    refuse("max_new_tokens is 0", [[1]], n=0)
    refuse("chunk is 0", [[1]], chunk=0)
    refuse("tokens from 1 to 61, but the vocabulary has 61", [[1, 61]])
    refuse("60 tokens and 5 new ones.*context is 64", prompts(small, 60), n=5)
    complete(model, prompts(small, 60), max_new_tokens=4)
    cache = cache_for(model)
    complete(model, prompts(small, 40), max_new_tokens=1, cache=cache)
    refuse("60 tokens", prompts(small, 20), n=5, cache=cache)
    endless = SinkCache(model, 16)
    complete(model, prompts(small, 60), max_new_tokens=50, cache=endless)


@pytest.mark.parametrize("tokens", [[1, 2], torch.tensor([1, 2])])
def test_a_prompt_is_a_row_among_rows(tokens, small, build, unchecked):
    """A single prompt without its brackets: an error of Python's about a
    number that is no list."""
    with pytest.raises(ValueError, match="also for a single prompt"):
        complete(build(small), tokens, max_new_tokens=2)
