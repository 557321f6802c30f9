"""One step, whatever it is cut into."""

import math

import pytest
import torch

from scratchlm.training.objective import Loss
from scratchlm.training.pretraining import (
    Diverged,
    Training,
    as_tensors,
    language_loss,
    take_step,
)
from scratchlm.training.pretraining.interruption import Request
from scratchlm.training.pretraining.step import add_gradients


def gradients(run):
    """Of the first step's mean loss, before clipping."""
    training = Training(run)
    whole = as_tensors(training.batch())
    count = (whole.targets != -100).sum()
    rows = len(whole.tokens)
    for part in range(run.n_micro):
        cut = slice(
            part * rows // run.n_micro, (part + 1) * rows // run.n_micro
        )
        each = (None if p is None else p[cut] for p in whole)
        add_gradients(training, type(whole)(*each), count)
    return training.gradients, float(training.nats)


@pytest.mark.parametrize("n_micro", [2, 4, 6])
def test_accumulation_equals_the_large_batch(make_run, n_micro):
    """Gradients divided by the number of parts, not by the number of valid
    tokens, weigh a token by how much padding its part has."""
    one, nats = gradients(make_run())
    many, sum_of_nats = gradients(make_run(n_micro=n_micro))
    assert sum_of_nats == pytest.approx(nats, rel=1e-6)
    for a, b in zip(one, many, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_the_parts_have_unequal_tokens(make_run):
    """With equal ones the wrong division gives the right gradient."""
    targets = as_tensors(Training(make_run()).batch()).targets
    counts = (targets != -100).sum(1).tolist()
    assert len(set(counts)) > 1


def test_a_mean_of_means_is_another_gradient(make_run):
    """The test above would pass if this one did not."""

    def mean_of_means(model, batch):
        loss = language_loss(model, batch)
        return Loss(loss.mean() * 10, torch.tensor(10))

    run = make_run(loss=mean_of_means, n_micro=6)
    wrong = gradients(run)[0]
    right = gradients(make_run(n_micro=6))[0]
    scale = right[0].norm() / wrong[0].norm()
    assert not torch.allclose(wrong[0] * scale, right[0], rtol=1e-2)


def test_a_part_without_valid_tokens_changes_nothing(make_run):
    """Its own mean is not a number, which reaches every weight."""

    def emptied(model, batch):
        if len(batch.tokens) == 2:  # the first of four parts
            batch = batch._replace(
                targets=torch.full_like(batch.targets, -100)
            )
        return language_loss(model, batch)

    step = take_step(Training(make_run(loss=emptied, n_micro=4)), Request())
    assert math.isfinite(step.loss)
    assert not step.skipped


def poisoned(steps, value=float("nan")):
    """A loss that is not finite in some steps."""
    seen = []

    def loss(model, batch):
        seen.append(0)
        found = language_loss(model, batch)
        if len(seen) - 1 in steps:
            return Loss(found.total * value, found.count)
        return found

    return loss


def taken(run, n):
    training = Training(run)
    return training, [take_step(training, Request()) for _ in range(n)]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_step_that_is_not_finite_changes_no_weight(make_run, value):
    """Found after the step, it has already ruined every weight and the
    optimizer's means."""
    training = Training(make_run(loss=poisoned({1}, value)))
    take_step(training, Request())
    before = [p.clone() for p in training.parameters]
    step = take_step(training, Request())
    assert step.skipped
    assert training.skipped == training.in_a_row == 1
    for a, b in zip(before, training.parameters, strict=True):
        assert torch.equal(a, b)
    after = take_step(training, Request())
    assert not after.skipped
    assert training.in_a_row == 0
    assert after.step == 2
    assert not torch.equal(before[0], training.parameters[0])


def test_a_gradient_that_is_not_finite_is_found_too(make_run):
    """The loss is a number, and the gradient of one weight is not."""

    def loss(model, batch):
        found = language_loss(model, batch)
        bent = (model.norm.weight * 0).abs().sqrt().sum()  # 0 * inf backward
        return Loss(found.total + bent, found.count)

    _, (step,) = taken(make_run(loss=loss), 1)
    assert math.isfinite(step.loss)
    assert not math.isfinite(step.norm)
    assert step.skipped


def test_a_step_without_one_valid_token_is_skipped(make_run):
    """A conversation longer than a row leaves a batch that is all masked:
    the loss is not a number and the gradient is zero, so a guard on the
    gradient sees nothing."""

    def loss(model, batch):
        return language_loss(model, batch)

    training = Training(make_run(loss=loss))
    batch = training.batch()
    batch.targets[:] = -100
    training.batch = lambda: batch
    step = take_step(training, Request())
    assert step.skipped
    assert math.isnan(step.loss)
    assert step.tokens == 0


def test_too_many_in_a_row_end_the_run(make_run):
    """A run that skips every step goes on until the budget is spent."""
    run = make_run(loss=poisoned(range(1, 9)), most_skipped=2)
    training = Training(run)
    for _ in range(3):
        take_step(training, Request())
    with pytest.raises(Diverged, match=r"step 3: loss nan.*3 steps in a row"):
        take_step(training, Request())


def test_an_overflow_of_the_scale_is_not_counted(make_run):
    """The first steps of a float16 run overflow until the scale fits, and
    the run would end as ill."""
    training = Training(make_run(dtype="float16", most_skipped=0))
    training.scale.factor = training.scale.most = 2.0**40
    steps = [take_step(training, Request()) for _ in range(40)]
    assert steps[0].skipped
    assert not steps[-1].skipped
    assert training.in_a_row == 0
    assert training.skipped > 5


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_trains_like_float32(make_run, dtype):
    """A cast at the wrong place costs digits that the loss needs."""
    plain = taken(make_run(), 8)[1]
    half = taken(make_run(dtype=dtype), 8)[1]
    for a, b in zip(plain, half, strict=True):
        assert b.loss == pytest.approx(a.loss, rel=0.02)


def test_weights_stay_in_float32(make_run):
    """A weight of bfloat16 does not change by less than one part in 256."""
    training, _ = taken(make_run(dtype="bfloat16"), 2)
    kinds = {p.dtype for p in training.parameters}
    assert kinds == {torch.float32}


def test_the_rate_follows_the_schedule(make_run):
    """A schedule counted in micro-batches warms up too soon."""
    run = make_run(n_micro=3)
    training, steps = taken(run, 5)
    assert [s.rate for s in steps] == [run.schedule(i) for i in range(5)]
    assert training.optimizer.param_groups[0]["lr"] == pytest.approx(
        0.02 * run.schedule(4)
    )


def test_clipping_is_of_the_whole_step(make_run):
    """Clipped part by part, three parts have up to three times the length."""
    run = make_run(clip=1e-3, n_micro=3)
    training, seen = Training(run), []
    step = training.optimizer.step
    training.optimizer.step = lambda: (
        seen.append(
            torch.cat([g.flatten() for g in training.gradients]).norm()
        ),
        step(),
    )
    taken_step = take_step(training, Request())
    assert float(seen[0]) == pytest.approx(1e-3, rel=1e-4)
    assert taken_step.norm > 1e-2


def test_evaluation_leaves_the_run_as_it_was(make_run):
    """One that draws, or leaves the model in eval mode, changes the run."""
    asked = []

    def evaluate(model):
        asked.append((model.training, torch.is_grad_enabled()))
        return float(torch.rand(()))

    def noisy(model, batch):
        x = model.hidden(batch.tokens) + torch.randn(())
        total = x.square().sum()
        return Loss(total, (batch.targets != -100).sum())

    run = {"loss": noisy}
    plain = taken(make_run(**run), 6)[1]
    training, watched = taken(
        make_run(evaluate=evaluate, evaluate_every=2, **run), 6
    )
    assert [s.loss for s in watched] == [s.loss for s in plain]
    measured = [s.held_out is not None for s in watched]
    assert measured == [False, True] * 3
    assert asked == [(False, False)] * 3
    assert training.model.training


def test_the_last_step_is_evaluated(make_run):
    """What a run ends with would not be known."""
    steps = taken(make_run(evaluate=lambda model: 1.5), 12)[1]
    assert [s.held_out for s in steps] == [None] * 11 + [1.5]
