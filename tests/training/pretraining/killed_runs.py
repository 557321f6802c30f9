"""A run that is killed at many moments, and one that is not.

``python killed_runs.py FOLDER KILLS [SETTING…]`` trains one model in a
process that lives, and the same in processes that are killed one after
another at random moments and go on from what is there, most of them in the
middle of writing a checkpoint. Settings: ``compiled``, ``bfloat16``.

Printed are the step of the newest checkpoint after each kill, how many kills
hit a checkpoint that was being written, and whether weights, optimizer,
generators and log are equal to the bit.
"""

import json
import os
import random
import signal
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from scratchlm.model.transformer import TransformerConfig
from scratchlm.text.shards import (
    BatchConfig,
    Batches,
    MemoryTokens,
    PackedRows,
)
from scratchlm.training.objective import Loss
from scratchlm.training.optimizers import WarmupStableDecay, muon_and_adamw
from scratchlm.training.pretraining import (
    Run,
    checkpoints,
    language_loss,
    load_checkpoint,
    train,
)
from scratchlm.training.pretraining.loop import CHECKPOINTS, LOG

N_STEPS = 60


def batches():
    """Few rows, so that epochs end within the run."""
    draws = np.random.default_rng(0)
    documents = [
        draws.integers(1, 23, draws.integers(1, 11)) for _ in range(40)
    ]
    rows = PackedRows(MemoryTokens(documents, end_id=0), 12)
    return Batches(rows, BatchConfig(batch_size=6))


def noisy_loss(model, batch):
    """Draws from every generator, as dropout and augmentation do."""
    loss = language_loss(model, batch)
    noise = torch.randn(()) + np.random.randn() + random.gauss(0, 1)
    return Loss(loss.total * (1 + 0.01 * noise), loss.count)


def held_out(model):
    """Draws as well, and must leave no trace."""
    return float(torch.rand(()))


def make(settings):
    model = TransformerConfig(
        vocab_size=23,
        d_model=16,
        n_layers=2,
        n_heads=2,
        n_kv_heads=1,
        d_head=8,
        d_ff=24,
        max_tokens=16,
    )
    run = Run(
        model=model,
        batches=batches,
        n_steps=N_STEPS,
        optimizer=partial(muon_and_adamw, lr=0.02),
        schedule=WarmupStableDecay(warmup=2, n_steps=N_STEPS, decay=20),
        loss=noisy_loss,
        n_micro=3,
        evaluate=held_out,
        evaluate_every=7,
        save_every=1,
    )
    if "compiled" in settings:
        run = replace(run, compiled=True)
    if "bfloat16" in settings:
        run = replace(run, dtype="bfloat16")
    return run


def apart(work):
    if child := os.fork():
        return child
    try:
        work()
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        os._exit(70)


def drain(run, folder):
    for _ in train(run, folder):
        pass


def killed(run, folder, dice, most, slowest):
    """Kill process after process; return at which steps, and how many kills
    were in a save."""
    steps, in_save = [], 0
    while True:
        child = apart(partial(drain, run, folder))
        if len(steps) < most:
            time.sleep(dice.uniform(0.0, slowest))
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return steps, in_save
        saves = folder / CHECKPOINTS
        hidden = saves.glob(".*step*") if saves.exists() else ()
        in_save += any(True for _ in hidden)
        steps.append(max((s for s, _ in checkpoints(saves)), default=0))


def outcome(folder):
    """The log without its seconds, and the state without them."""
    rows = (folder / LOG).read_text().splitlines()
    column = rows[0].split(",").index("seconds")
    log = [
        [cell for i, cell in enumerate(row.split(",")) if i != column]
        for row in rows
    ]
    state = load_checkpoint(folder / CHECKPOINTS).state
    state.pop("seconds")
    return log, state


def same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)  # so that nan equals nan


def main():
    folder, most, settings = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    torch.set_num_threads(1)
    run = make(settings)
    # What is imported and compiled late is there before anything is killed.
    next(train(run))
    whole = folder / "whole"
    start = time.perf_counter()
    child = apart(partial(drain, run, whole))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    took = time.perf_counter() - start
    # Well within the run, which may be faster when it runs again.
    slowest = min(2 / most, 0.6) * took
    steps, in_save = killed(
        run, folder / "cut", random.Random(0), most, slowest
    )
    one, two = outcome(whole), outcome(folder / "cut")
    print(
        json.dumps(
            {
                "kills": len(steps),
                "steps": steps,
                "in_save": in_save,
                "log": one[0] == two[0],
                "state": same(one[1], two[1]),
                "step": two[1]["step"],
            }
        )
    )


if __name__ == "__main__":
    main()
