"""Blocks of tensors in files."""

import pytest
import torch
from safetensors.torch import save_file

from scratchlm.scaling.meshes.blocks import (
    Block,
    read_box,
    require_shapes,
    whole_box,
)

WHOLE = torch.arange(35).view(5, 7)


def write(folder):
    """The whole in four blocks of unequal sizes."""
    blocks = []
    for i, (top, bottom) in enumerate(((0, 3), (3, 5))):
        tensors = {}
        for left, right in ((0, 2), (2, 7)):
            part = WHOLE[top:bottom, left:right].clone()
            tensors[f"from {left}"] = part
            blocks.append(
                Block(
                    file=f"{i}.safetensors",
                    key=f"from {left}",
                    shape=(5, 7),
                    start=(top, left),
                    size=tuple(part.shape),
                )
            )
        save_file(tensors, folder / f"{i}.safetensors")
    return blocks


@pytest.mark.parametrize(
    "box",
    [
        (slice(0, 5), slice(0, 7)),
        (slice(1, 4), slice(1, 6)),
        (slice(3, 5), slice(0, 2)),
        (slice(2, 2), slice(0, 7)),
        (slice(5, 5), slice(0, 7)),
    ],
    ids=str,
)
def test_any_part_is_found_in_the_blocks_that_overlap_it(tmp_path, box):
    """Rows of one block that land at the place of another's."""
    assert torch.equal(
        read_box(tmp_path, "x", write(tmp_path), box), WHOLE[box]
    )


def test_a_number_is_a_block_without_dimensions(tmp_path):
    """PyTorch's own optimizers count their steps in a tensor."""
    save_file({"step": torch.tensor(3.0)}, tmp_path / "a.safetensors")
    block = Block(
        file="a.safetensors", key="step", shape=(), start=(), size=()
    )
    assert read_box(tmp_path, "step", [block], ()) == 3.0


def test_what_no_block_has_is_missed(tmp_path):
    """Numbers that were never saved, read as zeros."""
    blocks = write(tmp_path)[:-1]
    with pytest.raises(ValueError, match="has 25 of the 35 numbers"):
        read_box(tmp_path, "x", blocks, whole_box((5, 7)))


def test_another_model_is_refused_by_name():
    """Weights of a wider model, of which the first columns are taken."""
    with pytest.raises(ValueError, match=r"a is \[2\] .* and \[3\] .*; b is"):
        require_shapes({"a": (2,), "b": (1,)}, {"a": (3,)})
    require_shapes({"a": (2,)}, {"a": (2,), "more": (1,)})
