#!/usr/bin/env bash
# Package: torch 2.13.0 (torch.distributed.tensor.parallel).
#
# A language model often uses one weight twice: the embedding and the output
# layer are the same parameter. parallelize_module with a style for each of
# the two replaces the parameter in each module by a distributed one of its
# own. Without a warning the model then has two parameters. Forward is still
# right. Each of the two gets the gradient of its own use alone, so from the
# first step of the optimizer on they are two different weights, and a
# checkpoint loads into the original model with one of them lost.
#
# It bites whoever trains a model with tied embeddings under tensor
# parallelism. Tie the weights again after the call, by assigning the one
# module's parameter to the other.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install "torch==2.13.0" "numpy<3"

cat >"$folder/tied.py" <<'PYTHON'
import sys

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Replicate
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(8, 4)
        self.head = nn.Linear(4, 8, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens):
        return self.head(self.embedding(tokens))


def work(rank, store):
    distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2
    )
    torch.manual_seed(0)
    alone, model = Tied(), Tied()
    model.load_state_dict(alone.state_dict())
    mesh = DeviceMesh("cpu", torch.arange(2))
    plan = {
        "embedding": RowwiseParallel(input_layouts=Replicate()),
        "head": ColwiseParallel(output_layouts=Replicate()),
    }
    parallelize_module(model, mesh, plan)
    tokens = torch.arange(8)
    same = torch.allclose(model(tokens), alone(tokens))
    for each in (model, alone):
        each(tokens).square().sum().backward()
    right = alone.embedding.weight.grad
    found = model.embedding.weight.grad.full_tensor()
    off = ((found - right).norm() / right.norm()).item()
    if rank == 0:
        print("parameters before:", len(list(alone.parameters())))
        print("parameters after: ", len(list(model.parameters())))
        print("logits equal:     ", same)
        print(f"gradient off by:   {off:.2f} of its length")


if __name__ == "__main__":
    torch.multiprocessing.spawn(work, (sys.argv[1],), nprocs=2)
PYTHON

"$folder/venv/bin/python" "$folder/tied.py" "$folder/store" |
    tee "$folder/said"
grep -q '^parameters before: 1$' "$folder/said"
grep -q '^parameters after:  2$' "$folder/said"
grep -q '^logits equal:      True$' "$folder/said"
grep -q '^gradient off by:   0.50 of its length$' "$folder/said"
echo "As found."
