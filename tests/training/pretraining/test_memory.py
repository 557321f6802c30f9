"""Less memory, and what to do without it."""

import pytest
import torch
from torch import nn

from scratchlm.model.transformer import Transformer
from scratchlm.training.pretraining import (
    Training,
    language_loss,
    recompute_blocks,
    take_step,
)
from scratchlm.training.pretraining.interruption import Request
from scratchlm.training.pretraining.memory import out_of_memory_explained
from scratchlm.training.pretraining.micro_batches import (
    TokenBatch,
    as_tensors,
)


def gradients(run):
    training = Training(run)
    batch = as_tensors(training.batch())
    language_loss(training.model, batch).mean().backward()
    return [p.grad for p in training.parameters]


def test_recomputing_changes_no_gradient(make_run):
    """A second pass that draws or counts anew would."""
    plain = gradients(make_run())
    for a, b in zip(plain, gradients(make_run(recompute=True)), strict=True):
        assert torch.equal(a, b)


def test_recomputing_keeps_a_blocks_input_alone(make_run):
    """Wrapped the wrong way, it computes twice and keeps everything."""

    def kept(recompute):
        training = Training(make_run(recompute=recompute))
        batch, sizes = as_tensors(training.batch()), []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda x: sizes.append(x.nbytes) or x, lambda x: x
        ):
            training.model.hidden(batch.tokens)
        return sum(sizes)

    assert kept(True) < kept(False) / 3


def test_recomputing_renames_no_weight(make_run):
    """A wrapper's prefix would make checkpoints of other names."""
    config = make_run().model
    model, plain = Transformer(config), Transformer(config)
    recompute_blocks(model)
    assert model.state_dict().keys() == plain.state_dict().keys()


def test_a_model_without_blocks_is_refused():
    """It would train without recomputing, and without a word."""
    with pytest.raises(ValueError, match="Linear has no blocks"):
        recompute_blocks(nn.Linear(2, 2))


def rows(n_rows):
    tokens = torch.zeros(n_rows, 4, dtype=torch.int64)
    return TokenBatch(tokens, tokens)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 8 bytes"
        ),
    ],
)
def test_the_message_names_the_knobs(error):
    """An allocator's error says what it wanted, not what to change."""
    with (
        pytest.raises(ValueError, match=r"n_micro from 2 to 4.*recompute"),
        out_of_memory_explained(rows(6), n_micro=2, recompute=False),
    ):
        raise error


def test_a_knob_that_is_turned_is_not_named():
    """The advice would be what was done already."""
    with (
        pytest.raises(ValueError, match="smaller model") as told,
        out_of_memory_explained(rows(1), n_micro=2, recompute=True),
    ):
        raise torch.OutOfMemoryError("no")
    assert "n_micro" not in str(told.value)
    assert "recompute" not in str(told.value)


def test_another_error_stays_itself():
    """A bug in a model would be blamed on memory."""
    with (
        pytest.raises(RuntimeError, match="shapes"),
        out_of_memory_explained(rows(1), n_micro=1, recompute=False),
    ):
        raise RuntimeError("shapes do not match")


def test_a_real_shortage_is_explained(make_run):
    """The CPU's allocator words its error in its own way."""

    def loss(model, batch):
        return torch.empty(1 << 60)

    with pytest.raises(ValueError, match="memory ran out with 6 rows"):
        take_step(Training(make_run(loss=loss)), Request())
