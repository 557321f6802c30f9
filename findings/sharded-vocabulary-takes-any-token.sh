#!/usr/bin/env bash
# Package: torch 2.13.0 (torch.distributed.tensor.parallel).
#
# nn.Embedding raises an IndexError for a token that is not in its table, and
# cross_entropy for a target that is no class. Cut over ranks, neither does.
# An embedding under RowwiseParallel masks what a rank does not have, and of a
# token that no rank has the sum of the masked rows is zero. Under
# loss_parallel a target that no rank has costs zero nats. Nothing is printed.
#
# It bites whoever trains with another tokenizer than the model's, or pads
# with -1: the run goes on, with zeros in place of tokens, and a loss that is
# too low. Compare tokens and targets with the size of the vocabulary first.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install "torch==2.13.0" "numpy<3"

cat >"$folder/any.py" <<'PYTHON'
import sys

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import (
    RowwiseParallel,
    loss_parallel,
    parallelize_module,
)
from torch.nn.functional import cross_entropy


def answer(function):
    try:
        return function()
    except IndexError:
        return "IndexError"


def work(rank, store):
    distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2
    )
    torch.manual_seed(0)
    mesh = DeviceMesh("cpu", torch.arange(2))
    whole, cut = nn.Embedding(8, 4), nn.Embedding(8, 4)
    parallelize_module(cut, mesh, RowwiseParallel(input_layouts=Replicate()))
    logits = torch.randn(1, 8)
    parts = distribute_tensor(logits, mesh, [Shard(1)])
    for token in (8, -1):
        x = torch.tensor([token])
        told = [answer(lambda: whole(x)), answer(lambda: cut(x).tolist())]
        told.append(answer(lambda: cross_entropy(logits, x)))
        with loss_parallel():
            nats = cross_entropy(parts, x, reduction="sum").to_local()
        told.append(abs(nats.item()))
        if rank == 0:
            print(f"token {token}, whole table:", told[0])
            print(f"token {token}, cut table:  ", told[1])
            print(f"target {token}, whole loss:", told[2])
            print(f"target {token}, cut loss:  ", told[3])


if __name__ == "__main__":
    torch.multiprocessing.spawn(work, (sys.argv[1],), nprocs=2)
PYTHON

"$folder/venv/bin/python" "$folder/any.py" "$folder/store" |
    tee "$folder/said"
for token in 8 -1; do
    grep -q "^token $token, whole table: IndexError$" "$folder/said"
    grep -q "^token $token, cut table:   \[\[0.0, 0.0, 0.0, 0.0\]\]$" \
        "$folder/said"
    grep -q "^target $token, whole loss: IndexError$" "$folder/said"
    grep -q "^target $token, cut loss:   0.0$" "$folder/said"
done
echo "As found."
