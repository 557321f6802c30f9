"""Checkpoints of one mesh, read on another."""

import json

import pytest
import torch
from safetensors.torch import load_file
from tests.scaling.meshes.test_mesh_parallel import (
    EXPERTS,
    SMALL,
    TIED,
    adamw_of,
    build,
    draw,
)

from scratchlm.scaling.accounting.job import Mesh
from scratchlm.scaling.meshes.blocks import INDEX, Block, read_box
from scratchlm.scaling.meshes.mesh_checkpoint import (
    load_on_mesh,
    load_whole,
    save_on_mesh,
)
from scratchlm.scaling.meshes.mesh_parallel import MeshParallel
from scratchlm.scaling.meshes.process_mesh import ProcessMesh
from scratchlm.training.pretraining.checkpoint import checkpoints


def put(group, config, sizes, **settings):
    mesh = ProcessMesh(sizes, group)
    settings = {"n_micro": sizes.pp, **settings}
    model = build(config, torch.float32)
    return MeshParallel(model, mesh, adamw_of, **settings)


def state_of(parallel):
    """Weights and both means of Adam, whole, by name."""
    found = {}
    for part in ("weight", "mean", "square"):
        whole = parallel.whole(
            (lambda p: p)
            if part == "weight"
            else lambda p, part=part: parallel.optimizer.state.get(p, {}).get(
                part
            )
        )
        found |= {(part, name): x.clone() for name, x in whole.items()}
    return found


def train_and_save(group, config, sizes, folder, settings):
    n_steps = 2
    parallel = put(group, config, sizes, **settings)
    for step in range(n_steps):
        parallel.step(draw(step), longest=0.5)
    save_on_mesh(folder, parallel, n_steps, about={"config": "tiny"})
    saved = state_of(parallel)
    parallel.step(draw(n_steps), longest=0.5)  # a save harms nothing
    return saved, state_of(parallel)


def load(group, config, sizes, folder, settings):
    parallel = put(group, config, sizes, **settings)
    parallel.step(draw(9), longest=0.5)  # of which nothing may be left
    step = load_on_mesh(folder, parallel, about={"config": "tiny"})
    loaded = state_of(parallel)
    parallel.step(draw(step), longest=0.5)
    return step, loaded, state_of(parallel)


def merged(told, at):
    found = {}
    for each in told:
        found |= each[at]
    return found


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[key], other[key]) for key in one)


CASES = {
    "plain": (
        SMALL,
        Mesh(dp=2, tp=2),
        {"zero": 3},
        [(Mesh(tp=2, pp=2), {}), (Mesh(pp=2, cp=2), {}), (Mesh(dp=2), {})],
    ),
    "tied": (
        TIED,
        Mesh(tp=2, pp=2),
        {},
        [(Mesh(dp=4), {"zero": 1}), (Mesh(dp=2, pp=2), {"zero": 2})],
    ),
    "experts": (
        EXPERTS,
        Mesh(dp=2, ep=2, tp=2),
        {},
        [(Mesh(dp=4, ep=4), {"zero": 2}), (Mesh(dp=2, pp=2), {})],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_resumes_on_other_meshes(ranks, tmp_path, case):
    """A part that comes back as another rank's, moments that start anew, a
    tied head that is left out: the loss jumps or drifts after a resume.

    On the same mesh the next step is that of a run that never stopped, bit
    for bit; on another the state is, and the step differs in roundings."""
    config, sizes, settings, others = CASES[case]
    told = ranks(sizes.world)(
        train_and_save, config, sizes, tmp_path, settings
    )
    saved, after = merged(told, 0), merged(told, 1)
    assert {part for part, _ in saved} == {"weight", "mean", "square"}
    again = ranks(sizes.world)(load, config, sizes, tmp_path, settings)
    assert all(step == 2 for step, *_ in again)
    assert same(merged(again, 1), saved)
    assert same(merged(again, 2), after)
    for other, changed in others:
        told = ranks(other.world)(load, config, other, tmp_path, changed)
        assert same(merged(told, 1), saved), other
        for key, x in merged(told, 2).items():
            torch.testing.assert_close(x, after[key], rtol=1e-3, atol=1e-6)


def test_one_process_loads_what_ranks_have_saved(ranks, tmp_path):
    """A model that can only be used where it was trained."""
    sizes = Mesh(dp=2, pp=2)
    told = ranks(4)(train_and_save, TIED, sizes, tmp_path, {"zero": 1})
    model = build(TIED, torch.float32)
    assert load_whole(tmp_path, model) == 2
    weights = dict(model.named_parameters(remove_duplicate=False))
    saved = merged(told, 0)
    assert all(
        torch.equal(saved["weight", name], p.detach())
        for name, p in weights.items()
    )
    assert model.head.weight is model.embedding.tokens.weight


def test_each_number_is_written_once_and_by_turns(ranks, tmp_path):
    """Four files with the same tensors, or one rank that writes all."""
    ranks(4)(train_and_save, SMALL, Mesh(dp=2, tp=2), tmp_path, {})
    ((_, path),) = checkpoints(tmp_path)
    sizes = [
        sum(x.numel() for x in load_file(file).values())
        for file in sorted(path.glob("*.safetensors"))
    ]
    n = sum(p.numel() for p in build(SMALL, torch.float32).parameters())
    assert sum(sizes) == 3 * n
    assert min(sizes) > 0.5 * sum(sizes) / 4


def refused(group, folder):
    parallel = put(group, SMALL, Mesh(dp=2))
    with pytest.raises(ValueError, match="has no whole checkpoint"):
        load_on_mesh(folder, parallel)
    with pytest.raises(ValueError, match="keep is 0"):
        save_on_mesh(folder, parallel, 1, keep=0)
    save_on_mesh(folder, parallel, 1, about={"seed": 0})
    other = put(group, TIED, Mesh(dp=2))
    with pytest.raises(ValueError, match=r"of another model: .* missing"):
        load_on_mesh(folder, other)
    with pytest.raises(ValueError, match="of another run"):
        load_on_mesh(folder, parallel, about={"seed": 1})
    with pytest.raises(ValueError, match="checkpoints of another run"):
        save_on_mesh(folder, parallel, 2, about={"seed": 1})
    assert [step for step, _ in checkpoints(folder)] == [1]
    taken = folder / "taken"
    if group.rank() == 0:
        taken.write_text("a file")
    with pytest.raises(ValueError, match="rank 0"):
        save_on_mesh(taken, parallel, 1)


def test_what_does_not_fit_is_refused_on_all_ranks(ranks, tmp_path):
    """One rank raises, and the other waits for it for ever."""
    ranks(2)(refused, tmp_path)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(ranks, tmp_path):
    """Bits that changed on the disk are trained on."""

    def save_twice(group):
        parallel = put(group, SMALL, Mesh(dp=2))
        for step in range(3):
            parallel.step(draw(step), longest=0.5)
            save_on_mesh(tmp_path, parallel, step)
        return [step for step, _ in checkpoints(tmp_path)]

    assert ranks(2)(save_twice)[0] == [1, 2]
    file = tmp_path / "step-00000002" / "rank-00001.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    model = build(SMALL, torch.float32)
    with pytest.warns(UserWarning, match="rank-00001.* has been altered"):
        assert load_whole(tmp_path, model) == 1


def test_a_lost_block_is_found(ranks, tmp_path):
    """Numbers that no file has, read as zeros."""
    ranks(2)(train_and_save, SMALL, Mesh(tp=2), tmp_path, {})
    ((_, path),) = checkpoints(tmp_path)
    index = json.loads((path / INDEX).read_text())["blocks"]
    one, *_ = index["head.weight"]["weight"]
    with pytest.raises(ValueError, match="checkpoint has 992 of"):
        read_box(
            path, "head.weight", [Block.of(one)], (slice(0, 61), slice(0, 32))
        )
