"""A rank as seen from inside: what it packs, and what it says of a stack."""

import traceback
from traceback import TracebackException

import cloudpickle
import pytest

from scratchlm.scaling.collectives.rank_process import (
    packed,
    stack_of,
    tell,
)


def reveal(work):
    """What a rank says of a piece of work, unpacked."""
    return cloudpickle.loads(tell(work))


def test_a_function_keeps_its_file():
    """Tracebacks that name "<dynamic-code>", so that nobody finds the line
    in which a rank failed."""
    shift = 3
    copy = cloudpickle.loads(packed(lambda x: x + shift))
    assert copy(1) == 4
    assert copy.__code__.co_filename == __file__


def test_work_is_told_with_what_it_printed():
    """Lines lost, or printed on the terminal of a server."""

    def work(group, x):
        print("half", x // 2)
        return x

    told = reveal(packed((work, (6,))))
    assert (told.result, told.printed) == (6, "half 3\n")
    assert told.failure is None


def test_a_failure_is_told_with_its_lines_and_its_cause():
    """The error alone, without where it came from; or with the frames of the
    loop that every rank has."""

    def work(group):
        print("begun")
        try:
            {}["key"]
        except KeyError as error:
            raise ValueError("no such key") from error

    told = reveal(packed((work, ())))
    assert told.printed == "begun\n"
    assert isinstance(told.failure, TracebackException)
    text = "".join(told.failure.format())
    assert 'raise ValueError("no such key") from error' in text
    assert "KeyError: 'key'" in text
    assert "in tell" not in text


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_even_an_exit_is_told(kind):
    """A rank that ends the process in the middle of the others' work."""

    def work(group, kind):
        raise kind(3)

    told = reveal(packed((work, (kind,))))
    assert kind.__name__ in "".join(told.failure.format())


def test_what_cannot_be_packed_is_a_failure():
    """A rank that dies while it packs its result, and says nothing."""
    told = reveal(packed((lambda group: (x for x in "ab"), ())))
    assert "pickle" in "".join(told.failure.format())


def test_a_stack_is_cut_where_the_rank_s_own_loop_begins():
    """Ten lines of a server's frames below the one that matters."""
    here = traceback.extract_stack()[-1]
    stack = (
        "Current thread 0x1 (most recent call first):\n"
        '  File "/x/distributed_c10d.py", line 7 in recv\n'
        '  File "/x/c10d_logger.py", line 83 in wrapper\n'
        f'  File "{__file__}", line {here.lineno} in work\n'
        '  File "/x/rank_process.py", line 90 in tell\n'
        '  File "/x/rank_process.py", line 80 in serve\n'
    )
    assert stack_of(stack) == (
        '  File "/x/distributed_c10d.py", line 7, in recv\n'
        f'  File "{__file__}", line {here.lineno}, in work\n'
        "    here = traceback.extract_stack()[-1]"
    )
