"""``generate``: from a model to text."""

import sys
from collections.abc import (
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from tyro.conf import Positional, UseAppendAction, arg

from scratchlm.cli.checkpoint import Speaker, find_checkpoint, load_speaker
from scratchlm.cli.options import say
from scratchlm.cli.train import check_device, need_torch

if TYPE_CHECKING:
    from scratchlm.inference.sampling.sampler import Sampler
    from scratchlm.inference.sampling.stopping import Stop
    from scratchlm.inference.sampling.streaming import TextStream
    from scratchlm.model.transformer.transformer import Transformer

USUAL = 256  # new tokens where nothing is said, if there is room for them
TRIED = 4  # tokens with which a pace is tried
SMALL = 100_000_000  # weights; guessed: more of them are worth all threads


class Timing(NamedTuple):
    """How long it took to write.

    Args:
        n_read: tokens of the prompt, with what stands before it.
        n_written: tokens of all samples, their ends counted.
        first: seconds until the first token of each sample.
        rest: seconds from there to the end.
    """

    n_read: int
    n_written: int
    first: float
    rest: float


class Pace(NamedTuple):
    """How a model computes.

    Args:
        dtype: type of its numbers.
        threads: of the processor.
    """

    dtype: str
    threads: int

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Use so many threads, and then as many as before."""
        import torch  # noqa: PLC0415

        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class Samples:
    """Texts that grow side by side, printed one after another.

    The first that has not ended goes to the standard output while it grows,
    and the others wait. Of several, each has a line above it that says which
    one it is. It is written as UTF-8 whatever the terminal's encoding is.

    Args:
        n: how many.
    """

    def __init__(self, n: int):
        self.waiting = [""] * n
        self.ended = [False] * n
        self.row, self.named = 0, 0
        self.last = ""

    def add(self, row: int, text: str) -> None:
        """Take what a sample goes on with."""
        self.waiting[row] += text
        if row == self.row and text:
            self._show()

    def end(self, row: int) -> None:
        """Take in that a sample is complete; go on to the next that is not."""
        self.ended[row] = True
        while self.row < len(self.ended) and self.ended[self.row]:
            self._show()
            self.break_line()
            self.row += 1
        if self.row < len(self.ended) and self.waiting[self.row]:
            self._show()

    def break_line(self) -> None:
        """End the line, so that what comes next begins one."""
        if not self.last.endswith("\n"):
            self._print("\n")

    def _show(self) -> None:
        """Print what waits of the sample whose turn it is."""
        n = len(self.ended)
        if n > 1 and self.named == self.row:
            self.named += 1
            self._print(f"--- sample {self.named} of {n} ---\n")
        text, self.waiting[self.row] = self.waiting[self.row], ""
        if text:
            self._print(text)

    def _print(self, text: str) -> None:
        self.last = text
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()


@dataclass(frozen=True, kw_only=True)
class Generate:
    """Let a model write on from a prompt.

    The text goes to the standard output while it is written, without the
    prompt, and how fast that was to the standard error. The same command
    writes the same text again; another --seed another one.

    Example: python -m scratchlm generate tinyworld-base --prompt "Once"
    """

    checkpoint: Positional[
        Annotated[
            str,
            arg(
                metavar="CHECKPOINT",
                help="a folder with config.json and safetensors, as this "
                "package and transformers write it; the folder of a run of "
                "train; or the name of a model that is shipped or that a "
                "recipe made, such as tinyworld-base",
            ),
        ]
    ]
    prompt: str = ""
    """the text to go on from; - reads it from the standard input, less one
    newline at its end. An empty one lets the model begin a text"""
    max_new_tokens: int | None = None
    """end after so many tokens; 256, or what the model's context has room
    for, if not given"""
    temperature: float = 1.0
    """logits are divided by it; 0 takes the likeliest token each time"""
    top_k: int | None = None
    """draw from so many of the likeliest tokens"""
    top_p: float | None = None
    """draw from the likeliest tokens that together reach this probability"""
    min_p: float | None = None
    """draw from tokens that have this part of the likeliest one's
    probability"""
    repetition_penalty: float = 1.0
    """above 1, tokens that have occurred become less likely"""
    seed: int = 0
    """of the draws"""
    stop: UseAppendAction[
        Annotated[
            tuple[str, ...],
            arg(
                metavar="TEXT",
                help="end before this text; may be given several times",
            ),
        ]
    ] = ()
    n: int = 1
    """samples, written side by side and printed one after another, each
    below a line such as --- sample 1 of 3 ---"""
    device: str = "cpu"
    """where the model is, as PyTorch calls it"""
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    """of weights and products; auto takes the faster of the first two, by a
    short measurement, and may write another text on another machine"""

    def run(self) -> None:
        """Do it."""
        need_torch("generating needs PyTorch and safetensors")
        from scratchlm.training.pretraining.precision import (  # noqa: PLC0415
            find_dtype,
        )

        self._check()
        sampler = self._sampler()
        check_device(self.device, "generated")
        folder = find_checkpoint(self.checkpoint)
        prompt = self._prompt()
        speaker = load_speaker(folder)
        ids = speaker.read(prompt)
        most = self._room(speaker.model, len(ids))
        speaker.model.to(self.device)
        auto = self.dtype == "auto"
        dtypes = ["float32", "bfloat16"] if auto else [self.dtype]
        pace = fastest(speaker.model, ids, dtypes)
        speaker.model.to(find_dtype(pace.dtype))
        with pace.kept():
            timing = self._write(speaker, ids, most, sampler)
        say(
            f"generate: {told(timing)}; {pace.dtype} on {self.device}, "
            f"threads: {pace.threads}"
        )

    def _check(self) -> None:
        for name, least in (("n", 1), ("max_new_tokens", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                option = name.replace("_", "-")
                raise ValueError(
                    f"--{option} is {value}; give {least} or more"
                )
        if "" in self.stop:
            raise ValueError("--stop is empty; give a text, or leave it out")

    def _sampler(self) -> "Sampler":
        from scratchlm.inference.sampling.sampler import (  # noqa: PLC0415
            sampler,
        )

        return sampler(
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            seed=self.seed,
        )

    def _prompt(self) -> str:
        if self.prompt != "-":
            return self.prompt
        try:
            text = sys.stdin.buffer.read().decode("utf8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"the prompt on the standard input is not UTF-8: {error}"
            ) from None
        return text.removesuffix("\n").removesuffix("\r")

    def _room(self, model: "Transformer", n_read: int) -> int:
        """How many tokens to write at most; a ValueError if none fit."""
        most = model.config.max_tokens
        room = most - n_read
        wanted = self.max_new_tokens
        if room < (wanted or 1):
            raise ValueError(
                f"the prompt has {n_read} tokens with what stands before it, "
                f"and the model's context is {most}; "
                + (
                    f"give at most {room} --max-new-tokens, or a shorter "
                    "prompt"
                    if room > 0
                    else "give a shorter prompt"
                )
            )
        return wanted or min(USUAL, room)

    def _write(
        self, speaker: Speaker, ids: list[int], most: int, sampler: "Sampler"
    ) -> Timing:
        """Print all samples; return how long that took."""
        from scratchlm.inference.cache.generate import (  # noqa: PLC0415
            generate,
        )
        from scratchlm.inference.sampling.streaming import (  # noqa: PLC0415
            TextStream,
        )

        steps = generate(
            speaker.model,
            [ids] * self.n,
            max_new_tokens=most,
            sampler=sampler,
            stop=self._stop(speaker),
        )
        streams = [
            TextStream(speaker.tokenizer, stop=self.stop)
            for _ in range(self.n)
        ]
        times, n_written = [perf_counter()], 0
        for n_new in printed(steps, streams, speaker.ends):
            times.append(perf_counter())
            n_written += n_new
        start, first, *_, last = [*times, times[-1]]
        return Timing(len(ids), n_written, first - start, last - first)

    def _stop(self, speaker: Speaker) -> "Stop":
        """Return what ends a sample: the model's own end, or a text."""
        from scratchlm.inference.sampling.stopping import (  # noqa: PLC0415
            AnyOf,
            StopTexts,
        )

        ends = speaker.ends
        texts = [StopTexts(speaker.tokenizer, self.stop)] if self.stop else []
        return AnyOf(lambda written: written[-1] in ends, *texts)


def printed(
    steps: Iterable[Mapping[int, int]],
    streams: Sequence["TextStream"],
    ends: Collection[int],
) -> Iterator[int]:
    """Print samples while they are written.

    Args:
        steps: for each step the rows that go on, with their new tokens.
        streams: one for each row.
        ends: tokens that end a sample and are not printed.

    Yields:
        For each step the number of new tokens.
    """
    out = Samples(len(streams))
    try:
        for new in steps:
            for row, token in new.items():
                if token not in ends:
                    out.add(row, streams[row].push(token))
                if token in ends or streams[row].stopped:
                    out.add(row, streams[row].finish())
                    out.end(row)
            yield len(new)
    except KeyboardInterrupt:
        out.break_line()
        raise
    for row, stream in enumerate(streams):
        if not out.ended[row]:
            out.add(row, stream.finish())
            out.end(row)


def told(timing: Timing) -> str:
    """Say how fast it was.

    Args:
        timing: of all samples.
    """
    n, seconds = timing.n_written, timing.first + timing.rest
    return (
        f"{n:,} tokens in {seconds:.2f} s, {n / seconds:,.0f} a second; the "
        f"first after {timing.first:.2f} s, behind a prompt of "
        f"{timing.n_read:,}"
    )


def fastest(
    model: "Transformer", ids: list[int], dtypes: Sequence[str]
) -> Pace:
    """Measure how a model writes fastest on this machine.

    Processors differ: bfloat16 moves half of the bytes, and without
    instructions for it each product takes several times as long. The second
    thread of a small model waits more than it works.

    Args:
        model: in float32; it stays so.
        ids: a prompt.
        dtypes: the types of numbers that may be used.

    Returns:
        The best of the types and, on a CPU, of one thread and all of them.
    """
    import torch  # noqa: PLC0415

    from scratchlm.inference.cache.generate import complete  # noqa: PLC0415
    from scratchlm.training.pretraining.precision import (  # noqa: PLC0415
        find_dtype,
    )

    threads = {torch.get_num_threads()}
    n_weights = sum(p.numel() for p in model.parameters())
    if n_weights < SMALL and next(model.parameters()).device.type == "cpu":
        threads.add(1)
    tried = [Pace(name, n) for name in dtypes for n in sorted(threads)]
    best = dict.fromkeys(tried, 0.0 if len(tried) == 1 else inf)
    for name in dtypes if len(tried) > 1 else ():
        kind = find_dtype(name)
        each = model if name == "float32" else deepcopy(model).to(kind)
        for pace in [pace for pace in tried if pace.dtype == name] * 2:
            with pace.kept():
                start = perf_counter()
                complete(each, [ids[-TRIED:]], max_new_tokens=TRIED)
            best[pace] = min(best[pace], perf_counter() - start)
    return min(best, key=best.__getitem__)
