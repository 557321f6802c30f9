#!/usr/bin/env bash
# Package: torch 2.13.0 (torch.distributed.tensor.parallel).
#
# loss_parallel is a context manager that gives cross_entropy of a distributed
# tensor another implementation, for logits that are cut by classes. Where an
# error leaves the with statement, the implementation stays: the function has
# no "finally". From then on cross_entropy of logits that are not cut raises
# in that process, in code that never asked for loss_parallel.
#
# It bites whoever catches an error of a training step and goes on, as for a
# batch that does not fit into memory, and notebooks and test runs, in which
# the first failure makes all later cells or tests fail. Catch the error
# inside, let the context end, and raise it again outside.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install "torch==2.13.0" "numpy<3"

cat >"$folder/stays.py" <<'PYTHON'
import sys

import torch
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Replicate, distribute_tensor
from torch.distributed.tensor.parallel import loss_parallel
from torch.nn.functional import cross_entropy


def loss(mesh):
    logits = distribute_tensor(torch.randn(2, 4), mesh, [Replicate()])
    targets = distribute_tensor(torch.tensor([0, 1]), mesh, [Replicate()])
    try:
        cross_entropy(logits, targets)
    except ValueError as error:
        return str(error).partition(",")[0]
    return "computed"


def work(rank, store):
    distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=1
    )
    mesh = DeviceMesh("cpu", torch.arange(1))
    with loss_parallel():
        pass
    print("after a context that ended:", loss(mesh))
    try:
        with loss_parallel():
            raise MemoryError
    except MemoryError:
        print("after one that raised:     ", loss(mesh))


if __name__ == "__main__":
    torch.multiprocessing.spawn(work, (sys.argv[1],), nprocs=1)
PYTHON

"$folder/venv/bin/python" "$folder/stays.py" "$folder/store" |
    tee "$folder/said"
grep -q '^after a context that ended: computed$' "$folder/said"
grep -q '^after one that raised: *loss_parallel() requires' "$folder/said"
echo "As found."
