import os
import subprocess
import sys
from threading import Event

import pytest

from scratchlm.foundation import parallel
from scratchlm.foundation.parallel import (
    batches,
    n_workers,
    once_closed,
    ordered_map,
)


def square(number):
    return number * number, os.getpid()


def test_results_come_in_the_order_of_the_items():
    """Results in the order in which the processes finish."""
    results = list(ordered_map(square, range(40), workers=2))
    assert [value for value, _ in results] == [i * i for i in range(40)]
    assert os.getpid() not in {process for _, process in results}


def test_one_worker_stays_in_this_process():
    """A process started for work that is done before it has started."""
    ((_, process),) = ordered_map(square, [3], workers=1)
    assert process == os.getpid()


def test_items_are_read_as_the_work_proceeds():
    """A corpus larger than memory, read to its end before the first result."""
    taken = []

    def items():
        for i in range(1_000):
            taken.append(i)
            yield i

    stream = ordered_map(square, items(), workers=2)
    next(stream)
    assert len(taken) < 10
    stream.close()


def test_an_error_in_a_worker_reaches_the_caller():
    """A batch that failed and is missing from the result, silently."""
    with pytest.raises(TypeError, match="NoneType"):
        list(ordered_map(square, [1, None, 2], workers=2))


def test_batches_hold_every_text_once(monkeypatch):
    """A last batch, shorter than the others, that is never sent."""
    monkeypatch.setattr(parallel, "BATCH", 10)
    texts = ["a" * i for i in range(9)]
    grouped = list(batches(texts))
    assert [text for batch in grouped for text in batch] == texts
    assert all(sum(map(len, batch)) >= 10 for batch in grouped[:-1])


def test_number_of_workers():
    """Zero workers: a pool that raises from its depths."""
    assert n_workers(3) == 3
    assert n_workers(None) >= 1
    with pytest.raises(ValueError, match="workers is 0; give 1 or more"):
        n_workers(0)


def test_a_closed_pipe_is_noticed_and_an_open_one_is_not():
    """A watch that fires at once would end every worker at its start."""
    end, held = os.pipe()
    noticed = Event()
    once_closed(end, noticed.set)
    assert not noticed.wait(0.2)
    os.close(held)
    assert noticed.wait(30)
    os.close(end)


HANG = """
import os, time
from scratchlm.foundation.parallel import ordered_map
def work(item):
    print("at work", flush=True)
    time.sleep(1000 * item)
list(ordered_map(work, [0, 1, 1, 1], 2))
"""


def test_workers_end_when_their_parent_is_killed():
    """Processes without a parent that wait for ever, one more pair with
    each run that was killed; they hold its memory and its pipes."""
    with subprocess.Popen(
        [sys.executable, "-c", HANG], stdout=subprocess.PIPE
    ) as process:
        for _ in range(3):
            process.stdout.readline()
        process.kill()
        process.communicate(timeout=30)  # ends when nobody holds the pipe
