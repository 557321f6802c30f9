"""Our models beside transformers': same weights, same tokens.

    python benchmarks/model.py
    python benchmarks/model.py --only eager --dtypes float32 --starts 5
    python benchmarks/model.py --shares
    python benchmarks/model.py --json

Each side has a process of its own, as its users do, so that neither finds
memory that the other left warm. They run in turn, and the ratio of each pair
of runs counts: its median is reported, with the lowest and the highest. The
same two models, started anew, can be at another ratio from then on, so the
pairs come from ``--starts`` pairs of processes, ``--rounds`` from each. Each
side trains on its own loss. Memory is the peak of its process, less what it
took before the model was read.

With ``--shares`` the sides do not race. PyTorch's profiler says what part of
a pass are calls that both sides make, matrix products and the attention
kernel; the last column is the ratio of a model whose other parts cost nothing.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import transformers
from _output import Output, add_option
from torch import Tensor, nn

from scratchlm.interop import hf
from scratchlm.model.transformer import fused_linear_cross_entropy

VOCABULARY = 8192
SHAPES = {"7M": (256, 8, 4, 704), "25M": (448, 8, 7, 1216)}
FAMILIES = ("GPT-2", "Llama")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
CLOSE = {"float32": 1e-4, "bfloat16": 0.1}
TARGET = 1.1
PASSES = ("forward", "forward and backward")
PRODUCTS = ("aten::mm", "aten::addmm", "aten::addmm_")
SPAWN = multiprocessing.get_context("spawn")
Run = Callable[[], object]


def configuration(family: str, size: str) -> transformers.PreTrainedConfig:
    """A model of about ``size`` parameters, heads of 64 or of 32 axes."""
    d_model, n_layers, n_kv_heads, d_ff = SHAPES[size]
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    if family == "GPT-2":
        return transformers.GPT2Config(
            vocab_size=VOCABULARY,
            n_positions=2048,
            n_embd=d_model,
            n_layer=n_layers,
            n_head=2 * n_kv_heads,
            **ends,
        )
    return transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=2048,
        hidden_size=d_model,
        num_hidden_layers=n_layers,
        num_attention_heads=2 * n_kv_heads,
        num_key_value_heads=n_kv_heads,
        intermediate_size=d_ff,
        tie_word_embeddings=True,
        **ends,
    )


def write(family: str, size: str, folder: Path) -> None:
    """Draw the weights once; both sides read them from the same files."""
    torch.manual_seed(0)
    config = configuration(family, size)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)


def read(side: str, folder: Path, dtype: torch.dtype) -> nn.Module:
    if side == "ours":
        return hf.load(folder).model.to(dtype).eval()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype
    )
    return model.eval()


def logits_of(side: str, model: nn.Module, tokens: Tensor) -> Tensor:
    if side == "ours":
        return model(tokens)
    return model(tokens, use_cache=False).logits


def passes(side: str, model: nn.Module, tokens: Tensor) -> dict[str, Run]:
    """What is timed. Dropout is off on both sides."""
    targets = tokens.roll(-1, 1)

    def forward() -> None:
        with torch.no_grad():
            logits_of(side, model, tokens)

    def both() -> None:
        if side == "ours":
            x = model.hidden(tokens)
            weight = model.head.weight
            loss = fused_linear_cross_entropy(x, weight, targets)
        else:
            # Its own labels are the tokens: it shifts them by itself.
            loss = model(tokens, labels=tokens, use_cache=False).loss
        loss.backward()
        model.zero_grad(set_to_none=True)

    return dict(zip(PASSES, (forward, both), strict=True))


def seconds(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def share(run: Run) -> float:
    """The part of a pass that is spent in calls that both sides make."""
    with torch.profiler.profile() as profile:
        for _ in range(3):
            run()
    times = {e.key: e.self_cpu_time_total for e in profile.key_averages()}
    same = sum(
        time
        for name, time in times.items()
        if name in PRODUCTS or "flash_attention" in name
    )
    return same / sum(times.values())


def resident(name: str) -> float:
    """A line of this process's memory, in MB."""
    status = Path("/proc/self/status").read_text()
    line = next(s for s in status.splitlines() if s.startswith(name))
    return int(line.split()[1]) * 1024 / 1e6


def quiet() -> None:
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def serve(pipe: Connection, side: str, mode: str, *model: str) -> None:
    """Do what is asked for, in a process with one model."""
    quiet()
    folder, dtype, shape = model
    tokens, before = draw(shape), resident("VmRSS")
    made = read(side, Path(folder), DTYPES[dtype])
    if mode == "compiled" and side == "ours":
        # The head is one product, and the loss wants what it reads.
        made.hidden = torch.compile(made.hidden)
    elif mode == "compiled":
        made = torch.compile(made)
    runs = passes(side, made, tokens)
    while (asked := pipe.recv()) is not None:
        if asked == "logits":
            with torch.no_grad():
                row = logits_of(side, made, tokens)[:1]
            pipe.send(row.float().numpy())
        elif asked == "peak":
            pipe.send(resident("VmHWM") - before)
        elif asked.startswith("share "):
            pipe.send(share(runs[asked.removeprefix("share ")]))
        else:
            time.sleep(0.05)  # threads of the other side wait awake a while
            pipe.send(seconds(runs[asked]))


class Side:
    """One library, its model, and the process that runs it."""

    def __init__(self, side: str, mode: str, *model: str):
        self.pipe, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(
            target=serve, args=(theirs, side, mode, *model), daemon=True
        )
        self.process.start()
        theirs.close()  # or a process that died would be waited for

    def ask(self, what: str) -> Any:
        self.pipe.send(what)
        return self.pipe.recv()


def draw(shape: str) -> Tensor:
    batch, length = map(int, shape.split("x"))
    generator = torch.Generator().manual_seed(0)
    return torch.randint(VOCABULARY, (batch, length), generator=generator)


def shares(output: Output, what: str, ours: float, theirs: float) -> None:
    """What the profiler says of one pass."""
    output.row(
        what,
        f"{ours:.0%} of ours, {theirs:.0%} of theirs",
        f"at most {1 / theirs:.2f}",
    )
    output.figure(f"{what}, at most", 1 / theirs, against="transformers")


def ratios(
    output: Output, what: str, pairs: list[list[float]], tokens: int
) -> None:
    """What the clock says of one pass."""
    each = sorted(theirs / ours for ours, theirs in pairs)
    best = tokens / min(ours for ours, _ in pairs)
    ratio = statistics.median(each)
    output.row(
        what,
        f"{ratio:.2f} ({each[0]:.2f} to {each[-1]:.2f})",
        f"{best:,.0f} tokens/s",
    )
    output.figure(what, ratio, against="transformers", target=TARGET)


def peaks(output: Output, label: str, ours: float, theirs: float) -> None:
    what = f"{label}, peak of training"
    output.row(
        what,
        f"{ours:.0f} MB, theirs {theirs:.0f}",
        f"{ours / theirs:.2f} times theirs",
    )
    output.figure(what, theirs / ours, against="transformers", target=1.0)


def start(label: str, mode: str, *model: str) -> list[Side]:
    """Both sides, in new processes, once they have shown the same logits."""
    sides = [Side(side, mode, *model) for side in ("ours", "theirs")]
    a, b = (side.ask("logits") for side in sides)
    difference = float(abs(a - b).max())
    _, dtype, _ = model
    if difference > CLOSE[dtype]:
        raise SystemExit(f"{label}: the logits differ by {difference}")
    return sides


def report(
    output: Output, label: str, args: argparse.Namespace, *model: str
) -> None:
    mode, folder, dtype = model
    label = f"{label}, {mode}"
    pairs: dict[str, list[list[float]]] = {name: [] for name in PASSES}
    for _ in range(1 if args.shares else args.starts):
        sides = start(label, mode, folder, dtype, args.shape)
        for name in PASSES:
            for _ in range(3):  # compiles, and fills the caches
                [side.ask(name) for side in sides]
            if args.shares:
                parts = [side.ask(f"share {name}") for side in sides]
                shares(output, f"{label}, {name}", *parts)
                continue
            for _ in range(args.rounds):
                pairs[name].append([side.ask(name) for side in sides])
        memory = [side.ask("peak") for side in sides]
        for side in sides:
            side.pipe.send(None)
            side.process.join()
    if args.shares:
        return
    for name in PASSES:
        ratios(output, f"{label}, {name}", pairs[name], args.tokens)
    if mode == "eager":  # else it holds a compiler
        peaks(output, label, *memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--shape", default="8x256", help="batch x tokens")
    parser.add_argument(
        "--only", nargs="+", default=["eager", "compiled"], metavar="MODE"
    )
    parser.add_argument("--dtypes", nargs="+", default=list(DTYPES))
    parser.add_argument("--sizes", nargs="+", default=list(SHAPES))
    parser.add_argument("--families", nargs="+", default=list(FAMILIES))
    parser.add_argument("--shares", action="store_true")
    add_option(parser)
    args = parser.parse_args()
    output = Output(as_json=args.json)
    args.tokens = draw(args.shape).numel()
    quiet()
    output.heading(f"{args.shape} tokens, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as home:
        for family in args.families:
            for size in args.sizes:
                folder = Path(home) / f"{family}-{size}"
                write(family, size, folder)
                for dtype in args.dtypes:
                    label = f"{family} {size} {dtype}"
                    for mode in args.only:
                        model = mode, str(folder), dtype
                        report(output, label, args, *model)


if __name__ == "__main__":
    main()
