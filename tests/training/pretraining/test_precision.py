"""Types of sixteen bits, and the loss scale."""

import pytest
import torch

from scratchlm.training.pretraining import (
    LossScale,
    autocast,
    find_dtype,
    loss_scale,
)


def test_an_unknown_type_is_refused():
    """A type that is misspelt would train in another one."""
    with pytest.raises(ValueError, match="'fp16'; give one of float32"):
        find_dtype("fp16")


def test_autocast_leaves_float32_alone():
    """Autocast to float32 is refused by some devices."""
    x = torch.ones(2, 2)
    with autocast(torch.float32, "cpu"):
        assert (x @ x).dtype == torch.float32
    with autocast(torch.bfloat16, "cpu"):
        assert (x @ x).dtype == torch.bfloat16


def test_a_scaled_gradient_survives_float16():
    """Without a scale it is zero: the least number of float16 is 6e-8."""
    x = torch.tensor(1.0, dtype=torch.float16, requires_grad=True)
    (x.float() * 1e-8).backward()
    assert x.grad == 0
    x.grad, scale = None, LossScale(2.0**10)
    scale.scale(x.float() * 1e-8).backward()
    wide = [x.grad.float()]
    scale.unscale(wide)
    assert float(wide[0]) == pytest.approx(1e-8, rel=0.01)


def test_the_factor_halves_and_grows_as_pytorchs_does():
    """Beside torch.amp.GradScaler, on the same overflows."""
    theirs = torch.amp.GradScaler("cpu", init_scale=16.0, growth_interval=3)
    ours = LossScale(16.0, patience=3)
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], 0.0)
    for finite in [True, True, False, True, True, True, True, False, True]:
        size = 1.0 if finite else float("inf")
        weight.grad = torch.tensor([size])
        theirs.scale(torch.ones(()))
        theirs.step(optimizer)
        theirs.update()
        ours.update(finite)
        assert ours.factor == theirs.get_scale()


def test_the_factor_stays_in_its_bounds():
    """A model that always overflows would divide it to zero."""
    scale = LossScale(2.0, patience=1, most=4.0)
    assert [scale.update(False) for _ in range(3)] == [True, False, False]
    assert scale.factor == 1.0
    for _ in range(5):
        scale.update(True)
    assert scale.factor == 4.0


def test_a_wide_type_has_no_scale_to_blame():
    """An overflow in float32 would be taken for the scale's fault."""
    for dtype in (torch.float32, torch.bfloat16):
        scale = loss_scale(dtype)
        assert not scale.update(False)
        assert scale.factor == 1.0
    assert loss_scale(torch.float16).factor == 2.0**16


def test_it_goes_on_where_it_was():
    """A resumed run would overflow all over again."""
    scale, other = LossScale(8.0, patience=3), LossScale(8.0, patience=3)
    for finite in (False, True, True):
        scale.update(finite)
    other.load_state_dict(scale.state_dict())
    scale.update(True)
    other.update(True)
    assert scale == other
    assert other.factor == 8.0


@pytest.mark.parametrize(
    "given", [{"factor": 0.5}, {"most": 2.0}, {"patience": 0}, {"least": 0.0}]
)
def test_bounds_out_of_order_are_refused(given):
    """A factor of zero makes every gradient zero."""
    with pytest.raises(ValueError, match=r"above 0|1 or more"):
        LossScale(**given)
