"""Rows of unlike length, read together."""

from types import SimpleNamespace

import pytest
import torch

from scratchlm.evaluation.perplexity.rows import (
    Row,
    padded,
    score_rows,
    target_nats,
)


@pytest.mark.parametrize("name", ["rope", "alibi", "window", "experts"])
@pytest.mark.parametrize("n_positions", [1, 40, 4096])
def test_neighbours_change_nothing(
    name, n_positions, build_variant, draw, alone
):
    """Padding that is seen, or scores that go to another row after the rows
    were sorted by length."""
    model, firsts = build_variant(name), [1, 2, 5, 1]
    rows = [*map(Row, draw(9, 3, 14, 3), firsts)]
    scores = score_rows(model, rows, n_positions=n_positions)
    for (ids, first), (nats, greedy) in zip(rows, scores, strict=True):
        due = alone(model, ids[:first], ids[first:])
        assert -nats == pytest.approx([each for each, _ in due], abs=1e-4)
        assert greedy.tolist() == [best for _, best in due]


def test_the_head_reads_what_is_scored(small, build, draw):
    """Logits of all positions are the largest tensor of all, and most of
    them are thrown away."""
    model, read = build(small), []
    model.head.register_forward_hook(
        lambda head, args, y: read.append(len(args[0]))
    )
    score_rows(model, [Row(ids, 17) for ids in draw(20, 20)])
    assert sum(read) == 2 * 3


def test_padding_stands_behind():
    """Rows padded at the left, where other tokens see it."""
    rows = [Row([5, 6, 7, 8], 1), Row([5, 6, 9], 2)]
    tokens = padded(rows, torch.device("cpu"))
    assert tokens.tolist() == [[5, 6, 7], [5, 6, 0]]
    skipped = padded(rows, torch.device("cpu"), skip=1)
    assert skipped.tolist() == [[6, 7], [6, 0]]


def test_sixteen_bits_are_summed_in_thirty_two():
    """A sum of thousands of small powers stops growing in bfloat16."""
    logits = torch.randn(40, 5000).bfloat16()
    model = SimpleNamespace(head=lambda x: logits)
    targets = torch.arange(40)
    nats, _ = target_nats(model, torch.zeros(40, 4), targets)
    due = -logits.double().log_softmax(-1)[targets, targets]
    assert nats == pytest.approx(due.numpy(), abs=1e-4)
