"""Signals that are noted, and signals that end."""

import os
import signal
import threading

import pytest

from scratchlm.training.pretraining import Interrupted
from scratchlm.training.pretraining.interruption import (
    SIGNALS,
    Request,
    requests_to_end,
)


def test_nobody_has_asked_at_first():
    """A run would end after its first step."""
    assert not Request()
    assert Request(15)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_noted(number):
    """One that ends at once leaves no time for a checkpoint."""
    with requests_to_end() as request:
        assert not request
        os.kill(os.getpid(), number)
        assert request.number == number


def test_handlers_are_put_back_whatever_happens():
    """Ctrl-C would do nothing in the rest of a notebook."""
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(KeyError), requests_to_end():
        raise KeyError
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_the_second_signal_ends():
    """A step that hangs could not be stopped."""
    with requests_to_end() as request:
        os.kill(os.getpid(), signal.SIGINT)
        assert request
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_second_sigterm_leaves_time_for_the_checkpoint():
    """A scheduler asks all processes of a job, and the launcher among them
    asks its ranks once more: half a checkpoint."""
    with requests_to_end() as request:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.number == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_other_signals_are_noted_where_wanted():
    """A scheduler's own signal, whose default ends the process at once."""
    before = signal.getsignal(signal.SIGUSR1)
    with requests_to_end(signal.SIGUSR1) as request:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert request.number == signal.SIGUSR1
    assert signal.getsignal(signal.SIGUSR1) == before


def test_another_thread_notes_nothing():
    """Python refuses handlers outside of its main thread."""
    found = []

    def work():
        with requests_to_end() as request:
            found.append(bool(request))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


def test_it_is_an_interrupt_for_those_who_do_not_know_it():
    """``except Exception`` around a step would swallow it."""
    stopped = Interrupted("the run can be resumed", 15)
    assert isinstance(stopped, KeyboardInterrupt)
    assert not isinstance(stopped, Exception)
    assert (str(stopped), stopped.number) == ("the run can be resumed", 15)
