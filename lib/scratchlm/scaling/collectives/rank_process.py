"""A process that is one rank: it joins the group, then does its work."""

import faulthandler
import io
import linecache
import os
import re
import signal
import time
from collections import ChainMap
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import TracebackException
from types import CodeType
from typing import Any, ClassVar

import cloudpickle
import torch
from torch import distributed as dist

from scratchlm.foundation.parallel import once_closed

NO_MORE = b""  # work after which a rank ends by itself
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.M)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a rank says of one call."""

    at: float  # of a clock that all processes of the machine share
    printed: str
    result: Any = None
    # Formatted by the caller, who knows the lines of a notebook's cells.
    failure: TracebackException | str | None = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which rank a process is, and of what."""

    rank: int
    world_size: int
    folder: str  # for what the ranks and the caller share
    threads: int
    seconds: float  # for which a collective waits


def serve(place: Place, pipe: Connection) -> None:
    """Be a rank: join the group, then do what comes through the pipe."""
    # A terminal sends an interrupt to all; the caller ends the ranks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        once_closed(parent.sentinel, partial(os._exit, 1))
    # Kept open: the handler of the signal writes into it.
    stack = stack_file(place.folder, place.rank).open("w")
    if hasattr(faulthandler, "register"):
        faulthandler.register(
            signal.SIGUSR1, file=stack, all_threads=False, chain=False
        )
    torch.set_num_threads(place.threads)
    dist.init_process_group(
        "gloo",
        store=dist.FileStore(  # type: ignore[attr-defined]
            str(Path(place.folder) / "store"), place.world_size
        ),
        rank=place.rank,
        world_size=place.world_size,
        timeout=timedelta(seconds=place.seconds),
    )
    while True:
        try:
            work = pipe.recv_bytes()
        except EOFError:
            return
        if work == NO_MORE:
            return
        pipe.send_bytes(tell(work))


def tell(work: bytes) -> bytes:
    """Do a piece of work, and pack what there is to say of it."""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            function, args = cloudpickle.loads(work)
            result = function(dist.group.WORLD, *args)
        return packed(
            Told(
                at=time.monotonic(), printed=printed.getvalue(), result=result
            )
        )
    except BaseException as error:
        trace = error.__traceback__
        failure = TracebackException(
            type(error), error, trace and trace.tb_next, lookup_lines=False
        )
        return packed(
            Told(
                at=time.monotonic(),
                printed=printed.getvalue(),
                failure=failure,
            )
        )


def _code_with_file(code: CodeType) -> tuple[Any, ...]:
    kind, args = cloudpickle.Pickler.dispatch_table[CodeType](code)
    return kind, tuple(
        code.co_filename if arg == "<dynamic-code>" else arg for arg in args
    )


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Keep the file of a function, which cloudpickle calls dynamic code."""

    dispatch_table: ClassVar[Any] = ChainMap(
        {CodeType: _code_with_file},
        cloudpickle.Pickler.dispatch_table,
    )


def packed(thing: object) -> bytes:
    file = io.BytesIO()
    _Pickler(file).dump(thing)
    return file.getvalue()


def stack_file(folder: str, rank: int) -> Path:
    return Path(folder) / f"stack-{rank}"


def stack_of(stack: str) -> str:
    """Format a stack that faulthandler wrote, with the lines of source.

    What every rank has, the loop that serves it, is cut, as are PyTorch's
    own decorators.
    """
    lines = []
    for file, number, name in _FRAME.findall(stack):
        if name == tell.__name__ and Path(file).name == Path(__file__).name:
            break
        if file.endswith("c10d_logger.py"):
            continue
        lines.append(f'  File "{file}", line {number}, in {name}')
        source = linecache.getline(file, int(number)).strip()
        lines += [f"    {source}"] if source else []
    return "\n".join(lines)
