import pytest
import torch

from scratchlm.interop.hf.weights import (
    FLAT,
    JOINED,
    SAME,
    SHIFTED,
    STACKED,
    Rule,
    adopt,
    plain,
    publish,
)

RULES = [
    *plain({"a": "x.a"}),
    Rule(("q.{i}", "k.{i}"), ("qk.{i}",), JOINED),
    Rule(("e.{i}",), ("expert.{i}.{e}",), STACKED),
]


def shapes_of(state):
    return {name: tensor.shape for name, tensor in state.items()}


@pytest.fixture
def state():
    """Two layers; the second has no experts."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "a": (3,),
        "q.0": (4, 5),
        "k.0": (2, 5),
        "q.1": (4, 5),
        "k.1": (2, 5),
        "e.0": (3, 2, 2),
    }
    return {
        name: torch.randn(shape, generator=generator)
        for name, shape in shapes.items()
    }


def test_weights_come_back_as_they_were(state):
    """Queries and keys exchanged, a layer left out, a stack in the order of
    text: expert 10 before expert 2."""
    theirs = publish(state, RULES, torch.float32)
    assert {n: tuple(t.shape) for n, t in theirs.items()} == {
        "x.a": (3,),
        "qk.0": (5, 6),
        "qk.1": (5, 6),
        **{f"expert.0.{e}": (2, 2) for e in range(3)},
    }
    again = adopt(theirs, RULES, shapes_of(state))
    assert set(again) == set(state)
    assert all(torch.equal(again[n], t) for n, t in state.items())


def test_the_meta_device_tells_what_a_file_must_hold(state):
    """Expected shapes written down a second time, and one of them wrong."""
    blank = {n: t.to("meta") for n, t in state.items()}
    wanted = publish(blank, RULES, torch.float32)
    real = publish(state, RULES, torch.float32)
    assert shapes_of(wanted) == shapes_of(real)


def test_a_tensor_without_a_name_is_told(state):
    """A bias that is left out of the file without a word."""
    with pytest.raises(ValueError, match=r"a, odd have no name"):
        publish(state | {"odd": state["a"]}, RULES[1:], torch.float32)


@pytest.mark.parametrize("change", [SAME, JOINED, FLAT])
def test_what_can_be_a_view_is_one(change):
    """Each weight copied while it is loaded."""
    theirs = torch.arange(6.0)
    theirs = theirs.view(2, 3) if change is JOINED else theirs
    shape = torch.Size([3, 2])
    wanted = [shape] if change is not SAME else [theirs.shape]
    (ours,) = change.adopt([theirs], wanted)
    assert ours.data_ptr() == theirs.data_ptr()


def test_parts_of_a_fused_matrix_are_views():
    """Three copies of a third each."""
    fused = torch.arange(12.0).view(2, 6)
    parts = JOINED.adopt([fused], [torch.Size([2, 2])] * 3)
    storage = fused.untyped_storage().data_ptr()
    assert all(p.untyped_storage().data_ptr() == storage for p in parts)
    assert torch.equal(parts[1], fused[:, 2:4].T)


def test_gemma_multiplies_by_one_plus_w():
    """A small w that vanishes beside the 1 in bfloat16, and that is not
    there when the model is saved again."""
    w = torch.tensor([0.001, -0.3, 7.0]).bfloat16()
    (ours,) = SHIFTED.adopt([w], [w.shape])
    assert torch.equal(ours, 1 + w.float())
    (again,) = SHIFTED.publish([ours], torch.bfloat16)
    assert torch.equal(again, w)
