"""Saves that are killed, each at a moment that no other met.

``python killed_saves.py FOLDER`` begins with checkpoints of the steps 1 and
2, and saves one more in one process after another. Each is killed just before
it changes the disk in one more way than the one before it, until one ends by
itself. After each, what is loaded must be the old checkpoint or the new one,
whole, and the next save must leave nothing of the kill behind. In the end
come kills at thirty random moments.

Printed are, for each way to save, the number of kills and how often the new
checkpoint was found. A kill costs nothing that the system was given to write,
so nobody waits for the disk here.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
import warnings
from pathlib import Path

import torch

from scratchlm.foundation import durable
from scratchlm.training.pretraining import (
    checkpoints,
    load_checkpoint,
    save_checkpoint,
)

CHANGES = {
    *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod"),
    *("shutil.rmtree", "os.truncate"),
}


def state_of(step, version):
    torch.manual_seed(step)
    tensor = torch.randn(50) + version
    moments = {0: {"m": tensor * 2}}
    return {
        "model": {"w": tensor},
        "optimizer": {"state": moments},
        "loop": {"step": step, "version": version},
    }


def save(folder, step, version, keep):
    return save_checkpoint(
        folder, step, state_of(step, version), keep=keep, about={"d": 1}
    )


def die_before_change(number):
    """Let this process die before it changes the disk for the n-th time."""
    left = [number]

    def count():
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    def look(event, arguments):
        writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in CHANGES or writes:
            count()

    def counted(function):
        def called(*given):
            count()
            return function(*given)

        return called

    sys.addaudithook(look)
    os.fsync = counted(os.fsync)
    durable.PartialFile.write = counted(durable.PartialFile.write)


def apart(work):
    """Do it in a process of its own; return its number."""
    if child := os.fork():
        return child
    try:
        work()
        os._exit(0)
    except BaseException:
        os._exit(70)


def check(folder, allowed):
    """Whether the new one was found; it, or the old one, must be whole."""
    found = load_checkpoint(folder, about={"d": 1})
    loop = found.state["loop"]
    seen = (loop["step"], loop["version"])
    assert seen in allowed, (seen, allowed)
    expected = state_of(*seen)
    assert found.step == seen[0]
    assert torch.equal(found.state["model"]["w"], expected["model"]["w"])
    one, two = (s["optimizer"]["state"] for s in (found.state, expected))
    assert torch.equal(one[0]["m"], two[0]["m"])
    return seen


def check_tidy(folder, keep):
    """The next save leaves what any save leaves, and nothing else."""
    save(folder, 9, 0, keep)
    assert check(folder, {(9, 0)})
    steps = [step for step, _ in checkpoints(folder)]
    assert len(steps) == keep, steps
    names = {f"step-{step:08d}" for step in steps} | {".lock"}
    assert {path.name for path in folder.iterdir()} == names


def at_each_change(folder, keep, step):
    kills = new = 0
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        for before in (1, 2):
            save(folder, before, 0, keep)

        def work(number=kills + 1):
            die_before_change(number)
            save(folder, step, 1, keep)

        status = os.waitpid(apart(work), 0)[1]
        new += check(folder, {(2, 0), (step, 1)}) == (step, 1)
        check_tidy(folder, keep)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return kills, new
        kills += 1


def at_random_moments(folder):
    dice = random.Random(0)
    kills = new = 0
    save(folder, 1, 0, 2)
    step = 1
    for _ in range(30):

        def work(first=step + 1):
            for each in range(first, first + 1000):
                save(folder, each, 0, 2)

        child = apart(work)
        time.sleep(dice.uniform(0.005, 0.05))
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
        kills += 1
        seen = check(folder, {(each, 0) for each in range(step, step + 1000)})
        new += seen[0] > step
        step = seen[0]
        assert len(checkpoints(folder)) <= 3  # the newest, and two before
    return kills, new


def main():
    warnings.simplefilter("error")  # no whole checkpoint may seem damaged
    os.fsync = lambda descriptor: None
    folder = Path(sys.argv[1])
    report = {
        f"keep {keep}, step {step}": at_each_change(folder, keep, step)
        for keep, step in ((1, 2), (2, 3))  # one is replaced, one is new
    }
    shutil.rmtree(folder)
    report["random"] = at_random_moments(folder)
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
