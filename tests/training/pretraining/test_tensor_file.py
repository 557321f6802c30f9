"""Files that the library of the format reads, and that it wrote."""

import io
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save, save_file

from scratchlm.training.pretraining import tensor_file
from scratchlm.training.pretraining.tensor_file import (
    CODES,
    read_tensors,
    write_tensors,
)


def written(tensors):
    file = io.BytesIO()
    write_tensors(tensors, file.write)
    return file.getvalue()


def same(one, two):
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        assert tensor.dtype is two[name].dtype
        assert tensor.shape == two[name].shape
        pair = [
            each.reshape(-1).view(torch.uint8) for each in (tensor, two[name])
        ]
        assert torch.equal(*pair)


def of_each_type():
    torch.manual_seed(0)
    return {
        f"{dtype} {tuple(shape)}": (torch.randn(shape) * 3).to(dtype)
        for dtype in CODES
        for shape in [(), (3,), (2, 0), (3, 5)]
    }


def test_the_library_reads_what_we_write(monkeypatch):
    """A table whose offsets are wrong for 0-d or empty tensors, or for a
    type of one byte between others; pieces that are cut in the wrong place."""
    tensors = of_each_type()
    same(load(written(tensors)), tensors)
    same(load(written({})), {})
    monkeypatch.setattr(tensor_file, "_PIECE", 7)
    same(load(written(tensors)), tensors)


def test_we_read_what_the_library_writes(tmp_path):
    """A reader that knows only its own files."""
    tensors = of_each_type()
    save_file(tensors, tmp_path / "a.safetensors")
    same(read_tensors(tmp_path / "a.safetensors"), tensors)


def test_transformers_asks_for_the_framework(tmp_path):
    """Weights that from_pretrained refuses, since no format is told."""
    (tmp_path / "a").write_bytes(written({"a": torch.ones(1)}))
    with safe_open(tmp_path / "a", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_each_tensor_begins_at_a_multiple_of_its_size():
    """A reader that maps the file and meets a number across a word."""
    data = written(of_each_type())
    length = int.from_bytes(data[:8], "little")
    table = json.loads(data[8 : 8 + length])
    assert length % 8 == 0
    sizes = {code: dtype.itemsize for dtype, code in CODES.items()}
    for name, told in table.items():
        if name != "__metadata__":
            assert told["data_offsets"][0] % sizes[told["dtype"]] == 0


def test_views_are_written_as_their_values():
    """The bytes of the whole tensor of which a view shows a part."""
    whole = torch.arange(24.0).reshape(4, 6)
    views = {"t": whole.T, "row": whole[1], "step": whole[:, ::2]}
    views["one"] = torch.ones(1).expand(5)
    views["needs gradient"] = torch.ones(2, requires_grad=True)
    for name, tensor in load(written(views)).items():
        assert torch.equal(tensor, views[name])


def test_what_was_read_outlives_its_file(tmp_path):
    """A run that dies of a bus error, or trains on other numbers, once
    another process has written over the file that it had mapped."""
    path = tmp_path / "a.safetensors"
    path.write_bytes(written({"a": torch.arange(10_000)}))
    read = read_tensors(path)
    with path.open("r+b") as file:
        file.truncate(100)
        file.write(bytes(100_000))
    assert torch.equal(read["a"], torch.arange(10_000))


@pytest.mark.parametrize("length", [0, 7, 8, 50, -1])
def test_a_file_cut_short_is_refused(tmp_path, length):
    """An error of the library's own, which no caller expects."""
    path = tmp_path / "a.safetensors"
    path.write_bytes(save({"a": torch.ones(3)})[:length])
    with pytest.raises(ValueError, match=r"a\.safetensors cannot be read"):
        read_tensors(path)


def test_a_file_that_goes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    """The library opens a file twice; a run that removes a checkpoint in
    between makes PyTorch raise what nobody waits for."""

    def gone(path, framework):
        raise RuntimeError("unable to open file: No such file or directory")

    monkeypatch.setattr(tensor_file, "safe_open", gone)
    with pytest.raises(ValueError, match="No such file"):
        read_tensors(tmp_path / "a.safetensors")
