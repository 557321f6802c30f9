from dataclasses import replace

import pytest
import torch

from scratchlm.evaluation.interpretability.editing import (
    Request,
    edit,
    edited,
    keys,
    new_value,
    rank_one_update,
    second_moment,
)
from scratchlm.evaluation.interpretability.hooks import read

REQUEST = Request(prompts=[[1, 2, 3, 4]], subjects=[2], answer=[7])


@torch.no_grad()
def test_keys_are_what_the_last_map_reads(model, tokens):
    place = "blocks.1.feedforward"
    with read(model, [place]) as kept:
        model(tokens)
    down = model.blocks[1].feedforward.down
    torch.testing.assert_close(down(keys(model, 1, tokens)), kept[place])


def test_the_update_shifts_its_key_and_spares_the_protected():
    draws = torch.Generator().manual_seed(0)
    others = torch.randn(200, 6, generator=draws) * torch.tensor(
        [9.0, 9.0, 1.0, 1.0, 1.0, 1.0]
    )
    key, shift = torch.ones(6), torch.tensor([1.0, -2.0])
    moment = others.T @ others / 200
    costs = []
    for each in (None, moment):
        update = rank_one_update(key, shift, each)
        torch.testing.assert_close(update @ key, shift)
        assert torch.linalg.matrix_rank(update) == 1
        costs.append((others @ update.T).square().mean())
    assert costs[1] < costs[0] / 3


def test_no_other_update_disturbs_less():
    """The closed form against random updates that also shift the key."""
    draws = torch.Generator().manual_seed(0)
    others = torch.randn(50, 4, generator=draws).double()
    key, shift = torch.ones(4).double(), torch.ones(1).double()
    moment = others.T @ others / 50
    best = rank_one_update(key, shift, moment, ridge=0.0)
    cost = (others @ best.T).square().sum()
    for _ in range(100):
        off = torch.randn(1, 4, generator=draws).double()
        off -= (off @ key)[:, None] * key / 4
        assert (others @ (best + 0.1 * off).T).square().sum() > cost


def test_an_edited_model_says_the_answer_and_forgets_it(model):
    tokens = torch.tensor([REQUEST.prompts[0]])
    before = model(tokens)
    moment = second_moment(model, 1, [[5, 6, 7, 8], [9, 10, 11, 12]])
    request = replace(REQUEST, subjects=[3])
    update = edit(model, 1, request, moment)
    assert torch.equal(model(tokens), before)
    with edited(model, 1, update):
        after = model(tokens)
    assert after[0, -1].softmax(-1)[7] > 2 * before[0, -1].softmax(-1)[7]
    assert torch.equal(model(tokens), before)


def test_a_value_is_the_smaller_the_more_it_costs(model):
    small, large = (
        new_value(model, 0, REQUEST, decay=decay).norm()
        for decay in (1.0, 1e-3)
    )
    assert small < large / 2


@pytest.mark.parametrize(
    ("prompts", "subjects", "answer", "match"),
    [
        ([], [], [1], "at least one prompt"),
        ([[1]], [0, 0], [1], "2 subjects"),
        ([[1]], [0], [], "answer is empty"),
        ([[1]], [1], [1], "subject is at 1"),
    ],
)
def test_bad_requests(prompts, subjects, answer, match):
    with pytest.raises(ValueError, match=match):
        Request(prompts=prompts, subjects=subjects, answer=answer)


def test_nothing_to_edit(model):
    with pytest.raises(ValueError, match="key is zero"):
        rank_one_update(torch.zeros(3), torch.ones(2))
    with pytest.raises(ValueError, match="no texts"):
        second_moment(model, 0, [])
