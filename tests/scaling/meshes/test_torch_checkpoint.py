"""Checkpoints of PyTorch's engines, from one mesh to another."""

import pickle
from dataclasses import replace

import pytest
import torch
from torch.distributed.checkpoint import FileSystemReader
from torch.distributed.tensor import DTensor

from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.scaling.accounting.job import Mesh
from scratchlm.scaling.meshes.engine import HEAD, TABLE, Engine
from scratchlm.scaling.meshes.process_mesh import ProcessMesh
from scratchlm.training.optimizers.adam import AdamW
from scratchlm.training.pretraining.micro_batches import TokenBatch

SMALL = TransformerConfig(
    vocab_size=61,  # which two ranks do not share evenly
    d_model=16,
    n_layers=2,
    n_heads=4,
    n_kv_heads=4,
    d_head=4,
    d_ff=24,
    max_tokens=16,
    tied=True,
)


def adamw_of(module):
    return AdamW(module.parameters(), lr=1e-2)


def torch_adamw_of(module):
    return torch.optim.AdamW(module.parameters(), lr=1e-2)


def start(group, sizes, make=adamw_of, config=SMALL, seed=0):
    torch.manual_seed(seed)
    model = Transformer(replace(config, init=lambda model, n_layers: None))
    mesh = ProcessMesh(sizes, group)
    return Engine(model, mesh, make, n_micro=2)


def move(engine, seed):
    generator = torch.Generator().manual_seed(seed)
    tokens, targets = torch.randint(61, (2, 4, 8), generator=generator)
    return float(engine.step(TokenBatch(tokens, targets)).total)


def everything(engine):
    """Weights and what the optimizer keeps of them, whole, by name."""
    found = {("weight", n): x for n, x in engine.whole().items()}
    state = engine.optimizer.state
    some = next(iter(state.values()))
    for kind, value in some.items():
        if isinstance(value, DTensor):
            about = engine.whole(lambda p, kind=kind: state[p][kind])
            found |= {(kind, name): x for name, x in about.items()}
        else:
            found[kind, "any"] = torch.as_tensor(value)
    return found


def save(group, sizes, path, make=adamw_of):
    engine = start(group, sizes, make)
    for seed in range(2):
        move(engine, seed)
    engine.save(path)
    found = everything(engine)
    return found, move(engine, 2)


def resume(group, sizes, path, make=adamw_of):
    engine = start(group, sizes, make, seed=1)
    move(engine, 5)  # what it had learned is gone
    engine.load(path)
    found = everything(engine)
    kinds = {type(x) for s in engine.optimizer.state.values() for x in [*s]}
    assert kinds == {str}
    return found, move(engine, 2)


def expect(there, here):
    """The same bits, and after them the same step."""
    due, loss = there[0]
    for found, next_loss in here:
        for (kind, name), x in found.items():
            same = TABLE if name == HEAD else name  # a stage's own copy
            assert torch.equal(x, due[kind, same]), (kind, name)
        assert abs(next_loss - loss) < 1e-5 * loss
        assert len(found) > len(due) / 3


@pytest.mark.parametrize("make", [adamw_of, torch_adamw_of])
def test_any_mesh_loads_what_another_saved(ranks, tmp_path, make):
    """Parts that are put together in another order; moments of another
    parameter; a number of steps that starts anew, so that a mean's first
    part counts twice."""
    path = tmp_path / "step"
    there = ranks(4)(save, Mesh(dp=2, tp=2), path, make)
    for sizes in (Mesh(pp=2, dp=2), Mesh(tp=4), Mesh(dp=2, tp=2)):
        expect(there, ranks(4)(resume, sizes, path, make))
    assert [p.name for p in tmp_path.iterdir()] == ["step"]


def save_unlike_copies(group, path):
    engine = start(group, Mesh(pp=2))
    for name, p in engine.shards.module.named_parameters():
        if name == HEAD:
            p.data.add_(1.0)
    engine.save(path)
    return engine.whole()


def load_tied(group, path):
    engine = start(group, Mesh(dp=2), seed=1)
    engine.load(path)
    return engine.whole()


def test_of_two_copies_of_a_weight_one_is_saved(ranks, tmp_path):
    """PyTorch writes one rank's value of a key that several have, for one
    key this rank's and for another that one's: half a table from each stage
    loads without a word."""
    path = tmp_path / "step"
    first, last = ranks(2)(save_unlike_copies, path)
    saved = FileSystemReader(path).read_metadata().state_dict_metadata
    assert f"model.{HEAD}" not in saved
    assert not torch.equal(first[TABLE], last[HEAD])
    for found in ranks(2)(load_tied, path):
        assert torch.equal(found[TABLE], first[TABLE])
        assert torch.equal(found[HEAD], first[TABLE])


def refuse(group, path):
    engine = start(group, Mesh(tp=2))
    before = engine.whole()
    with pytest.raises(ValueError, match=r"has no \.metadata"):
        engine.load(path / "nothing")
    with pytest.raises(ValueError, match="has no folder"):
        engine.save(path / "no" / "folder")
    engine.save(path / "step")
    engine.save(path / "step")  # takes the place of the first
    other = start(group, Mesh(tp=2), config=replace(SMALL, n_layers=3))
    with pytest.raises(ValueError, match=r"blocks\.2\.\S+ is missing there"):
        other.load(path / "step")
    wide = start(group, Mesh(tp=2), config=replace(SMALL, d_ff=32))
    with pytest.raises(ValueError, match=r"is \(24, 16\) there and \(32, 16"):
        wide.load(path / "step")
    after = engine.whole()
    return all(torch.equal(after[name], x) for name, x in before.items())


def test_what_is_no_checkpoint_of_this_model_is_refused(ranks, tmp_path):
    """A rank that raises alone while the others wait, or a model that is
    half of one checkpoint."""
    (tmp_path / "file").write_text("")
    assert all(ranks(2)(refuse, tmp_path))


def test_the_metadata_are_a_pickle(ranks, tmp_path):
    """Of which the docstring warns: fails when PyTorch has a safe format."""
    ranks(2)(save_unlike_copies, tmp_path / "step")
    data = (tmp_path / "step" / ".metadata").read_bytes()
    assert type(pickle.loads(data)).__name__ == "Metadata"
