import pytest
import torch

from scratchlm.evaluation.interpretability.attention_patterns import (
    attention_patterns,
    induction_scores,
    periodic_tokens,
    previous_token_scores,
    repeated_tokens,
)


@torch.no_grad()
def test_patterns_are_what_the_core_mixes_with(model, tokens):
    """Grouped heads too: weights times values are the core's result."""
    seen = {}
    core = model.blocks[1].attention.core
    handle = core.register_forward_hook(
        lambda _, args, out: seen.update(v=args[2], out=out)
    )
    patterns = attention_patterns(model, tokens)
    handle.remove()
    v = seen["v"].repeat_interleave(2, 1)
    torch.testing.assert_close(patterns[1] @ v, seen["out"])
    torch.testing.assert_close(patterns.sum(-1), torch.ones(2, 3, 4, 10))
    assert not core._forward_pre_hooks


def test_rows_repeat_themselves():
    rows = repeated_tokens(5, 7, 20, seed=1)
    assert rows.shape == (5, 14)
    assert torch.equal(rows[:, :7], rows[:, 7:])
    assert not torch.equal(rows, repeated_tokens(5, 7, 20, seed=2))


def test_scores_of_planted_heads():
    """One head looks behind the last occurrence, one at the token before,
    and one everywhere alike."""
    n = 8
    patterns = torch.zeros(1, 1, 3, n, n)
    for i in range(n):
        patterns[0, 0, 0, i, max(0, i - n // 2 + 1)] = 1
        patterns[0, 0, 1, i, max(0, i - 1)] = 1
        patterns[0, 0, 2, i, : i + 1] = 1 / (i + 1)
    expected = sum(1 / (i + 1) for i in range(4, 8)) / 4
    induction = induction_scores(patterns)[0, :, 0]
    torch.testing.assert_close(induction, torch.tensor([1, 0, expected]))
    previous = previous_token_scores(patterns)[0, :, 0]
    assert previous[1] == 1
    assert previous[0] < 0.2


def test_bad_rows():
    with pytest.raises(ValueError, match="at least"):
        repeated_tokens(1, 1, 20)
    with pytest.raises(ValueError, match="7 tokens"):
        induction_scores(torch.zeros(1, 1, 1, 7, 7))


def test_periods_differ_and_the_second_half_can_be_copied():
    rows = periodic_tokens(20, 8, 1000, seed=3)
    periods = set()
    for row in rows:
        period = next(
            p for p in range(1, 16) if torch.equal(row[p:], row[:-p])
        )
        periods.add(period)
    assert periods <= {4, 5, 6, 7, 8}
    assert len(periods) > 2
