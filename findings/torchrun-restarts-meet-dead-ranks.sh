#!/usr/bin/env bash
# Package: torch 2.13.0 (torch.distributed.run, gloo).
#
# torchrun --max-restarts starts all ranks again once one of them has died.
# Ranks meet at a store that torchrun itself keeps, and that store outlives
# them: the addresses of the ranks before are still in it. A rank that looks
# for another before that one has written its new address connects to a dead
# process. The comment in torch/distributed/rendezvous.py says that each retry
# has a store of its own; up to 2.4 each had at least a prefix of its own.
#
# The restart then fails with "Connection refused", which costs one of the
# restarts that were granted.
#
# It bites whoever counts on restarts: whether one works depends on which
# process is the first. Let the ranks agree on a prefix of the store that is
# new before they make their process group, or set
# TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 with a c10d rendezvous.
#
# Known as pytorch/pytorch#135712 and #167288.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install "torch==2.13.0" "numpy<3"

cat >"$folder/restarted.py" <<'PYTHON'
import os
import signal
import time

import torch
from torch import distributed

rank = int(os.environ["RANK"])
start = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
if rank == 1 and start == 1:
    time.sleep(2)  # as a rank does that imports more slowly
try:
    distributed.init_process_group("gloo")
except RuntimeError as error:
    print(f"start {start}, rank {rank}: {error}", flush=True)
    raise
distributed.all_reduce(torch.ones(1))
print(f"start {start}, rank {rank}: joined", flush=True)
if rank == 1 and start == 0:
    os.kill(os.getpid(), signal.SIGKILL)
distributed.all_reduce(torch.ones(1))
distributed.destroy_process_group()
PYTHON

restarted() {
    timeout 90 "$folder/venv/bin/python" -m torch.distributed.run \
        --standalone --nproc-per-node=2 --max-restarts=2 \
        "$folder/restarted.py" 2>"$folder/errors" | tee "$folder/said" || true
}
echo "As shipped:"
restarted
grep -q 'start 0, rank 0: joined' "$folder/said"
if grep -q 'start 1, rank 0: joined' "$folder/said"; then
    echo "The restart worked." && exit 1
fi
echo "With a store of its own for each start:"
TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 restarted
grep -q 'start 1, rank 0: joined' "$folder/said"
echo "As found."
